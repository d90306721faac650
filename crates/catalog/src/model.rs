//! What the catalogue says about a model, an endpoint and a provider.

use std::ops::Range;
use std::sync::Arc;

use bourse_vocab::chat::Effort;
use serde::{Deserialize, Serialize};

use crate::data_policy::DataPolicy;
use crate::image_tokens::ImageTokens;
use crate::interface::Interface;
use crate::price::PriceList;
use crate::set::named_set;

/// A model's place in one [`crate::Snapshot`]; means nothing in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelIx(pub u32);

/// An endpoint's place in one [`crate::Snapshot`]; means nothing in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointIx(pub u32);

/// A provider's place in one [`crate::Snapshot`]; means nothing in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProviderIx(pub u16);

// OpenRouter's InputModality and OutputModality (API document, October 2026).
named_set! {
    /// A kind of content that goes in or comes out.
    enum Modality;
    /// Kinds of content.
    struct Modalities(u16);
    /// Words.
    Text = "text",
    /// Pictures.
    Image = "image",
    /// Documents such as PDF.
    File = "file",
    /// Sound.
    Audio = "audio",
    /// Moving pictures.
    Video = "video",
    /// Vectors.
    Embeddings = "embeddings",
    /// An order of documents.
    Rerank = "rerank",
    /// Verdicts.
    Decisions = "decisions",
    /// Text read aloud.
    Speech = "speech",
    /// Speech written down.
    Transcription = "transcription",
}

// OpenRouter's Parameter (API document, October 2026).
named_set! {
    /// A request parameter that an endpoint may or may not understand.
    enum Parameter;
    /// Request parameters.
    struct Parameters(u32);
    /// `temperature`
    Temperature = "temperature",
    /// `top_p`
    TopP = "top_p",
    /// `top_k`
    TopK = "top_k",
    /// `min_p`
    MinP = "min_p",
    /// `top_a`
    TopA = "top_a",
    /// `frequency_penalty`
    FrequencyPenalty = "frequency_penalty",
    /// `presence_penalty`
    PresencePenalty = "presence_penalty",
    /// `repetition_penalty`
    RepetitionPenalty = "repetition_penalty",
    /// `max_tokens`
    MaxTokens = "max_tokens",
    /// `max_completion_tokens`
    MaxCompletionTokens = "max_completion_tokens",
    /// `logit_bias`
    LogitBias = "logit_bias",
    /// `logprobs`
    Logprobs = "logprobs",
    /// `top_logprobs`
    TopLogprobs = "top_logprobs",
    /// `prediction`
    Prediction = "prediction",
    /// `seed`
    Seed = "seed",
    /// `response_format`
    ResponseFormat = "response_format",
    /// `structured_outputs`: a JSON schema is followed.
    StructuredOutputs = "structured_outputs",
    /// `stop`
    Stop = "stop",
    /// `tools`
    Tools = "tools",
    /// `tool_choice`
    ToolChoice = "tool_choice",
    /// `parallel_tool_calls`
    ParallelToolCalls = "parallel_tool_calls",
    /// `include_reasoning`
    IncludeReasoning = "include_reasoning",
    /// `reasoning`
    Reasoning = "reasoning",
    /// `reasoning_effort`
    ReasoningEffort = "reasoning_effort",
    /// `web_search_options`
    WebSearchOptions = "web_search_options",
    /// `verbosity`
    Verbosity = "verbosity",
}

named_set! {
    /// A member of [`Efforts`]; the same names as [`Effort`].
    enum EffortName;
    /// Which reasoning efforts are accepted. Empty: all of them.
    struct Efforts(u8);
    /// All there is.
    Max = "max",
    /// More than a lot.
    Xhigh = "xhigh",
    /// A lot.
    High = "high",
    /// The usual.
    Medium = "medium",
    /// A little.
    Low = "low",
    /// As little as possible.
    Minimal = "minimal",
    /// Not at all.
    None = "none",
}

impl Efforts {
    /// Whether `effort` may be asked for.
    #[must_use]
    pub fn accepts(self, effort: Effort) -> bool {
        self.is_empty() || EffortName::by_name(effort.name()).is_some_and(|n| self.contains(n))
    }
}

/// How a model thinks before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reasoning {
    /// It cannot be turned off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mandatory: bool,
    /// A budget in tokens is understood.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub max_tokens: bool,
    /// Efforts that are accepted, highest first. Empty: all of them.
    #[serde(default, skip_serializing_if = "efforts_are_empty")]
    pub efforts: Efforts,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's calling convention.
fn efforts_are_empty(efforts: &Efforts) -> bool {
    efforts.is_empty()
}

