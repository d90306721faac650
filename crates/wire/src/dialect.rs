//! How one vendor strays from a format: data that writers and readers obey.
//!
//! The types live here because the formats read them; the values live with
//! the vendors, in `providers`.

/// What a vendor calls the limit on output tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxTokensName {
    /// `max_tokens`, the older and most common name.
    MaxTokens,
    /// `max_completion_tokens`, which OpenAI's reasoning models insist on.
    MaxCompletionTokens,
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
    /// Top-level members that the vendor spells otherwise: (ours, theirs).
    pub renames: &'static [(&'static str, &'static str)],
    /// Whether the role `developer` is understood; else it becomes `system`.
    pub developer_role: bool,
    /// Whether a participant's `name` is understood; else it is dropped or
    /// prefixed to the text.
    pub names: bool,
    /// Whether `cache_control` breakpoints are understood; else they are
    /// left out and reported as losses.
    pub cache_control: bool,
    /// Whether a member of a message that the vendor does not know, such as
    /// replayed reasoning, is answered with an error. Most ignore it.
    pub strict_messages: bool,
}

impl Dialect {
    /// The format as written, as most compatible vendors speak it.
    pub const PLAIN: Self = Self {
        max_tokens: MaxTokensName::MaxTokens,
        reasoning: ReasoningStyle::Unsupported,
        stream_usage: StreamUsage::OnRequest,
        rejects: &[],
        renames: &[],
        developer_role: false,
        names: true,
        cache_control: false,
        strict_messages: false,
    };
}
