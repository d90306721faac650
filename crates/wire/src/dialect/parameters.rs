//! Every top-level parameter that the gateway knows: what it must look
//! like, and what becomes of it on the way to a provider.
//!
//! Ranges and meanings: openrouter.ai/docs, API parameters, August 2026.

use bourse_vocab::chat::{Loss, Reason};

use super::Dialect;

/// What becomes of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes to the provider as it is, unless the dialect objects.
    Forward,
    /// It is for the gateway, and has done its work there.
    Ours,
    /// It is written anew for each target.
    Rewritten,
    /// Providers of this format do not know it, unless their dialect accepts
    /// it; its loss is reported.
    Lost(&'static str),
}

/// What a parameter must look like. `null` always counts as absent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Check {
    /// Anything.
    Any,
    /// A number in a range, ends included.
    Number(f64, f64),
    /// A whole number in a range, ends included.
    Whole(u64, u64),
    /// Any whole number of 64 bits.
    Integer,
    /// `true` or `false`.
    Bool,
    /// A text of at most so many characters, and not empty.
    Text(usize),
    /// The same, but it may be empty.
    AnyText(usize),
    /// An array.
    Array,
    /// An array with something in it.
    Filled,
    /// An object.
    Object,
    /// A text or an object.
    TextOrObject,
    /// A text or at most four of them.
    Stop,
}

/// The most output tokens that anyone may ask for. Far above any model,
/// far below any overflow in pricing.
pub const TOKENS_MAX: u64 = 1_000_000_000;
/// Answers to one request (OpenAI's limit).
pub const CHOICES_MAX: u64 = 128;
/// Stop texts in one request (OpenAI's and OpenRouter's limit).
pub const STOPS_MAX: usize = 4;
/// Length of a model's name, generously.
const NAME_MAX: usize = 512;
/// Length of `session_id` (OpenRouter's limit).
const SESSION_MAX: usize = 256;
/// Length of texts that only the provider reads.
const TEXT_MAX: usize = 4_096;

macro_rules! params {
    ($($param:ident $name:literal $fate:expr, $check:expr;)*) => {
        /// A parameter that the gateway knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs)] // Each is named like its parameter.
        pub enum Param { $($param,)* }

        impl Param {
            /// Every parameter.
            pub const ALL: &'static [Self] = &[$(Self::$param,)*];

            /// Finds a parameter by its name on the wire.
            #[must_use]
            pub fn by_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$param),)*
                    _ => None,
                }
            }

            /// The name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$param => $name,)* }
            }

            /// What becomes of it.
            #[must_use]
            pub const fn fate(self) -> Fate {
                match self { $(Self::$param => $fate,)* }
            }

            pub(crate) const fn check(self) -> Check {
                match self { $(Self::$param => $check,)* }
            }
        }
    };
}

use Check::{
    Any, AnyText, Array, Bool, Filled, Integer, Number, Object, Stop, Text, TextOrObject, Whole,
};
use Fate::{Forward, Lost, Ours, Rewritten};

