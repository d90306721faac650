//! What we know of providers besides their price lists: our name for them,
//! their names elsewhere, and whether they run models or resell them.
//!
//! Slugs are the ones that OpenRouter's callers put into `provider.order`;
//! models.dev's and LiteLLM's names are kept as aliases or looked up here.

use crate::model::{Parameter, Parameters};

/// What kind of provider this is, as far as names of models go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Makes models, and calls them by their own names.
    Maker(&'static str),
    /// Runs models that others made.
    Host,
    /// Passes calls on; adds endpoints, never models.
    Gateway,
}

/// One provider, and where to find it.
#[derive(Debug)]
pub struct Known {
    /// Our name.
    pub slug: &'static str,
    /// Its name at models.dev.
    pub models_dev: &'static str,
    /// Its names at LiteLLM.
    pub litellm: &'static [&'static str],
    /// What it is.
    pub role: Role,
    /// Its address, where models.dev states none.
    pub base_url: Option<&'static str>,
}

const fn known(
    slug: &'static str,
    models_dev: &'static str,
    litellm: &'static [&'static str],
    role: Role,
    base_url: Option<&'static str>,
) -> Known {
    Known {
        slug,
        models_dev,
        litellm,
        role,
        base_url,
    }
}

/// Every provider that is imported. Left out on purpose: flat-rate plans
/// (no price a token exists, so no call could be billed), programs on one's
/// own machine, and resellers that publish no price list of their own.
pub static PROVIDERS: &[Known] = &[
    known("302ai", "302ai", &[], Role::Gateway, None),
    known("abacus", "abacus", &[], Role::Gateway, None),
    known(
        "ai21",
        "",
        &["ai21"],
        Role::Maker("ai21"),
        Some("https://api.ai21.com/studio/v1"),
    ),
    known(
        "aihubmix",
        "aihubmix",
        &["aihubmix"],
        Role::Gateway,
        Some("https://aihubmix.com/v1"),
    ),
    known("alibaba", "alibaba", &["dashscope"], Role::Host, None),
    known("alibaba-cn", "alibaba-cn", &[], Role::Host, None),
    known(
        "amazon-bedrock",
        "amazon-bedrock",
        &["bedrock_converse", "bedrock", "bedrock_mantle"],
        Role::Host,
        None,
    ),
    known("ambient", "ambient", &[], Role::Host, None),
    known(
        "anthropic",
        "anthropic",
        &["anthropic"],
        Role::Maker("anthropic"),
        Some("https://api.anthropic.com/v1"),
    ),
    known("auriko", "auriko", &[], Role::Gateway, None),
    known("azure", "azure", &["azure", "azure_ai"], Role::Host, None),
    known("baseten", "baseten", &["baseten"], Role::Host, None),
    known("berget", "berget", &[], Role::Host, None),
    known(
        "cerebras",
        "cerebras",
        &["cerebras"],
        Role::Host,
        Some("https://api.cerebras.ai/v1"),
    ),
    known("chutes", "chutes", &[], Role::Host, None),
    known("clarifai", "clarifai", &[], Role::Host, None),
    known("cloudferro", "cloudferro-sherlock", &[], Role::Host, None),
    known(
        "cloudflare",
        "cloudflare-workers-ai",
        &["cloudflare"],
        Role::Host,
        None,
    ),
    known(
        "cloudflare-ai-gateway",
        "cloudflare-ai-gateway",
        &[],
        Role::Gateway,
        None,
    ),
    known(
        "cohere",
        "cohere",
        &["cohere_chat", "cohere"],
        Role::Maker("cohere"),
        Some("https://api.cohere.ai/compatibility/v1"),
    ),
    known("cortecs", "cortecs", &[], Role::Gateway, None),
    known("crof", "crof", &[], Role::Host, None),
    known("databricks", "databricks", &[], Role::Host, None),
    known(
        "deepinfra",
        "deepinfra",
        &["deepinfra"],
        Role::Host,
        Some("https://api.deepinfra.com/v1/openai"),
    ),
    known(
        "deepseek",
        "deepseek",
        &["deepseek"],
        Role::Maker("deepseek"),
        Some("https://api.deepseek.com/v1"),
    ),
    known(
        "deepgram",
        "",
        &["deepgram"],
        Role::Maker("deepgram"),
        Some("https://api.deepgram.com/v1"),
    ),
    known("digitalocean", "digitalocean", &[], Role::Host, None),
    known("dinference", "dinference", &[], Role::Host, None),
    known("drun", "drun", &[], Role::Host, None),
    known(
        "elevenlabs",
        "",
        &["elevenlabs"],
        Role::Maker("elevenlabs"),
        Some("https://api.elevenlabs.io/v1"),
    ),
    known("evroc", "evroc", &[], Role::Host, None),
    known("fastrouter", "fastrouter", &[], Role::Gateway, None),
    known(
        "featherless",
        "",
        &["featherless_ai"],
        Role::Host,
        Some("https://api.featherless.ai/v1"),
    ),
    known(
        "fireworks",
        "fireworks-ai",
        &["fireworks_ai"],
        Role::Host,
        None,
    ),
    known("friendli", "friendli", &["friendliai"], Role::Host, None),
    known("gmicloud", "gmicloud", &["gmi"], Role::Host, None),
    known(
        "google-ai-studio",
        "google",
        &["gemini"],
        Role::Maker("google"),
        Some("https://generativelanguage.googleapis.com/v1beta"),
    ),
    known(
        "google-vertex",
        "google-vertex",
        &[
            "vertex_ai-language-models",
            "vertex_ai-anthropic_models",
            "vertex_ai-mistral_models",
            "vertex_ai-llama_models",
            "vertex_ai-deepseek_models",
            "vertex_ai-qwen_models",
            "vertex_ai-zai_models",
            "vertex_ai-openai_models",
            "vertex_ai-minimax_models",
            "vertex_ai-moonshot_models",
            "vertex_ai",
        ],
        Role::Host,
        None,
    ),
    known(
        "google-vertex",
        "google-vertex-anthropic",
        &[],
        Role::Host,
        None,
    ),
    known(
        "groq",
        "groq",
        &["groq"],
        Role::Host,
        Some("https://api.groq.com/openai/v1"),
    ),
    known("helicone", "helicone", &[], Role::Gateway, None),
    known("huggingface", "huggingface", &[], Role::Gateway, None),
    known(
        "hyperbolic",
        "",
        &["hyperbolic"],
        Role::Host,
        Some("https://api.hyperbolic.xyz/v1"),
    ),
    known(
        "inception",
        "inception",
        &["inception"],
        Role::Maker("inception"),
        None,
    ),
    known("inceptron", "inceptron", &[], Role::Host, None),
    known("inference-net", "inference", &[], Role::Host, None),
    known("io-net", "io-net", &[], Role::Host, None),
    known("jiekou", "jiekou", &[], Role::Gateway, None),
    known(
        "jina",
        "",
        &["jina_ai"],
        Role::Maker("jina"),
        Some("https://api.jina.ai/v1"),
    ),
    known("kilo", "kilo", &[], Role::Gateway, None),
    known("lilac", "lilac", &[], Role::Host, None),
    known("llmgateway", "llmgateway", &[], Role::Gateway, None),
    known("merge-gateway", "merge-gateway", &[], Role::Gateway, None),
    known("meta", "", &["meta"], Role::Maker("meta"), None),
    known("meta-llama-api", "llama", &[], Role::Host, None),
    known(
        "minimax",
        "minimax",
        &["minimax"],
        Role::Maker("minimax"),
        None,
    ),
    known(
        "minimax-cn",
        "minimax-cn",
        &[],
        Role::Maker("minimax"),
        None,
    ),
    known(
        "mistral",
        "mistral",
        &["mistral"],
        Role::Maker("mistralai"),
        Some("https://api.mistral.ai/v1"),
    ),
    known("mixlayer", "mixlayer", &[], Role::Host, None),
    known("moark", "moark", &[], Role::Host, None),
    known("modelscope", "modelscope", &[], Role::Host, None),
    known(
        "moonshotai",
        "moonshotai",
        &["moonshot"],
        Role::Maker("moonshotai"),
        None,
    ),
    known(
        "moonshotai-cn",
        "moonshotai-cn",
        &[],
        Role::Maker("moonshotai"),
        None,
    ),
    known("morph", "morph", &["morph"], Role::Maker("morph"), None),
    known("nano-gpt", "nano-gpt", &[], Role::Gateway, None),
    known("nearai", "nearai", &[], Role::Host, None),
    known("nebius", "nebius", &["nebius"], Role::Host, None),
    known("neuralwatt", "neuralwatt", &[], Role::Host, None),
    known("novita", "novita-ai", &["novita"], Role::Host, None),
    known(
        "nscale",
        "",
        &["nscale"],
        Role::Host,
        Some("https://inference.api.nscale.com/v1"),
    ),
    known("nvidia", "nvidia", &["nvidia_nim"], Role::Host, None),
    known("ollama-cloud", "ollama-cloud", &[], Role::Host, None),
    known(
        "openai",
        "openai",
        &["openai"],
        Role::Maker("openai"),
        Some("https://api.openai.com/v1"),
    ),
    known("opencode", "opencode", &[], Role::Gateway, None),
    known("openrouter", "openrouter", &[], Role::Gateway, None),
    known("orcarouter", "orcarouter", &[], Role::Gateway, None),
    known("ovhcloud", "ovhcloud", &["ovhcloud"], Role::Host, None),
    known(
        "perplexity",
        "perplexity",
        &["perplexity"],
        Role::Maker("perplexity"),
        Some("https://api.perplexity.ai"),
    ),
    known("poe", "poe", &[], Role::Gateway, None),
    known("poolside", "poolside", &[], Role::Maker("poolside"), None),
    known("qiniu-ai", "qiniu-ai", &[], Role::Gateway, None),
    known("regolo", "regolo-ai", &[], Role::Host, None),
    known("requesty", "requesty", &[], Role::Gateway, None),
    known("sakana", "sakana", &[], Role::Maker("sakana"), None),
    known(
        "sambanova",
        "",
        &["sambanova"],
        Role::Host,
        Some("https://api.sambanova.ai/v1"),
    ),
    known("sarvam", "sarvam", &["sarvam"], Role::Maker("sarvam"), None),
    known("scaleway", "scaleway", &["scaleway"], Role::Host, None),
    known("siliconflow", "siliconflow", &[], Role::Host, None),
    known("siliconflow-cn", "siliconflow-cn", &[], Role::Host, None),
    known("snowflake", "snowflake-cortex", &[], Role::Host, None),
    known("stackit", "stackit", &[], Role::Host, None),
    known("stepfun", "stepfun", &[], Role::Maker("stepfun"), None),
    known("submodel", "submodel", &[], Role::Host, None),
    known("synthetic", "synthetic", &[], Role::Host, None),
    known(
        "tencent",
        "tencent-tokenhub",
        &["tencent"],
        Role::Maker("tencent"),
        None,
    ),
    known("tinfoil", "tinfoil", &[], Role::Host, None),
    known(
        "together",
        "togetherai",
        &["together_ai"],
        Role::Host,
        Some("https://api.together.xyz/v1"),
    ),
    known("upstage", "upstage", &[], Role::Maker("upstage"), None),
    known(
        "v0",
        "v0",
        &["v0"],
        Role::Maker("v0"),
        Some("https://api.v0.dev/v1"),
    ),
    known(
        "venice",
        "venice",
        &[],
        Role::Host,
        Some("https://api.venice.ai/api/v1"),
    ),
    known(
        "vercel",
        "vercel",
        &["vercel_ai_gateway"],
        Role::Gateway,
        Some("https://ai-gateway.vercel.sh/v1"),
    ),
    known("vivgrid", "vivgrid", &[], Role::Gateway, None),
    known(
        "voyage",
        "",
        &["voyage"],
        Role::Maker("voyage"),
        Some("https://api.voyageai.com/v1"),
    ),
    known("vultr", "vultr", &[], Role::Host, None),
    known("wafer", "wafer.ai", &[], Role::Host, None),
    known("wandb", "wandb", &["wandb"], Role::Host, None),
    known(
        "xai",
        "xai",
        &["xai"],
        Role::Maker("x-ai"),
        Some("https://api.x.ai/v1"),
    ),
    known(
        "xiaomi",
        "xiaomi",
        &["xiaomi_mimo"],
        Role::Maker("xiaomi"),
        None,
    ),
    known("z-ai", "zai", &["zai"], Role::Maker("z-ai"), None),
    known("zenmux", "zenmux", &[], Role::Gateway, None),
    known("zhipuai", "zhipuai", &[], Role::Maker("z-ai"), None),
];

