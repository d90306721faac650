//! Gateways to many vendors, as upstreams.
//!
//! Addresses and variables without a document of the vendor's are those of
//! models.dev (November 2026).

use super::Compatible;
use crate::dialects::{OPENROUTER, VERCEL};

/// One row each, by slug.
pub static ROWS: &[Compatible] = &[
    // models.dev; its variable begins with a digit, which shells refuse.
    Compatible::chat("302ai", "302.AI", &[], "https://api.302.ai/v1"),
    // models.dev.
    Compatible::chat(
        "abacus",
        "Abacus",
        &["ABACUS_API_KEY"],
        "https://routellm.abacus.ai/v1",
    ),
    // models.dev.
    Compatible::chat(
        "aihubmix",
        "AIHubMix",
        &["AIHUBMIX_API_KEY"],
        "https://aihubmix.com/v1",
    ),
    // docs.agno.com/reference/models/aimlapi, November 2026.
    Compatible::chat(
        "aimlapi",
        "AI/ML API",
        &["AIMLAPI_API_KEY"],
        "https://api.aimlapi.com/v1",
    ),
    // models.dev.
    Compatible::chat(
        "anyapi",
        "AnyAPI",
        &["ANYAPI_API_KEY"],
        "https://api.anyapi.ai/v1",
    ),
    // models.dev.
    Compatible::chat(
        "auriko",
        "Auriko",
        &["AURIKO_API_KEY"],
        "https://api.auriko.ai/v1",
    ),
    // models.dev.
    Compatible::chat(
        "cortecs",
        "Cortecs",
        &["CORTECS_API_KEY"],
        "https://api.cortecs.ai/v1",
    ),
    // models.dev.
    Compatible::chat(
        "fastrouter",
        "FastRouter",
        &["FASTROUTER_API_KEY"],
        "https://go.fastrouter.ai/api/v1",
    ),
    // models.dev.
    Compatible::chat(
        "frogbot",
        "FrogBot",
        &["FROGBOT_API_KEY"],
        "https://app.frogbot.ai/api/v1",
    ),
    // models.dev. A GITHUB_TOKEN that lies about is meant for other things, so
    // its key is taken from configuration only.
    Compatible::chat(
        "github-models",
        "GitHub Models",
        &[],
        "https://models.github.ai/inference",
    ),
    // models.dev.
    Compatible::chat(
        "helicone",
        "Helicone",
        &["HELICONE_API_KEY"],
        "https://ai-gateway.helicone.ai/v1",
    ),
    // huggingface.co/docs/inference-providers, 2026. HF_TOKEN is set wherever
    // models are downloaded, so the key is taken from configuration only.
    Compatible::chat(
        "huggingface",
        "Hugging Face",
        &[],
        "https://router.huggingface.co/v1",
    )
    .bills_after_close(),
    // models.dev.
    Compatible::chat(
        "jiekou",
        "Jiekou.AI",
        &["JIEKOU_API_KEY"],
        "https://api.jiekou.ai/openai",
    ),
    // models.dev.
    Compatible::chat(
        "kilo",
        "Kilo Gateway",
        &["KILO_API_KEY"],
        "https://api.kilo.ai/api/gateway",
    ),
    // models.dev.
    Compatible::chat(
        "llmgateway",
        "LLM Gateway",
        &["LLMGATEWAY_API_KEY"],
        "https://api.llmgateway.io/v1",
    ),
    // models.dev.
    Compatible::chat("llmtr", "LLMTR", &["LLMTR_API_KEY"], "https://llmtr.com/v1"),
    // models.dev.
    Compatible::chat(
        "nano-gpt",
        "NanoGPT",
        &["NANO_GPT_API_KEY"],
        "https://nano-gpt.com/api/v1",
    ),
    // models.dev.
    Compatible::chat(
        "opencode",
        "OpenCode Zen",
        &["OPENCODE_API_KEY"],
        "https://opencode.ai/zen/v1",
    ),
    // openrouter.ai/docs, October 2026.
    Compatible::chat(
        "openrouter",
        "OpenRouter",
        &["OPENROUTER_API_KEY"],
        "https://openrouter.ai/api/v1",
    )
    // openrouter.ai/docs, API reference of embeddings, October 2026.
    .embeds()
    .dialect(OPENROUTER)
    // openrouter.ai/docs, streaming, 2026: comments are sent until a provider
    // answers.
    .queues_after_the_head(),
    // models.dev.
    Compatible::chat(
        "orcarouter",
        "OrcaRouter",
        &["ORCAROUTER_API_KEY"],
        "https://api.orcarouter.ai/v1",
    ),
    // models.dev.
    Compatible::chat("poe", "Poe", &["POE_API_KEY"], "https://api.poe.com/v1"),
    // models.dev.
    Compatible::chat(
        "qiniu-ai",
        "Qiniu",
        &["QINIU_API_KEY"],
        "https://api.qnaigc.com/v1",
    ),
    // models.dev.
    Compatible::chat(
        "requesty",
        "Requesty",
        &["REQUESTY_API_KEY"],
        "https://router.requesty.ai/v1",
    ),
    // vercel.com/docs/ai-gateway, September 2026.
    Compatible::chat(
        "vercel",
        "Vercel AI Gateway",
        &["AI_GATEWAY_API_KEY"],
        "https://ai-gateway.vercel.sh/v1",
    )
    // vercel.com/docs/ai-gateway, openai-chat-completions/embeddings, September 2026.
    .embeds()
    .dialect(VERCEL),
    // models.dev.
    Compatible::chat(
        "vivgrid",
        "Vivgrid",
        &["VIVGRID_API_KEY"],
        "https://api.vivgrid.com/v1",
    ),
    // models.dev.
    Compatible::chat(
        "zenmux",
        "ZenMux",
        &["ZENMUX_API_KEY"],
        "https://zenmux.ai/api/v1",
    ),
];
