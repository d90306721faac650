//! What ARCHITECTURE.md says is absent, as far as a name can show it.

use proc_macro2::{TokenStream, TokenTree};

use super::Problem;
use super::documents::{backticked, rows};
use super::modules::modules;
use super::rust::{flat, production};
use super::tree::Tree;

const PAGE: &str = "ARCHITECTURE.md";

/// A path of names, written `a::b`, that must not be in some places.
struct Absence {
    rule: &'static str,
    paths: &'static [&'static str],
    /// Why, for whoever has just written one.
    message: &'static str,
    is_in_scope: fn(&str) -> bool,
}

/// Sockets, clocks, chance, files, environment.
const PURE: Absence = Absence {
    rule: "pure",
    paths: &[
        "Instant",
        "SystemTime",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "tokio",
        "rand",
        "std::fs",
        "std::env",
        "std::thread",
        "std::process",
    ],
    message: "is in a pure crate: take it as an argument",
    // Set by the table of rooms.
    is_in_scope: |_| true,
};

const ABSENCES: [Absence; 3] = [
    Absence {
        rule: "sql",
        paths: &["sqlx"],
        message: "is outside of `store`, which alone has SQL",
        is_in_scope: |path| !path.starts_with("crates/store/"),
    },
    Absence {
        rule: "unsafe",
        paths: &["unsafe"],
        message: "is not used here",
        is_in_scope: |_| true,
    },
    Absence {
        rule: "client-formats",
        paths: &[
            "Format::OpenAiChat",
            "Format::OpenAiResponses",
            "Format::Anthropic",
            "Format::Gemini",
            "Format::Bedrock",
            "Format::Ollama",
            "Format::Cohere",
        ],
        message: "names what a client speaks, which only `dataplane/src/endpoints/` knows",
        is_in_scope: |path| {
            path.starts_with("crates/dataplane/src/")
                && !path.starts_with("crates/dataplane/src/endpoints")
        },
    },
];

pub fn check(tree: &Tree) -> Vec<Problem> {
    let page = tree.files.get(PAGE).map_or("", String::as_str);
    let pure: Vec<String> = rows(page, "| room | what is in it | begin with |")
        .into_iter()
        .filter(|row| row.get(1).is_some_and(|what| what.ends_with("Pure")))
        .filter_map(|row| backticked(row.first()?).pop())
        .collect();
    let mut problems = Vec::new();
    for one in &tree.crates {
        for module in modules(one).into_iter().filter(|module| !module.is_test) {
            let path = &module.source.path;
            let tokens = production(&module.source.tokens);
            let absences = ABSENCES
                .iter()
                .filter(|absence| (absence.is_in_scope)(path));
            let of_pure = pure.contains(&one.name).then_some(&PURE);
            for absence in absences.chain(of_pure) {
                for name in absence.paths.iter().filter(|name| has(&tokens, name)) {
                    let (subject, message) = (format!("{path} {name}"), absence.message);
                    problems.push(Problem::new(absence.rule, subject, message));
                }
            }
        }
    }
    problems
}

/// Whether the tokens have the path.
fn has(tokens: &TokenStream, path: &str) -> bool {
    let words: Vec<String> = flat(tokens)
        .into_iter()
        .map(|token| match token {
            TokenTree::Ident(ident) => ident.to_string(),
            TokenTree::Punct(punct) => punct.as_char().to_string(),
            TokenTree::Group(_) => "(".to_owned(),
            TokenTree::Literal(_) => "\"".to_owned(),
        })
        .collect();
    let wanted: Vec<&str> = path
        .split("::")
        .flat_map(|name| [":", ":", name])
        .skip(2)
        .collect();
    words
        .windows(wanted.len())
        .any(|found| found.iter().zip(&wanted).all(|(a, b)| a == b))
}

#[cfg(test)]
mod tests {
    use super::super::tree::planted;
    use super::*;

    const ROOMS: &str = "| room | what is in it | begin with |\n|---|---|---|\n\
        | `vocab` | words. Pure | `a.rs` |\n| `net` | connections | `b.rs` |\n";

    fn subjects(path: &str, text: &str) -> Vec<String> {
        let mut files = vec![(PAGE, ROOMS), (path, text)];
        for manifest in ["vocab", "net", "dataplane", "store"] {
            let file: &str = match manifest {
                "vocab" => "crates/vocab/Cargo.toml",
                "net" => "crates/net/Cargo.toml",
                "dataplane" => "crates/dataplane/Cargo.toml",
                _ => "crates/store/Cargo.toml",
            };
            files.push((file, ""));
        }
        let found = check(&planted(&files));
        found
            .into_iter()
            .map(|problem| format!("{} {}", problem.rule, problem.subject))
            .collect()
    }

    #[test]
    fn a_clock_a_file_or_a_runtime_in_a_pure_crate_is_found() {
        for (text, name) in [
            ("use std::time::Instant;", "Instant"),
            ("fn f() { std::fs::read(\"x\"); }", "std::fs"),
            ("fn f() { std::env::var(\"x\"); }", "std::env"),
            ("use tokio::sync::Mutex;", "tokio"),
        ] {
            assert_eq!(
                subjects("crates/vocab/src/lib.rs", text),
                [format!("pure crates/vocab/src/lib.rs {name}")]
            );
            assert!(subjects("crates/net/src/lib.rs", text).is_empty());
        }
    }

    #[test]
    fn what_looks_alike_is_let_pass() {
        let text = "/// An Instant.\nfn f(env: u8) { env!(\"X\"); let fs = 1; \"tokio\"; }\n\
            #[cfg(test)] mod tests { use std::time::Instant; }";
        assert!(subjects("crates/vocab/src/lib.rs", text).is_empty());
    }

    #[test]
    fn sql_belongs_to_the_store_and_unsafe_nowhere() {
        let sql = "use sqlx::Row;";
        assert_eq!(subjects("crates/net/src/lib.rs", sql).len(), 1);
        assert!(subjects("crates/store/src/lib.rs", sql).is_empty());
        let found = subjects("crates/net/src/lib.rs", "fn f() { unsafe { g() } }");
        assert_eq!(found, ["unsafe crates/net/src/lib.rs unsafe"]);
    }

    #[test]
    fn a_clients_format_is_named_by_endpoints_only() {
        let text = "fn f() { codec(Format::OpenAiChat) }";
        assert_eq!(
            subjects("crates/dataplane/src/lib.rs", text),
            ["client-formats crates/dataplane/src/lib.rs Format::OpenAiChat"]
        );
        assert!(subjects("crates/net/src/lib.rs", text).is_empty());
    }
}