/// Finds a provider by its name at models.dev.
#[must_use]
pub fn by_models_dev(name: &str) -> Option<&'static Known> {
    PROVIDERS
        .iter()
        .find(|known| known.models_dev == name && !name.is_empty())
}

/// Finds a provider by its name at LiteLLM.
#[must_use]
pub fn by_litellm(name: &str) -> Option<&'static Known> {
    PROVIDERS.iter().find(|known| known.litellm.contains(&name))
}

/// Whose models a provider makes.
#[must_use]
pub fn author(known: &Known) -> Option<String> {
    match known.role {
        Role::Maker(author) => Some(author.to_owned()),
        Role::Host | Role::Gateway => None,
    }
}

/// Public pages of a provider: privacy policy, terms, status, country.
#[must_use]
pub fn pages(slug: &str) -> Option<[&'static str; 4]> {
    Some(match slug {
        "openai" => [
            "https://openai.com/policies/privacy-policy/",
            "https://openai.com/policies/services-agreement/",
            "https://status.openai.com",
            "US",
        ],
        "anthropic" => [
            "https://www.anthropic.com/legal/privacy",
            "https://www.anthropic.com/legal/commercial-terms",
            "https://status.anthropic.com",
            "US",
        ],
        "google-ai-studio" | "google-vertex" => [
            "https://policies.google.com/privacy",
            "https://ai.google.dev/gemini-api/terms",
            "https://status.cloud.google.com",
            "US",
        ],
        "mistral" => [
            "https://mistral.ai/terms#privacy-policy",
            "https://mistral.ai/terms",
            "https://status.mistral.ai",
            "FR",
        ],
        "groq" => [
            "https://groq.com/privacy-policy/",
            "https://groq.com/terms-of-use/",
            "https://groqstatus.com",
            "US",
        ],
        "together" => [
            "https://www.together.ai/privacy",
            "https://www.together.ai/terms-of-service",
            "https://status.together.ai",
            "US",
        ],
        "fireworks" => [
            "https://fireworks.ai/privacy-policy",
            "https://fireworks.ai/terms-of-service",
            "https://status.fireworks.ai",
            "US",
        ],
        "deepinfra" => [
            "https://deepinfra.com/privacy",
            "https://deepinfra.com/terms",
            "https://status.deepinfra.com",
            "US",
        ],
        "deepseek" => [
            "https://cdn.deepseek.com/policies/en-US/deepseek-privacy-policy.html",
            "https://cdn.deepseek.com/policies/en-US/deepseek-open-platform-terms-of-service.html",
            "https://status.deepseek.com",
            "CN",
        ],
        "xai" => [
            "https://x.ai/legal/privacy-policy",
            "https://x.ai/legal/terms-of-service-enterprise",
            "https://status.x.ai",
            "US",
        ],
        _ => return None,
    })
}

