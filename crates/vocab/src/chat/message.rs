//! Messages and what they are made of.

use serde::{Deserialize, Serialize};

use crate::Format;
use crate::json::{Map, Value};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions by the application.
    System,
    /// OpenAI's newer name for [`Role::System`].
    Developer,
    /// The person, or the application on their behalf.
    User,
    /// The model.
    Assistant,
    /// The result of one tool call.
    Tool,
}

/// One turn of the conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// A participant's name, where one was given.
    pub name: Option<String>,
    /// What is said, in order. A tool message holds exactly one
    /// [`Part::ToolResult`].
    pub parts: Vec<Part>,
}

/// A breakpoint up to which the provider should cache the prompt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CacheControl {
    /// How long: `"5m"` or `"1h"`; the provider's default otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
}

/// Bytes that are not text, or where to find them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Media {
    /// To be fetched by the provider.
    Url(String),
    /// Here, as base64 text.
    Base64 {
        /// Media type, such as `image/png`.
        mime: String,
        /// Standard base64 with padding.
        data: String,
    },
    /// Uploaded to the provider earlier.
    FileId(String),
}

/// One piece of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Plain text.
    Text {
        /// The text.
        text: String,
        /// Cache the prompt up to here.
        cache: Option<CacheControl>,
    },
    /// A picture.
    Image {
        /// The picture.
        media: Media,
        /// `auto`, `low`, `high` or `original`.
        detail: Option<String>,
        /// Cache the prompt up to here.
        cache: Option<CacheControl>,
    },
    /// Sound.
    Audio {
        /// Base64 text.
        data: String,
        /// `wav`, `mp3`, ….
        format: String,
    },
    /// A document, usually PDF.
    File {
        /// Its name.
        filename: Option<String>,
        /// The document.
        media: Media,
        /// Cache the prompt up to here.
        cache: Option<CacheControl>,
    },
    /// A film.
    Video {
        /// The film.
        media: Media,
    },
    /// What the model thought before it spoke; only in assistant messages.
    Reasoning(Reasoning),
    /// The model asks for a tool; only in assistant messages.
    ToolCall {
        /// The model's name for this call.
        id: String,
        /// Which tool.
        name: String,
        /// JSON text, exactly as the model wrote it (it may be invalid).
        arguments: String,
    },
    /// What the tool answered; only in tool messages.
    ToolResult {
        /// The [`Part::ToolCall`] that this answers.
        call_id: String,
        /// The tool's name, where the format repeats it.
        name: Option<String>,
        /// What it answered.
        parts: Vec<Part>,
        /// Whether the tool failed.
        is_error: bool,
        /// Cache the prompt up to here.
        cache: Option<CacheControl>,
    },
    /// The model declined, and said so apart from its content.
    Refusal(String),
    /// What only its own format understands, kept whole.
    Opaque {
        /// Where it came from.
        format: Format,
        /// The part as it was.
        value: Value,
    },
}

impl Part {
    /// Plain text without a cache breakpoint.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            cache: None,
        }
    }
}

/// What kind of reasoning a piece is (OpenRouter's `reasoning_details`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReasoningKind {
    /// The thought itself, with the provider's signature if it signs.
    Text {
        /// The thought.
        text: String,
        /// Proof for the provider that it wrote this; must be replayed.
        signature: Option<String>,
    },
    /// A summary of a thought that stays hidden.
    Summary(String),
    /// A sealed thought: only the provider can read it.
    Encrypted(String),
}

/// One piece of reasoning. Replayed unmodified and in order, or a
/// provider that signs its thoughts refuses the next turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reasoning {
    /// What it is.
    pub kind: ReasoningKind,
    /// The provider's id for it. For Gemini's signatures: the tool call's id.
    pub id: Option<String>,
    /// Whose scheme the signature or seal is, in OpenRouter's words:
    /// `anthropic-claude-v1`, `google-gemini-v1`, `openai-responses-v1`, ….
    pub scheme: Option<String>,
    /// Of a piece that a caller gives back in OpenRouter's shape: its members
    /// that are told nowhere else, as they came. Whoever has that shape gets
    /// the piece as the caller had it, without members of ours.
    pub replayed: Option<Map>,
}
