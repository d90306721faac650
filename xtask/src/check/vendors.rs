//! Where vendors are named: in `providers`, and in the rooms that play them
//! or read what they publish. A name elsewhere is a special case in the
//! making.

use std::collections::BTreeSet;

use super::Problem;
use super::modules::modules;
use super::rust::{production, strings};
use super::tree::Tree;

const RULE: &str = "vendors";
/// `wire` has the formats that vendors invented, `sim` plays vendors, and
/// the two parts of `catalog` read and correct their price lists.
const MAY_NAME: [&str; 5] = [
    "crates/providers/",
    "crates/wire/",
    "crates/sim/",
    "crates/catalog/src/import",
    "crates/catalog/src/quirks",
];

pub fn check(tree: &Tree, slugs: &[&str]) -> Vec<Problem> {
    let crates = tree.crates.iter();
    let mut problems = Vec::new();
    for one in crates.filter(|one| one.folder.starts_with("crates/")) {
        for module in modules(one) {
            let path = &module.source.path;
            if module.is_test || MAY_NAME.iter().any(|place| path.starts_with(place)) {
                continue;
            }
            let mut named = BTreeSet::new();
            for (text, line) in strings(&production(&module.source.tokens)) {
                for slug in slugs {
                    if names(&text, slug) && named.insert(*slug) {
                        let message = format!("line {line} names a vendor; only `providers` may");
                        let subject = format!("{path} {slug}");
                        problems.push(Problem::new(RULE, subject, message));
                    }
                }
            }
        }
    }
    problems
}

/// Whether a string is a vendor's name, or has one of its models in it.
/// Some vendors' names are words, so that a word in a sentence says nothing.
fn names(literal: &str, slug: &str) -> bool {
    let text = literal
        .trim_start_matches(['b', 'r', '#'])
        .trim_end_matches('#');
    let text = text.trim_matches('"');
    let is_part = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '/' | '-' | '_' | '.');
    text == slug
        || text.split(is_part).any(|word| {
            word.strip_prefix(slug)
                .and_then(|rest| rest.strip_prefix('/'))
                .is_some_and(|model| !model.is_empty())
        })
}

#[cfg(test)]
mod tests {
    use super::super::tree::planted;
    use super::*;

    fn subjects(path: &str, text: &str) -> Vec<String> {
        let tree = planted(&[
            ("crates/a/Cargo.toml", ""),
            ("crates/a/src/lib.rs", "mod b;"),
            ("crates/providers/Cargo.toml", ""),
            ("crates/providers/src/lib.rs", "mod b;"),
            (path, text),
        ]);
        let found = check(&tree, &["acme", "together"]);
        found.into_iter().map(|problem| problem.subject).collect()
    }

    #[test]
    fn a_vendor_named_outside_of_providers_is_found() {
        for text in [
            "fn f() -> &'static str { \"acme\" }",
            "const M: &str = r#\"acme\"#;",
            "fn f() { g(\"use acme/model-1 instead\") }",
        ] {
            assert_eq!(
                subjects("crates/a/src/b.rs", text),
                ["crates/a/src/b.rs acme"],
                "{text}"
            );
        }
    }

    #[test]
    fn providers_tests_comments_and_words_are_let_pass() {
        let named = "fn f() -> &'static str { \"acme\" }";
        assert!(subjects("crates/providers/src/b.rs", named).is_empty());
        for text in [
            "// acme\nfn f() {}",
            "/// acme\nfn f() { g(\"put together\", \"acme-chat\", \"macme/x\", \"/\") }",
            "#[cfg(test)] mod tests { const A: &str = \"acme\"; }",
        ] {
            assert!(subjects("crates/a/src/b.rs", text).is_empty(), "{text}");
        }
    }
}
