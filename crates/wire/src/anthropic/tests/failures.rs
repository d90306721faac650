//! Errors.

use std::time::Duration;

use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{Blame, Failure, FailureKind, Next};

use super::Anthropic;
use crate::codec::{Codec, ErrorReply};

fn read(status: u16, kind: &str, message: &str) -> Failure {
    let body = json!({"type": "error", "error": {"type": kind, "message": message},
        "request_id": "req_1"})
    .to_string();
    Anthropic.read_failure(&ErrorReply {
        status,
        body: body.as_bytes(),
        retry_after: None,
    })
}

#[test]
fn each_type_means_a_kind_a_blame_and_a_remedy() {
    use Blame::{Caller, Upstream};
    use FailureKind as K;
    for (status, kind, message, expected) in [
        (
            400,
            "invalid_request_error",
            "messages.0: bad",
            (K::InvalidRequest, Caller, Next::Stop),
        ),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 200001 tokens > 200000 maximum",
            (K::ContextLengthExceeded, Caller, Next::TryAnotherModel),
        ),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 190000 + 64000 > 200000",
            (K::ContextLengthExceeded, Caller, Next::TryAnotherModel),
        ),
        (
            400,
            "invalid_request_error",
            "max_tokens: 99999 > 64000, which is the maximum allowed",
            (K::MaxTokensExceeded, Caller, Next::TryAnotherModel),
        ),
        (
            400,
            "invalid_request_error",
            "Your credit balance is too low",
            (K::Unavailable, Upstream, Next::TryAnother),
        ),
        (
            400,
            "invalid_request_error",
            "Output blocked by content filtering policy",
            (K::ContentPolicy, Caller, Next::TryAnotherModel),
        ),
        (
            400,
            "invalid_request_error",
            "Could not process image",
            (K::InvalidImage, Caller, Next::Stop),
        ),
        (
            401,
            "authentication_error",
            "invalid x-api-key",
            (K::Unavailable, Upstream, Next::TryAnother),
        ),
        (
            402,
            "billing_error",
            "pay",
            (K::Unavailable, Upstream, Next::TryAnother),
        ),
        (
            403,
            "permission_error",
            "no",
            (K::Unavailable, Upstream, Next::TryAnother),
        ),
        (
            404,
            "not_found_error",
            "model: x",
            (K::NotFound, Upstream, Next::TryAnother),
        ),
        (
            413,
            "request_too_large",
            "big",
            (K::PayloadTooLarge, Caller, Next::TryAnother),
        ),
        (
            429,
            "rate_limit_error",
            "slow",
            (K::RateLimited, Upstream, Next::TryAnother),
        ),
        (
            500,
            "api_error",
            "oops",
            (K::Unavailable, Upstream, Next::TryAnother),
        ),
        (
            504,
            "timeout_error",
            "late",
            (K::Timeout, Upstream, Next::TryAnother),
        ),
        (
            529,
            "overloaded_error",
            "Overloaded",
            (K::Overloaded, Upstream, Next::TryAnother),
        ),
        (
            529,
            "new_error",
            "?",
            (K::Overloaded, Upstream, Next::TryAnother),
        ),
    ] {
        let failure = read(status, kind, message);
        assert_eq!(
            (failure.kind, failure.blame, failure.next),
            expected,
            "{kind}: {message}"
        );
        let upstream = failure.upstream.unwrap();
        assert_eq!(upstream.status, Some(status));
        // What is wrong with our account is kept for the log.
        if upstream.raw.is_some() {
            assert_eq!(upstream.code.as_deref(), Some(kind));
        }
    }
}

#[test]
fn our_account_with_the_provider_is_not_the_callers_business() {
    let failure = read(401, "authentication_error", "invalid x-api-key");
    assert!(!failure.message.contains("key"), "{}", failure.message);
}

#[test]
fn bodies_are_bounded_and_keys_blotted_out() {
    let key = "sk-ant-api03-abcdefghijklmnop";
    let failure = read(
        400,
        "invalid_request_error",
        &format!("bad ({key}): é{}", "é".repeat(5000)),
    );
    let raw = failure.upstream.unwrap().raw.unwrap();
    assert!(raw.len() <= 2048 && raw.contains("bad (sk-***)"), "{raw}");
    assert!(!failure.message.contains("abcdef") && failure.message.len() <= 2048);
    let broken = Anthropic.read_failure(&ErrorReply {
        status: 502,
        body: b"<html>\xff bad gateway",
        retry_after: Some(Duration::from_secs(3)),
    });
    assert_eq!(broken.kind, FailureKind::Unavailable);
    assert_eq!(broken.retry_after, Some(Duration::from_secs(3)));
}

#[test]
fn errors_are_written_in_anthropics_envelope() {
    for (kind, word) in [
        (FailureKind::Authentication, "authentication_error"),
        (FailureKind::PaymentRequired, "billing_error"),
        (FailureKind::ContextLengthExceeded, "invalid_request_error"),
        (FailureKind::Overloaded, "overloaded_error"),
        (FailureKind::Unavailable, "api_error"),
        (FailureKind::Timeout, "timeout_error"),
    ] {
        let failure = Failure::new(kind, "Say \"why\"").inside("secret");
        let body: Value = bourse_vocab::json::parse(&Anthropic.write_failure(&failure)).unwrap();
        assert_eq!(
            body,
            json!({"type": "error", "request_id": null, "error": {
                "type": word, "message": "Say \"why\"", "error_type": kind.error_type()}})
        );
    }
}
