//! Verdicts on what is written or shown.
//!
//! An operation of its own: a request is texts, or a text with pictures, and
//! its answer says of each which kinds of harm a model sees in it.

use crate::UsageReport;
use crate::json::Map;

/// How a vendor's interface for verdicts looks on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// OpenAI's `POST /moderations`, as servers of models imitate it: texts, or
    /// parts with pictures that are judged together.
    OpenAi,
    /// Mistral's `POST /v1/moderations`: texts alone, and nothing says whether
    /// any kind was found.
    Mistral,
}

impl Shape {
    /// Every shape, in the order in which documents list them.
    pub const ALL: [Self; 2] = [Self::OpenAi, Self::Mistral];
}

/// What is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Texts, each by itself.
    Texts(Vec<String>),
    /// Parts, all of them together.
    Parts(Vec<Part>),
}

impl Input {
    /// How many verdicts there are to be.
    #[must_use]
    pub const fn verdicts(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Parts(_) => 1,
        }
    }
}

/// A part of what is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// What it says.
    Text(String),
    /// What it shows: an address, or the picture as a `data:` URL.
    Picture(String),
}

/// A verdict on one input.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    /// Whether any kind of harm was found.
    pub flagged: bool,
    /// Which kinds there are, and whether each was found; nothing where the
    /// model does not look for it.
    pub categories: Map,
    /// How sure the model is of each, in the vendor's digits.
    pub scores: Map,
    /// In which kinds of input each was looked for, where the vendor tells.
    pub applied: Option<Map>,
}

/// What a model made of the inputs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reply {
    /// One for each input, in their order.
    pub verdicts: Vec<Verdict>,
    /// What the provider counted: most count nothing.
    pub usage: UsageReport,
    /// The provider's id for its answer.
    pub upstream_id: Option<String>,
}
