//! What a request asks for, whatever its format.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::words;

/// Tokens that one image in a prompt counts for: what OpenAI documents
/// for a low-detail image (Images and vision guide, 2026-10).
pub const IMAGE_TOKENS: u64 = 85;
/// Tokens that each message costs beyond its words.
pub const MESSAGE_TOKENS: u64 = 3;
/// Most choices one request may ask for (OpenAI's documented bound).
pub const CHOICES_MAX: u64 = 128;

/// The wire shapes that the simulator speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// OpenAI `chat/completions`.
    OpenaiChat,
    /// OpenAI's legacy `completions`.
    OpenaiText,
    /// OpenAI `responses`.
    OpenaiResponses,
    /// Anthropic `messages`.
    Anthropic,
    /// Gemini `generateContent`.
    Gemini,
    /// Bedrock `converse`.
    #[serde(rename = "bedrock-converse")]
    Bedrock,
    /// Ollama `api/chat`.
    Ollama,
    /// Cohere `v2/chat`.
    Cohere,
    /// Ollama `api/embed`.
    OllamaEmbeddings,
    /// OpenAI `embeddings`.
    OpenaiEmbeddings,
    /// Gemini `batchEmbedContents`.
    GeminiEmbeddings,
    /// OpenAI `images/generations`.
    OpenaiImages,
    /// OpenAI `images/edits`.
    OpenaiImageEdits,
    /// Imagen `predict`.
    Imagen,
    /// Cohere's, Voyage's and Jina's `rerank`.
    Rerank,
    /// OpenAI's and Mistral's `moderations`.
    Moderations,
    /// OpenAI `audio/speech`.
    OpenaiSpeech,
    /// OpenAI `audio/transcriptions` and `audio/translations`.
    OpenaiTranscription,
    /// ElevenLabs', Deepgram's and xAI's sounds and transcripts.
    Voices,
    /// OpenAI `videos`.
    OpenaiVideos,
    /// Veo `predictLongRunning`.
    Veo,
}

/// A request, read.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Upstream model as named by the caller.
    pub model: String,
    /// Wants events.
    pub stream: bool,
    /// Wants usage at the end of an OpenAI stream.
    pub include_usage: bool,
    /// Most output tokens, thoughts included.
    pub max_tokens: Option<u64>,
    /// All input tokens.
    pub prompt_tokens: u64,
    /// Input tokens up to the last cache mark of five minutes.
    pub mark_5m: u64,
    /// Input tokens up to the last cache mark of one hour.
    pub mark_1h: u64,
    /// The request names cached content (Gemini).
    pub uses_cache: bool,
    /// Texts that end the answer.
    pub stops: Vec<String>,
    /// Choices wanted.
    pub n: u64,
    /// Tools offered.
    pub tools: Vec<Tool>,
    /// What the request says about using them.
    pub tool_choice: ToolChoice,
    /// At most one call.
    pub one_call: bool,
    /// Asks for thoughts.
    pub thinks: bool,
    /// Wants thoughts shown (Gemini).
    pub shows_thoughts: bool,
    /// Wants JSON content.
    pub json: Option<JsonWant>,
    /// Wants log probabilities, with so many alternatives.
    pub logprobs: Option<u64>,
    /// Wants an image.
    pub wants_image: bool,
    /// The last user text; "use the tool" in it makes the model call one.
    pub last_user: String,
    /// Streams as a JSON array and not as SSE (Gemini without `alt=sse`).
    pub array_stream: bool,
    /// The turns before the answer, and its beginning if one is given.
    pub conversation: Conversation,
    /// How tools were used before the answer.
    pub replay: Replay,
    /// What vectors are wanted of.
    pub embed: Embed,
    /// A list that is to be ranked.
    pub rank: Rank,
    /// What is to be judged, a text for each verdict.
    pub judged: Vec<String>,
    /// Wants pictures at an address and not in the answer.
    pub at_address: bool,
    /// Beginnings of a picture that are wanted.
    pub partials: u64,
    /// How long a film is to be.
    pub film_seconds: u64,
    /// Pictures that are given, and are to be changed.
    pub pictures_in: u64,
    /// What is to be read aloud or written down.
    pub audio: Audio,
}

/// Sound that is wanted, or that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audio {
    /// What the sound or the transcript is to be in.
    pub format: String,
    /// Milliseconds that are given.
    pub ms: u64,
}

/// Vectors that are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Embed {
    /// For each input a number that its vector derives from.
    pub keys: Vec<u64>,
    /// How long they are to be.
    pub dimensions: Option<u64>,
    /// Whether they are wanted in base64.
    pub is_base64: bool,
    /// Whether they are predictions of Vertex AI's.
    pub is_predicted: bool,
}

/// A list that is to be ranked, and in whose words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rank {
    /// Words that each document shares with the question.
    pub shared: Vec<u64>,
    /// How many are wanted.
    pub top: usize,
    /// Who is asked.
    pub speech: Ranker,
}

/// In whose words a ranking is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ranker {
    /// Jina's.
    #[default]
    Jina,
    /// Cohere's, whose path has a version 2.
    Cohere,
    /// Voyage's, who says `top_k`.
    Voyage,
}

/// What a request says of the answer that it wants continued.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation {
    /// Identifies the turns before the answer.
    pub key: u64,
    /// The beginning of the answer, if one is given.
    pub prefill: Option<String>,
}

/// How tools were used in the conversation before an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replay {
    /// Answers of the model that called tools.
    pub rounds: usize,
    /// Of the last turn, the first round whose thoughts did not come back,
    /// counted from 0.
    pub unthought: Option<usize>,
}