params! {
    Messages "messages" Forward, Filled;
    Prompt "prompt" Forward, Any;
    Model "model" Rewritten, Text(NAME_MAX);
    Models "models" Ours, Array;
    Route "route" Ours, Any;
    Preset "preset" Ours, Text(NAME_MAX);
    Provider "provider" Ours, Object;
    Plugins "plugins" Ours, Array;
    Transforms "transforms" Ours, Array;
    Stream "stream" Forward, Bool;
    StreamOptions "stream_options" Rewritten, Object;
    // Accepted and without effect: usage is always reported.
    Usage "usage" Ours, Any;
    MaxTokens "max_tokens" Rewritten, Whole(1, TOKENS_MAX);
    MaxCompletionTokens "max_completion_tokens" Rewritten, Whole(1, TOKENS_MAX);
    Temperature "temperature" Forward, Number(0.0, 2.0);
    TopP "top_p" Forward, Number(0.0, 1.0);
    TopK "top_k" Forward, Whole(0, TOKENS_MAX);
    MinP "min_p" Forward, Number(0.0, 1.0);
    TopA "top_a" Forward, Number(0.0, 1.0);
    FrequencyPenalty "frequency_penalty" Forward, Number(-2.0, 2.0);
    PresencePenalty "presence_penalty" Forward, Number(-2.0, 2.0);
    RepetitionPenalty "repetition_penalty" Forward, Number(0.0, 2.0);
    Seed "seed" Forward, Integer;
    Stop "stop" Forward, Stop;
    LogitBias "logit_bias" Forward, Object;
    Logprobs "logprobs" Forward, Bool;
    TopLogprobs "top_logprobs" Forward, Whole(0, 20);
    N "n" Forward, Whole(1, CHOICES_MAX);
    Tools "tools" Forward, Array;
    ToolChoice "tool_choice" Forward, TextOrObject;
    ParallelToolCalls "parallel_tool_calls" Forward, Bool;
    Functions "functions" Forward, Array;
    FunctionCall "function_call" Forward, TextOrObject;
    ResponseFormat "response_format" Forward, Object;
    StructuredOutputs "structured_outputs" Forward, Any;
    Reasoning "reasoning" Rewritten, Object;
    ReasoningEffort "reasoning_effort" Rewritten, Text(NAME_MAX);
    IncludeReasoning "include_reasoning" Rewritten, Bool;
    Verbosity "verbosity" Forward, Text(NAME_MAX);
    Modalities "modalities" Forward, Array;
    ImageConfig "image_config" Forward, Object;
    Audio "audio" Forward, Object;
    Prediction "prediction" Forward, Object;
    WebSearchOptions "web_search_options" Forward, Object;
    // What each target is told depends on what it sells.
    ServiceTier "service_tier" Rewritten, AnyText(NAME_MAX);
    PromptCacheKey "prompt_cache_key" Forward, Text(TEXT_MAX);
    SafetyIdentifier "safety_identifier" Forward, Text(TEXT_MAX);
    Store "store" Forward, Bool;
    User "user" Forward, AnyText(TEXT_MAX);
    SessionId "session_id" Ours, Text(SESSION_MAX);
    Trace "trace" Ours, Object;
    Debug "debug" Ours, Object;
    // OpenAI takes it only together with `store`; here it is for the
    // gateway's own records.
    Metadata "metadata" Ours, Object;
    CacheControl "cache_control" Lost("the format has no breakpoint for the whole prompt"), Object;
    PromptCacheOptions "prompt_cache_options" Lost("the provider decides how it caches"), Object;
    DeferredTools "deferred_tools" Lost("tools are not searched here"), Any;
    StopServerToolsWhen "stop_server_tools_when" Lost("no server tools are run"), Array;
    MaxToolCalls "max_tool_calls" Lost("no server tools are run"), Whole(0, TOKENS_MAX);
    XSearchFilter "x_search_filter" Lost("the format cannot express it"), Object;
}

impl Param {
    /// Whether a model may read it: its length counts as text.
    #[must_use]
    pub const fn is_prompt(self) -> bool {
        matches!(
            self,
            Self::Messages
                | Self::Prompt
                | Self::Tools
                | Self::Functions
                | Self::ToolChoice
                | Self::FunctionCall
                | Self::ResponseFormat
                | Self::StructuredOutputs
                | Self::Prediction
                | Self::DeferredTools
        )
    }
}

/// A set of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Params(u128);

impl Params {
    const fn bit(param: Param) -> u128 {
        1 << (param as u32)
    }

    /// Whether the set contains a parameter.
    #[must_use]
    pub const fn has(self, param: Param) -> bool {
        self.0 & Self::bit(param) != 0
    }

    /// Adds a parameter.
    pub const fn insert(&mut self, param: Param) {
        self.0 |= Self::bit(param);
    }

    /// The parameters in the set.
    pub fn iter(self) -> impl Iterator<Item = Param> {
        Param::ALL
            .iter()
            .copied()
            .filter(move |param| self.has(*param))
    }
}

/// The bit set must have room for every parameter.
const _: () = assert!(Param::ALL.len() <= 128);

/// Members with this prefix are spoken between clients and gateways.
const PRIVATE_PREFIX: &str = "x_";

