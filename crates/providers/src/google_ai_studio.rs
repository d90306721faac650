//! Google AI Studio.

use bourse_vocab::{Failure, Format};
use bourse_wire::Dialect;

use crate::Key;
use crate::provider::{Attempt, Outgoing, Provider};

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
        &["GEMINI_API_KEY"]
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

    fn address(&self, _attempt: &Attempt<'_>, _key: &Key) -> Result<Outgoing, Failure> {
        Err(Failure::server("not addressed"))
    }
}
