//! Errors, both ways (Claude API errors, November 2026).

use bourse_vocab::json::Value;
use bourse_vocab::{Failure, FailureKind};

use crate::codec::ErrorReply;
use crate::failure_text::{self, Said};

/// Understands a provider's error reply.
pub(super) fn read(reply: &ErrorReply<'_>) -> Failure {
    let Ok(value) = bourse_vocab::json::parse(reply.body) else {
        return failure_text::read(reply);
    };
    let status = match (status(&value), reply.status) {
        // The vaguest of the words does not outweigh a status with one
        // meaning: another target may well answer.
        (Some(400) | None, status @ (408 | 429 | 503 | 504 | 529)) | (None, status) => status,
        (Some(meant), _) => meant,
    };
    let raw = String::from_utf8_lossy(reply.body);
    let mut failure =
        failure_text::failure(status, &Said::by_value(&value), &raw, reply.retry_after);
    if let Some(upstream) = &mut failure.upstream {
        upstream.status = Some(reply.status);
    }
    failure
}

/// Understands an error that came with status 200, in a stream or a reply.
pub(super) fn read_late(value: &Value) -> Failure {
    let status = status(value).unwrap_or(500);
    failure_text::failure(status, &Said::by_value(value), &value.to_string(), None)
}

/// The status that the error's type stands for. It says more than the status
/// of the reply: compatible vendors answer 500 to everything, and an error
/// in a stream has no status at all.
fn status(value: &Value) -> Option<u16> {
    Some(match value.pointer("/error/type")?.as_str()? {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "conflict_error" => 409,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "api_error" => 500,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => return None,
    })
}

/// Writes the body of an error reply (openrouter.ai/docs, errors and
/// debugging, August 2026).
pub(super) fn write(failure: &Failure) -> Vec<u8> {
    write_with_id(failure, None)
}

/// The same with the id of the call, where it has one.
#[must_use]
pub fn write_with_id(failure: &Failure, id: Option<&str>) -> Vec<u8> {
    let mut error = serde_json::json!({
        "type": word(failure.kind),
        "message": failure.message,
        "error_type": failure.kind.error_type(),
    });
    // What SDKs look for to fall back (see `refuse_thread`).
    let details = failure
        .details
        .as_ref()
        .and_then(|details| details.metadata.get("details"));
    if let (Some(details), serde_json::Value::Object(members)) = (details, &mut error) {
        members.insert("details".to_owned(), details.clone());
    }
    serde_json::json!({"type": "error", "error": error, "request_id": id})
        .to_string()
        .into_bytes()
}

fn word(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Authentication => "authentication_error",
        FailureKind::PermissionDenied => "permission_error",
        FailureKind::PaymentRequired => "billing_error",
        FailureKind::NotFound => "not_found_error",
        FailureKind::RateLimited => "rate_limit_error",
        FailureKind::Overloaded => "overloaded_error",
        FailureKind::RequestTimeout | FailureKind::Timeout => "timeout_error",
        FailureKind::PayloadTooLarge => "request_too_large",
        FailureKind::ContextLengthExceeded
        | FailureKind::MaxTokensExceeded
        | FailureKind::InvalidRequest
        | FailureKind::PreconditionFailed
        | FailureKind::Unprocessable
        | FailureKind::ContentPolicy
        | FailureKind::InvalidImage
        | FailureKind::Conflict => "invalid_request_error",
        FailureKind::Unavailable | FailureKind::Server | FailureKind::Unmapped => "api_error",
    }
}
