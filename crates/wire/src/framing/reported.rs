//! What an exception in a stream of binary messages means, by its name.
//!
//! Amazon's services have the same few in their streams (`bedrock-runtime`
//! 2023-09-30 in botocore 1.44.8, `ConverseStreamOutput` and
//! `ResponseStream`, November 2026): those that stand in the status until the
//! head of a response is there.

use bourse_vocab::Failure;

use crate::failure_text::{self, Said};

/// The failure that an exception is.
pub fn failure(name: &str, text: &str) -> Failure {
    let said = Said::by_body(text.as_bytes());
    let mut failure = failure_text::failure(status(name), &said, text, None);
    if let Some(upstream) = &mut failure.upstream
        && !upstream.refused_us
    {
        upstream.status = None;
        upstream.code = Some(failure_text::code(name));
    }
    failure
}

/// The status of the same exception before a stream.
fn status(name: &str) -> u16 {
    const STATUSES: [(&str, u16); 7] = [
        ("validationException", 400),
        ("accessDeniedException", 403),
        ("modelTimeoutException", 408),
        ("throttlingException", 429),
        ("internalServerException", 500),
        // 424 before a stream: the model failed, whoever is to blame.
        ("modelStreamErrorException", 502),
        ("serviceUnavailableException", 503),
    ];
    let known = STATUSES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.map_or(502, |(_, status)| *status)
}