/// Whether prompts are cached without being asked: OpenRouter's prompt
/// caching guide (October 2026) lists these as automatic.
#[must_use]
pub fn caches_implicitly(provider: &str, author: &str, has_cache_price: bool) -> bool {
    has_cache_price
        && matches!(
            (provider, author),
            ("openai" | "azure", "openai")
                | ("google-ai-studio" | "google-vertex", "google")
                | ("deepseek", "deepseek")
                | ("xai", "x-ai")
                | ("moonshotai", "moonshotai")
                | ("z-ai", "z-ai")
                | ("groq", _)
        )
}

/// What a model can do, as price lists state it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Abilities {
    /// Temperature may be set.
    pub temperature: bool,
    /// Tools may be called.
    pub tools: bool,
    /// JSON schemas are followed.
    pub structured: bool,
    /// It reasons.
    pub reasoning: bool,
    /// Weights are public, so the server is likely vLLM or a relative.
    pub open_weights: bool,
}

/// The request parameters that an endpoint understands. Price lists state
/// abilities only; the rest follows from whose API it is (OpenAI, Anthropic
/// and Gemini API references, vLLM's OpenAI-compatible server, 2026).
#[must_use]
pub fn parameters(provider: &str, author: &str, can: Abilities) -> Parameters {
    use Parameter as P;
    let mut set = sampling(provider, author, can);
    if can.tools {
        set = set.union(Parameters::of(&[P::Tools, P::ToolChoice]));
        if matches!(author, "openai" | "anthropic") {
            set.insert(P::ParallelToolCalls);
        }
    }
    if can.structured {
        set = set.union(Parameters::of(&[P::StructuredOutputs, P::ResponseFormat]));
    }
    if can.reasoning {
        set = set.union(Parameters::of(&[
            P::Reasoning,
            P::IncludeReasoning,
            P::ReasoningEffort,
        ]));
        if author == "openai" && !can.open_weights {
            set.insert(P::Verbosity);
        }
    }
    set
}

