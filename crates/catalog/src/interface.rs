//! Over which interface an offer is sold.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kind of request that an endpoint answers at its provider. Those that
/// are not called here are listed, so that a caller learns why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Interface {
    /// Chat, and what is translated to it; Responses too where the provider has
    /// them.
    #[default]
    Chat,
    /// OpenAI's Responses, and nothing else.
    Responses,
    /// Requests for pictures.
    Images,
    /// Requests for vectors.
    Embeddings,
    /// Requests for an order of documents.
    Rerank,
    /// Requests for verdicts on what is written or shown.
    Moderations,
    /// Requests for text to be read aloud.
    Speech,
    /// Requests for speech to be written down, in its language or in English.
    Transcription,
    /// Conversations over one connection, spoken or written (OpenAI's Realtime).
    Realtime,
    /// Requests for films.
    Videos,
}

impl Interface {
    /// Whether requests of this kind are made here.
    #[must_use]
    pub const fn is_spoken(self) -> bool {
        matches!(
            self,
            Self::Chat
                | Self::Responses
                | Self::Embeddings
                | Self::Images
                | Self::Rerank
                | Self::Moderations
                | Self::Speech
                | Self::Transcription
                | Self::Realtime
                | Self::Videos
        )
    }

    /// The name in data files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Images => "images",
            Self::Embeddings => "embeddings",
            Self::Rerank => "rerank",
            Self::Moderations => "moderations",
            Self::Speech => "speech",
            Self::Transcription => "transcription",
            Self::Realtime => "realtime",
            Self::Videos => "videos",
        }
    }
}
