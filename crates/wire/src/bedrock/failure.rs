//! Errors, both ways ("Troubleshooting Amazon Bedrock API error codes",
//! docs.aws.amazon.com, 2026; "Common errors", AWS Signature Version 4).

use bourse_vocab::json;
use bourse_vocab::{Failure, FailureKind};

use crate::codec::ErrorReply;
use crate::failure_text::{self, Said};

/// What is said of a signature whose time is not Amazon's: a signature is good
/// for five minutes before and after its time.
const OF_CLOCKS: &[&str] = &[
    "signature expired",
    "signature not yet current",
    "requesttimetooskewed",
    "difference between the request time and the current time",
];

/// Understands a provider's error reply. What exception it is stands in a
/// header and in the status; the body has a sentence, and under `__type` the
/// name where a part of Amazon's that comes before Bedrock refused.
pub fn read(reply: &ErrorReply<'_>) -> Failure {
    let raw = String::from_utf8_lossy(reply.body);
    let said = Said::by_body(reply.body);
    let sentence = said
        .message
        .as_deref()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let status = match reply.status {
        // `ServiceQuotaExceededException`: "you can resubmit your request later".
        400 if sentence.contains("quota") => 429,
        // `ModelNotReadyException`: a model that is being loaded.
        429 if sentence.contains("not ready") => 503,
        // `ModelErrorException`: the model failed, whoever is to blame.
        424 => 502,
        // "… with on-demand throughput isn't supported. Retry your request with
        // the ID or ARN of an inference profile": nobody's request is wrong.
        400 if sentence.contains("on-demand throughput") => 404,
        // A signature that is refused is our own, whatever the status.
        400 if is_of_us(&sentence, &raw) => 403,
        status => status,
    };
    let mut failure = failure_text::failure(status, &said, &raw, reply.retry_after);
    if let Some(upstream) = &mut failure.upstream {
        upstream.status = Some(reply.status);
    }
    let of_clock = OF_CLOCKS.iter().any(|words| sentence.contains(words));
    if of_clock {
        let told = failure.inside.as_deref().unwrap_or_default().to_owned();
        failure = failure.inside(format!(
            "the provider refused the time of our signature: is this machine's clock right? {told}"
        ));
    }
    failure
}

/// Whether it is about who we are. Some gateways of Amazon's answer 400 to it.
fn is_of_us(sentence: &str, raw: &str) -> bool {
    let names = [
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "IncompleteSignature",
        "ExpiredTokenException",
        "MissingAuthenticationToken",
    ];
    names.iter().any(|name| raw.contains(name)) || sentence.contains("security token")
}

/// Writes the body of an error reply for a client.
pub fn write(failure: &Failure) -> Vec<u8> {
    json!({"message": failure.message, "__type": exception(failure.kind)})
        .to_string()
        .into_bytes()
}

/// The exception that says best what happened.
pub const fn exception(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Authentication
        | FailureKind::PermissionDenied
        | FailureKind::PaymentRequired => "AccessDeniedException",
        FailureKind::NotFound => "ResourceNotFoundException",
        FailureKind::RateLimited => "ThrottlingException",
        FailureKind::Overloaded | FailureKind::Unavailable => "ServiceUnavailableException",
        FailureKind::RequestTimeout | FailureKind::Timeout => "ModelTimeoutException",
        FailureKind::ContextLengthExceeded
        | FailureKind::MaxTokensExceeded
        | FailureKind::InvalidRequest
        | FailureKind::PreconditionFailed
        | FailureKind::PayloadTooLarge
        | FailureKind::Unprocessable
        | FailureKind::ContentPolicy
        | FailureKind::InvalidImage
        | FailureKind::Conflict => "ValidationException",
        FailureKind::Server | FailureKind::Unmapped => "InternalServerException",
    }
}
