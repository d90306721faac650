//! Pictures: what clients ask for, how each vendor is asked, and what comes
//! back.
//!
//! Clients speak two shapes, OpenAI's and OpenRouter's, which are one request
//! ([`asked`]) and two replies ([`reply`]). Vendors speak several, a [`Codec`]
//! each. Every request is written anew: it is a text and a few words, and in a
//! form the pictures that are to be changed ([`given`]). A picture passes as the
//! base64 that it came as, and is looked at only so far that it is some; where
//! it is streamed ([`stream`]), its beginnings pass too.

pub mod asked;
pub mod given;
mod imagen;
mod openai;
mod read;
pub mod reply;
pub mod size;
pub mod stream;
mod xai;

use bourse_vocab::images::{Reply, Shape};
use bourse_vocab::{Failure, Next};
use bytes::Bytes;

pub use asked::Asked;

use crate::embeddings::Written;
use crate::multipart::Boundary;
use crate::transcription;

/// One shape of a vendor's interface for pictures.
pub trait Codec: Send + Sync {
    /// Which.
    fn shape(&self) -> Shape;

    /// Writes the request for a model, named as its vendor does.
    ///
    /// # Errors
    /// The vendor cannot be asked this; another may.
    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure>;

    /// Writes the request to change the pictures that are given, as a form.
    ///
    /// # Errors
    /// As for [`Self::write`]; most vendors change none, or none at a known
    /// price.
    fn write_edit(
        &self,
        _asked: &Asked,
        _model: &str,
        _boundary: &Boundary,
    ) -> Result<transcription::Written, Failure> {
        let message = "image: this provider changes no pictures here; choose another";
        Err(Failure::invalid(message).next(Next::TryAnother))
    }

    /// Reads the reply.
    ///
    /// # Errors
    /// It is none, or has no picture: another target may answer.
    fn read(&self, body: &Bytes) -> Result<Reply, Failure>;
}

/// The codec of a shape.
#[must_use]
pub fn codec(shape: Shape) -> &'static dyn Codec {
    match shape {
        Shape::OpenAi => &openai::OpenAi,
        Shape::Xai => &xai::Xai,
        Shape::Imagen => &imagen::Imagen,
    }
}

/// Refuses a stream at a vendor that shows no beginnings.
fn refuse_stream(asked: &Asked) -> Result<(), Failure> {
    if asked.stream {
        let message =
            "stream: this provider shows its pictures whole; remove it, or choose another";
        return Err(Failure::invalid(message).next(Next::TryAnother));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
