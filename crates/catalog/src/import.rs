//! Reading other people's price lists.
//!
//! An importer turns one document into a [`RawCatalog`] of our own words,
//! and says what it left out and why. [`merge`] lays a newer one over an
//! older one; [`crate::diff`] shows what that changes, before it does.

mod data_policies;
mod decimal;
mod describe;
pub mod facts;
pub mod litellm;
mod merge;
pub mod models_dev;
mod names_of_providers;
pub mod naming;
pub mod openrouter;
pub mod releases;
mod tiers_of_service;
mod tokenizers;

pub use decimal::round_noise;
pub use describe::describe;
pub use merge::{merge, settle_aliases};
pub use naming::Names;

use crate::raw::{RawCatalog, RawEndpoint};

/// A document that an importer can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `api.json` of models.dev, with or without its base models.
    ModelsDev,
    /// LiteLLM's `model_prices_and_context_window.json`.
    LiteLlm,
    /// The answer to `GET /api/v1/models`.
    OpenRouter,
}

impl Source {
    /// The name that prices carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ModelsDev => "models.dev",
            Self::LiteLlm => "litellm",
            Self::OpenRouter => "openrouter",
        }
    }
}

/// What came of reading a document.
#[derive(Debug, Default)]
pub struct Imported {
    /// The facts.
    pub catalog: RawCatalog,
    /// What was left out or mended, one sentence each.
    pub notes: Vec<Note>,
    /// Offers that the source says are gone: provider and upstream name.
    pub retired: Vec<(String, String)>,
}

/// Something worth reporting to the person who imports.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// What happened, the same words for the same kind of thing.
    pub kind: &'static str,
    /// To what.
    pub subject: String,
}

impl Note {
    /// Notes that `kind` happened to `subject`.
    pub fn new(kind: &'static str, subject: impl Into<String>) -> Self {
        Self {
            kind,
            subject: subject.into(),
        }
    }
}

/// The document is not what it was said to be.
#[derive(Debug, thiserror::Error)]
#[error("not a {} document: {reason}", .source_name.name())]
pub struct ImportError {
    /// What it was said to be.
    pub source_name: Source,
    /// What the JSON reader says.
    pub reason: serde_json::Error,
}

/// Reads `json`, dated `as_of` (`YYYY-MM` or `YYYY-MM-DD`); what had been
/// retired by then is left out. Names that `known` has are used again, so
/// that offers meet at one model.
///
/// # Errors
/// The document is not of that format.
pub fn import(
    source: Source,
    json: &str,
    as_of: &str,
    known: &RawCatalog,
) -> Result<Imported, ImportError> {
    let mut names = Names::of(known);
    let read = match source {
        Source::ModelsDev => models_dev::read(json, as_of, &mut names),
        Source::LiteLlm => litellm::read(json, as_of, &mut names),
        Source::OpenRouter => openrouter::read(json, as_of),
    };
    read.map_err(|reason| ImportError {
        source_name: source,
        reason,
    })
}

/// Words in names of services that take part in no chat, whatever a price
/// list says of their modalities: transcription, live sessions, music,
/// reordering, proteins.
const OTHER_SERVICES: &[&str] = &[
    "whisper",
    "-asr",
    "realtime",
    "livetranslate",
    "streaming",
    "transcribe",
    "lyria",
    "rerank",
    "esm2",
    "esmfold",
    "paligemma",
    "voicechat",
    "-stt",
];

/// What comes out of a model that a price list calls one of text, but whose
/// name says that it makes vectors.
fn makes_vectors(upstream: &str) -> bool {
    let lower = upstream.to_ascii_lowercase();
    [
        "embed",
        "bge-",
        "e5-mistral",
        "e5-large",
        "e5-base",
        "gte-",
        "minilm",
    ]
    .iter()
    .any(|word| lower.contains(word))
}

fn is_other_service(upstream: &str) -> bool {
    let lower = upstream.to_ascii_lowercase();
    OTHER_SERVICES.iter().any(|word| lower.contains(word))
}

/// Files an endpoint. A provider may sell one model under several names,
/// dated and undated; the shortest is kept, and the others become aliases
/// of the model where they are a maker's own.
fn file(out: &mut Imported, endpoint: RawEndpoint) {
    use std::collections::btree_map::Entry;
    let is_maker = facts::PROVIDERS.iter().any(|known| {
        known.slug == endpoint.provider && matches!(known.role, facts::Role::Maker(_))
    });
    if is_maker
        && endpoint.tag.is_none()
        && let Some(model) = out.catalog.models.get_mut(&endpoint.model)
    {
        let name = endpoint.upstream_model.to_ascii_lowercase();
        let author = endpoint
            .model
            .split_once('/')
            .map_or("", |(author, _)| author);
        for alias in [format!("{author}/{name}"), name] {
            let is_new = alias != endpoint.model && !model.aliases.contains(&alias);
            if is_new && alias.matches('/').count() <= 1 {
                model.aliases.push(alias);
            }
        }
    }
    match out.catalog.endpoints.entry(endpoint.id()) {
        Entry::Vacant(place) => {
            place.insert(endpoint);
        }
        Entry::Occupied(mut place) => {
            let rank = |e: &RawEndpoint| {
                let is_priced = e.price.as_ref().is_some_and(|price| price.base.is_known());
                let is_namesake = Names::is_wrapping_of(&e.upstream_model, &e.model);
                (
                    !is_priced,
                    !is_namesake,
                    e.upstream_model.len(),
                    e.upstream_model.clone(),
                )
            };
            let (kept, left) = if rank(&endpoint) < rank(place.get()) {
                let left = place.insert(endpoint);
                (place.get(), left)
            } else {
                (place.get(), endpoint)
            };
            out.notes.push(Note::new(
                "second name for the same offer",
                format!(
                    "`{}` {} (kept {})",
                    kept.provider, left.upstream_model, kept.upstream_model
                ),
            ));
        }
    }
}

#[cfg(test)]
mod tests;
