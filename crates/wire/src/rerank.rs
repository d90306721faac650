//! Ranking: what clients ask for, how each vendor is asked, and what comes
//! back.
//!
//! Clients speak one shape, OpenRouter's, which is Cohere's with the documents
//! in the reply ([`asked`], [`reply`]). Vendors speak three, which differ in
//! names, in what they count and in what they do with a document that is too
//! long. A place that is not in the list, one that is named twice, and a score
//! that is none are the provider's failure: whoever takes the first of a wrong
//! order has the wrong document.

pub mod asked;
mod read;
pub mod reply;
mod shapes;

use bourse_vocab::Failure;
use bourse_vocab::rerank::{Reply, Shape};
use bytes::Bytes;

pub use asked::Asked;

use crate::embeddings::Written;

/// One shape of a vendor's interface for ranking.
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
    /// It is none, or no order of the request's list: another target may answer.
    fn read(&self, body: &Bytes, asked: &Asked) -> Result<Reply, Failure>;
}

/// The codec of a shape.
#[must_use]
pub fn codec(shape: Shape) -> &'static dyn Codec {
    match shape {
        Shape::Cohere => &shapes::COHERE,
        Shape::Voyage => &shapes::VOYAGE,
        Shape::Jina => &shapes::JINA,
    }
}

#[cfg(test)]
mod tests;
