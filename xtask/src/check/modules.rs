//! The modules of a crate: which file each is, and which are for tests.

use std::collections::BTreeMap;

use proc_macro2::{TokenStream, TokenTree};

use super::rust::{Path, production};
use super::tree::{Crate, Source};

/// A module that is a file.
pub struct Module<'a> {
    /// From the root of the crate: empty for `lib.rs`.
    pub path: Path,
    pub source: &'a Source,
    /// Compiled for tests only.
    pub is_test: bool,
}

/// The modules of a crate's library and binary, roots first.
pub fn modules(of: &Crate) -> Vec<Module<'_>> {
    let by_path: BTreeMap<&str, &Source> = of
        .sources
        .iter()
        .map(|source| (source.path.as_str(), source))
        .collect();
    let mut found = Vec::new();
    for root in ["lib.rs", "main.rs"] {
        let path = format!("{}/src/{root}", of.folder);
        if let Some(source) = by_path.get(path.as_str()) {
            follow(
                Module {
                    path: Path::new(),
                    source,
                    is_test: false,
                },
                &by_path,
                &mut found,
            );
        }
    }
    found
}

fn follow<'a>(
    module: Module<'a>,
    by_path: &BTreeMap<&str, &'a Source>,
    found: &mut Vec<Module<'a>>,
) {
    // Children of lib.rs lie beside it, those of a.rs below a/.
    let file = &module.source.path;
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let folder = if module.path.is_empty() {
        stem.rsplit_once('/').map_or("", |(folder, _)| folder)
    } else {
        stem
    };
    let everything = declared(&module.source.tokens);
    let in_production = declared(&production(&module.source.tokens));
    for name in everything {
        let path = format!("{folder}/{name}.rs");
        let Some(source) = by_path.get(path.as_str()) else {
            continue;
        };
        let mut child = module.path.clone();
        child.push(name.clone());
        let is_test = module.is_test || !in_production.contains(&name);
        let child = Module {
            path: child,
            source,
            is_test,
        };
        follow(child, by_path, found);
    }
    found.push(module);
}

/// Names of `mod name;`.
fn declared(tokens: &TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    tokens
        .windows(3)
        .filter_map(|three| match three {
            [
                TokenTree::Ident(word),
                TokenTree::Ident(name),
                TokenTree::Punct(end),
            ] if *word == "mod" && end.as_char() == ';' => Some(name.to_string()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::planted;
    use super::*;

    #[test]
    fn modules_are_followed_from_the_root_and_tests_are_known() {
        let tree = planted(&[
            ("crates/a/Cargo.toml", ""),
            ("crates/a/src/lib.rs", "mod b; #[cfg(test)] mod tests;"),
            ("crates/a/src/b.rs", "pub mod c;"),
            ("crates/a/src/b/c.rs", ""),
            ("crates/a/src/tests.rs", "mod d;"),
            ("crates/a/src/tests/d.rs", ""),
            ("crates/a/src/orphan.rs", ""),
        ]);
        let mut found: Vec<_> = modules(&tree.crates[0])
            .iter()
            .map(|module| (module.path.join("::"), module.is_test))
            .collect();
        found.sort();
        let expected = [
            ("", false),
            ("b", false),
            ("b::c", false),
            ("tests", true),
            ("tests::d", true),
        ];
        assert_eq!(found, expected.map(|(path, test)| (path.to_owned(), test)));
    }
}
