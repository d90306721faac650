//! Google AI Studio: the Gemini API (ai.google.dev/api/generate-content,
//! /embeddings and /gemini-api/docs, imagen and video, November 2026).

use bourse_vocab::embeddings::Shape;
use bourse_vocab::{Format, Operation, images, speech, videos};
use bourse_wire::Dialect;
use bourse_wire::dialect::TierWords;
use http::HeaderName;

use crate::provider::{Address, Attempt, Disconnect, Interface, Provider, versioned};
use crate::{Credential, Key};

/// Google AI Studio.
pub struct GoogleAiStudio;

/// Its format, with the tiers of service that its own servers know.
pub(crate) static DIALECT: Dialect = Dialect {
    tiers: TierWords::GOOGLE,
    ..Dialect::PLAIN
};

/// What whoever speaks Google's format can be asked.
pub(crate) const INTERFACES: &[Interface] = &[
    Interface::chat(Format::Gemini),
    Interface::embeddings(Shape::Gemini, Format::Gemini),
    Interface::images(images::Shape::Imagen, Format::Gemini),
    Interface::videos(videos::Shape::Veo, Format::Gemini),
    Interface {
        operation: Operation::Speech(speech::Shape::Gemini),
        ..Interface::chat(Format::Gemini)
    },
];

impl Provider for GoogleAiStudio {
    fn slug(&self) -> &str {
        "google-ai-studio"
    }

    fn name(&self) -> &str {
        "Google AI Studio"
    }

    fn env(&self) -> &[&'static str] {
        &[
            "GEMINI_API_KEY",
            "GOOGLE_API_KEY",
            "GOOGLE_GENERATIVE_AI_API_KEY",
        ]
    }

    fn base_url(&self) -> Option<&str> {
        Some("https://generativelanguage.googleapis.com/v1beta")
    }

    fn interfaces(&self, _model: &str) -> &[Interface] {
        INTERFACES
    }

    fn dialect(&self, _format: Format, _model: &str) -> &Dialect {
        &DIALECT
    }

    fn address(&self, attempt: &Attempt<'_>) -> Address {
        address(attempt)
    }

    fn jobs_path(&self, base_path: &str) -> String {
        jobs_path(base_path)
    }

    fn credential(&self, key: Key) -> Credential {
        credential(key)
    }

    fn on_disconnect(&self) -> Disconnect {
        Disconnect::Drain
    }
}

/// The model and whether to stream are part of the path. Google's own SDKs
/// take a base address without the version and add it.
pub(crate) fn address(attempt: &Attempt<'_>) -> Address {
    let verb = match attempt.interface.operation {
        Operation::Embeddings(_) => "batchEmbedContents",
        Operation::Images(_) => "predict",
        Operation::Videos(_) => "predictLongRunning",
        _ if attempt.stream => "streamGenerateContent?alt=sse",
        _ => "generateContent",
    };
    let model = attempt
        .model
        .strip_prefix("models/")
        .unwrap_or(attempt.model);
    let base_path = versioned(attempt.base_path, "v1beta");
    Address {
        path: format!("{base_path}/models/{model}:{verb}"),
        headers: Vec::new(),
    }
}

/// Operations are named from the version on.
pub(crate) fn jobs_path(base_path: &str) -> String {
    versioned(base_path, "v1beta")
}

/// The key goes into a header and never into the query, where logs would
/// keep it.
pub(crate) fn credential(key: Key) -> Credential {
    Credential::header(HeaderName::from_static("x-goog-api-key"), key)
}
