//! No circles of imports between the files of a crate.
//!
//! A file and one below it are one thing in two files (a type and its
//! parts), so arrows between a module and its ancestors do not count. Names
//! that a module passes on (`pub use`) count as where they come from.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::TokenTree;

use super::Problem;
use super::modules::{Module, modules};
use super::rust::{Path, paths, production};
use super::tree::{Crate, Tree};

const RULE: &str = "circles";
/// Names that pass from module to module are followed this far.
const HOPS_MAX: usize = 8;

pub fn check(tree: &Tree) -> Vec<Problem> {
    tree.crates.iter().flat_map(circles_of).collect()
}

fn circles_of(of: &Crate) -> Vec<Problem> {
    let graph = Graph::of(of);
    graph
        .circles()
        .into_iter()
        .map(|circle| {
            let files: Vec<&str> = circle
                .iter()
                .filter_map(|at| graph.modules.get(*at))
                .map(|module| module.source.path.as_str())
                .collect();
            let arrows = graph.arrows_within(&circle);
            Problem::new(
                RULE,
                files.join(" "),
                format!("import each other: {arrows}"),
            )
        })
        .collect()
}

struct Graph<'a> {
    modules: Vec<Module<'a>>,
    /// Whom each uses.
    arrows: Vec<BTreeSet<usize>>,
}

impl<'a> Graph<'a> {
    fn of(of: &'a Crate) -> Self {
        let modules: Vec<Module<'_>> = modules(of)
            .into_iter()
            .filter(|module| !module.is_test)
            .collect();
        let names = Names::of(&modules);
        let arrows = modules
            .iter()
            .map(|module| {
                let used = paths(&production(&module.source.tokens));
                used.iter()
                    .filter_map(|path| names.resolve(&module.path, path, HOPS_MAX))
                    .filter(|other| {
                        let other = modules.get(*other).map(|other| &other.path);
                        other.is_some_and(|other| !are_kin(other, &module.path))
                    })
                    .collect()
            })
            .collect();
        Self { modules, arrows }
    }

    /// Sets of modules each of which can reach every other.
    fn circles(&self) -> Vec<Vec<usize>> {
        let reach: Vec<BTreeSet<usize>> = (0..self.arrows.len())
            .map(|from| self.reachable(from))
            .collect();
        let meets = |a: usize, b: usize| {
            let sees = |a: usize, b: usize| reach.get(a).is_some_and(|seen| seen.contains(&b));
            sees(a, b) && sees(b, a)
        };
        let mut circles: Vec<Vec<usize>> = Vec::new();
        for from in 0..self.arrows.len() {
            if circles.iter().any(|circle| circle.contains(&from)) {
                continue;
            }
            let circle: Vec<usize> = (0..self.arrows.len())
                .filter(|to| *to == from || meets(from, *to))
                .collect();
            if circle.len() > 1 {
                circles.push(circle);
            }
        }
        circles
    }

    fn reachable(&self, from: usize) -> BTreeSet<usize> {
        let mut seen = BTreeSet::new();
        let mut next = vec![from];
        while let Some(at) = next.pop() {
            for to in self.arrows.get(at).into_iter().flatten() {
                if seen.insert(*to) {
                    next.push(*to);
                }
            }
        }
        seen
    }

    fn arrows_within(&self, circle: &[usize]) -> String {
        let name = |at: usize| {
            let path = self.modules.get(at).map(|module| module.path.join("::"));
            path.unwrap_or_default()
        };
        let mut shown = Vec::new();
        for from in circle {
            for to in self.arrows.get(*from).into_iter().flatten() {
                if circle.contains(to) {
                    shown.push(format!("{} -> {}", name(*from), name(*to)));
                }
            }
        }
        shown.join(", ")
    }
}

/// Whether one is above the other, or the same.
fn are_kin(a: &Path, b: &Path) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

/// Where names lead.
struct Names {
    modules: BTreeMap<Path, usize>,
    /// What a module passes on: a name, and the path where it comes from.
    passed_on: BTreeMap<(Path, String), Path>,
}

