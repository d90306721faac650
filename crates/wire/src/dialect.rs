//! How one vendor strays from a format, and what follows from it.
//!
//! The types and the rules live here, the values live with the vendors, in
//! `providers`. A request reaches a vendor of its own format on one of two
//! roads: its bytes are spliced (`openai_chat::passthrough`), or it is read
//! into the vocabulary and written out of it. Both roads obey the same rules,
//! and each rule is written once, in a file of this folder:
//!
//! - [`parameters`]: what becomes of a top-level member;
//! - [`members`]: the same for those that are no parameter of ours;
//! - [`thinking`]: how a vendor is told to think;
//! - [`calls`]: ids, numbers and arguments of tool calls;
//! - [`messages`]: what becomes of members of messages that few vendors know;
//! - [`parts`]: which sorts of parts there are;
//! - [`prefill`]: who goes on with an answer that has begun;
//! - [`media`]: how types of media are spelled;
//! - [`schema`]: what strict readers want of a tool's schema;
//! - [`tools`]: which sorts of tools there are;
//! - [`service`]: what tiers of service are called;
//! - [`betas`]: features in beta that are asked for by a header;
//! - [`finish`]: words for the end, and when an answer has ended;
//! - [`answer`]: what vendors put where a text should be;
//! - [`json_answer`]: JSON from models that have no word for it.
//!
//! The splice cannot reach into messages, so [`needs_vocabulary`] decides
//! from what the scanner saw whether a rule does. A test in `providers` sends
//! every fixture down both roads for every dialect.

pub mod answer;
pub mod betas;
pub mod calls;
pub mod finish;
pub mod json_answer;
pub mod media;
pub mod members;
pub mod messages;
pub mod parameters;
pub mod parts;
pub mod prefill;
pub mod schema;
pub mod service;
pub mod thinking;
pub mod tools;

use bourse_vocab::Format;

use crate::json::Features;

pub use betas::Betas;
use parameters::Param;
pub use prefill::Prefill;
pub use service::TierWords;

/// What a vendor calls the limit on output tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxTokensName {
    /// `max_tokens`, the older and most common name.
    MaxTokens,
    /// `max_completion_tokens`, which OpenAI's reasoning models insist on.
    MaxCompletionTokens,
}

impl MaxTokensName {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
        }
    }
}

/// How a vendor is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningStyle {
    /// There is no way to say.
    Unsupported,
    /// `reasoning_effort: "low" | "medium" | "high"` (OpenAI).
    Effort,
    /// `reasoning: {effort, max_tokens, …}` (OpenRouter's own shape).
    Object,
    /// `thinking: {type: "enabled" | "disabled"}` (Z.AI, Moonshot, Volcengine).
    ThinkingSwitch,
    /// The same switch, and `reasoning_effort` beside it (DeepSeek, GLM-5.2).
    SwitchAndEffort,
    /// `reasoning: {enabled: bool}` (Together's hybrid models).
    EnabledSwitch,
    /// `enable_thinking: bool, thinking_budget: int` (Alibaba Qwen, SiliconFlow).
    EnableThinking,
    /// `chat_template_kwargs: {enable_thinking: bool}` (vLLM, SGLang).
    ChatTemplate,
}

/// Whether a stream reports its usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamUsage {
    /// When asked by `stream_options.include_usage`.
    OnRequest,
    /// Always; `stream_options` must not be sent.
    Always,
    /// Never; `stream_options` must not be sent.
    Never,
}

/// How earlier thoughts go back to the vendor with the next turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thoughts {
    /// Not at all: they are left out and reported as losses.
    Refused,
    /// As one text, `reasoning_content`: the name under which most vendors
    /// gave them, and under which the templates of open models look for them.
    /// Seals and signatures are left out and reported.
    Content,
    /// As `reasoning` and `reasoning_details` (OpenRouter's own shape).
    Details,
}

/// How a breakpoint for the prompt's cache is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheMarks {
    /// There are none: they are left out and reported as losses.
    None,
    /// `cache_control: {type: "ephemeral"}` (Anthropic, Alibaba, OpenRouter).
    CacheControl,
    /// `prompt_cache_breakpoint: {mode: "explicit"}` (OpenAI).
    Breakpoint,
}

/// Which ids of tool calls a vendor takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallIds {
    /// Any that is not empty.
    Any,
    /// Any of at most [`CALL_ID_BYTES_MAX`](crate::json::CALL_ID_BYTES_MAX)
    /// bytes (OpenAI).
    UpToForty,
    /// Nine letters or digits, no more and no fewer (Mistral).
    NineAlphanumerics,
    /// Letters, digits, `_` and `-`, each id once in a conversation
    /// (Anthropic).
    UniqueWords,
}

