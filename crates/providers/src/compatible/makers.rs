//! Vendors that serve models of their own making.
//!
//! Addresses and variables without a document of the vendor's are those of
//! models.dev (November 2026). Billing after a disconnect is
//! openrouter.ai/docs, streaming (August 2026).

use bourse_vocab::embeddings::Shape;
use bourse_vocab::{Format, moderations, rerank, speech, transcription};
use bourse_wire::Dialect;

use super::Compatible;
use crate::dialects::{
    ALIBABA, EFFORT, KIMI, KIMI_K3, MISTRAL, MOONSHOT, THINKING, THINKING_EFFORT,
};
use crate::provider::Interface;

/// Chat, vectors, verdicts, speech and transcripts as Mistral does them (docs.mistral.ai/api, 2026).
const MISTRAL_INTERFACES: &[Interface] = &[
    Interface::chat(Format::OpenAiChat),
    Interface::embeddings(Shape::Mistral, Format::OpenAiChat),
    Interface::moderations(moderations::Shape::Mistral),
    Interface::speech(speech::Shape::Mistral),
    Interface::transcription(transcription::Shape::Mistral),
];

/// Vectors and rankings alone.
const JINA_INTERFACES: &[Interface] = &[
    Interface::embeddings(Shape::Jina, Format::OpenAiChat),
    Interface::rerank(rerank::Shape::Jina, Format::OpenAiChat),
];
const VOYAGE_INTERFACES: &[Interface] = &[
    Interface::embeddings(Shape::Voyage, Format::OpenAiChat),
    Interface::rerank(rerank::Shape::Voyage, Format::OpenAiChat),
];

