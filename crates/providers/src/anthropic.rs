//! Anthropic: the Messages API (platform.claude.com/docs/en/api/messages,
//! November 2026).

use bourse_vocab::{Failure, Format};
use bourse_wire::Dialect;
use http::{HeaderName, HeaderValue};

use crate::Key;
use crate::provider::{Attempt, Outgoing, Provider};

/// Anthropic.
pub struct Anthropic;

/// The version in whose words requests are written. From 2026-10-21 on,
/// sampling parameters are refused, so this older one is spoken as long as
/// clients send them.
const VERSION: &str = "2023-06-01";

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

    fn address(&self, attempt: &Attempt<'_>, key: &Key) -> Result<Outgoing, Failure> {
        let mut headers = vec![(
            HeaderName::from_static("anthropic-version"),
            HeaderValue::from_static(VERSION),
        )];
        if !key.is_empty() {
            let value = key
                .header("")
                .ok_or_else(|| Failure::server("Anthropic's key has odd characters"))?;
            headers.push((HeaderName::from_static("x-api-key"), value));
        }
        Ok(Outgoing {
            path: format!("{}/messages", attempt.base_path),
            headers,
        })
    }
}