/// Which entry of a family this is: each has its own row, price and limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CatalogVariant {
    /// Costs nothing, with tight limits.
    Free,
    /// Batch prices.
    Batch,
    /// Reasons by default.
    Thinking,
    /// A longer context.
    Extended,
}

impl CatalogVariant {
    /// The suffix, without its colon.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Batch => "batch",
            Self::Thinking => "thinking",
            Self::Extended => "extended",
        }
    }

    /// Finds a variant by its suffix.
    #[must_use]
    pub fn by_suffix(suffix: &str) -> Option<Self> {
        [Self::Free, Self::Batch, Self::Thinking, Self::Extended]
            .into_iter()
            .find(|variant| variant.suffix() == suffix)
    }
}

/// How the weights are stored, as far as the provider says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // The names are the meaning.
pub enum Quantization {
    Int4,
    Int8,
    Fp4,
    Mxfp4,
    Nvfp4,
    Fp6,
    Fp8,
    Mxfp8,
    Fp16,
    Bf16,
    Fp32,
    /// Not stated.
    #[default]
    Unknown,
}

impl Quantization {
    /// Every level, coarsest first.
    pub const ALL: [Self; 12] = [
        Self::Int4,
        Self::Int8,
        Self::Fp4,
        Self::Mxfp4,
        Self::Nvfp4,
        Self::Fp6,
        Self::Fp8,
        Self::Mxfp8,
        Self::Fp16,
        Self::Bf16,
        Self::Fp32,
        Self::Unknown,
    ];

    /// The public name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Fp4 => "fp4",
            Self::Mxfp4 => "mxfp4",
            Self::Nvfp4 => "nvfp4",
            Self::Fp6 => "fp6",
            Self::Fp8 => "fp8",
            Self::Mxfp8 => "mxfp8",
            Self::Fp16 => "fp16",
            Self::Bf16 => "bf16",
            Self::Fp32 => "fp32",
            Self::Unknown => "unknown",
        }
    }

    /// Finds a level by its public name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// Whether nothing is stated.
    #[must_use]
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's calling convention.
    pub fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }
}

/// Whether an endpoint is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointStatus {
    /// In use.
    #[default]
    Active,
    /// In use, but not promised to stay.
    Preview,
    /// In use, but about to go.
    Deprecated,
    /// Switched off by the operator; listed nowhere and never called.
    Disabled,
}

impl EndpointStatus {
    /// Whether this is the usual state.
    #[must_use]
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's calling convention.
    pub fn is_active(&self) -> bool {
        *self == Self::Active
    }
}

/// What kind of API a provider has: a hint for callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApiFamily {
    /// OpenAI's chat completions, at some address.
    #[default]
    OpenaiChat,
    /// OpenAI's Responses, at some address.
    OpenaiResponses,
    /// Anthropic's messages.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
    /// Google Vertex AI.
    Vertex,
    /// Amazon Bedrock.
    Bedrock,
    /// Ollama's own API.
    Ollama,
    /// Cohere's own API.
    Cohere,
    /// Azure's OpenAI service.
    Azure,
    /// An API of its own.
    Other,
}

impl ApiFamily {
    /// The name in configuration and data files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai-chat",
            Self::OpenaiResponses => "openai-responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Vertex => "vertex",
            Self::Bedrock => "bedrock",
            Self::Ollama => "ollama",
            Self::Cohere => "cohere-chat",
            Self::Azure => "azure",
            Self::Other => "other",
        }
    }

    /// Finds a family by its name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        [
            Self::OpenaiChat,
            Self::OpenaiResponses,
            Self::Anthropic,
            Self::Gemini,
            Self::Vertex,
            Self::Bedrock,
            Self::Ollama,
            Self::Cohere,
            Self::Azure,
            Self::Other,
        ]
        .into_iter()
        // The format has its operation in its name, which the vendor has not.
        .find(|family| {
            family.name() == name || name == "bedrock-converse" && *family == Self::Bedrock
        })
    }
}

