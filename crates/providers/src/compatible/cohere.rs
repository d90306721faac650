//! Cohere by its own API: chat, vectors and rankings.

use bourse_vocab::embeddings::Shape;
use bourse_vocab::{Format, Operation, rerank};
use bourse_wire::Dialect;
use bourse_wire::dialect::TierWords;

use crate::provider::{Address, Attempt, Interface};

/// All of it in Cohere's own way.
pub(super) const INTERFACES: &[Interface] = &[
    Interface::chat(Format::Cohere),
    Interface::embeddings(Shape::Cohere, Format::Cohere),
    Interface::rerank(rerank::Shape::Cohere, Format::Cohere),
];

/// It sells no tiers of service.
pub(super) const DIALECT: Dialect = Dialect {
    tiers: TierWords::NONE,
    ..Dialect::PLAIN
};

/// The path of the API that imitates OpenAI's, by which price lists know
/// Cohere (docs.cohere.com/docs/compatibility-api, 2026).
const COMPATIBLE: &str = "/compatibility/v1";

/// Where an attempt goes (docs.cohere.com/reference/chat, /reference/embed and
/// /reference/rerank, November 2026). Behind another address the path is the
/// operator's, with its version or without.
pub(super) fn address(attempt: &Attempt<'_>) -> Address {
    let base_path = match attempt.base_path.strip_suffix(COMPATIBLE) {
        Some(before) => format!("{before}/v2"),
        None => crate::provider::versioned(attempt.base_path, "v2"),
    };
    let operation = match attempt.interface.operation {
        Operation::Rerank(_) => "rerank",
        Operation::Embeddings(_) => "embed",
        _ => "chat",
    };
    Address {
        path: format!("{base_path}/{operation}"),
        headers: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_asked_of_coheres_own_api() {
        let [chat, vectors, rankings] = INTERFACES else {
            unreachable!()
        };
        for (interface, base_path, path) in [
            (chat, "/compatibility/v1", "/v2/chat"),
            (vectors, "/compatibility/v1", "/v2/embed"),
            (rankings, "/compatibility/v1", "/v2/rerank"),
            (rankings, "/p/cohere/v2", "/p/cohere/v2/rerank"),
            (chat, "", "/v2/chat"),
        ] {
            let attempt = Attempt {
                interface: *interface,
                model: "m",
                stream: false,
                base_path,
            };
            assert_eq!(address(&attempt).path, path);
        }
    }
}