/// What becomes of one top-level member at one vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposal {
    /// It is sent, under this name if the vendor has one of its own.
    Send(Option<&'static str>),
    /// It is left out without a word: it has done its work here.
    Leave,
    /// It is left out, and the loss is reported.
    Lose(&'static str),
}

/// What becomes of the member `name`.
#[must_use]
pub fn disposal(dialect: &Dialect, name: &str) -> Disposal {
    disposal_of(dialect, Param::by_name(name), name)
}

/// The same for a member of which is known whether it is a parameter.
#[must_use]
pub fn disposal_of(dialect: &Dialect, param: Option<Param>, name: &str) -> Disposal {
    let fate = match param {
        Some(param) => param.fate(),
        None if name.starts_with(PRIVATE_PREFIX) => {
            Fate::Lost("it is private between client and gateway")
        }
        None => Fate::Lost("the provider is not known to take it"),
    };
    match fate {
        Fate::Ours => Disposal::Leave,
        Fate::Rewritten if dialect.rejects.contains(&name) => Disposal::Leave,
        _ if dialect.rejects.contains(&name) => Disposal::Lose("the provider does not accept it"),
        Fate::Lost(reason) if !dialect.accepts.contains(&name) => Disposal::Lose(reason),
        _ => {
            let theirs = dialect.renames.iter().find(|(ours, _)| *ours == name);
            Disposal::Send(theirs.map(|(_, theirs)| *theirs))
        }
    }
}

/// The loss of a member. Whoever asks for a search and gets an answer from
/// memory cannot tell, so that one is no mere loss.
#[must_use]
pub fn loss(name: &str, reason: impl Into<Reason>) -> Loss {
    if Param::by_name(name) == Some(Param::WebSearchOptions) {
        Loss::content(name, reason)
    } else {
        Loss::new(name, reason)
    }
}

/// Whether the name of an extra is the path of something below the top level.
#[must_use]
pub fn is_path(name: &str) -> bool {
    name.contains(['.', '['])
}

/// Members that are an error at OpenAI where there is no tool ("only allowed
/// when 'tools' are specified", pydantic/pydantic-ai issue 4930), and so is an
/// empty list of tools ("empty_array", earendil-works/pi issue 3649, 2026).
pub const NEED_TOOLS: &[&str] = &["tools", "tool_choice", "parallel_tool_calls"];

/// The loss of a choice where there is no tool. Leaving out "any" or "none"
/// of nothing changes nothing.
#[must_use]
pub fn choice_of_nothing(forces: bool) -> Option<Loss> {
    forces.then(|| Loss::new("tool_choice", "there is no tool to choose"))
}

/// Mistral's word for a choice that must call some tool; everybody, Mistral
/// included, understands the other (docs.mistral.ai, function calling, 2026).
pub const REQUIRED: (&str, &str) = ("any", "required");

/// The members that a request to be streamed asks for usage with.
pub const ASK_FOR_USAGE: &str = r#"{"include_usage":true}"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_sent_left_or_lost_by_one_rule() {
        let dialect = Dialect {
            rejects: &["seed", "stream_options", "safe_prompt"],
            accepts: &["prompt_cache_options", "vendor_known"],
            renames: &[("user", "end_user")],
            ..Dialect::PLAIN
        };
        for (name, expected) in [
            ("temperature", Disposal::Send(None)),
            (
                "vendor_extra",
                Disposal::Lose("the provider is not known to take it"),
            ),
            ("vendor_known", Disposal::Send(None)),
            ("user", Disposal::Send(Some("end_user"))),
            ("provider", Disposal::Leave),
            ("stream_options", Disposal::Leave),
            ("prompt_cache_options", Disposal::Send(None)),
            ("seed", Disposal::Lose("the provider does not accept it")),
            (
                "safe_prompt",
                Disposal::Lose("the provider does not accept it"),
            ),
            ("max_tool_calls", Disposal::Lose("no server tools are run")),
            (
                "x_mine",
                Disposal::Lose("it is private between client and gateway"),
            ),
        ] {
            assert_eq!(disposal(&dialect, name), expected, "{name}");
        }
    }
}
