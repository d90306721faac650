//! The catalogue that is built into the program.
//!
//! One fact a line, so that a change of a price is a change of one line.
//! The files are written by `cargo xtask catalog`; where each fact is from
//! is said beside it, and in `data/NOTICE.md`.

use serde::de::DeserializeOwned;

use crate::problem::Problem;
use crate::raw::{RawCatalog, RawEndpoint, RawModel, RawProvider};

static PROVIDERS: &str = include_str!("../data/providers.jsonl");
static MODELS: &str = include_str!("../data/models.jsonl");
static ENDPOINTS: &str = include_str!("../data/endpoints.jsonl");

/// The three files of a catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files<S> {
    /// A line is `["slug", {…}]`.
    pub providers: S,
    /// A line is `["author/model", {…}]`.
    pub models: S,
    /// A line is `{…}`; the id follows from model and tag.
    pub endpoints: S,
}

/// Reads the catalogue that is built in.
///
/// # Errors
/// None in a program that was built from a tested tree: a test reads it.
pub fn embedded() -> Result<RawCatalog, Vec<Problem>> {
    read(&Files {
        providers: PROVIDERS,
        models: MODELS,
        endpoints: ENDPOINTS,
    })
}

/// Reads a catalogue from its files.
///
/// # Errors
/// Every line that cannot be read, by file and line number.
pub fn read(files: &Files<&str>) -> Result<RawCatalog, Vec<Problem>> {
    let mut problems = Vec::new();
    let providers: Vec<(String, RawProvider)> =
        lines("providers.jsonl", files.providers, &mut problems);
    let models: Vec<(String, RawModel)> = lines("models.jsonl", files.models, &mut problems);
    let endpoints: Vec<RawEndpoint> = lines("endpoints.jsonl", files.endpoints, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(RawCatalog {
        providers: providers.into_iter().collect(),
        models: models.into_iter().collect(),
        endpoints: endpoints
            .into_iter()
            .map(|endpoint| (endpoint.id(), endpoint))
            .collect(),
    })
}

fn lines<T: DeserializeOwned>(name: &str, text: &str, problems: &mut Vec<Problem>) -> Vec<T> {
    let mut items = Vec::with_capacity(text.len() / 256);
    for (index, line) in text.lines().enumerate() {
        match serde_json::from_str(line) {
            Ok(item) => items.push(item),
            Err(error) => {
                problems.push(Problem::new(
                    format!("{name}:{}", index + 1),
                    error.to_string(),
                ));
            }
        }
    }
    items
}

/// Writes a catalogue as its files; the inverse of [`read`].
///
/// # Errors
/// None: every key is a string and every value can be written.
pub fn write(catalog: &RawCatalog) -> Result<Files<String>, serde_json::Error> {
    let mut files = Files {
        providers: String::new(),
        models: String::new(),
        endpoints: String::new(),
    };
    for item in &catalog.providers {
        files.providers.push_str(&serde_json::to_string(&item)?);
        files.providers.push('\n');
    }
    for item in &catalog.models {
        files.models.push_str(&serde_json::to_string(&item)?);
        files.models.push('\n');
    }
    for endpoint in catalog.endpoints.values() {
        files.endpoints.push_str(&serde_json::to_string(endpoint)?);
        files.endpoints.push('\n');
    }
    Ok(files)
}

#[cfg(test)]
mod tests;
