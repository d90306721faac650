//! The contract of fidelity: what becomes of each feature of each client API at
//! each provider.
//!
//! A feature is asked for (`fixtures/fidelity/requests`) through its endpoint,
//! and goes down the road that a call takes: read, written for a target by the
//! phase that writes, bytes passed or translated. Then it is looked for in what
//! would be sent, by patterns that are written from the vendors' documents and
//! know nothing of our codecs. What is not there must have been told as a loss,
//! under a path that is in the client's request, or refused. What is lost in
//! silence fails the test, and so does a page (`docs/fidelity.md`) that says
//! anything else than what was seen here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod answers;
mod asked;
mod clients;
mod columns;
mod corpus;
mod others;
mod page;
mod paths;
mod pattern;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// What becomes of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// It is asked for in the provider's own words.
    Native,
    /// Something else is asked for that does the same.
    Emulated,
    /// It is lost, in part or whole, and the caller is told.
    Degraded,
    /// The request is refused, and the refusal says where.
    Refused,
    /// The client's API has no words for it.
    Unsaid,
    /// It is lost, and nobody is told.
    Silent,
}

/// What is wrong, all of it.
#[derive(Default)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Notes something that is wrong.
    pub fn add(&mut self, what: impl std::fmt::Display, problem: impl std::fmt::Display) {
        self.0.push(format!("{what}: {problem}"));
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files of a folder of `fixtures/fidelity`, in order of their names: the
/// group of each and what is in it.
fn fixtures<T: DeserializeOwned>(folder: &str) -> Vec<(String, Vec<T>)> {
    let folder = workspace().join("fixtures/fidelity").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let read = |file: PathBuf| {
        let stem = file.file_stem().unwrap().to_str().unwrap();
        let group = stem
            .split_once('-')
            .map_or(stem, |(_, name)| name)
            .to_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let read = serde_json::from_str(&text);
        (
            group,
            read.unwrap_or_else(|error| panic!("{}: {error}", file.display())),
        )
    };
    files.into_iter().map(read).collect()
}

#[tokio::test]
async fn nothing_is_lost_in_silence_and_the_page_says_what_becomes_of_it() {
    let mut problems = Problems::default();
    let columns = columns::Columns::open();
    let asked = asked::ask_all(&columns, &mut problems).await;
    let (answers, told) = answers::tell_all(&columns, &mut problems);
    assert!(
        problems.0.is_empty(),
        "{} problems:\n{}",
        problems.0.len(),
        problems.0.join("\n")
    );
    let mut sent = asked.sent.clone();
    sent.extend(others::sent());
    corpus::write(&sent, &told);
    page::check(&asked, &answers);
}
