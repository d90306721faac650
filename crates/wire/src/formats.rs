//! The formats that there are.

use bourse_vocab::Format;

use crate::codec::Codec;
use crate::{anthropic, bedrock, cohere, gemini, ollama, openai_chat, openai_responses};

/// The codec of a format.
#[must_use]
pub fn codec(format: Format) -> &'static dyn Codec {
    match format {
        Format::OpenAiChat => &openai_chat::OpenAiChat,
        Format::OpenAiResponses => &openai_responses::OpenAiResponses,
        Format::Anthropic => &anthropic::Anthropic,
        Format::Gemini => &gemini::Gemini,
        Format::Bedrock => &bedrock::Bedrock,
        Format::Ollama => &ollama::Ollama,
        Format::Cohere => &cohere::Cohere,
    }
}
