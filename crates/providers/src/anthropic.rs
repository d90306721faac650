//! Anthropic.

use bourse_vocab::{Failure, Format};
use bourse_wire::Dialect;

use crate::Key;
use crate::provider::{Attempt, Outgoing, Provider};

/// Anthropic.
pub struct Anthropic;

impl Provider for Anthropic {
    fn slug(&self) -> &str {
        "anthropic"
    }

    fn name(&self) -> &str {
        "Anthropic"
    }

    fn env(&self) -> &[&'static str] {
        &["ANTHROPIC_API_KEY"]
    }

    fn base_url(&self) -> Option<&str> {
        Some("https://api.anthropic.com/v1")
    }

    fn speaks(&self, _model: &str) -> &[Format] {
        &[Format::Anthropic]
    }

    fn dialect(&self, _model: &str) -> &Dialect {
        &Dialect::PLAIN
    }

    fn address(&self, _attempt: &Attempt<'_>, _key: &Key) -> Result<Outgoing, Failure> {
        Err(Failure::server("not addressed"))
    }
}
