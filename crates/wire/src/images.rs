//! Pictures: what clients ask for, how each vendor is asked, and what comes
//! back.
//!
//! Clients speak two shapes, OpenAI's and OpenRouter's, which are one request
//! ([`asked`]) and two replies ([`reply`]). Vendors speak several, a [`Codec`]
//! each. Every request is written anew: it is a text and a few words. A picture
//! passes as the base64 that it came as, and is looked at only so far that it
//! is some.

pub mod asked;
mod imagen;
mod openai;
mod read;
pub mod reply;
pub mod size;
mod xai;

use bourse_vocab::Failure;
use bourse_vocab::images::{Reply, Shape};
use bytes::Bytes;

pub use asked::Asked;

use crate::embeddings::Written;

/// One shape of a vendor's interface for pictures.
pub trait Codec: Send + Sync {
    /// Which.
    fn shape(&self) -> Shape;

    /// Writes the request for a model, named as its vendor does.
    ///
    /// # Errors
    /// The vendor cannot be asked this; another may.
    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure>;

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

#[cfg(test)]
mod tests;
