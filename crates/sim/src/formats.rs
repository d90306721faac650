//! Each format's own reader and writer, by its name.

use std::sync::Arc;

use serde_json::Value;

use crate::ask::{Format, Refusal, Request};
use crate::reply::{Events, Reply};
use crate::{
    anthropic, audio, bedrock, cohere, embeddings, gemini, images, moderations, ollama,
    openai_chat, openai_responses, openai_text, prefill, replay, rerank, videos, voices,
};

impl Format {
    /// Reads a request body.
    ///
    /// # Errors
    /// When the vendor would refuse it: no JSON, a missing field.
    pub fn read(self, path: &str, body: &[u8]) -> Result<Request, Refusal> {
        match self {
            Self::OpenaiTranscription => return audio::read_form(body),
            Self::OpenaiImageEdits => return images::read_edit(body),
            Self::Voices => return voices::read(path, body),
            _ => {}
        }
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| Refusal::bad(format!("We could not parse the JSON body: {error}")))?;
        let ask = match self {
            Self::OpenaiChat => openai_chat::read(&value),
            Self::OpenaiText => openai_text::read(&value),
            Self::OpenaiResponses => openai_responses::read(&value),
            Self::Anthropic => anthropic::read(&anthropic::placed(path, value.clone())?),
            Self::Gemini => gemini::read(path, &value),
            Self::Bedrock => bedrock::read(path, &value),
            Self::Ollama => ollama::read(&value),
            Self::Cohere => cohere::read(&value),
            Self::OllamaEmbeddings => ollama::read_embed(&value),
            Self::OpenaiEmbeddings => embeddings::read(&value),
            Self::GeminiEmbeddings => embeddings::read_gemini(path, &value),
            Self::OpenaiImages => images::read(&value),
            Self::OpenaiImageEdits => images::read_edit(body),
            Self::Imagen => images::read_imagen(path, &value),
            Self::Rerank => rerank::read(path, &value),
            Self::Moderations => moderations::read(&value),
            Self::OpenaiSpeech => audio::read_speech(&value),
            Self::OpenaiTranscription => audio::read_form(body),
            Self::Voices => voices::read(path, body),
            Self::OpenaiVideos => videos::read(&value),
            Self::Veo => videos::read_veo(path, &value),
        }?;
        let replay = replay::read(self, &value, &ask)?;
        Ok(Request {
            replay,
            conversation: prefill::read(self, &value),
            ..ask
        })
    }
}

impl Reply {
    /// A whole answer as it goes on the wire, and its media type.
    #[must_use]
    pub fn whole(&self, format: Format) -> (&'static str, Vec<u8>) {
        let is_sound = match format {
            Format::OpenaiSpeech => true,
            Format::Voices => voices::is_speech(self),
            _ => false,
        };
        if is_sound {
            return audio::whole_sound(self);
        }
        let json = crate::reply::json_text(&self.json(format));
        ("application/json", json.into_bytes())
    }

    /// The JSON reply.
    #[must_use]
    pub fn json(&self, format: Format) -> Value {
        match format {
            Format::OpenaiChat => openai_chat::reply(self),
            Format::OpenaiText => openai_text::reply(self),
            Format::OpenaiResponses => openai_responses::reply(self),
            Format::Anthropic => anthropic::reply(self),
            Format::Gemini => gemini::reply(self),
            Format::Bedrock => bedrock::reply(self),
            Format::Ollama => ollama::reply(self),
            Format::Cohere => cohere::reply(self),
            Format::OllamaEmbeddings => ollama::vectors(self),
            Format::OpenaiEmbeddings => embeddings::reply(self),
            Format::GeminiEmbeddings => embeddings::reply_gemini(self),
            Format::OpenaiImages | Format::OpenaiImageEdits => images::reply(self),
            Format::Imagen => images::reply_imagen(self),
            Format::Rerank => rerank::reply(self),
            Format::Moderations => moderations::reply(self),
            // Which is a sound where it is whole.
            Format::OpenaiSpeech => Value::Null,
            Format::OpenaiTranscription => audio::transcript(self),
            Format::Voices => voices::transcript(self),
            Format::OpenaiVideos => videos::reply(self),
            Format::Veo => videos::reply_veo(self),
        }
    }

    /// The stream.
    #[must_use]
    pub fn events(self: Arc<Self>, format: Format) -> Events {
        match format {
            Format::OpenaiChat => openai_chat::stream(&self),
            Format::OpenaiText => openai_text::stream(&self),
            Format::OpenaiResponses => openai_responses::stream(&self),
            Format::Anthropic => anthropic::stream(&self),
            Format::Gemini => gemini::stream(&self),
            Format::Bedrock => bedrock::stream(&self),
            Format::Ollama => ollama::stream(&self),
            Format::Cohere => cohere::stream(&self),
            Format::OpenaiSpeech => audio::speech_stream(&self),
            Format::OpenaiTranscription => audio::transcript_stream(&self),
            Format::OpenaiImages | Format::OpenaiImageEdits => images::stream(&self, format),
            // Whose requests ask for none.
            Format::OpenaiEmbeddings
            | Format::GeminiEmbeddings
            | Format::OllamaEmbeddings
            | Format::Imagen
            | Format::Rerank
            | Format::Voices
            | Format::Moderations
            | Format::OpenaiVideos
            | Format::Veo => Box::new(std::iter::empty()),
        }
    }
}