/// How one vendor strays from a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// The name of the limit on output tokens.
    pub max_tokens: MaxTokensName,
    /// How thinking is asked for.
    pub reasoning: ReasoningStyle,
    /// Whether streams report usage.
    pub stream_usage: StreamUsage,
    /// Top-level members that the vendor answers with an error; they are
    /// left out and reported as losses.
    pub rejects: &'static [&'static str],
    /// Top-level members that are no parameter of this API, or that most
    /// vendors do not know, and that this one is sent. What is on neither
    /// list is left out and reported as a loss.
    pub accepts: &'static [&'static str],
    /// Top-level members that the vendor spells otherwise: (ours, theirs).
    pub renames: &'static [(&'static str, &'static str)],
    /// Whether the role `developer` is understood; else it becomes `system`.
    pub developer_role: bool,
    /// Whether a participant's `name` is understood; else it is dropped or
    /// prefixed to the text.
    pub names: bool,
    /// How breakpoints of the prompt's cache are written.
    pub cache: CacheMarks,
    /// How earlier thoughts go back.
    pub thoughts: Thoughts,
    /// Which ids of tool calls are taken back.
    pub call_ids: CallIds,
    /// Whether pictures and files may stand in results of tools and in
    /// earlier answers; else the former move to a user's message, and the
    /// latter are left out.
    pub media_anywhere: bool,
    /// Sorts of parts that are not the format's own, and that the vendor takes.
    pub parts: &'static [&'static str],
    /// Whether a member of a message that the vendor does not know is
    /// answered with an error. Most ignore it.
    pub strict_messages: bool,
    /// What tiers of service are called.
    pub tiers: TierWords,
    /// How it takes many requests at once, to be answered within a day at half
    /// the price, if it does.
    pub batches: Option<BatchApi>,
    /// How it is told to go on with an answer that has begun.
    pub prefill: Prefill,
    /// Whether the vendor says in dollars what it charges for an answer, in a
    /// member that its document promises to be exact. Others use the same
    /// names for credits, estimates and other currencies.
    pub tells_cost: bool,
    /// Which features in beta it may be asked for. To others it is as if none
    /// had been named: the header is addressed to who has some.
    pub betas: Option<Betas>,
    /// Where the model stands in the address and must not stand in the body: the
    /// member that does in its place, and its text. Of the formats whose body
    /// has a model, only the one of Messages is served so.
    pub instead_of_model: Option<(&'static str, &'static str)>,
    /// Whether the model searches for every answer, asked to or not, so that a
    /// search is set aside for each and billed.
    pub always_searches: bool,
}

/// How a vendor takes many requests at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchApi {
    /// Lines in a file (`POST /files`, `POST /batches`), at half the price of
    /// input and output (platform.openai.com/docs/guides/batch and
    /// openai.com/api/pricing, November 2026).
    OpenAi,
    /// Requests in the order (`POST /messages/batches`), at half the price of
    /// all that is used, reads and writes of the cache among it
    /// (platform.claude.com/docs, "Batch processing", "Pricing", November 2026).
    Anthropic,
}

impl Dialect {
    /// The format as written, as most compatible vendors speak it.
    pub const PLAIN: Self = Self {
        max_tokens: MaxTokensName::MaxTokens,
        reasoning: ReasoningStyle::Unsupported,
        stream_usage: StreamUsage::OnRequest,
        rejects: &[],
        accepts: members::OPEN_SERVERS,
        renames: &[],
        developer_role: false,
        names: true,
        cache: CacheMarks::None,
        thoughts: Thoughts::Content,
        call_ids: CallIds::Any,
        media_anywhere: false,
        parts: parts::OF_OPEN_SERVERS,
        strict_messages: false,
        tiers: TierWords::OPENAI,
        batches: None,
        prefill: Prefill::None,
        tells_cost: false,
        betas: None,
        instead_of_model: None,
        always_searches: false,
    };

    /// Whether the vendor can be told to search: `web_search_options` is chat
    /// completions' alone.
    #[must_use]
    pub fn takes_searches(&self, format: Format) -> bool {
        format == Format::OpenAiChat && !self.rejects.contains(&Param::WebSearchOptions.name())
    }

    /// Whether a member that is no parameter may be put into a request for the
    /// vendor alone. Only chat completions have a list of such members.
    #[must_use]
    pub fn takes_option(&self, format: Format, name: &str) -> bool {
        format == Format::OpenAiChat && self.accepts.contains(&name)
    }