/// A tool on offer.
#[derive(Debug, Clone)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its parameters' schema.
    pub schema: Value,
}

/// How free the model is to call tools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// May.
    #[default]
    Auto,
    /// May not.
    Never,
    /// Must.
    Any,
    /// Must call this one.
    Named(String),
}

/// The JSON that an answer must be.
#[derive(Debug, Clone)]
pub enum JsonWant {
    /// Some object.
    Object,
    /// An instance of this schema.
    Schema(Value),
}

/// A request that the vendor would refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The vendor's sentence.
    pub message: String,
}

impl Refusal {
    /// A 400 with a sentence.
    #[must_use]
    pub fn bad(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            message: message.into(),
        }
    }
}

impl Format {
    /// Whether it makes what no token is said of and no stream has.
    #[must_use]
    pub const fn embeds(self) -> bool {
        matches!(
            self,
            Self::OpenaiEmbeddings
                | Self::GeminiEmbeddings
                | Self::OllamaEmbeddings
                | Self::OpenaiImages
                | Self::OpenaiImageEdits
                | Self::Imagen
                | Self::Rerank
                | Self::Moderations
                | Self::OpenaiVideos
                | Self::Veo
        )
    }

    /// Whether prepared answers of it are written from memory: not where they
    /// depend on all that is asked.
    #[must_use]
    pub const fn is_prepared(self) -> bool {
        let is_sound = matches!(
            self,
            Self::OpenaiSpeech | Self::OpenaiTranscription | Self::Voices
        );
        !self.embeds() && !is_sound && !matches!(self, Self::Bedrock | Self::Ollama | Self::Cohere)
    }

    /// Whether errors and limits are told as OpenAI does.
    #[must_use]
    pub const fn is_openais(self) -> bool {
        matches!(
            self,
            Self::OpenaiChat
                | Self::OpenaiText
                | Self::OpenaiEmbeddings
                | Self::OpenaiImages
                | Self::OpenaiImageEdits
                | Self::Rerank
                | Self::Moderations
                | Self::OpenaiSpeech
                | Self::OpenaiTranscription
                | Self::Voices
                | Self::OpenaiVideos
        )
    }

    /// The format of a POST path, matched at its end so that any prefix
    /// (`/openai/v1`, `/api/v1`, `/p/<name>/v1`) works. The query is ignored.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        let path = path.split('?').next().unwrap_or(path);
        if path.ends_with("/chat/completions") {
            Some(Self::OpenaiChat)
        } else if path.ends_with("/completions") {
            Some(Self::OpenaiText)
        } else if path.ends_with("/responses") {
            Some(Self::OpenaiResponses)
        } else if path.ends_with("/embeddings") {
            Some(Self::OpenaiEmbeddings)
        } else if path.ends_with("/images/generations") {
            Some(Self::OpenaiImages)
        } else if path.ends_with("/moderations") {
            Some(Self::Moderations)
        } else if path.ends_with("/images/edits") {
            Some(Self::OpenaiImageEdits)
        } else if path.ends_with("/rerank") {
            Some(Self::Rerank)
        } else if path.ends_with(":predict") && path.contains("embedding") {
            Some(Self::GeminiEmbeddings)
        } else if path.ends_with("/videos") {
            Some(Self::OpenaiVideos)
        } else if path.ends_with(":predictLongRunning") {
            Some(Self::Veo)
        } else if path.ends_with(":predict") {
            Some(Self::Imagen)
        } else if path.ends_with("/audio/speech") {
            Some(Self::OpenaiSpeech)
        } else if path.ends_with("/audio/transcriptions") || path.ends_with("/audio/translations") {
            Some(Self::OpenaiTranscription)
        } else if path.contains("/text-to-speech/")
            || path.ends_with("/speech-to-text")
            || path.ends_with("/listen")
            || path.ends_with("/stt")
        {
            Some(Self::Voices)
        } else if path.ends_with(":batchEmbedContents") {
            Some(Self::GeminiEmbeddings)
        } else if path.ends_with("/messages") {
            Some(Self::Anthropic)
        } else if path.ends_with(":rawPredict") || path.ends_with(":streamRawPredict") {
            let is_claude = path.contains("/publishers/anthropic/");
            Some(if is_claude {
                Self::Anthropic
            } else {
                Self::OpenaiChat
            })
        } else if path.ends_with(":generateContent") || path.ends_with(":streamGenerateContent") {
            Some(Self::Gemini)
        } else if path.ends_with("/converse") || path.ends_with("/converse-stream") {
            Some(Self::Bedrock)
        } else if path.ends_with("/api/chat") {
            Some(Self::Ollama)
        } else if path.ends_with("/chat") {
            Some(Self::Cohere)
        } else if path.ends_with("/api/embed") {
            Some(Self::OllamaEmbeddings)
        } else {
            None
        }
    }
}

/// Words of every string in a value; what a prompt part counts for when
/// its shape does not matter.
#[must_use]
pub fn words_within(value: &Value) -> u64 {
    match value {
        Value::String(text) => words::count(text),
        Value::Array(items) => items.iter().map(words_within).sum(),
        Value::Object(fields) => fields.values().map(words_within).sum(),
        _ => 0,
    }
}

/// A string or a list of strings.
#[must_use]
pub fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

/// A required string field.
///
/// # Errors
/// A 400 that names the field.
pub fn required_str<'a>(value: &'a Value, key: &str) -> Result<&'a str, Refusal> {
    value
        .get(key)
        .and_then(Value::as_str)
        .ok_or_else(|| Refusal::bad(format!("{key}: Field required")))
}
