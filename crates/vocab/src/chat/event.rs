//! What a model answers, bit by bit.
//!
//! The laws of the sequence, which the driver checks in tests: at most one
//! [`Event::Start`], first; one [`Event::Finish`] for each choice; usage last
//! word wins and is announced once, after every finish; nothing follows
//! [`Event::Done`]; a stream without a finish never ends in `Done`.

use super::message::{Media, ReasoningKind};
use super::reply::Finish;
use crate::json::Value;
use crate::{Bill, Failure, Usage, UsageReport};

/// A bit of reasoning. Bits with the same `index` belong to one piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReasoningDelta {
    /// Which piece, from 0.
    pub index: u32,
    /// The text, summary, seal or signature to append. A signature comes
    /// as `Text` with empty text.
    pub kind: ReasoningKind,
    /// See [`super::Reasoning::id`].
    pub id: Option<String>,
    /// See [`super::Reasoning::scheme`].
    pub scheme: Option<String>,
}

/// One thing that happened in a stream.
#[derive(Debug, Clone)]
pub enum Event {
    /// The provider began to answer.
    Start {
        /// The provider's id for the answer.
        upstream_id: Option<String>,
        /// The model as the provider names it.
        upstream_model: Option<String>,
    },
    /// Which tier of service answers, in the public API's words.
    Tier(String),
    /// Text to append.
    Text {
        /// Which answer.
        choice: u32,
        /// The text.
        text: String,
        /// Log probabilities in OpenAI's shape.
        logprobs: Option<Value>,
    },
    /// A refusal to append.
    Refusal {
        /// Which answer.
        choice: u32,
        /// The text.
        text: String,
    },
    /// Reasoning to append.
    Reasoning {
        /// Which answer.
        choice: u32,
        /// The bit.
        delta: ReasoningDelta,
    },
    /// A tool call begins.
    ToolStart {
        /// Which answer.
        choice: u32,
        /// Which call of the answer, from 0.
        index: u32,
        /// The model's name for the call.
        id: String,
        /// Which tool.
        name: String,
    },
    /// More of a tool call's arguments.
    ToolArguments {
        /// Which answer.
        choice: u32,
        /// Which call of the answer.
        index: u32,
        /// JSON text to append.
        fragment: String,
    },
    /// A whole picture.
    Image {
        /// Which answer.
        choice: u32,
        /// The picture.
        media: Media,
    },
    /// A delta of another kind (`audio`, `annotations`), in OpenAI's shape.
    Other {
        /// Which answer.
        choice: u32,
        /// The member of `delta`.
        name: &'static str,
        /// Its value.
        value: Value,
    },
    /// An answer is complete.
    Finish {
        /// Which answer.
        choice: u32,
        /// Why.
        reason: Finish,
        /// The provider's own word for it.
        native: Option<String>,
    },
    /// What the provider says it counted so far; later reports refine it.
    Usage(UsageReport),
    /// The final usage with its price: what the caller is told.
    Settled(Usage, Bill),
    /// The provider failed after it began.
    Error(Box<Failure>),
    /// The provider said that the stream is complete.
    Done,
}

impl Event {
    /// Whether a client that received this has seen part of the answer, so
    /// that no other target may be tried any more.
    #[must_use]
    pub fn is_content(&self) -> bool {
        match self {
            Self::Text { text, .. } | Self::Refusal { text, .. } => !text.is_empty(),
            Self::Reasoning { .. }
            | Self::ToolStart { .. }
            | Self::ToolArguments { .. }
            | Self::Image { .. }
            | Self::Other { .. } => true,
            Self::Start { .. }
            | Self::Tier(_)
            | Self::Finish { .. }
            | Self::Usage(_)
            | Self::Settled(..)
            | Self::Error(_)
            | Self::Done => false,
        }
    }
}