    /// Whether the vendor can be told how long an answer may be.
    #[must_use]
    pub fn takes_limit(&self) -> bool {
        !self.rejects.contains(&self.max_tokens.name())
    }
}

/// Whether a rule of the dialect touches something inside the messages or
/// tools of a request, where a splice cannot reach. If so, the request goes
/// through the vocabulary.
#[must_use]
pub const fn needs_vocabulary(dialect: &Dialect, features: Features) -> bool {
    // What no vendor is known to want as it came.
    let odd = features.odd_media_type
        || features.empty_call_id
        || features.odd_arguments
        || features.message_origin
        || features.other_part;
    let role_or_name = (features.developer_role && !dialect.developer_role)
        || (features.message_name && !dialect.names);
    let marks = match dialect.cache {
        CacheMarks::None => features.cache_control || features.cache_breakpoint,
        CacheMarks::CacheControl => features.cache_breakpoint,
        CacheMarks::Breakpoint => features.cache_control,
    };
    let thoughts = match dialect.thoughts {
        Thoughts::Refused => {
            features.reasoning || features.reasoning_content || features.reasoning_details
        }
        Thoughts::Content => features.reasoning || features.reasoning_details,
        Thoughts::Details => features.reasoning_content,
    };
    // Citations in a list of annotations are other parts; files are not.
    let replayed = (features.annotations && features.file)
        || (features.configuration_update && !messages::takes_openrouters(dialect));
    let ids = match dialect.call_ids {
        CallIds::Any => false,
        CallIds::UpToForty => features.call_id_beyond_forty,
        CallIds::NineAlphanumerics => features.other_call_id,
        CallIds::UniqueWords => features.other_call_id || features.tool_role,
    };
    let media = !dialect.media_anywhere
        && (features.answer_images || (features.tool_role && features.has_media()));
    odd || role_or_name
        || marks
        || thoughts
        || replayed
        || ids
        || media
        || (dialect.strict_messages && features.message_extra)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(set: fn(&mut Features)) -> Features {
        let mut features = Features::default();
        set(&mut features);
        features
    }

    #[test]
    fn a_request_is_rewritten_only_where_a_rule_touches_it() {
        const STRICT: Dialect = Dialect {
            cache: CacheMarks::CacheControl,
            thoughts: Thoughts::Refused,
            call_ids: CallIds::NineAlphanumerics,
            names: false,
            strict_messages: true,
            ..Dialect::PLAIN
        };
        const RICH: Dialect = Dialect {
            reasoning: ReasoningStyle::Object,
            cache: CacheMarks::Breakpoint,
            thoughts: Thoughts::Details,
            call_ids: CallIds::UpToForty,
            developer_role: true,
            media_anywhere: true,
            ..Dialect::PLAIN
        };
        for (features, [plain, strict, rich]) in [
            (seen(|_| {}), [false, false, false]),
            (seen(|f| f.image = true), [false, false, false]),
            (seen(|f| f.tool_role = true), [false, false, false]),
            (seen(|f| f.developer_role = true), [true, true, false]),
            (seen(|f| f.message_name = true), [false, true, false]),
            (seen(|f| f.cache_control = true), [true, false, true]),
            (seen(|f| f.cache_breakpoint = true), [true, true, false]),
            (seen(|f| f.reasoning = true), [true, true, false]),
            (seen(|f| f.reasoning_content = true), [false, true, true]),
            (seen(|f| f.reasoning_details = true), [true, true, false]),
            (seen(|f| f.other_call_id = true), [false, true, false]),
            (
                seen(|f| f.call_id_beyond_forty = true),
                [false, false, true],
            ),
            (seen(|f| f.message_extra = true), [false, true, false]),
            (seen(|f| f.annotations = true), [false, false, false]),
            (
                seen(|f| (f.annotations, f.file) = (true, true)),
                [true, true, true],
            ),
            (seen(|f| f.configuration_update = true), [true, true, false]),
            (seen(|f| f.answer_images = true), [true, true, false]),
            (
                seen(|f| (f.tool_role, f.image) = (true, true)),
                [true, true, false],
            ),
            (seen(|f| f.odd_media_type = true), [true, true, true]),
            (seen(|f| f.empty_call_id = true), [true, true, true]),
            (seen(|f| f.odd_arguments = true), [true, true, true]),
            (seen(|f| f.other_part = true), [true, true, true]),
        ] {
            for (dialect, expected) in [(&Dialect::PLAIN, plain), (&STRICT, strict), (&RICH, rich)]
            {
                assert_eq!(
                    needs_vocabulary(dialect, features),
                    expected,
                    "{features:?}"
                );
            }
        }
    }
}
