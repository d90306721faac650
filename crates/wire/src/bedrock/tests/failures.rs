//! Errors, before a stream and in one.

use bourse_vocab::{Blame, Failure, FailureKind, Next};

use crate::bedrock::Bedrock;
use crate::codec::{Codec, ErrorReply};

fn read(status: u16, message: &str) -> Failure {
    let body = format!("{{\"message\":\"{message}\"}}");
    Bedrock.read_failure(&ErrorReply {
        status,
        body: body.as_bytes(),
        retry_after: None,
    })
}

#[test]
fn exceptions_are_classed_by_what_they_are_about() {
    use FailureKind as Kind;
    for (status, message, kind) in [
        (400, "Malformed input request", Kind::InvalidRequest),
        (
            400,
            "The model returned the following errors: Input is too long for requested model.",
            Kind::ContextLengthExceeded,
        ),
        (
            400,
            "Your request exceeds the service quota",
            Kind::RateLimited,
        ),
        (
            400,
            "Invocation of model ID m with on-demand throughput isn\u{2019}t supported.",
            Kind::NotFound,
        ),
        (
            404,
            "Could not resolve the foundation model",
            Kind::NotFound,
        ),
        (
            408,
            "Model has timed out in processing the request",
            Kind::Timeout,
        ),
        (424, "Unexpected error while processing", Kind::Unavailable),
        (429, "Too many requests", Kind::RateLimited),
        (429, "The model is not ready to serve", Kind::Overloaded),
        (500, "Internal", Kind::Unavailable),
        (503, "Unable to process", Kind::Overloaded),
    ] {
        let failure = read(status, message);
        assert_eq!(failure.kind, kind, "{status} {message}");
        assert_eq!(failure.upstream.unwrap().status, Some(status));
    }
}

#[test]
fn what_is_wrong_with_our_account_is_not_the_callers() {
    for (status, message) in [
        (
            403,
            "The security token included in the request is invalid.",
        ),
        (403, "The security token included in the request is expired"),
        (
            403,
            "You don't have access to the model with the specified model ID.",
        ),
        (400, "UnrecognizedClientException: who are you?"),
    ] {
        let failure = read(status, message);
        assert_eq!(failure.kind, FailureKind::Unavailable, "{message}");
        assert_eq!(failure.blame, Blame::Upstream);
        assert_eq!(failure.next, Next::TryAnother);
        assert!(!failure.message.contains("token"), "{}", failure.message);
        assert!(failure.upstream.unwrap().refused_us, "{message}");
    }
}

#[test]
fn a_clock_that_is_wrong_is_named_to_the_operator() {
    for message in [
        "Signature expired: 20261130T120000Z is now earlier than 20261130T120500Z",
        "Signature not yet current: 20261130T121000Z is still later than 20261130T120500Z",
    ] {
        let failure = read(403, message);
        let inside = failure.inside.unwrap();
        assert!(inside.contains("clock"), "{inside}");
        assert!(!failure.message.contains("ignature"), "{}", failure.message);
    }
    assert!(!read(403, "No access").inside.unwrap().contains("clock"));
}
