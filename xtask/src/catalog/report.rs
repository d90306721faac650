//! What was left out, mended or disagreed upon.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use bourse_catalog::RawCatalog;
use bourse_catalog::holes::Holes;
use bourse_catalog::import::Note;

/// Takes away models that nobody serves at a known price, and providers
/// that serve nothing.
pub fn drop_unserved(catalog: &mut RawCatalog, notes: &mut Vec<Note>) {
    let served: BTreeSet<String> = catalog
        .endpoints
        .values()
        .filter(|endpoint| endpoint.price.is_some())
        .map(|endpoint| endpoint.model.clone())
        .collect();
    catalog.models.retain(|slug, _| {
        let is_served = served.contains(slug);
        if !is_served {
            notes.push(Note::new(
                "model left out: nobody serves it at a known price",
                slug.clone(),
            ));
        }
        is_served
    });
    catalog
        .endpoints
        .retain(|_, endpoint| served.contains(&endpoint.model));
    let serving: BTreeSet<String> = catalog
        .endpoints
        .values()
        .map(|endpoint| endpoint.provider.clone())
        .collect();
    catalog.providers.retain(|slug, _| serving.contains(slug));
}

/// Lines of one kind that the report lists; the rest are counted.
const LINES_MAX: usize = 400;

/// Writes the report.
pub fn render(catalog: &RawCatalog, notes: &mut [Note], filled: usize, holes: &Holes) -> String {
    notes.sort();
    let priced = catalog
        .endpoints
        .values()
        .filter(|e| e.price.is_some())
        .count();
    let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for note in notes.iter() {
        kinds.entry(note.kind).or_default().push(&note.subject);
    }
    let mut out =
        String::from("# How the catalogue was made\n\nWritten by `cargo xtask catalog`.\n\n");
    let _ = writeln!(
        out,
        "| what | count |\n|---|---|\n| providers | {} |\n| models | {} |\n| endpoints | {} |\n\
         | endpoints with a price | {priced} |\n| price lists completed by a rule | {filled} |",
        catalog.providers.len(),
        catalog.models.len(),
        catalog.endpoints.len(),
    );
    for (kind, subjects) in &kinds {
        let _ = writeln!(out, "| {kind} | {} |", subjects.len());
    }
    out.push_str("\n## What is not known\n\n| hole | count |\n|---|---|\n");
    for (kind, subjects) in holes {
        let _ = writeln!(out, "| {kind} | {} |", subjects.len());
    }
    for (kind, subjects) in kinds {
        if kind.starts_with("second name") || kind.starts_with("price of zero beside") {
            continue;
        }
        let _ = writeln!(out, "\n## {kind}\n");
        for subject in subjects.iter().take(LINES_MAX) {
            let _ = writeln!(out, "- {subject}");
        }
        if let Some(more) = subjects
            .len()
            .checked_sub(LINES_MAX)
            .filter(|&more| more > 0)
        {
            let _ = writeln!(out, "- and {more} more");
        }
    }
    out
}

/// The numbers for `data/holes.json`: those of `holes`, and never more than the
/// file says. A number that would rise is left, so that the catalog's test
/// fails and someone decides.
///
/// # Errors
/// The file is there and cannot be read.
pub fn numbers(file: &Path, holes: &Holes) -> Result<String, String> {
    let known: BTreeMap<String, usize> = match std::fs::read_to_string(file) {
        Ok(text) => {
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
        Err(error) => return Err(format!("{}: {error}", file.display())),
    };
    let numbers: BTreeMap<&str, usize> = holes
        .iter()
        .map(|(kind, subjects)| {
            let most = known.get(*kind).copied().unwrap_or(usize::MAX);
            (*kind, subjects.len().min(most))
        })
        .collect();
    let mut text = serde_json::to_string_pretty(&numbers).map_err(|error| error.to_string())?;
    text.push('\n');
    Ok(text)
}
