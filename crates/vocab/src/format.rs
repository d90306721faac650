//! The wire shapes that Bourse speaks.

use std::fmt;

/// A wire shape: how a request, a reply, a stream and an error look.
///
/// Not to be confused with a *provider*, which is someone to call, nor with
/// a *dialect*, which is how one vendor strays from a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// OpenAI's `POST /chat/completions`, with OpenRouter's additions.
    OpenAiChat,
    /// OpenAI's `POST /responses`, with OpenRouter's additions.
    OpenAiResponses,
    /// Anthropic's `POST /v1/messages`.
    Anthropic,
    /// Google's `models/*:generateContent`.
    Gemini,
    /// Amazon Bedrock's `model/*/converse`.
    Bedrock,
    /// Ollama's `POST /api/chat`.
    Ollama,
    /// Cohere's `POST /v2/chat`.
    Cohere,
}

impl Format {
    /// Every format, in the order in which documents list them.
    pub const ALL: [Self; 7] = [
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::Anthropic,
        Self::Gemini,
        Self::Bedrock,
        Self::Ollama,
        Self::Cohere,
    ];

    /// The name used in configuration and fixtures.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai-chat",
            Self::OpenAiResponses => "openai-responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock-converse",
            Self::Ollama => "ollama",
            Self::Cohere => "cohere-chat",
        }
    }

    /// Finds a format by the name that configuration uses.
    #[must_use]
    pub fn by_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.slug() == slug)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}
