//! Anthropic: the Messages API (platform.claude.com/docs/en/api/messages,
//! November 2026).

use bourse_vocab::Format;
use bourse_wire::Dialect;
use bourse_wire::dialect::{BatchApi, Betas, TierWords};
use http::{HeaderName, HeaderValue};

use crate::provider::{Address, Attempt, Interface, Provider, versioned};
use crate::{Credential, Key};

/// Anthropic.
pub struct Anthropic;

/// Its format, with the tiers of service that its own servers know.
pub(crate) const DIALECT: Dialect = Dialect {
    tiers: TierWords::ANTHROPIC,
    betas: Some(BETAS),
    ..Dialect::PLAIN
};

/// The same at its own servers, which take batches.
const OWN: Dialect = Dialect {
    batches: Some(BatchApi::Anthropic),
    ..DIALECT
};

/// What costs no more than the tokens that it makes: the two that OpenRouter
/// hands on (openrouter.ai/docs, provider selection, October 2026), edits of the
/// context before the model reads it (platform.claude.com, context editing,
/// November 2026; which edits, the client's endpoint decides), and the tool for
/// a screen, which the client runs (computer use tool, November 2026). A longer
/// context costs more (`context-1m-2025-08-07`), and so do tools that Anthropic
/// runs.
const BETAS: Betas = Betas {
    header: "anthropic-beta",
    names: &[
        "interleaved-thinking-2025-05-14",
        "structured-outputs-2025-11-13",
        "context-management-2025-06-27",
        "computer-use-2025-01-24",
        "computer-use-2025-11-24",
    ],
};

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

    fn interfaces(&self, _model: &str) -> &[Interface] {
        const { &[Interface::chat(Format::Anthropic)] }
    }

    fn dialect(&self, _format: Format, _model: &str) -> &Dialect {
        const { &OWN }
    }

    fn address(&self, attempt: &Attempt<'_>) -> Address {
        address(attempt)
    }

    fn credential(&self, key: Key) -> Credential {
        credential(key)
    }
}

/// Where the Messages API is, at Anthropic and at those who imitate it. Its
/// own SDKs take a base address without the version and add it.
pub(crate) fn address(attempt: &Attempt<'_>) -> Address {
    Address {
        path: format!("{}/messages", versioned(attempt.base_path, "v1")),
        headers: vec![(
            HeaderName::from_static("anthropic-version"),
            HeaderValue::from_static(VERSION),
        )],
    }
}

/// How a key travels there.
pub(crate) fn credential(key: Key) -> Credential {
    Credential::header(HeaderName::from_static("x-api-key"), key)
}
