//! The catalogue that is built into the program.
//!
//! One fact a line, so that a change of a price is a change of one line.
//! The files are written by `cargo xtask catalog`; where each fact is from
//! is said beside it, and in `data/NOTICE.md`.

use std::io::{BufRead, BufReader};

use flate2::bufread::GzDecoder;
use serde::de::DeserializeOwned;

use crate::problem::Problem;
use crate::raw::{RawCatalog, RawEndpoint, RawModel, RawProvider};

// Packed by `build.rs`, which says why.
static PROVIDERS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/providers.jsonl.gz"));
static MODELS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/models.jsonl.gz"));
static ENDPOINTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/endpoints.jsonl.gz"));

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
    read_lines(Files {
        providers: unpacked(PROVIDERS),
        models: unpacked(MODELS),
        endpoints: unpacked(ENDPOINTS),
    })
}

fn unpacked(packed: &[u8]) -> impl BufRead {
    BufReader::new(GzDecoder::new(packed))
}

/// Reads a catalogue from its files.
///
/// # Errors
/// Every line that cannot be read, by file and line number.
pub fn read(files: &Files<&str>) -> Result<RawCatalog, Vec<Problem>> {
    read_lines(Files {
        providers: files.providers.as_bytes(),
        models: files.models.as_bytes(),
        endpoints: files.endpoints.as_bytes(),
    })
}

fn read_lines<R: BufRead>(files: Files<R>) -> Result<RawCatalog, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut catalog = RawCatalog::default();
    lines("providers.jsonl", files.providers, &mut problems, |line| {
        let (slug, provider): (String, RawProvider) = line;
        catalog.providers.insert(slug, provider);
    });
    lines("models.jsonl", files.models, &mut problems, |line| {
        let (slug, model): (String, RawModel) = line;
        catalog.models.insert(slug, model);
    });
    lines("endpoints.jsonl", files.endpoints, &mut problems, |line| {
        let endpoint: RawEndpoint = line;
        catalog.endpoints.insert(endpoint.id(), endpoint);
    });
    match problems.is_empty() {
        true => Ok(catalog),
        false => Err(problems),
    }
}

/// Hands on what each line says, and keeps none of them.
fn lines<T: DeserializeOwned>(
    name: &str,
    file: impl BufRead,
    problems: &mut Vec<Problem>,
    mut keep: impl FnMut(T),
) {
    for (index, line) in file.lines().enumerate() {
        let mut wrong = |error: String| {
            problems.push(Problem::new(format!("{name}:{}", index + 1), error));
        };
        match line {
            Ok(line) => match serde_json::from_str(&line) {
                Ok(item) => keep(item),
                Err(error) => wrong(error.to_string()),
            },
            // What cannot be unpacked here cannot be behind it.
            Err(error) => {
                wrong(error.to_string());
                break;
            }
        }
    }
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
