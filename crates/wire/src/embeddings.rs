//! Vectors: what clients ask for, how each vendor is asked, and what comes
//! back.
//!
//! Clients speak one shape, OpenAI's with OpenRouter's additions
//! ([`asked`], [`reply`]). Vendors speak several, a [`Codec`] each. Those that
//! imitate OpenAI take the client's bytes with a few members changed
//! ([`alike`]); for the others the request is read and written anew. The
//! numbers of a vector pass as they were written wherever both sides write
//! vectors in the same way ([`vector`]).

pub mod alike;
pub mod asked;
mod cohere;
mod gemini;
pub mod google;
mod ollama;
mod read;
pub mod reply;
pub mod survey;
pub mod vector;
mod vertex;

use bourse_vocab::Failure;
use bourse_vocab::chat::Loss;
use bourse_vocab::embeddings::{Reply, Shape};
use bytes::Bytes;

pub use asked::Asked;
pub use survey::{Kind, Survey};

/// A request for a vendor, in pieces, and what could not be said.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The body.
    pub body: Vec<Bytes>,
    /// What the vendor cannot be told.
    pub losses: Vec<Loss>,
}

/// One shape of a vendor's interface for vectors.
pub trait Codec: Send + Sync {
    /// Which.
    fn shape(&self) -> Shape;

    /// Whether the client's bytes go on, but for a few members.
    fn passes(&self) -> bool {
        false
    }

    /// Writes the request for a model, named as its vendor does.
    ///
    /// # Errors
    /// The vendor cannot be asked this; another may.
    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure>;

    /// Reads the reply to a request of so many inputs.
    ///
    /// # Errors
    /// It is not one, or not as many vectors in that order: another target
    /// may answer.
    fn read(&self, body: &Bytes, inputs: usize) -> Result<Reply, Failure>;
}

/// The codec of a shape.
#[must_use]
pub fn codec(shape: Shape) -> &'static dyn Codec {
    match shape {
        Shape::OpenAi => &alike::OPENAI,
        Shape::Mistral => &alike::MISTRAL,
        Shape::Voyage => &alike::VOYAGE,
        Shape::Jina => &alike::JINA,
        Shape::Gemini => &gemini::Gemini,
        Shape::Vertex => &vertex::Vertex,
        Shape::Cohere => &cohere::Cohere,
        Shape::Ollama => &ollama::Ollama,
    }
}

#[cfg(test)]
mod tests;
