//! `cargo xtask check`: what the compiler cannot see about this repository.
//!
//! Each rule is a file here: a function from the [`Tree`] of sources to the
//! problems that it finds, with a planted violation in its test. What a rule
//! lets pass, and why, is in `xtask/check.toml`, which may only shrink.

mod absent;
mod allowed;
mod arrows;
mod circles;
mod dependencies;
mod documents;
mod endpoints;
mod lengths;
mod merges;
mod metrics;
mod modules;
mod proofs;
mod rust;
mod strategies;
mod tests_exist;
mod tree;
mod vendors;

use std::fmt;
use std::path::Path;

use allowed::Allowed;
use bourse_routing::strategies::{BALANCED, STRATEGIES};
use tree::Tree;

/// Something that a rule does not like.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    /// The rule, as `xtask/check.toml` calls it.
    rule: &'static str,
    /// What it is about, in a form that does not move with every edit.
    subject: String,
    /// How much of it there is, where a rule counts.
    amount: Option<usize>,
    message: String,
}

impl Problem {
    fn new(rule: &'static str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            rule,
            subject: subject.into(),
            amount: None,
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.rule, self.subject, self.message)
    }
}

/// What to do with the list of exceptions.
#[derive(clap::Args)]
pub struct Arguments {
    /// Takes exceptions out of the list that are needed no more.
    #[arg(long)]
    shrink: bool,
}

/// Does the chore.
///
/// # Errors
/// When a rule is broken, with every place where one is.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    let tree = Tree::read(Path::new("."))?;
    let file = Path::new(allowed::FILE);
    let mut allowed = Allowed::read(file)?;
    let found = every(&tree);
    if arguments.shrink {
        allowed.shrink(&found);
        allowed.write(file)?;
    }
    let problems = allowed.apply(found);
    for problem in &problems {
        println!("{problem}");
    }
    if problems.is_empty() {
        let (crates, files) = (tree.crates.len(), tree.files.len());
        println!("{crates} crates and {files} files keep every rule");
        Ok(())
    } else {
        Err(format!("{} problems", problems.len()))
    }
}

/// Writes the page of metrics.
///
/// # Errors
/// When the sources cannot be read or the page not written.
pub fn write_metrics() -> Result<(), String> {
    let page = metrics::page(&Tree::read(Path::new("."))?);
    let file = metrics::PAGE;
    std::fs::write(file, page).map_err(|error| format!("{file}: {error}"))?;
    println!("written to {file}");
    Ok(())
}

/// Everything that any rule finds.
fn every(tree: &Tree) -> Vec<Problem> {
    let vendors: Vec<&str> = bourse_providers::all()
        .map(bourse_providers::Provider::slug)
        .collect();
    let orders: Vec<_> = STRATEGIES
        .iter()
        .map(|one| (one.name(), one.suffix(), one.about()))
        .chain([("", None, BALANCED.about())])
        .collect();
    [
        tree.unreadable(),
        arrows::check(tree),
        circles::check(tree),
        vendors::check(tree, &vendors),
        absent::check(tree),
        tests_exist::check(tree),
        lengths::check(tree),
        merges::check(tree),
        dependencies::check(tree),
        documents::check(tree),
        endpoints::check(tree),
        metrics::check(tree),
        proofs::check(tree),
        strategies::check(tree, &orders),
    ]
    .concat()
}
