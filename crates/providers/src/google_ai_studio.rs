//! Google AI Studio: the Gemini API (ai.google.dev/api/generate-content,
//! November 2026).

use bourse_vocab::{Failure, Format};
use bourse_wire::Dialect;
use http::HeaderName;

use crate::Key;
use crate::provider::{Attempt, Disconnect, Outgoing, Provider};

/// Google AI Studio.
pub struct GoogleAiStudio;

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

    fn speaks(&self, _model: &str) -> &[Format] {
        &[Format::Gemini]
    }

    fn dialect(&self, _model: &str) -> &Dialect {
        &Dialect::PLAIN
    }

    /// The model and whether to stream are part of the path. The key goes
    /// into a header and never into the query, where logs would keep it.
    fn address(&self, attempt: &Attempt<'_>, key: &Key) -> Result<Outgoing, Failure> {
        let mut headers = Vec::with_capacity(1);
        if !key.is_empty() {
            let value = key
                .header("")
                .ok_or_else(|| Failure::server("the Gemini key has odd characters"))?;
            headers.push((HeaderName::from_static("x-goog-api-key"), value));
        }
        let verb = if attempt.stream {
            "streamGenerateContent?alt=sse"
        } else {
            "generateContent"
        };
        let model = attempt
            .model
            .strip_prefix("models/")
            .unwrap_or(attempt.model);
        Ok(Outgoing {
            path: format!("{}/models/{model}:{verb}", attempt.base_path),
            headers,
        })
    }

    fn on_disconnect(&self) -> Disconnect {
        Disconnect::Drain
    }
}
