//! Verdicts: what clients ask for, how each vendor is asked, and what comes
//! back.
//!
//! Clients speak one shape, OpenAI's ([`asked`], [`reply`]). Vendors speak it,
//! or Mistral's, which judges texts alone. A verdict that is missing, or in
//! which nothing is judged, is the provider's failure: whoever is told nothing
//! of a text takes it for harmless.

pub mod asked;
mod read;
pub mod reply;
mod shapes;

use bourse_vocab::Failure;
use bourse_vocab::moderations::{Reply, Shape};
use bytes::Bytes;

pub use asked::Asked;

use crate::embeddings::Written;

/// One shape of a vendor's interface for verdicts.
pub trait Codec: Send + Sync {
    /// Which.
    fn shape(&self) -> Shape;

    /// Writes the request for a model, named as its vendor does.
    ///
    /// # Errors
    /// The vendor cannot be asked this; another may.
    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure>;

    /// Reads the reply to a request.
    ///
    /// # Errors
    /// It is none, or not a verdict on each input: another target may answer.
    fn read(&self, body: &Bytes, asked: &Asked) -> Result<Reply, Failure>;
}

/// The codec of a shape.
#[must_use]
pub fn codec(shape: Shape) -> &'static dyn Codec {
    match shape {
        Shape::OpenAi => &shapes::OPENAI,
        Shape::Mistral => &shapes::MISTRAL,
    }
}

#[cfg(test)]
mod tests;
