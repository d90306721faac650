//! Vendors that serve other people's models, mostly open ones.
//!
//! Addresses and variables without a document of the vendor's are those of
//! models.dev (November 2026). Billing after a disconnect is
//! openrouter.ai/docs, streaming (August 2026), where a vendor says nothing
//! itself.
//!
//! A key found in the environment makes its provider part of the market. So
//! a variable that people set for other purposes (to train, to deploy) is
//! not looked at: such a key is named in the configuration.

use bourse_vocab::Format;
use bourse_vocab::transcription::Shape;
use bourse_wire::Dialect;
use bourse_wire::dialect::TierWords;

use super::Compatible;
use crate::Interface;
use crate::dialects::{CEREBRAS, EFFORT, ENABLE_THINKING, GROQ, TEMPLATE, TOGETHER};

/// What Groq does. Its Whisper tells how long a sound is in one form only, and
/// has a least bill.
const GROQS: &[Interface] = &[
    Interface::chat(Format::OpenAiChat),
    Interface::transcription(Shape::Groq),
    Interface::spoken_translation(Shape::Groq),
];

/// One row each, by slug.
pub static ROWS: &[Compatible] = &[
    // models.dev.
    Compatible::chat(
        "ambient",
        "Ambient",
        &["AMBIENT_API_KEY"],
        "https://api.ambient.xyz/v1",
    ),
    // models.dev.
    Compatible::chat(
        "baseten",
        "Baseten",
        &["BASETEN_API_KEY"],
        "https://inference.baseten.co/v1",
    ),
    // models.dev.
    Compatible::chat(
        "berget",
        "Berget.AI",
        &["BERGET_API_KEY"],
        "https://api.berget.ai/v1",
    ),
    // inference-docs.cerebras.ai/resources/openai, 2026.
    Compatible::chat(
        "cerebras",
        "Cerebras",
        &["CEREBRAS_API_KEY"],
        "https://api.cerebras.ai/v1",
    )
    .dialect(CEREBRAS),
    // models.dev.
    Compatible::chat(
        "chutes",
        "Chutes",
        &["CHUTES_API_KEY"],
        "https://llm.chutes.ai/v1",
    ),
    // models.dev.
    Compatible::chat(
        "clarifai",
        "Clarifai",
        &["CLARIFAI_PAT"],
        "https://api.clarifai.com/v2/ext/openai/v1",
    ),
    // models.dev.
    Compatible::chat(
        "cloudferro",
        "CloudFerro Sherlock",
        &["CLOUDFERRO_SHERLOCK_API_KEY"],
        "https://api-sherlock.cloudferro.com/openai/v1",
    ),
    // models.dev.
    Compatible::chat("crof", "CrofAI", &["CROF_API_KEY"], "https://crof.ai/v1"),
    // docs.crusoecloud.com, serverless inference, 2026.
    Compatible::chat(
        "crusoe",
        "Crusoe",
        &["CRUSOE_API_KEY"],
        "https://api.inference.crusoecloud.com/v1",
    ),
    // models.dev; its servers are vLLM's and SGLang's, whose templates are told.
    Compatible::chat(
        "deepinfra",
        "Deep Infra",
        &["DEEPINFRA_API_KEY"],
        "https://api.deepinfra.com/v1/openai",
    )
    // deepinfra.com/Qwen/Qwen3-Embedding-0.6B/api, 2026.
    .embeds()
    .dialect(TEMPLATE),
    // models.dev. DIGITALOCEAN_ACCESS_TOKEN is not for inference alone.
    Compatible::chat(
        "digitalocean",
        "DigitalOcean",
        &[],
        "https://inference.do-ai.run/v1",
    ),
    // models.dev.
    Compatible::chat(
        "dinference",
        "DInference",
        &["DINFERENCE_API_KEY"],
        "https://api.dinference.com/v1",
    ),
    // models.dev.
    Compatible::chat(
        "drun",
        "D.Run (China)",
        &["DRUN_API_KEY"],
        "https://chat.d.run/v1",
    ),
    // models.dev.
    Compatible::chat(
        "evroc",
        "evroc",
        &["EVROC_API_KEY"],
        "https://models.think.evroc.com/v1",
    ),
    // featherless.ai/docs/quickstart-guide, 2026.
    Compatible::chat(
        "featherless",
        "Featherless",
        &["FEATHERLESS_API_KEY"],
        "https://api.featherless.ai/v1",
    )
    .bills_after_close(),
    // docs.fireworks.ai/guides/reasoning, 2026.
    Compatible::chat(
        "fireworks",
        "Fireworks AI",
        &["FIREWORKS_API_KEY"],
        "https://api.fireworks.ai/inference/v1",
    )
    // docs.fireworks.ai/guides/querying-embeddings-models, 2026.
    .embeds()
    .dialect(Dialect {
        tiers: TierWords::FIREWORKS,
        ..EFFORT
    }),
    // models.dev.
    Compatible::chat(
        "friendli",
        "Friendli",
        &["FRIENDLI_TOKEN"],
        "https://api.friendli.ai/serverless/v1",
    ),
    // models.dev.
    Compatible::chat(
        "gmicloud",
        "GMI Cloud",
        &["GMICLOUD_API_KEY"],
        "https://api.gmi-serving.com/v1",
    ),
    // console.groq.com/docs/openai, October 2026; speech-to-text
    // there, November 2026.
    Compatible::chat(
        "groq",
        "Groq",
        &["GROQ_API_KEY"],
        "https://api.groq.com/openai/v1",
    )
    .dialect(GROQ)
    .does(GROQS)
    .bills_after_close(),
    // models.dev.
    Compatible::chat(
        "hpc-ai",
        "HPC-AI",
        &["HPC_AI_API_KEY"],
        "https://api.hpc-ai.com/inference/v1",
    ),
    // models.dev.
    Compatible::chat(
        "hyperbolic",
        "Hyperbolic",
        &["HYPERBOLIC_API_KEY"],
        "https://api.hyperbolic.xyz/v1",
    ),
    // models.dev, as iflowcn.
    Compatible::chat(
        "iflow",
        "iFlow",
        &["IFLOW_API_KEY"],
        "https://apis.iflow.cn/v1",
    ),
    // models.dev.
    Compatible::chat(
        "inceptron",
        "Inceptron",
        &["INCEPTRON_API_KEY"],
        "https://api.inceptron.io/v1",
    ),
    // docs.inference.net/cli/overview, July 2026; models.dev leaves out `api.`
    Compatible::chat(
        "inference-net",
        "Inference",
        &["INFERENCE_API_KEY"],
        "https://api.inference.net/v1",
    )
    .bills_after_close(),
    // models.dev.
    Compatible::chat(
        "io-net",
        "IO.NET",
        &["IOINTELLIGENCE_API_KEY"],
        "https://api.intelligence.io.solutions/api/v1",
    ),
    // docs.litellm.ai/docs/providers, November 2026: the limit is `max_tokens`.
    Compatible::chat(
        "libertai",
        "LibertAI",
        &["LIBERTAI_API_KEY"],
        "https://api.libertai.io/v1",
    ),
    // models.dev.
    Compatible::chat(
        "lilac",
        "Lilac",
        &["LILAC_API_KEY"],
        "https://api.getlilac.com/v1",
    ),
    // pypi.org/project/meganova, November 2026.
    Compatible::chat(
        "meganova",
        "MegaNova",
        &["MEGANOVA_API_KEY"],
        "https://api.meganova.ai/v1",
    ),
    // models.dev.
    Compatible::chat(
        "mixlayer",
        "Mixlayer",
        &["MIXLAYER_API_KEY"],
        "https://models.mixlayer.ai/v1",
    ),
    // models.dev.
    Compatible::chat("moark", "Moark", &["MOARK_API_KEY"], "https://moark.com/v1"),
    // models.dev.
    Compatible::chat(
        "modelscope",
        "ModelScope",
        &["MODELSCOPE_API_KEY"],
        "https://api-inference.modelscope.cn/v1",
    ),
    // models.dev.
    Compatible::chat(
        "nearai",
        "NEAR AI Cloud",
        &["NEARAI_API_KEY"],
        "https://cloud-api.near.ai/v1",
    ),
    // models.dev.
    Compatible::chat(
        "nebius",
        "Nebius Token Factory",
        &["NEBIUS_API_KEY"],
        "https://api.tokenfactory.nebius.com/v1",
    )
    // docs.langchain.com, text_embedding/nebius, 2026: OpenAI's interface.
    .embeds()
    .bills_after_close(),
    // models.dev.
    Compatible::chat(
        "neuralwatt",
        "Neuralwatt",
        &["NEURALWATT_API_KEY"],
        "https://api.neuralwatt.com/v1",
    ),
    // models.dev; `enable_thinking` (novita.ai/docs, chat completion, 2026).
    // Leaving stops nothing (novita.ai/docs, LLM API billing, 499, March 2026).
    Compatible::chat(
        "novita",
        "NovitaAI",
        &["NOVITA_API_KEY"],
        "https://api.novita.ai/openai",
    )
    .dialect(ENABLE_THINKING)
    .bills_after_close(),
    // docs.nscale.com, serverless models, June 2026; no variable is documented.
    Compatible::chat(
        "nscale",
        "Nscale",
        &[],
        "https://inference.api.nscale.com/v1",
    ),
    // models.dev.
    Compatible::chat(
        "nvidia",
        "Nvidia",
        &["NVIDIA_API_KEY"],
        "https://integrate.api.nvidia.com/v1",
    ),
    // docs.ollama.com/api/openai-compatibility, October 2026.
    Compatible::chat(
        "ollama-cloud",
        "Ollama Cloud",
        &["OLLAMA_API_KEY"],
        "https://ollama.com/v1",
    )
    .dialect(EFFORT),
    // models.dev.
    Compatible::chat(
        "ovhcloud",
        "OVHcloud AI Endpoints",
        &["OVHCLOUD_API_KEY"],
        "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
    ),
    // docs.parasail.io, authentication, September 2026.
    Compatible::chat(
        "parasail",
        "Parasail",
        &["PARASAIL_API_KEY"],
        "https://api.parasail.io/v1",
    ),
    // docs.litellm.ai/docs/providers, November 2026: the limit is `max_tokens`.
    Compatible::chat(
        "publicai",
        "Public AI",
        &["PUBLICAI_API_KEY"],
        "https://api.publicai.co/v1",
    ),
    // models.dev.
    Compatible::chat(
        "regolo",
        "Regolo AI",
        &["REGOLO_API_KEY"],
        "https://api.regolo.ai/v1",
    ),
    // docs.sambanova.ai, OpenAI compatibility, 2026.
    Compatible::chat(
        "sambanova",
        "SambaNova",
        &["SAMBANOVA_API_KEY"],
        "https://api.sambanova.ai/v1",
    )
    .bills_after_close(),
    // scaleway.com/en/docs/generative-apis/api-cli/using-chat-api, 2025.
    Compatible::chat(
        "scaleway",
        "Scaleway",
        &["SCALEWAY_API_KEY"],
        "https://api.scaleway.ai/v1",
    )
    // scaleway.com/en/docs/generative-apis, using the embeddings API, September 2025.
    .embeds(),
    // docs.siliconflow.com, chat completions, 2026: a switch and a budget.
    Compatible::chat(
        "siliconflow",
        "SiliconFlow",
        &["SILICONFLOW_API_KEY"],
        "https://api.siliconflow.com/v1",
    )
    .dialect(ENABLE_THINKING),
    // The same in China.
    Compatible::chat(
        "siliconflow-cn",
        "SiliconFlow (China)",
        &["SILICONFLOW_CN_API_KEY"],
        "https://api.siliconflow.cn/v1",
    )
    .dialect(ENABLE_THINKING),
    // models.dev.
    Compatible::chat(
        "stackit",
        "STACKIT",
        &["STACKIT_API_KEY"],
        "https://api.openai-compat.model-serving.eu01.onstackit.cloud/v1",
    ),
    // models.dev.
    Compatible::chat(
        "submodel",
        "submodel",
        &["SUBMODEL_INSTAGEN_ACCESS_KEY"],
        "https://llm.submodel.ai/v1",
    ),
    // models.dev.
    Compatible::chat(
        "synthetic",
        "Synthetic",
        &["SYNTHETIC_API_KEY"],
        "https://api.synthetic.new/openai/v1",
    ),
    // models.dev.
    Compatible::chat(
        "tinfoil",
        "Tinfoil",
        &["TINFOIL_API_KEY"],
        "https://inference.tinfoil.sh/v1",
    ),
    // docs.together.ai/docs/inference/chat/reasoning, 2026.
    Compatible::chat(
        "together",
        "Together AI",
        &["TOGETHER_API_KEY"],
        "https://api.together.xyz/v1",
    )
    .dialect(TOGETHER)
    .models(TOGETHER_MODELS),
    // models.dev.
    Compatible::chat(
        "venice",
        "Venice AI",
        &["VENICE_API_KEY"],
        "https://api.venice.ai/api/v1",
    ),
    // models.dev. VULTR_API_KEY is not for inference alone.
    Compatible::chat("vultr", "Vultr", &[], "https://api.vultrinference.com/v1"),
    // models.dev.
    Compatible::chat(
        "wafer",
        "Wafer",
        &["WAFER_API_KEY"],
        "https://pass.wafer.ai/v1",
    ),
    // models.dev. WANDB_API_KEY is not for inference alone.
    Compatible::chat(
        "wandb",
        "Weights & Biases",
        &[],
        "https://api.inference.wandb.ai/v1",
    ),
];

/// The models at Together whose thinking is graded.
const TOGETHER_MODELS: &[(&str, Dialect)] = &[("openai/gpt-oss", EFFORT)];
