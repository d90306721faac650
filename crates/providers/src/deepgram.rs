//! Deepgram: transcripts (deepgram-sdk 7.17, the SDK's raw clients, November
//! 2026). The model is in the query, and the key behind a word of its own.

use bourse_vocab::{Format, transcription};
use bourse_wire::Dialect;

use crate::provider::{Address, Attempt, Interface, Provider};
use crate::{Credential, Key};

/// Deepgram.
pub struct Deepgram;

impl Provider for Deepgram {
    fn slug(&self) -> &str {
        "deepgram"
    }

    fn name(&self) -> &str {
        "Deepgram"
    }

    fn env(&self) -> &[&'static str] {
        &["DEEPGRAM_API_KEY"]
    }

    fn base_url(&self) -> Option<&str> {
        Some("https://api.deepgram.com/v1")
    }

    fn interfaces(&self, _model: &str) -> &[Interface] {
        const { &[Interface::transcription(transcription::Shape::Deepgram)] }
    }

    fn dialect(&self, _format: Format, _model: &str) -> &Dialect {
        &Dialect::PLAIN
    }

    /// `smart_format` writes numbers and stops as people do, as other vendors
    /// do unasked. What else is said of a call comes behind it.
    fn address(&self, attempt: &Attempt<'_>) -> Address {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        let model: String = attempt.model.chars().filter(|c| is_plain(*c)).collect();
        Address {
            path: format!(
                "{}/listen?model={model}&smart_format=true",
                attempt.base_path
            ),
            headers: Vec::new(),
        }
    }

    fn credential(&self, key: Key) -> Credential {
        Credential::token(key)
    }
}