/// One row each, by slug.
pub static ROWS: &[Compatible] = &[
    // models.dev.
    Compatible::chat(
        "abliteration-ai",
        "abliteration.ai",
        &["ABLIT_KEY"],
        "https://api.abliteration.ai/v1",
    ),
    // models.dev.
    Compatible::chat(
        "ai21",
        "AI21",
        &["AI21_API_KEY"],
        "https://api.ai21.com/studio/v1",
    )
    .bills_after_close(),
    // alibabacloud.com/help/en/model-studio/deep-thinking, June 2026.
    Compatible::chat(
        "alibaba",
        "Alibaba",
        &["DASHSCOPE_API_KEY"],
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    )
    .dialect(ALIBABA)
    .bills_after_close(),
    // The same in Beijing. Keys belong to one region, and both are documented
    // under the same variable, which is taken to mean the other.
    Compatible::chat(
        "alibaba-cn",
        "Alibaba (China)",
        &[],
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
    )
    .dialect(ALIBABA)
    .bills_after_close(),
    // docs.langchain.com/oss/python/integrations/chat/amazon_nova, November 2026:
    // by key and free of charge up to a rate; `reasoning_effort` is low, medium or
    // high.
    Compatible::chat(
        "amazon-nova",
        "Amazon Nova",
        &["NOVA_API_KEY"],
        "https://api.nova.amazon.com/v1",
    )
    .dialect(EFFORT),
    // cloud.baidu.com/doc/qianfan, OpenAI SDK, December 2025.
    Compatible::chat(
        "baidu",
        "Baidu",
        &["QIANFAN_API_KEY"],
        "https://qianfan.baidubce.com/v2",
    ),
    // docs.getbifrost.ai, BytePlus, 2026: a switch; keys belong to one region.
    Compatible::chat(
        "byteplus",
        "BytePlus",
        &[],
        "https://ark.ap-southeast.bytepluses.com/api/v3",
    )
    .dialect(THINKING),
    // docs.cohere.com/reference/chat, November 2026.
    Compatible::native(
        "cohere",
        "Cohere",
        &["COHERE_API_KEY"],
        "https://api.cohere.ai/compatibility/v1",
        Format::Cohere,
    )
    .does(super::cohere::INTERFACES)
    .dialect(super::cohere::DIALECT),
    // api-docs.deepseek.com/guides/thinking_mode, 2026.
    Compatible::chat(
        "deepseek",
        "DeepSeek",
        &["DEEPSEEK_API_KEY"],
        "https://api.deepseek.com/v1",
    )
    .dialect(THINKING_EFFORT)
    // api-docs.deepseek.com/quick_start/rate_limit, 2026: comments are sent
    // until inference begins.
    .queues_after_the_head(),
    // models.dev.
    Compatible::chat(
        "inception",
        "Inception",
        &["INCEPTION_API_KEY"],
        "https://api.inceptionlabs.ai/v1",
    ),
    // jina.ai/embeddings, API reference, 2026.
    Compatible::chat(
        "jina",
        "Jina AI",
        &["JINA_API_KEY"],
        "https://api.jina.ai/v1",
    )
    .embeds_by(JINA_INTERFACES),
    // models.dev.
    Compatible::chat(
        "lucidquery",
        "LucidQuery",
        &["LUCIDQUERY_API_KEY"],
        "https://api.lucidquery.com/v1",
    ),
    // models.dev.
    Compatible::chat(
        "meta-llama-api",
        "Llama",
        &["LLAMA_API_KEY"],
        "https://api.llama.com/compat/v1",
    ),
    // platform.minimax.io/docs, Anthropic API, 2026. Its chat completions put
    // thoughts between <think> tags into the answer, this format does not.
    Compatible::messages(
        "minimax",
        "MiniMax (minimax.io)",
        &["MINIMAX_API_KEY"],
        "https://api.minimax.io/anthropic/v1",
    )
    .bills_after_close(),
    // platform.minimaxi.com/docs, Anthropic API, 2026; another region's keys.
    Compatible::messages(
        "minimax-cn",
        "MiniMax (minimaxi.com)",
        &[],
        "https://api.minimaxi.com/anthropic/v1",
    )
    .bills_after_close(),
    // docs.mistral.ai/api, 2026.
    Compatible::chat(
        "mistral",
        "Mistral",
        &["MISTRAL_API_KEY"],
        "https://api.mistral.ai/v1",
    )
    .embeds_by(MISTRAL_INTERFACES)
    .dialect(MISTRAL)
    .bills_after_close(),
    // platform.kimi.ai/docs/api, 2026.
    Compatible::chat(
        "moonshotai",
        "Moonshot AI",
        &["MOONSHOT_API_KEY"],
        "https://api.moonshot.ai/v1",
    )
    .dialect(MOONSHOT)
    .models(KIMI_MODELS),
    // The same in China, with other keys.
    Compatible::chat(
        "moonshotai-cn",
        "Moonshot AI (China)",
        &[],
        "https://api.moonshot.cn/v1",
    )
    .dialect(MOONSHOT)
    .models(KIMI_MODELS),
    // models.dev.
    Compatible::chat(
        "morph",
        "Morph",
        &["MORPH_API_KEY"],
        "https://api.morphllm.com/v1",
    ),
    // models.dev.
    Compatible::chat(
        "poolside",
        "Poolside",
        &["POOLSIDE_API_KEY"],
        "https://inference.poolside.ai/v1",
    ),
    // models.dev.
    Compatible::chat(
        "sakana",
        "Sakana AI",
        &["SAKANA_API_KEY"],
        "https://api.sakana.ai/v1",
    ),
    // models.dev.
    Compatible::chat(
        "sarvam",
        "Sarvam AI",
        &["SARVAM_API_KEY"],
        "https://api.sarvam.ai/v1",
    ),
    // models.dev.
    Compatible::chat(
        "stepfun",
        "StepFun",
        &["STEPFUN_API_KEY"],
        "https://api.stepfun.com/v1",
    ),
    // models.dev.
    Compatible::chat(
        "subconscious",
        "Subconscious",
        &["SUBCONSCIOUS_API_KEY"],
        "https://api.subconscious.dev/v1",
    ),
    // models.dev.
    Compatible::chat(
        "tencent",
        "Tencent TokenHub",
        &["TENCENT_TOKENHUB_API_KEY"],
        "https://tokenhub.tencentmaas.com/v1",
    ),
    // models.dev.
    Compatible::chat(
        "upstage",
        "Upstage",
        &["UPSTAGE_API_KEY"],
        "https://api.upstage.ai/v1/solar",
    ),
    // models.dev.
    Compatible::chat("v0", "v0", &["V0_API_KEY"], "https://api.v0.dev/v1"),
    // cloudwego.io/docs/eino, ChatModel Ark, 2026, for the address; a switch
    // as at BytePlus, which is the same service abroad.
    Compatible::chat(
        "volcengine",
        "Volcengine Ark",
        &["ARK_API_KEY"],
        "https://ark.cn-beijing.volces.com/api/v3",
    )
    .dialect(THINKING),
    // mongodb.com/docs/api, Embedding and Reranking API, 2026: the same interface;
    // keys of the vendor's own go to this address.
    Compatible::chat(
        "voyage",
        "Voyage AI",
        &["VOYAGE_API_KEY"],
        "https://api.voyageai.com/v1",
    )
    .embeds_by(VOYAGE_INTERFACES),
    // docs.agno.com, Xiaomi MiMo, 2026: a switch; both variables are in use.
    Compatible::chat(
        "xiaomi",
        "Xiaomi",
        &["XIAOMI_API_KEY", "MIMO_API_KEY"],
        "https://api.xiaomimimo.com/v1",
    )
    .dialect(THINKING),
    // docs.z.ai/guides/capabilities/thinking-mode, 2026.
    Compatible::chat(
        "z-ai",
        "Z.AI",
        &["ZAI_API_KEY"],
        "https://api.z.ai/api/paas/v4",
    )
    .dialect(THINKING)
    .models(GLM_MODELS),
    // The same in China, with other keys.
    Compatible::chat(
        "zhipuai",
        "Zhipu AI",
        &["ZHIPUAI_API_KEY", "ZHIPU_API_KEY"],
        "https://open.bigmodel.cn/api/paas/v4",
    )
    .dialect(THINKING)
    .models(GLM_MODELS),
];

const KIMI_MODELS: &[(&str, Dialect)] = &[("kimi-k3", KIMI_K3), ("kimi-", KIMI)];

/// GLM-5.2 and later also take an effort (java.agentscope.io, GLM, 2026).
const GLM_MODELS: &[(&str, Dialect)] =
    &[("glm-5.2", THINKING_EFFORT), ("glm-5.3", THINKING_EFFORT)];
