//! Cohere, whose own API is beside the one that imitates OpenAI's.

use bourse_vocab::embeddings::Shape;
use bourse_vocab::{Format, Operation, rerank};

use crate::provider::{Address, Attempt, Interface};

/// Chat as OpenAI does it, vectors and rankings as Cohere does.
pub(super) const INTERFACES: &[Interface] = &[
    Interface::chat(Format::OpenAiChat),
    Interface::embeddings(Shape::Cohere, Format::OpenAiChat),
    Interface::rerank(rerank::Shape::Cohere, Format::OpenAiChat),
];

/// The path of the API that imitates OpenAI's
/// (docs.cohere.com/docs/compatibility-api, 2026).
const COMPATIBLE: &str = "/compatibility/v1";

/// Whether an operation is Cohere's own.
pub(super) fn is_its_own(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Embeddings(Shape::Cohere) | Operation::Rerank(rerank::Shape::Cohere)
    )
}

/// Where vectors and rankings are made (docs.cohere.com/reference/embed and
/// /reference/rerank, November 2026).
/// Behind another address the path is the operator's, up to its version.
pub(super) fn address(attempt: &Attempt<'_>) -> Address {
    let base_path = match attempt.base_path.strip_suffix(COMPATIBLE) {
        Some(before) => format!("{before}/v2"),
        None => attempt.base_path.to_owned(),
    };
    Address {
        path: match attempt.interface.operation {
            Operation::Rerank(_) => format!("{base_path}/rerank"),
            _ => format!("{base_path}/embed"),
        },
        headers: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_and_rankings_are_asked_of_coheres_own_api() {
        for (interface, base_path, path) in [
            (
                Interface::embeddings(Shape::Cohere, Format::OpenAiChat),
                COMPATIBLE,
                "/v2/embed",
            ),
            (
                Interface::rerank(rerank::Shape::Cohere, Format::OpenAiChat),
                COMPATIBLE,
                "/v2/rerank",
            ),
            (
                Interface::rerank(rerank::Shape::Cohere, Format::OpenAiChat),
                "/p/v9",
                "/p/v9/rerank",
            ),
        ] {
            assert!(is_its_own(interface.operation));
            let attempt = Attempt {
                interface,
                model: "rerank-v3.5",
                stream: false,
                base_path,
            };
            assert_eq!(address(&attempt).path, path);
        }
        assert!(!is_its_own(Operation::Chat));
    }
}