/// A model, whoever serves it.
#[derive(Debug, Clone)]
pub struct Model {
    /// Its place in the snapshot.
    pub ix: ModelIx,
    /// `author/model`, with the variant's suffix if it is one.
    pub slug: Arc<str>,
    /// The dated name that never moves; often the slug itself.
    pub canonical_slug: Arc<str>,
    /// For people.
    pub name: Box<str>,
    /// Unix seconds of its release, if that is known.
    pub created: Option<u64>,
    /// A neutral sentence, or empty.
    pub description: Box<str>,
    /// Tokens of context: what its maker offers, or else the most that anyone
    /// who runs it does. Other gateways' claims do not count.
    pub context_length: u64,
    /// Most output tokens, if stated.
    pub max_output: Option<u64>,
    /// What goes in.
    pub input_modalities: Modalities,
    /// What comes out.
    pub output_modalities: Modalities,
    /// Parameters that at least one endpoint understands.
    pub supported_parameters: Parameters,
    /// Family of tokenizers, such as `GPT` or `Claude`.
    pub tokenizer: Option<Box<str>>,
    /// `YYYY-MM` or `YYYY-MM-DD`.
    pub knowledge_cutoff: Option<Box<str>>,
    /// Date after which it may be gone, `YYYY-MM-DD`.
    pub expiration_date: Option<Box<str>>,
    /// Whether anyone can download the weights.
    pub open_weights: bool,
    /// Repository of the weights at Hugging Face.
    pub hugging_face_id: Option<Box<str>>,
    /// How it reasons, if it does.
    pub reasoning: Option<Reasoning>,
    /// Other names that lead here; those that begin with `~` follow the
    /// newest model of a family.
    pub aliases: Vec<Box<str>>,
    /// Which entry of its family this is.
    pub variant: Option<CatalogVariant>,
    /// Its endpoints' places in the snapshot.
    pub endpoints: Range<u32>,
}

impl Model {
    /// The part of the slug before the slash.
    #[must_use]
    pub fn author(&self) -> &str {
        self.slug.split_once('/').map_or("", |(author, _)| author)
    }

    /// Whether it answers with text (the default listing shows only these).
    #[must_use]
    pub const fn has_text_output(&self) -> bool {
        self.output_modalities.contains(Modality::Text)
    }
}

/// One provider's offer of a model.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its place in the snapshot.
    pub ix: EndpointIx,
    /// Stable name, `author/model@tag`.
    pub id: Arc<str>,
    /// The model.
    pub model: ModelIx,
    /// Who offers it.
    pub provider: ProviderIx,
    /// The model's name at the provider.
    pub upstream_model: Arc<str>,
    /// `provider` or `provider/kind`, as callers name it in preferences.
    pub tag: Arc<str>,
    /// Tokens of context; zero if unknown, as with models that draw.
    pub context_length: u64,
    /// Most output tokens, if stated.
    pub max_output: Option<u64>,
    /// Most input tokens, if stated.
    pub max_prompt: Option<u64>,
    /// How the weights are stored.
    pub quantization: Quantization,
    /// What it charges.
    pub prices: PriceList,
    /// How many tokens a picture is.
    pub image_tokens: ImageTokens,
    /// Parameters that it understands.
    pub parameters: Parameters,
    /// What goes in.
    pub input_modalities: Modalities,
    /// What comes out.
    pub output_modalities: Modalities,
    /// What happens to prompts.
    pub data_policy: DataPolicy,
    /// Whether prompts are cached without being asked.
    pub supports_implicit_caching: bool,
    /// What kind of request it answers.
    pub interface: Interface,
    /// Whether it is in use.
    pub status: EndpointStatus,
}

impl Endpoint {
    /// Whether it may be shown at all: in use, and at a known price.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        // Tokens that cost nothing are no price of a film.
        let is_priced = match self.interface {
            Interface::Videos => self.prices.base.video_second.is_some(),
            _ => true,
        };
        self.status != EndpointStatus::Disabled && self.prices.is_known() && is_priced
    }

    /// Whether it may be called: listed, and over an interface that we speak.
    #[must_use]
    pub fn is_callable(&self) -> bool {
        self.is_listed() && self.interface.is_spoken()
    }
}

/// Someone to call.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its place in the snapshot.
    pub ix: ProviderIx,
    /// The name in configuration and in callers' preferences.
    pub slug: Arc<str>,
    /// Other names for it.
    pub aliases: Vec<Box<str>>,
    /// For people.
    pub name: Box<str>,
    /// Environment variables that hold its credentials.
    pub env: Vec<Box<str>>,
    /// Where its API is; may contain `${NAME}` placeholders.
    pub base_url: Option<Box<str>>,
    /// What kind of API it is.
    pub family: ApiFamily,
    /// Whether it passes calls on to others rather than running models.
    pub is_gateway: bool,
    /// The author whose models it makes, if it does.
    pub author: Option<Box<str>>,
    /// The document that its data policy is from, and when it was read.
    pub data_policy_source: Option<Box<str>>,
    /// Its documentation.
    pub docs_url: Option<Box<str>>,
    /// Its privacy policy.
    pub privacy_url: Option<Box<str>>,
    /// Its terms of service.
    pub terms_url: Option<Box<str>>,
    /// Its status page.
    pub status_url: Option<Box<str>>,
    /// Country of its seat, two letters.
    pub headquarters: Option<Box<str>>,
}
