//! Documents in the order in which they answer a question.
//!
//! An operation of its own: a request is a question and a list, and its
//! answer is places in that list, the best first.

use crate::UsageReport;

/// How a vendor's interface for ranking looks on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// Cohere's `POST /v2/rerank`.
    Cohere,
    /// Voyage AI's `POST /v1/rerank`.
    Voyage,
    /// Jina AI's `POST /v1/rerank`, which servers of models imitate.
    Jina,
}

impl Shape {
    /// Every shape, in the order in which documents list them.
    pub const ALL: [Self; 3] = [Self::Cohere, Self::Voyage, Self::Jina];
}

/// One document of those that are ranked: at least one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// What it says.
    pub text: Option<String>,
    /// What it shows: an address, or the picture as a `data:` URL.
    pub image: Option<String>,
}

/// A document's place in the request's list, and how well it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked {
    /// Its place, from zero.
    pub index: usize,
    /// A JSON number, as the vendor wrote it.
    pub score: String,
}

/// What a model made of a list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reply {
    /// The best first.
    pub results: Vec<Ranked>,
    /// What the provider counted.
    pub usage: UsageReport,
    /// The provider's id for its answer.
    pub upstream_id: Option<String>,
}