/// What steers the choice of words, by whose API it is.
fn sampling(provider: &str, author: &str, can: Abilities) -> Parameters {
    use Parameter as P;
    match (provider, author) {
        ("anthropic", _) | (_, "anthropic") => {
            let mut set = Parameters::of(&[P::MaxTokens, P::Stop]);
            if can.temperature {
                set = set.union(Parameters::of(&[P::Temperature, P::TopP, P::TopK]));
            }
            set
        }
        ("openai" | "azure", "openai") | ("openrouter" | "vercel", "openai") => {
            let mut set = Parameters::of(&[
                P::MaxTokens,
                P::MaxCompletionTokens,
                P::Seed,
                P::ResponseFormat,
            ]);
            if !can.reasoning {
                set = set.union(Parameters::of(&[
                    P::Temperature,
                    P::TopP,
                    P::FrequencyPenalty,
                    P::PresencePenalty,
                    P::LogitBias,
                    P::Logprobs,
                    P::TopLogprobs,
                    P::Stop,
                ]));
            }
            set
        }
        (_, "google") if !can.open_weights => Parameters::of(&[
            P::MaxTokens,
            P::Temperature,
            P::TopP,
            P::TopK,
            P::Stop,
            P::Seed,
            P::ResponseFormat,
        ]),
        _ => {
            let mut set = Parameters::of(&[
                P::MaxTokens,
                P::Temperature,
                P::TopP,
                P::Stop,
                P::FrequencyPenalty,
                P::PresencePenalty,
                P::Seed,
                P::ResponseFormat,
            ]);
            if can.open_weights {
                set = set.union(Parameters::of(&[P::TopK, P::MinP, P::RepetitionPenalty]));
            }
            set
        }
    }
}

/// Repositories of open models whose lists name none (huggingface.co,
/// November 2026).
const REPOSITORIES: &[(&str, &str)] = &[
    ("openai/whisper-large-v3", "openai/whisper-large-v3"),
    (
        "openai/whisper-large-v3-turbo",
        "openai/whisper-large-v3-turbo",
    ),
];

/// Where the weights of a model are, if no list says so.
pub(super) fn repository(slug: &str) -> Option<&'static str> {
    let found = REPOSITORIES.iter().find(|(model, _)| *model == slug);
    found.map(|(_, repository)| *repository)
}
