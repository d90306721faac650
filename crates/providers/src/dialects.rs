//! How vendors stray from OpenAI's chat format, where their documents say so.
//!
//! A member is rejected here only if the vendor answers it with an error:
//! what a vendor ignores may as well be sent. What is not documented is
//! [`Dialect::PLAIN`]. Vendors who are strict about members, or who sell their
//! own models only, are sent none that servers of open models invented.

use bourse_wire::Dialect;
use bourse_wire::dialect::{
    Betas, CacheMarks, CallIds, MaxTokensName, Prefill, ReasoningStyle, StreamUsage, Thoughts,
    TierWords, betas,
};

/// Plain, but told how hard to think by `reasoning_effort`.
pub const EFFORT: Dialect = Dialect {
    reasoning: ReasoningStyle::Effort,
    ..Dialect::PLAIN
};

/// Plain, with `thinking: {type}` as a switch, and earlier thoughts given
/// back as `reasoning_content`.
pub const THINKING: Dialect = Dialect {
    reasoning: ReasoningStyle::ThinkingSwitch,
    ..Dialect::PLAIN
};

/// "Thinking Mode" (api-docs.deepseek.com/guides/thinking_mode, 2026): the
/// switch, and an effort beside it, whose names in between are mapped there.
/// Sampling parameters are ignored while thinking, not refused.
pub const THINKING_EFFORT: Dialect = Dialect {
    reasoning: ReasoningStyle::SwitchAndEffort,
    ..Dialect::PLAIN
};

/// "Reasoning" (docs.together.ai/docs/inference/chat/reasoning, 2026): hybrid
/// models, which are most, take `reasoning: {enabled}`.
pub const TOGETHER: Dialect = Dialect {
    reasoning: ReasoningStyle::EnabledSwitch,
    ..Dialect::PLAIN
};

/// Plain, with `enable_thinking` and `thinking_budget`.
pub const ENABLE_THINKING: Dialect = Dialect {
    reasoning: ReasoningStyle::EnableThinking,
    ..Dialect::PLAIN
};

/// "OpenAI Compatibility" (console.groq.com/docs/openai, October 2026): these
/// and a participant's name are answered with 400, and so is any replayed
/// reasoning ("property 'reasoning_content' is unsupported", janhq/jan issue
/// 8136, May 2026). Usage comes in the last chunk when asked for, and in
/// `x_groq` besides.
pub const GROQ: Dialect = Dialect {
    max_tokens: MaxTokensName::MaxCompletionTokens,
    rejects: &["logprobs", "logit_bias", "top_logprobs"],
    accepts: &["reasoning_format"],
    parts: &[],
    names: false,
    strict_messages: true,
    thoughts: Thoughts::Refused,
    tiers: TierWords::GROQ,
    ..EFFORT
};

/// "OpenAI Compatibility" (inference-docs.cerebras.ai/resources/openai, as
/// read by hexdocs.pm/req_llm, 2026): these are answered with 400, and so is
/// replayed reasoning (`wrong_api_format`, CherryHQ/cherry-studio issue 16790,
/// July 2026).
pub const CEREBRAS: Dialect = Dialect {
    max_tokens: MaxTokensName::MaxCompletionTokens,
    rejects: &[
        "frequency_penalty",
        "logit_bias",
        "presence_penalty",
        "service_tier",
    ],
    accepts: &[],
    parts: &[],
    strict_messages: true,
    thoughts: Thoughts::Refused,
    ..EFFORT
};

