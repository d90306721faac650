//! A module for tests has tests, or something that its neighbours test with.

use proc_macro2::{TokenStream, TokenTree};

use super::Problem;
use super::modules::{Module, modules};
use super::rust::{flat, functions, idents};
use super::tree::{Crate, Tree};

const RULE: &str = "tests";
/// Macros that write tests.
const TEST_MACROS: [&str; 2] = ["proptest", "store_suite"];

pub fn check(tree: &Tree) -> Vec<Problem> {
    tree.crates.iter().flat_map(check_crate).collect()
}

fn check_crate(of: &Crate) -> Vec<Problem> {
    let all = modules(of);
    let mut problems = Vec::new();
    for module in &all {
        let path = &module.source.path;
        if !module.is_test {
            if has_empty_inline(&module.source.tokens) {
                let message = "has a `mod tests` without a test";
                problems.push(Problem::new(RULE, path, message));
            }
            continue;
        }
        let below = || {
            all.iter()
                .filter(|other| other.path.starts_with(&module.path))
        };
        let is_top = !all
            .iter()
            .any(|other| other.is_test && is_parent(other, module));
        if is_top && !below().any(|other| has_tests(&other.source.tokens)) {
            problems.push(Problem::new(
                RULE,
                path,
                "has no test, nor has a file below it",
            ));
        } else if !has_tests(&module.source.tokens) && !has_helpers(&module.source.tokens) {
            problems.push(Problem::new(
                RULE,
                path,
                "has no test and nothing to test with",
            ));
        }
    }
    problems
}

fn is_parent(parent: &Module<'_>, child: &Module<'_>) -> bool {
    child.path.len() == parent.path.len() + 1 && child.path.starts_with(&parent.path)
}

/// Whether there is `#[test]`, `#[tokio::test(…)]` or a macro that writes
/// tests.
fn has_tests(tokens: &TokenStream) -> bool {
    let all = flat(tokens);
    let is_attribute = |pair: &[TokenTree]| match pair {
        [TokenTree::Punct(hash), TokenTree::Group(attribute)] => {
            let mut names = idents(&attribute.stream()).into_iter();
            hash.as_char() == '#'
                && names.next().is_some_and(|first| {
                    first == "test"
                        || (first != "cfg" && names.next().is_some_and(|name| name == "test"))
                })
        }
        [TokenTree::Ident(name), TokenTree::Punct(bang)] => {
            bang.as_char() == '!' && TEST_MACROS.iter().any(|known| *name == known)
        }
        _ => false,
    };
    all.windows(2).any(is_attribute)
}

/// Whether anything is defined: a function, a type, a macro, a child.
fn has_helpers(tokens: &TokenStream) -> bool {
    !functions(tokens).is_empty()
        || idents(tokens).iter().any(|word| {
            matches!(
                word.as_str(),
                "struct" | "enum" | "const" | "static" | "macro_rules" | "mod"
            )
        })
}

/// Whether there is a `mod tests { … }` without a test.
fn has_empty_inline(tokens: &TokenStream) -> bool {
    let all: Vec<TokenTree> = tokens.clone().into_iter().collect();
    all.windows(3).any(|three| match three {
        [
            TokenTree::Ident(word),
            TokenTree::Ident(name),
            TokenTree::Group(body),
        ] => *word == "mod" && *name == "tests" && !has_tests(&body.stream()),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tree::planted;
    use super::*;

    fn subjects(files: &[(&str, &str)]) -> Vec<String> {
        let mut all = vec![("crates/a/Cargo.toml", "")];
        all.extend(files);
        check(&planted(&all))
            .into_iter()
            .map(|problem| problem.subject.replace("crates/a/src/", ""))
            .collect()
    }

    const ROOT: (&str, &str) = ("crates/a/src/lib.rs", "#[cfg(test)] mod tests;");

    #[test]
    fn an_empty_file_among_tests_is_found() {
        let found = subjects(&[
            ROOT,
            ("crates/a/src/tests.rs", "mod b; mod c; mod d;"),
            ("crates/a/src/tests/b.rs", "\n"),
            ("crates/a/src/tests/c.rs", "//! Soon.\nuse super::*;"),
            ("crates/a/src/tests/d.rs", "#[test] fn t() {}"),
        ]);
        assert_eq!(found, ["tests/b.rs", "tests/c.rs"]);
    }

    #[test]
    fn a_tree_of_helpers_without_a_test_is_found() {
        let found = subjects(&[
            ROOT,
            ("crates/a/src/tests.rs", "mod b;"),
            ("crates/a/src/tests/b.rs", "pub struct Fake;"),
        ]);
        assert_eq!(found, ["tests.rs"]);
        let inline = (
            "crates/a/src/lib.rs",
            "#[cfg(test)] mod tests { fn f() {} }",
        );
        assert_eq!(subjects(&[inline]), ["lib.rs"]);
    }

    #[test]
    fn tests_of_every_kind_and_helpers_beside_them_are_let_pass() {
        for test in [
            "#[test] fn t() {}",
            "#[tokio::test(start_paused = true)] async fn t() {}",
            "proptest! { #[test] fn t(x in 0..1) {} }",
            "store_suite!(fresh);",
        ] {
            let found = subjects(&[
                ROOT,
                ("crates/a/src/tests.rs", "mod b; mod c;"),
                ("crates/a/src/tests/b.rs", test),
                ("crates/a/src/tests/c.rs", "pub struct Fake;"),
            ]);
            assert!(found.is_empty(), "{test}: {found:?}");
        }
        let inline = (
            "crates/a/src/lib.rs",
            "#[cfg(test)] mod tests { #[test] fn f() {} }",
        );
        assert!(subjects(&[inline]).is_empty());
    }
}
