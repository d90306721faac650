//! What a client asks for.

use super::message::{CacheControl, Message};
use crate::Format;
use crate::json::{Map, Number, Value};

/// Models that one request may list: OpenRouter's examples have up to five, and
/// every entry is resolved and filtered before the first byte is sent.
pub const MODELS_MAX: usize = 32;

/// What became of something that the target cannot be told as it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The target is not told.
    Dropped,
    /// The target is told something less, or something near.
    Degraded,
    /// The target is told in another way, which does the same.
    Emulated,
}

/// What became of it, and why, in a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    outcome: Outcome,
    text: String,
}

impl From<String> for Reason {
    /// Why it was dropped.
    fn from(text: String) -> Self {
        Self {
            outcome: Outcome::Dropped,
            text,
        }
    }
}

impl From<&str> for Reason {
    /// Why it was dropped.
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl Reason {
    /// What less, or what near, the target is told.
    pub fn degraded(text: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Degraded,
            text: text.into(),
        }
    }

    /// In what other way the target is told.
    pub fn emulated(text: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Emulated,
            text: text.into(),
        }
    }
}

/// Something that the target cannot express. Never silently dropped: it
/// is refused or announced, as the caller prefers.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Loss {
    /// Where in the caller's request, such as `messages[2].content[0]`.
    pub field: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, in a few words.
    pub reason: String,
    /// It is something that the caller said or showed, a tool, or what the
    /// answer must be made of. Without it the model would answer another
    /// question, or answer it so that the caller's program cannot read it.
    /// So it is not only announced: the target is not called.
    #[serde(skip)]
    pub is_content: bool,
}

impl Loss {
    /// Notes that `field` could not be carried over as it is, what became of
    /// it, and why.
    pub fn new(field: impl Into<String>, reason: impl Into<Reason>) -> Self {
        let Reason { outcome, text } = reason.into();
        Self {
            field: field.into(),
            outcome,
            reason: text,
            is_content: false,
        }
    }

    /// Notes that something without which the target must not be called could
    /// not be carried over, and why.
    pub fn content(field: impl Into<String>, reason: impl Into<Reason>) -> Self {
        Self {
            is_content: true,
            ..Self::new(field, reason)
        }
    }

    /// Whether the target is told less than was said, so that a caller who wants
    /// all or nothing is served by another.
    #[must_use]
    pub fn is_less(&self) -> bool {
        self.outcome != Outcome::Emulated
    }
}

/// Top-level members that the reader does not know, and whose they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Extras {
    /// The format whose names these are.
    pub format: Format,
    /// The members as they were.
    pub members: Map,
}

impl Extras {
    /// No extras.
    #[must_use]
    pub fn none(format: Format) -> Self {
        Self {
            format,
            members: Map::new(),
        }
    }
}

/// A tool that the model may call.
#[derive(Debug, Clone, PartialEq)]
pub enum Tool {
    /// A function that the client runs.
    Function {
        /// Its name.
        name: String,
        /// What it does, for the model.
        description: Option<String>,
        /// JSON Schema of its arguments.
        parameters: Option<Value>,
        /// Whether arguments must follow the schema exactly.
        strict: Option<bool>,
        /// Cache the prompt up to here.
        cache: Option<CacheControl>,
    },
    /// A vendor's own tool, kept whole.
    Opaque {
        /// Whose.
        format: Format,
        /// The tool as it was.
        value: Value,
    },
}

/// Whether and which tool must be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// As the model sees fit.
    Auto,
    /// No tool.
    None,
    /// Some tool.
    Required,
    /// This one.
    Named(String),
}

/// What shape the answer must have.
#[derive(Debug, Clone, PartialEq)]
pub enum ResponseFormat {
    /// Prose.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that follows a schema.
    JsonSchema {
        /// A name for the schema.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// The schema.
        schema: Value,
        /// Whether it must be followed exactly.
        strict: Option<bool>,
    },
    /// Another kind, kept whole.
    Opaque(Value),
}

/// How hard to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as possible.
    Minimal,
    /// A little.
    Low,
    /// The usual.
    Medium,
    /// A lot.
    High,
    /// More than that.
    Xhigh,
    /// All there is.
    Max,
}

impl Effort {
    /// The public name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// Finds an effort by its public name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.name() == name)
    }

    /// Every effort, the least first.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Minimal,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Xhigh,
        Self::Max,
    ];

    /// Thinking budget as a share of the output limit, in percent
    /// (openrouter.ai/docs, reasoning tokens, August 2026).
    #[must_use]
    pub const fn budget_percent(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Minimal => 10,
            Self::Low => 20,
            Self::Medium => 50,
            Self::High => 80,
            Self::Xhigh | Self::Max => 95,
        }
    }

    /// The effort whose budget share is nearest to `budget` of `limit`.
    #[must_use]
    pub fn by_budget(budget: u64, limit: u64) -> Self {
        let percent = budget
            .saturating_mul(100)
            .checked_div(limit.max(1))
            .unwrap_or(0);
        [
            Self::Minimal,
            Self::Low,
            Self::Medium,
            Self::High,
            Self::Xhigh,
        ]
        .into_iter()
        .min_by_key(|effort| effort.budget_percent().abs_diff(percent))
        .unwrap_or(Self::Medium)
    }
}

/// Efforts that a model accepts. The empty set stands for a model of which
/// nothing is known: it is taken to accept all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Efforts(u8);

impl Efforts {
    /// Whether nothing is known.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `effort` is accepted.
    #[must_use]
    pub const fn accepts(self, effort: Effort) -> bool {
        self.is_empty() || self.0 & (1 << effort as u8) != 0
    }

