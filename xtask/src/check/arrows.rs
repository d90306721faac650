//! Who depends on whom: the table of ARCHITECTURE.md against the manifests.

use std::collections::{BTreeMap, BTreeSet};

use super::Problem;
use super::documents::{backticked, rows};
use super::tree::{Crate, Tree};

const RULE: &str = "arrows";
const PAGE: &str = "ARCHITECTURE.md";
const PREFIX: &str = "bourse-";

pub fn check(tree: &Tree) -> Vec<Problem> {
    let page = tree.files.get(PAGE).map_or("", String::as_str);
    let mut said: BTreeMap<String, Option<BTreeSet<String>>> = BTreeMap::new();
    for row in rows(page, "| crate | depends on |") {
        let [crates, depends, ..] = row.as_slice() else {
            continue;
        };
        let arrows = match depends.as_str() {
            "all of them" => None,
            _ => Some(backticked(depends).into_iter().collect()),
        };
        for name in backticked(crates) {
            said.insert(name, arrows.clone());
        }
    }
    let mut problems = Vec::new();
    for one in tree
        .crates
        .iter()
        .filter(|one| one.folder.starts_with("crates/"))
    {
        match said.get(&one.name) {
            None => {
                let message = format!("is not in the table of {PAGE}");
                problems.push(Problem::new(RULE, &one.name, message));
            }
            Some(None) => {}
            Some(Some(arrows)) => compare(one, arrows, &mut problems),
        }
    }
    for name in said.keys() {
        if tree.by_name(name).is_none() {
            let message = format!("is in the table of {PAGE} and does not exist");
            problems.push(Problem::new(RULE, name, message));
        }
    }
    problems
}

fn compare(one: &Crate, said: &BTreeSet<String>, problems: &mut Vec<Problem>) {
    let found: BTreeSet<String> = one
        .manifest
        .get("dependencies")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flat_map(toml::Table::keys)
        .filter_map(|name| name.strip_prefix(PREFIX))
        .map(str::to_owned)
        .collect();
    let name = &one.name;
    for other in found.difference(said) {
        let message = format!("depends on it, and {PAGE} does not say so");
        problems.push(Problem::new(RULE, format!("{name} -> {other}"), message));
    }
    for other in said.difference(&found) {
        let message = format!("does not depend on it, though {PAGE} says so");
        problems.push(Problem::new(RULE, format!("{name} -> {other}"), message));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::planted;
    use super::*;

    fn subjects(table: &str) -> Vec<String> {
        let page = format!("# Map\n\n| crate | depends on |\n|---|---|\n{table}\n\nText.\n");
        let tree = planted(&[
            ("ARCHITECTURE.md", &page),
            ("crates/a/Cargo.toml", "[dependencies]\nserde = \"1\"\n"),
            (
                "crates/b/Cargo.toml",
                "[dependencies]\nbourse-a.workspace = true\n[dev-dependencies]\nbourse-c.workspace = true\n",
            ),
            (
                "crates/c/Cargo.toml",
                "[dependencies]\nbourse-b.workspace = true\n",
            ),
            (
                "xtask/Cargo.toml",
                "[dependencies]\nbourse-a.workspace = true\n",
            ),
        ]);
        check(&tree)
            .into_iter()
            .map(|problem| problem.subject)
            .collect()
    }

    #[test]
    fn a_table_that_is_true_is_let_pass() {
        let table = "| `a` | none of ours |\n| `b` | `a` |\n| `c` | all of them |";
        assert!(subjects(table).is_empty());
        assert!(subjects("| `a` | none |\n| `b` | `a` |\n| `c` | `b` |").is_empty());
    }

    #[test]
    fn an_arrow_too_many_or_too_few_is_found() {
        let table = "| `a` | `c` |\n| `b`, `c` | none of ours |";
        assert_eq!(subjects(table), ["a -> c", "b -> a", "c -> b"]);
    }

    #[test]
    fn a_crate_that_is_missing_on_either_side_is_found() {
        let table = "| `a`, `d` | none of ours |\n| `c` | `b` |";
        assert_eq!(subjects(table), ["b", "d"]);
    }
}