impl Names {
    fn of(modules: &[Module<'_>]) -> Self {
        let mut names = Self {
            modules: BTreeMap::new(),
            passed_on: BTreeMap::new(),
        };
        for (index, module) in modules.iter().enumerate() {
            names.modules.insert(module.path.clone(), index);
            for from in passed_on(module) {
                if let Some(name) = from.last() {
                    names
                        .passed_on
                        .insert((module.path.clone(), name.clone()), from);
                }
            }
        }
        names
    }

    /// The module that a path, written in `at`, leads to.
    fn resolve(&self, at: &Path, path: &Path, hops: usize) -> Option<usize> {
        let mut here = at.clone();
        let mut rest = path.as_slice();
        while let [first, more @ ..] = rest {
            match first.as_str() {
                "crate" => here.clear(),
                "super" => {
                    here.pop();
                }
                "self" => {}
                name => {
                    let mut below = here.clone();
                    below.push(name.to_owned());
                    if self.modules.contains_key(&below) {
                        here = below;
                    } else {
                        let passed = self.passed_on.get(&(here.clone(), name.to_owned()));
                        return match passed {
                            Some(from) if hops > 0 => self.resolve(&here, from, hops - 1),
                            _ => self.modules.get(&here).copied(),
                        };
                    }
                }
            }
            rest = more;
        }
        self.modules.get(&here).copied()
    }
}

/// Paths of `pub use`, relative to the module.
fn passed_on(module: &Module<'_>) -> Vec<Path> {
    let tokens: Vec<TokenTree> = production(&module.source.tokens).into_iter().collect();
    let mut found = Vec::new();
    for item in tokens.split(|token| matches!(token, TokenTree::Punct(p) if p.as_char() == ';')) {
        let public = item
            .iter()
            .position(|token| matches!(token, TokenTree::Ident(word) if *word == "pub"));
        let used = item
            .iter()
            .position(|token| matches!(token, TokenTree::Ident(word) if *word == "use"));
        let (Some(public), Some(used)) = (public, used) else {
            continue;
        };
        // `pub use` and `pub(crate) use`, not a function that uses something.
        if used.saturating_sub(public) > 2 {
            continue;
        }
        let tree = item.get(used + 1..).unwrap_or_default();
        // Read as if it were written in full from this module.
        let stream = tree.iter().cloned().collect();
        let written: proc_macro2::TokenStream =
            ["super::".parse::<proc_macro2::TokenStream>(), Ok(stream)]
                .into_iter()
                .filter_map(Result::ok)
                .collect();
        for path in paths(&written) {
            let own = path.get(1..).unwrap_or_default().to_vec();
            let begins = own.first().map(String::as_str);
            let mut full = if begins == Some("crate") || begins == Some("super") {
                Path::new()
            } else {
                vec!["self".to_owned()]
            };
            full.extend(own);
            found.push(full);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tree::planted;
    use super::*;

    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let mut all = vec![("crates/a/Cargo.toml", "")];
        all.extend(files);
        check(&planted(&all))
            .into_iter()
            .map(|problem| problem.subject.replace("crates/a/src/", ""))
            .collect()
    }

    #[test]
    fn two_files_that_import_each_other_are_found() {
        let found = circles(&[
            ("crates/a/src/lib.rs", "mod b; mod c; mod d;"),
            ("crates/a/src/b.rs", "use crate::c::C;"),
            ("crates/a/src/c.rs", "fn f() { crate::b::g() }"),
            ("crates/a/src/d.rs", "use crate::{b, c};"),
        ]);
        assert_eq!(found, ["b.rs c.rs"]);
    }

    #[test]
    fn a_circle_through_a_name_that_is_passed_on_is_found() {
        let found = circles(&[
            (
                "crates/a/src/lib.rs",
                "mod b; mod c; pub use c::{C, D as E};",
            ),
            ("crates/a/src/b.rs", "pub fn b(c: crate::C) {}"),
            ("crates/a/src/c.rs", "use super::b::b;"),
        ]);
        assert_eq!(found, ["b.rs c.rs"]);
    }

    #[test]
    fn three_files_in_a_ring_are_one_circle() {
        let found = circles(&[
            ("crates/a/src/lib.rs", "mod b; mod c; mod d;"),
            ("crates/a/src/b.rs", "use crate::c::C;"),
            ("crates/a/src/c.rs", "use crate::d::D;"),
            ("crates/a/src/d.rs", "use crate::b::B;"),
        ]);
        assert_eq!(found, ["b.rs c.rs d.rs"]);
    }

    #[test]
    fn arrows_down_kin_and_tests_are_no_circle() {
        let found = circles(&[
            ("crates/a/src/lib.rs", "mod b; mod c; pub use b::B;"),
            (
                "crates/a/src/b.rs",
                "mod inner; use crate::c::C; use inner::I;",
            ),
            ("crates/a/src/b/inner.rs", "use super::B; use crate::b::B;"),
            (
                "crates/a/src/c.rs",
                "#[cfg(test)] mod tests { use crate::b::B; }",
            ),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }
}
