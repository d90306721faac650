//! Transcripts and translations: what clients ask for, how each vendor is
//! asked, and what comes back.
//!
//! Clients speak OpenAI's form with a file, or OpenRouter's JSON with the sound
//! in base64 ([`asked`]). Vendors are asked in a form that is written anew
//! around the client's file, and always for JSON: only there they say what they
//! counted. What the client wants it in is written here ([`reply`]), subtitles
//! too.

pub mod alike;
pub mod asked;
mod fields;
mod others;
mod read;
pub mod reply;
pub mod sound;
pub mod stream;
mod subtitles;
mod words;

#[cfg(test)]
mod tests;

use bourse_vocab::Failure;
use bourse_vocab::chat::Loss;
use bourse_vocab::transcription::{Reply, Shape};
use bytes::Bytes;

pub use asked::Asked;

use crate::multipart::Boundary;

/// A request for a vendor, in pieces, and what could not be said.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The body.
    pub body: Vec<Bytes>,
    /// What it is.
    pub content_type: String,
    /// What the vendor cannot be told.
    pub losses: Vec<Loss>,
}

/// One shape of a vendor's interface for transcripts.
pub trait Codec: Send + Sync {
    /// Which.
    fn shape(&self) -> Shape;

    /// Writes the request for a model, named as its vendor does. A form is
    /// separated by `boundary`.
    ///
    /// # Errors
    /// The vendor cannot be asked this; another may.
    fn write(&self, asked: &Asked, model: &str, boundary: &Boundary) -> Result<Written, Failure>;

    /// What comes behind the vendor's address in this call, and nowhere else:
    /// letters, digits and what separates them.
    ///
    /// # Errors
    /// As for [`Self::write`].
    fn tail(&self, _asked: &Asked) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    /// What a written body is.
    fn content_type(&self, _asked: &Asked, boundary: &Boundary) -> String {
        boundary.content_type()
    }

    /// Reads a whole reply.
    ///
    /// # Errors
    /// It is none: another target may answer.
    fn read(&self, body: &Bytes) -> Result<Reply, Failure>;
}

/// The codec of a shape.
#[must_use]
pub fn codec(shape: Shape) -> &'static dyn Codec {
    match shape {
        Shape::Whisper => &alike::WHISPER,
        Shape::Groq => &alike::GROQ,
        Shape::Gpt => &alike::GPT,
        Shape::Mistral => &alike::MISTRAL,
        Shape::Xai => &others::Xai,
        Shape::ElevenLabs => &others::ElevenLabs,
        Shape::Deepgram => &others::Deepgram,
    }
}