    /// The accepted effort that is nearest to `wanted`, the lower of two
    /// (openrouter.ai/docs, reasoning tokens, August 2026: efforts that a model
    /// does not take are mapped to the nearest). Whoever asks for thinking
    /// gets some, and who asks for none gets the least there is.
    #[must_use]
    pub fn nearest(self, wanted: Effort) -> Effort {
        let accepted = Effort::ALL
            .into_iter()
            .filter(|effort| self.accepts(*effort));
        let thinks = |effort: &Effort| *effort != Effort::None;
        let nearest = accepted
            .clone()
            .filter(|effort| wanted == Effort::None || thinks(effort))
            .min_by_key(|effort| (*effort as u8).abs_diff(wanted as u8));
        nearest.or(accepted.clone().next()).unwrap_or(wanted)
    }
}

impl FromIterator<Effort> for Efforts {
    fn from_iter<I: IntoIterator<Item = Effort>>(efforts: I) -> Self {
        let bits = efforts.into_iter().map(|effort| 1 << effort as u8);
        Self(bits.fold(0, |all, bit| all | bit))
    }
}

/// What the client wants to know about the model's thinking.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReasoningRequest {
    /// How hard to think.
    pub effort: Option<Effort>,
    /// How many tokens thinking may use.
    pub max_tokens: Option<u64>,
    /// Think, but do not show it.
    pub exclude: bool,
    /// Switches thinking on or off where neither of the above is given.
    pub enabled: Option<bool>,
    /// `auto`, `concise` or `detailed`.
    pub summary: Option<String>,
    /// Members that the reader does not know, for a vendor that may.
    pub more: Map,
}

impl ReasoningRequest {
    /// Whether thinking is to be switched off. Whoever switches it off means
    /// it, whatever else is said.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.enabled == Some(false)
            || self.effort == Some(Effort::None)
            || (self.effort.is_none() && self.max_tokens == Some(0))
    }
}

/// How tokens are chosen. Absent means: the provider's default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sampling {
    /// 0 to 2.
    pub temperature: Option<Number>,
    /// Above 0, to 1.
    pub top_p: Option<Number>,
    /// 0 (off) or more.
    pub top_k: Option<u64>,
    /// 0 to 1.
    pub min_p: Option<Number>,
    /// 0 to 1.
    pub top_a: Option<Number>,
    /// -2 to 2.
    pub frequency_penalty: Option<Number>,
    /// -2 to 2.
    pub presence_penalty: Option<Number>,
    /// Above 0, to 2.
    pub repetition_penalty: Option<Number>,
    /// Any integer.
    pub seed: Option<i64>,
    /// At most four texts that end the answer.
    pub stop: Vec<String>,
    /// Token id to bias.
    pub logit_bias: Option<Map>,
    /// Whether to return log probabilities.
    pub logprobs: Option<bool>,
    /// How many alternatives to return, 0 to 20.
    pub top_logprobs: Option<u64>,
    /// How many answers to return.
    pub n: Option<u64>,
}

/// A chat request, whatever format it came in. The gateway's own members
/// (`models`, `provider`, `plugins`, …) are not here: they are read from
/// the envelope and never reach a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What the client typed.
    pub model: String,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// Tools on offer.
    pub tools: Vec<Tool>,
    /// Which of them to call.
    pub tool_choice: Option<ToolChoice>,
    /// Whether several may be called at once.
    pub parallel_tool_calls: Option<bool>,
    /// The shape of the answer.
    pub response_format: Option<ResponseFormat>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// The most output tokens; the larger of all synonyms given.
    pub max_tokens: Option<u64>,
    /// How to think.
    pub reasoning: Option<ReasoningRequest>,
    /// How much to say: `low`, `medium`, `high`, ….
    pub verbosity: Option<String>,
    /// Whether to stream.
    pub stream: bool,
    /// Cache everything up to the last cacheable block.
    pub cache: Option<CacheControl>,
    /// Output kinds, such as `["text", "image"]`; empty means text.
    pub modalities: Vec<String>,
    /// The end user, as the client names them.
    pub user: Option<String>,
    /// Members that the reader does not know.
    pub extras: Extras,
}

impl Request {
    /// A request with nothing but a model and messages.
    #[must_use]
    pub fn new(format: Format, model: impl Into<String>, messages: Vec<Message>) -> Self {
        Self {
            model: model.into(),
            messages,
            tools: Vec::new(),
            tool_choice: None,
            parallel_tool_calls: None,
            response_format: None,
            sampling: Sampling::default(),
            max_tokens: None,
            reasoning: None,
            verbosity: None,
            stream: false,
            cache: None,
            modalities: Vec::new(),
            user: None,
            extras: Extras::none(format),
        }
    }

    /// The unknown members of `reasoning`, as the losses that they are in any
    /// other format.
    pub fn reasoning_losses(&self) -> impl Iterator<Item = Loss> {
        let more = self.reasoning.iter().flat_map(|asked| asked.more.keys());
        more.map(|name| {
            Loss::new(
                format!("reasoning.{name}"),
                format!("only {} has this parameter", self.extras.format),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effort_that_a_model_does_not_take_becomes_the_nearest() {
        use Effort::{High, Low, Max, Medium, Minimal, None, Xhigh};
        for (accepted, wanted, nearest) in [
            (&[Low, Medium, High][..], Xhigh, High),
            (&[Low, Medium, High], Minimal, Low),
            (&[Low, Medium, High], Medium, Medium),
            (&[Minimal, Low, Medium, High], None, Minimal),
            (&[None, High], Low, High),
            (&[None, High], None, None),
            (&[None], High, None),
            (&[Low, Max], High, Low),
            (&[], Max, Max),
        ] {
            let efforts: Efforts = accepted.iter().copied().collect();
            assert_eq!(
                efforts.nearest(wanted),
                nearest,
                "{wanted:?} of {accepted:?}"
            );
        }
    }
}
