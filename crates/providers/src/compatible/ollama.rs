//! Ollama's own API, on an operator's machine or at ollama.com.

use bourse_vocab::embeddings::Shape;
use bourse_vocab::{Format, Operation};
use bourse_wire::Dialect;
use bourse_wire::dialect::TierWords;

use crate::provider::{Address, Attempt, Interface};

/// Chat and vectors, each in Ollama's own way.
pub(super) const INTERFACES: &[Interface] = &[
    Interface::chat(Format::Ollama),
    Interface::embeddings(Shape::Ollama, Format::Ollama),
];

/// It sells no tiers of service.
pub(super) const DIALECT: Dialect = Dialect {
    tiers: TierWords::NONE,
    ..Dialect::PLAIN
};

/// The path that all of it is under (docs/api.md of ollama/ollama, August
/// 2026). It has no version, and is known with it and without it: as
/// `http://localhost:11434` and as `https://ollama.com/api`.
const ROOT: &str = "/api";

/// Where an attempt goes.
pub(super) fn address(attempt: &Attempt<'_>) -> Address {
    let base_path = attempt.base_path;
    let base_path = base_path.strip_suffix(ROOT).unwrap_or(base_path);
    let operation = match attempt.interface.operation {
        Operation::Embeddings(_) => "embed",
        _ => "chat",
    };
    Address {
        path: format!("{base_path}{ROOT}/{operation}"),
        headers: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_address_counts_with_its_root_and_without() {
        let [chat, vectors] = INTERFACES else {
            unreachable!()
        };
        for (interface, base_path, path) in [
            (chat, "", "/api/chat"),
            (chat, "/api", "/api/chat"),
            (chat, "/ollama", "/ollama/api/chat"),
            (vectors, "/api", "/api/embed"),
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
