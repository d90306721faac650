//! Every dependency is used where it is declared.

use std::collections::BTreeSet;

use super::Problem;
use super::rust::{idents, production};
use super::tree::{Crate, Tree};

const RULE: &str = "dependencies";

pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems: Vec<Problem> = tree.crates.iter().flat_map(check_crate).collect();
    let declared = tree
        .workspace
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"))
        .and_then(toml::Value::as_table);
    let wanted: BTreeSet<&String> = tree
        .crates
        .iter()
        .flat_map(|one| {
            tables(
                one,
                &["dependencies", "dev-dependencies", "build-dependencies"],
            )
        })
        .collect();
    for name in declared.into_iter().flat_map(toml::Table::keys) {
        if !wanted.contains(name) {
            let message = "is in the workspace's table, and no crate asks for it";
            problems.push(Problem::new(RULE, format!("workspace {name}"), message));
        }
    }
    problems
}

fn check_crate(one: &Crate) -> Vec<Problem> {
    let mut product = BTreeSet::new();
    let mut anywhere = BTreeSet::new();
    for source in &one.sources {
        anywhere.extend(idents(&source.tokens));
        if one.is_product(&source.path) || source.path.ends_with("/build.rs") {
            product.extend(idents(&production(&source.tokens)));
        }
    }
    let mut problems = Vec::new();
    let mut complain = |name: &str, message: &str| {
        let subject = format!("{} {name}", one.name);
        problems.push(Problem::new(RULE, subject, message));
    };
    for name in tables(one, &["dependencies", "build-dependencies"]) {
        let ident = name.replace('-', "_");
        if !anywhere.contains(&ident) {
            complain(name, "is not used");
        } else if !product.contains(&ident) {
            complain(
                name,
                "is used by tests only: make it a development dependency",
            );
        }
    }
    for name in tables(one, &["dev-dependencies"]) {
        if !anywhere.contains(&name.replace('-', "_")) {
            complain(name, "is not used by any test");
        }
    }
    problems
}

/// Names in tables of dependencies, those for one target included.
fn tables<'a>(one: &'a Crate, kinds: &[&str]) -> Vec<&'a String> {
    let for_targets = one
        .manifest
        .get("target")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flat_map(toml::Table::values)
        .filter_map(toml::Value::as_table);
    std::iter::once(&one.manifest)
        .chain(for_targets)
        .flat_map(|table| {
            let tables = kinds.iter().filter_map(|kind| table.get(*kind));
            tables.filter_map(toml::Value::as_table).collect::<Vec<_>>()
        })
        .flat_map(toml::Table::keys)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::planted;
    use super::*;

    #[test]
    fn what_is_declared_and_not_used_is_found_in_each_table() {
        let tree = planted(&[
            (
                "Cargo.toml",
                "[workspace.dependencies]\nused = \"1\"\nunused-one = \"1\"\nforgotten = \"1\"\n",
            ),
            (
                "crates/a/Cargo.toml",
                "[dependencies]\nused.workspace = true\nunused-one.workspace = true\n\
                 tested = \"1\"\nby-target = \"1\"\n\
                 [dev-dependencies]\nhelper = \"1\"\nidle = \"1\"\n\
                 [target.'cfg(unix)'.dependencies]\nunix-only = \"1\"\n",
            ),
            (
                "crates/a/src/lib.rs",
                "use used::U; fn f() { by_target::g(); } // unused_one\n\
                 #[cfg(test)] mod tests { use tested::T; use helper::H; }",
            ),
        ]);
        let found: Vec<_> = check(&tree)
            .into_iter()
            .map(|problem| format!("{}: {}", problem.subject, problem.message))
            .collect();
        let expected = [
            "a tested: is used by tests only: make it a development dependency",
            "a unused-one: is not used",
            "a unix-only: is not used",
            "a idle: is not used by any test",
            "workspace forgotten: is in the workspace's table, and no crate asks for it",
        ];
        assert_eq!(found, expected);
    }
}
