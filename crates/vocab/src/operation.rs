//! What a model is asked to do.

use std::fmt;

use crate::{embeddings, images, moderations, rerank, speech, transcription, videos};

/// What a model is asked to do.
///
/// A vendor's interface is for one operation; a client's endpoint may be
/// served by several (text completions by chat models, for example). Chat has
/// its [`crate::Format`]s. Any other operation has wire shapes of its own and
/// says here which: the format beside it is then that of the vendor's errors
/// (decision 42).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Go on with a conversation.
    Chat,
    /// Go on with a text: the interface before chat.
    Text,
    /// Turn texts into vectors.
    Embeddings(embeddings::Shape),
    /// Make pictures of a text.
    Images(images::Shape),
    /// Change pictures, or make others of them.
    ImageEdits(images::Shape),
    /// Put documents into the order in which they answer a question.
    Rerank(rerank::Shape),
    /// Judge what is written or shown.
    Moderations(moderations::Shape),
    /// Read a text aloud.
    Speech(speech::Shape),
    /// Write down what is said.
    Transcription(transcription::Shape),
    /// Write down in English what is said in any language.
    Translation(transcription::Shape),
    /// Talk for a while, over one connection.
    Realtime,
    /// Make films of a text.
    Videos(videos::Shape),
}

impl Operation {
    /// The name in logs and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Text => "text",
            Self::Embeddings(_) => "embeddings",
            Self::Images(_) => "images",
            Self::ImageEdits(_) => "image_edits",
            Self::Rerank(_) => "rerank",
            Self::Moderations(_) => "moderations",
            Self::Speech(_) => "speech",
            Self::Transcription(_) => "transcription",
            Self::Translation(_) => "translation",
            Self::Realtime => "realtime",
            Self::Videos(_) => "videos",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