/// The schema of chat completions (docs.mistral.ai/api, 2026) forbids unknown
/// members, in messages too: they are answered with 422 `extra_forbidden`.
/// Among them are `stream_options.include_usage`
/// (openai/openai-agents-python issue 442), `max_completion_tokens` and `store`
/// (Gitlawb/openclaude issue 739, April 2026), `reasoning_content`
/// (charmbracelet/crush issue 1590), names (Gage-Technologies/mistral-go pull
/// request 2) and `cache_control` (omnimind-ai/OmniBot issue 301, May 2026).
/// The seed has a name of its own, and ids of tool calls must be nine letters or
/// digits ("Tool call id was … but must be a-z, A-Z, 0-9, with a length of 9",
/// langchain-ai/langchain issue 24668, 2024). Effort is for mistral-small,
/// mistral-medium-3-5 and later
/// (docs.mistral.ai/capabilities/reasoning/adjustable). An assistant's message
/// with `prefix` is gone on with, see [`bourse_wire::dialect::prefill`].
pub const MISTRAL: Dialect = Dialect {
    stream_usage: StreamUsage::Always,
    rejects: &[
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "top_k",
        "min_p",
        "top_a",
        "repetition_penalty",
        "user",
        "verbosity",
        "service_tier",
        "store",
        "web_search_options",
        "modalities",
    ],
    accepts: &["prompt_mode", "random_seed", "safe_prompt"],
    parts: &["document_url", "thinking"],
    names: false,
    strict_messages: true,
    thoughts: Thoughts::Refused,
    call_ids: CallIds::NineAlphanumerics,
    renames: &[("seed", "random_seed")],
    prefill: Prefill::PrefixRepeated,
    ..EFFORT
};

/// Plain, with `chat_template_kwargs: {enable_thinking}`: servers of open models
/// hand it to the model's template, and templates that do not know it ignore
/// it (docs.vllm.ai, reasoning outputs; docs.sglang.ai, separate reasoning,
/// 2026).
pub const TEMPLATE: Dialect = Dialect {
    reasoning: ReasoningStyle::ChatTemplate,
    ..Dialect::PLAIN
};

/// "Context cache" and "Deep thinking" (alibabacloud.com/help/en/model-studio,
/// October and June 2026): explicit breakpoints, a switch and a budget.
pub const ALIBABA: Dialect = Dialect {
    cache: CacheMarks::CacheControl,
    ..ENABLE_THINKING
};

/// The limit is documented as `max_completion_tokens`
/// (platform.kimi.ai/docs/api/chat, 2026).
pub const MOONSHOT: Dialect = Dialect {
    max_tokens: MaxTokensName::MaxCompletionTokens,
    accepts: &["thinking"],
    ..Dialect::PLAIN
};

/// What the Kimi models fix at values of their own; any other is an error
/// ("Parameter Comparison", platform.kimi.ai/docs/api/models-overview, 2026).
const FIXED_BY_KIMI: &[&str] = &[
    "temperature",
    "top_p",
    "n",
    "presence_penalty",
    "frequency_penalty",
];

/// Kimi K2.5 and later: a switch (the same document, `thinking`).
pub const KIMI: Dialect = Dialect {
    reasoning: ReasoningStyle::ThinkingSwitch,
    rejects: FIXED_BY_KIMI,
    ..MOONSHOT
};

/// Kimi K3: always thinks, by effort
/// (platform.kimi.ai/docs/guide/use-thinking-effort, 2026).
pub const KIMI_K3: Dialect = Dialect {
    reasoning: ReasoningStyle::Effort,
    rejects: FIXED_BY_KIMI,
    ..MOONSHOT
};

/// Another gateway with OpenRouter's API (openrouter.ai/docs, October 2026).
pub const OPENROUTER: Dialect = Dialect {
    reasoning: ReasoningStyle::Object,
    accepts: &[
        "cache_control",
        "deferred_tools",
        "max_tool_calls",
        "prompt_cache_options",
        "stop_server_tools_when",
        "x_search_filter",
    ],
    developer_role: true,
    cache: CacheMarks::CacheControl,
    thoughts: Thoughts::Details,
    media_anywhere: true,
    // "Provider selection" (October 2026): for the models of Anthropic.
    betas: Some(Betas {
        header: betas::ASKED_IN,
        names: &[
            "interleaved-thinking-2025-05-14",
            "structured-outputs-2025-11-13",
        ],
    }),
    // "Usage accounting" (October 2026): `cost` is what the account is charged.
    tells_cost: true,
    ..Dialect::PLAIN
};

/// "Reasoning" (vercel.com/docs/ai-gateway, September 2026): the object, as
/// at OpenRouter.
pub const VERCEL: Dialect = Dialect {
    reasoning: ReasoningStyle::Object,
    thoughts: Thoughts::Details,
    media_anywhere: true,
    ..Dialect::PLAIN
};
