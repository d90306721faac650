//! The registry as a whole: how many vendors there are, where the facts of each
//! are from, a golden file for those whose documents name a quirk, and the page
//! that lists them all.
//!
//! `fixtures/providers/<slug>.json` has cases: what a client of chat completions
//! asks (`ask`) and what of it is sent (`sent`; `null` for what is left out) and
//! lost (`lost`), what an error is taken for (`error`, `kind`, `ours`), and what
//! becomes of a call whose client leaves (`leaves`). To add one, write `shows` and
//! what goes in, run the test with `BOURSE_PROVIDERS_UPDATE=1`, and review what it
//! wrote like code; the same writes `docs/providers.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bourse_providers::{Disconnect, Provider, all, by_slug};
use bourse_vocab::chat::Efforts;
use bourse_vocab::{Format, Operation, TierWish};
use bourse_wire::{ErrorReply, WriteTarget, codec};
use serde_json::{Map, Value, json};

/// What is promised.
const PROVIDERS_MIN: usize = 120;
const GOLDENS_MIN: usize = 40;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn updates() -> bool {
    std::env::var_os("BOURSE_PROVIDERS_UPDATE").is_some()
}

/// Where the facts of each vendor are from, by slug: the comment above its row,
/// or the opening of its file.
fn sources() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = BTreeMap::new();
    for file in ["makers", "hosts", "gateways"] {
        let text = std::fs::read_to_string(folder.join(format!("compatible/{file}.rs"))).unwrap();
        rows(&text, &mut sources);
    }
    for provider in all() {
        let file = folder.join(format!("{}.rs", provider.slug().replace('-', "_")));
        if let Ok(text) = std::fs::read_to_string(file) {
            let opening = text.lines().take_while(|line| line.starts_with("//"));
            let facts = text
                .lines()
                .filter(|line| line.trim_start().starts_with("//"));
            let said: Vec<&str> = opening.chain(facts).map(str::trim).collect();
            sources.insert(provider.slug().to_owned(), said.join(" "));
        }
    }
    sources
}

fn rows(text: &str, sources: &mut BTreeMap<String, String>) {
    let mut comment = String::new();
    let mut lines = text.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        if let Some(said) = line.strip_prefix("//") {
            comment.push_str(said.trim_start_matches(['/', '!']));
        } else if let Some((_, rest)) = line.split_once("Compatible::") {
            if !rest.contains('(') {
                continue;
            }
            let quoted = rest.split('"').nth(1);
            let next = lines.peek().and_then(|next| next.split('"').nth(1));
            if let Some(slug) = quoted.or(next) {
                sources.insert(
                    slug.to_owned(),
                    std::mem::take(&mut comment).trim().to_owned(),
                );
            }
        } else if line.ends_with(',') && !line.starts_with('.') && !line.starts_with('"') {
            // The end of a row, or a line within one.
        } else {
            comment.clear();
        }
    }
}

/// Whether a comment names a document: an address, or a list that the head of the
/// file dates.
fn names_a_source(comment: &str) -> bool {
    let is_address = |word: &str| {
        let host = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        host.contains('.') && host.split('.').all(|part| !part.is_empty())
    };
    comment.split_whitespace().any(is_address) || comment.contains("The same in")
}

#[test]
fn there_are_as_many_vendors_as_is_promised_and_each_has_a_source() {
    let sources = sources();
    let slugs: BTreeSet<&str> = all().map(|provider| provider.slug()).collect();
    assert!(slugs.len() >= PROVIDERS_MIN, "{} providers", slugs.len());
    let sourced = slugs.iter().filter(|slug| {
        sources
            .get(**slug)
            .is_some_and(|comment| names_a_source(comment))
    });
    let sourced: BTreeSet<&str> = sourced.copied().collect();
    let without: Vec<_> = slugs.difference(&sourced).collect();
    assert!(without.is_empty(), "no source: {without:?}");
    for file in ["makers", "hosts", "gateways"] {
        let path = format!("src/compatible/{file}.rs");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let text = std::fs::read_to_string(path).unwrap();
        assert!(
            text.contains("models.dev (November 2026)"),
            "{file} is not dated"
        );
    }
}

fn goldens() -> Vec<(String, PathBuf, Value)> {
    let folder = workspace().join("fixtures/providers");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let read = |file: PathBuf| {
        let slug = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        (slug, file, value)
    };
    files.into_iter().map(read).collect()
}

#[test]
fn quirks_are_as_their_vendors_document_them() {
    let goldens = goldens();
    assert!(
        goldens.len() >= GOLDENS_MIN,
        "{} golden files",
        goldens.len()
    );
    for (slug, file, mut golden) in goldens {
        let provider = by_slug(&slug).unwrap_or_else(|| panic!("{slug} is no provider"));
        let source = golden["source"].as_str().unwrap_or_default();
        assert!(names_a_source(source), "{slug} has no source");
        let cases = golden["cases"].as_array_mut().unwrap();
        assert!(!cases.is_empty(), "{slug} has no case");
        for case in cases {
            let seen = seen(provider, case);
            if updates() {
                let members = case.as_object_mut().unwrap();
                members.extend(seen);
                continue;
            }
            for (name, value) in seen {
                assert_eq!(case[&name], value, "{slug}, {}: {name}", case["shows"]);
            }
        }
        if updates() {
            let text = serde_json::to_string_pretty(&golden).unwrap();
            std::fs::write(file, text + "\n").unwrap();
        }
    }
}

