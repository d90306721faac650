//! What is wrong with a provider's answer.

use bourse_vocab::Failure;
use bourse_vocab::json::{self, Value};

use crate::failure_text;
use crate::json::ScanError;

/// An answer that is not JSON.
#[cold]
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn broken(error: Box<ScanError>) -> Failure {
    malformed(&error.to_string())
}

/// A provider's answer that is not what it should be.
#[cold]
pub(super) fn malformed(story: &str) -> Failure {
    Failure::unavailable("The provider sent an answer that is not a chat completion.").inside(story)
}

/// Parses a value that the reader has passed already.
pub(super) fn parse(value: &[u8]) -> Result<Value, Failure> {
    json::parse(value).map_err(|error| malformed(&error.to_string()))
}

/// What an `error` says.
pub(super) fn reported(error: &[u8]) -> Failure {
    match parse(error) {
        Ok(value) => failure_text::read_late(&value),
        Err(failure) => failure,
    }
}

/// Notes whose error it was.
pub(super) fn by_provider(mut failure: Failure, provider: &str) -> Failure {
    let upstream = failure.upstream.get_or_insert_default();
    upstream
        .provider
        .get_or_insert_with(|| provider.to_owned().into());
    failure
}
