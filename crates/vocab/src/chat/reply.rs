//! What a model answers, whole.

use super::message::Part;
use crate::json::Value;
use crate::{Bill, Usage, UsageReport};

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finish {
    /// It was done, or met a stop text.
    Stop,
    /// It reached the token limit.
    Length,
    /// It wants tools to be called.
    ToolCalls,
    /// The provider's filter cut it off.
    ContentFilter,
    /// The provider failed on the way.
    Error,
}

impl Finish {
    /// The public name (OpenRouter's normalised `finish_reason`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Error => "error",
        }
    }

    /// Finds a finish by its public name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        [
            Self::Stop,
            Self::Length,
            Self::ToolCalls,
            Self::ContentFilter,
            Self::Error,
        ]
        .into_iter()
        .find(|finish| finish.name() == name)
    }
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Its number, from 0.
    pub index: u32,
    /// What was said, thought and called, in order.
    pub parts: Vec<Part>,
    /// Why it ended, if the provider said so.
    pub finish: Option<Finish>,
    /// The provider's own word for it.
    pub native_finish: Option<String>,
    /// Log probabilities in OpenAI's shape.
    pub logprobs: Option<Value>,
    /// Citations in OpenAI's `annotations` shape.
    pub annotations: Option<Value>,
    /// OpenAI's `audio` object, kept whole.
    pub audio: Option<Value>,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The provider's id for it.
    pub upstream_id: Option<String>,
    /// The model as the provider names it.
    pub upstream_model: Option<String>,
    /// The provider's build, where it says so.
    pub system_fingerprint: Option<String>,
    /// The tier that served, where the provider says so.
    pub service_tier: Option<String>,
    /// The answers.
    pub choices: Vec<Choice>,
    /// What the provider says it counted.
    pub usage: Option<UsageReport>,
    /// What is billed, once settled: usage and its price.
    pub settled: Option<(Usage, Bill)>,
}