/// What comes of a case.
fn seen(provider: &dyn Provider, case: &Value) -> Map<String, Value> {
    let model = case["model"].as_str().unwrap_or("m");
    let interfaces = provider.interfaces(model);
    let chat = interfaces
        .iter()
        .find(|interface| interface.operation == Operation::Chat);
    let format = chat.or(interfaces.first()).unwrap().format;
    let mut seen = Map::new();
    if let Some(ask) = case.get("ask") {
        ask_of(provider, (format, model), ask, &mut seen);
    }
    if let Some(error) = case.get("error") {
        let failure = provider.read_failure(
            format,
            &ErrorReply {
                status: u16::try_from(error["status"].as_u64().unwrap()).unwrap(),
                body: error["body"].to_string().as_bytes(),
                retry_after: None,
            },
        );
        let ours = failure.upstream.is_some_and(|upstream| upstream.refused_us);
        seen.insert("kind".to_owned(), json!(format!("{:?}", failure.kind)));
        seen.insert("ours".to_owned(), json!(ours));
    }
    if case.get("leaves").is_some() {
        let what = match provider.on_disconnect() {
            Disconnect::Cancel => "is let go of",
            Disconnect::Drain => "is billed to its end",
        };
        seen.insert("leaves".to_owned(), json!(what));
    }
    assert!(!seen.is_empty(), "{}: nothing is shown", case["shows"]);
    seen
}

/// What of a request is sent, of the members that were asked for and those that
/// stand in their place, and what is lost.
fn ask_of(
    provider: &dyn Provider,
    (format, model): (Format, &str),
    ask: &Value,
    seen: &mut Map<String, Value>,
) {
    let plain = json!({"model": "acme/m", "messages": [{"role": "user", "content": "Hello"}]});
    let mut body = plain.as_object().unwrap().clone();
    body.extend(ask.as_object().unwrap().clone());
    let body = Value::Object(body).to_string();
    let request = codec(Format::OpenAiChat).read_request(body.as_bytes());
    let target = WriteTarget {
        model,
        max_output: Some(8_000),
        limit: None,
        efforts: Efforts::default(),
        tier: TierWish::None,
        dialect: provider.dialect(format, model),
    };
    let written = codec(format)
        .write_request(&request.unwrap(), &target)
        .unwrap();
    let sent: Value = serde_json::from_slice(&written.body).unwrap();
    let mut sent = sent.as_object().unwrap().clone();
    if !ask.as_object().unwrap().contains_key("messages") {
        for name in ["messages", "contents"] {
            sent.remove(name);
        }
    }
    sent.remove("model");
    let lost: Vec<String> = written.losses.into_iter().map(|loss| loss.field).collect();
    seen.insert("sent".to_owned(), Value::Object(sent));
    seen.insert("lost".to_owned(), json!(lost));
}

#[test]
fn the_page_lists_every_vendor() {
    let sources = sources();
    let mut page = String::from(
        "# Providers that are built in\n\n\
         Written by `crates/providers/tests/registry.rs` from the registry; what their keys are called in the\n\
         environment, and what else can be configured, is in [Configuration](configuration.md).\n\n\
         | slug | name | speaks | address | golden cases |\n|---|---|---|---|---|\n",
    );
    let goldens: BTreeMap<String, usize> = goldens()
        .into_iter()
        .map(|(slug, _, golden)| (slug, golden["cases"].as_array().unwrap().len()))
        .collect();
    let mut list: Vec<&dyn Provider> = all().map(|provider| provider as &dyn Provider).collect();
    list.sort_by_key(|provider| provider.slug().to_owned());
    for provider in &list {
        let interfaces = provider.interfaces("m").iter();
        let chat = interfaces.filter(|interface| interface.operation == Operation::Chat);
        let formats: Vec<&str> = chat.map(|interface| interface.format.slug()).collect();
        let formats = match formats.is_empty() {
            true => "no chat".to_owned(),
            false => formats.join(", "),
        };
        let cases = goldens.get(provider.slug()).copied().unwrap_or(0);
        let _ = writeln!(
            page,
            "| `{}` | {} | {formats} | {} | {cases} |",
            provider.slug(),
            provider.name(),
            provider.base_url().unwrap_or("the operator's"),
        );
    }
    let _ = writeln!(
        page,
        "\n{} providers, {} of them with golden cases of their own; {} sources beside the rows.",
        list.len(),
        goldens.len(),
        sources.len()
    );
    let file = workspace().join("docs/providers.md");
    if updates() {
        std::fs::write(&file, &page).unwrap();
    }
    let told = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        told == page,
        "docs/providers.md: run the test with BOURSE_PROVIDERS_UPDATE=1"
    );
}
