//! Speech: what clients ask to be read aloud, how each vendor is asked, and
//! what comes back.
//!
//! The answer is the sound itself, passed on as it comes. What was used is in
//! no sound: where a model is sold by the character that is known before it is
//! asked, and where it is sold by the token it is asked for events, whose last
//! one counts them ([`events`]).

pub mod alike;
pub mod asked;
mod elevenlabs;
pub mod events;
mod gemini;
mod mistral;

#[cfg(test)]
mod tests;

use bourse_vocab::Failure;
use bourse_vocab::chat::Loss;
use bourse_vocab::speech::Shape;
use bytes::Bytes;

pub use asked::Asked;

use events::Source;

/// A request for a vendor, in pieces, and what could not be said.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The body.
    pub body: Vec<Bytes>,
    /// What the vendor cannot be told.
    pub losses: Vec<Loss>,
}

/// One shape of a vendor's interface for speech.
pub trait Codec: Send + Sync {
    /// Which.
    fn shape(&self) -> Shape;

    /// Whose events it answers with; `None` if with the sound itself.
    fn source(&self) -> Option<Source> {
        None
    }

    /// What comes behind the vendor's address in this call, and nowhere else:
    /// letters, digits and what separates them.
    ///
    /// # Errors
    /// As for [`Self::write`].
    fn tail(&self, _asked: &Asked) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    /// Writes the request for a model, named as its vendor does.
    ///
    /// # Errors
    /// The vendor cannot be asked this; another may.
    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure>;
}

/// The codec of a shape.
#[must_use]
pub fn codec(shape: Shape) -> &'static dyn Codec {
    match shape {
        Shape::OpenAi => &alike::OPENAI,
        Shape::OpenAiEvents => &alike::EVENTS,
        Shape::ElevenLabs => &elevenlabs::ElevenLabs,
        Shape::Mistral => &mistral::Mistral,
        Shape::Gemini => &gemini::Gemini,
    }
}

/// Whether a `Content-Type` is that of a sound.
#[must_use]
pub fn is_sound(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    let is_audio = media_type
        .get(..6)
        .is_some_and(|head| head.eq_ignore_ascii_case("audio/"));
    is_audio || media_type.eq_ignore_ascii_case("application/octet-stream")
}
