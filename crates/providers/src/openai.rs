//! OpenAI.

use bourse_vocab::{Failure, Format};
use bourse_wire::Dialect;

use crate::Key;
use crate::provider::{Attempt, Outgoing, Provider};

/// OpenAI.
pub struct OpenAi;

impl Provider for OpenAi {
    fn slug(&self) -> &str {
        "openai"
    }

    fn name(&self) -> &str {
        "OpenAI"
    }

    fn env(&self) -> &[&'static str] {
        &["OPENAI_API_KEY"]
    }

    fn base_url(&self) -> Option<&str> {
        Some("https://api.openai.com/v1")
    }

    fn speaks(&self, _model: &str) -> &[Format] {
        &[Format::OpenAiChat]
    }

    fn dialect(&self, _model: &str) -> &Dialect {
        &Dialect::PLAIN
    }

    fn address(&self, _attempt: &Attempt<'_>, _key: &Key) -> Result<Outgoing, Failure> {
        Err(Failure::server("not addressed"))
    }
}
