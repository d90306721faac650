//! Cohere, whose own API is beside the one that imitates OpenAI's.

use bourse_vocab::Format;
use bourse_vocab::embeddings::Shape;

use crate::provider::{Address, Attempt, Interface};

/// Chat as OpenAI does it, vectors as Cohere does.
pub(super) const INTERFACES: &[Interface] = &[
    Interface::chat(Format::OpenAiChat),
    Interface::embeddings(Shape::Cohere, Format::OpenAiChat),
];

/// The path of the API that imitates OpenAI's
/// (docs.cohere.com/docs/compatibility-api, 2026).
const COMPATIBLE: &str = "/compatibility/v1";

/// Where vectors are made (docs.cohere.com/reference/embed, November 2026).
/// Behind another address the path is the operator's, up to its version.
pub(super) fn address(attempt: &Attempt<'_>) -> Address {
    let base_path = match attempt.base_path.strip_suffix(COMPATIBLE) {
        Some(before) => format!("{before}/v2"),
        None => attempt.base_path.to_owned(),
    };
    Address {
        path: format!("{base_path}/embed"),
        headers: Vec::new(),
    }
}
