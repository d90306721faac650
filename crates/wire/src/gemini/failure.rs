//! Errors, both ways: Google's `error` object with a canonical code
//! ("Troubleshooting guide", ai.google.dev, October 2026; "Errors", AIP-193).

use std::time::Duration;

use bourse_vocab::failure::UpstreamError;
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, FailureKind};

use crate::codec::ErrorReply;
use crate::failure_text::{self, RAW_BYTES_MAX, Said, cut, redact};

/// Understands a provider's error reply.
pub fn read(reply: &ErrorReply<'_>) -> Failure {
    let value = bourse_vocab::json::parse(reply.body).unwrap_or(Value::Null);
    let error = error_of(&value).unwrap_or(&Value::Null);
    let raw = String::from_utf8_lossy(reply.body);
    let said = Said::by_body(reply.body);
    understand(error, &said, &raw, reply.status, reply.retry_after)
}

/// Understands an error inside a stream or a reply whose status was 200.
pub fn read_late(error: &Value) -> Failure {
    let code = error.get("code").and_then(Value::as_u64);
    let status = code.and_then(|code| u16::try_from(code).ok());
    let said = Said::by_value(&json!({ "error": error }));
    understand(error, &said, &error.to_string(), status.unwrap_or(0), None)
}

/// The error object of a body, which streams that are not server-sent
/// events wrap into an array.
pub fn error_of(value: &Value) -> Option<&Value> {
    let value = match value {
        Value::Array(items) => items.first()?,
        value => value,
    };
    let error = value.get("error").filter(|error| error.is_object())?;
    failure_text::says_something(error).then_some(error)
}

fn understand(
    error: &Value,
    said: &Said,
    raw: &str,
    status: u16,
    retry_after: Option<Duration>,
) -> Failure {
    let word = super::text(error, "status").unwrap_or("");
    let wait = retry_after.or_else(|| said.rest());
    let meant = meaning(word, reason(error), status);
    let mut failure = if meant == 429 {
        // The same sentence about plans and billing is said of every limit,
        // requests in a minute included; it is about our account, so the
        // caller sees only what it means.
        let clean = redact(cut(raw, 2 * RAW_BYTES_MAX));
        Failure::new(
            FailureKind::RateLimited,
            "The provider is limiting the rate of requests",
        )
        .upstream(UpstreamError {
            provider: None,
            status: None,
            code: None,
            request_id: None,
            raw: Some(cut(&clean, RAW_BYTES_MAX).to_owned()),
            refused_us: false,
            is_unpaid: false,
        })
    } else {
        failure_text::failure(meant, said, raw, None)
    };
    failure.retry_after = wait;
    if let Some(upstream) = &mut failure.upstream {
        upstream.status = Some(status).filter(|status| *status > 0);
        let code = Some(word).filter(|word| !word.is_empty());
        upstream.code = code.map(|word| cut(word, 64).to_owned());
    }
    failure
}

/// The HTTP status that says best what happened. Google's words are finer
/// than its statuses, which are 200 inside a stream.
fn meaning(word: &str, reason: &str, status: u16) -> u16 {
    if matches!(
        reason,
        "API_KEY_INVALID" | "API_KEY_SERVICE_BLOCKED" | "BILLING_DISABLED"
    ) {
        return 401;
    }
    match word {
        // Both, and the precondition (a country without a free tier, billing
        // that is off), are about our account there.
        "UNAUTHENTICATED" | "PERMISSION_DENIED" | "FAILED_PRECONDITION" => 401,
        // The vaguest of the words does not outweigh a status with one
        // meaning: another target may well answer.
        "INVALID_ARGUMENT" | "OUT_OF_RANGE" if !matches!(status, 408 | 429 | 503 | 504) => 400,
        "NOT_FOUND" => 404,
        "RESOURCE_EXHAUSTED" => 429,
        "INTERNAL" | "UNKNOWN" | "DATA_LOSS" | "UNIMPLEMENTED" => 500,
        "UNAVAILABLE" => 503,
        "DEADLINE_EXCEEDED" => 504,
        // Their side cancelled: ours would not read the answer.
        "CANCELLED" | "ABORTED" => 499,
        _ if (400..=599).contains(&status) => status,
        _ => 502,
    }
}

fn details(error: &Value) -> impl Iterator<Item = &Value> {
    error
        .get("details")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// `google.rpc.ErrorInfo.reason`.
fn reason(error: &Value) -> &str {
    details(error)
        .find_map(|detail| super::text(detail, "reason"))
        .unwrap_or("")
}

/// Writes the body of an error reply.
pub fn write(failure: &Failure) -> Vec<u8> {
    json!({ "error": error(failure) }).to_string().into_bytes()
}

/// The error object for a client. `ErrorInfo` carries the kind, which is the
/// same in every format, for clients that want more than Google's words say.
pub fn error(failure: &Failure) -> Value {
    let mut info = Map::new();
    info.insert(
        "@type".to_owned(),
        json!("type.googleapis.com/google.rpc.ErrorInfo"),
    );
    let reason = failure.kind.error_type().to_ascii_uppercase();
    info.insert("reason".to_owned(), json!(reason));
    info.insert("domain".to_owned(), json!("bourse"));
    let mut details = vec![Value::Object(info)];
    if let Some(wait) = failure.retry_after {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{}s", wait.as_secs().max(1)),
        }));
    }
    json!({
        "code": failure.status(),
        "message": failure.message,
        "status": word(failure.kind),
        "details": details,
    })
}

/// Google's word for a kind (`google.rpc.Code`).
const fn word(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::ContextLengthExceeded
        | FailureKind::MaxTokensExceeded
        | FailureKind::InvalidRequest
        | FailureKind::PayloadTooLarge
        | FailureKind::Unprocessable
        | FailureKind::ContentPolicy
        | FailureKind::InvalidImage => "INVALID_ARGUMENT",
        FailureKind::Authentication => "UNAUTHENTICATED",
        FailureKind::PermissionDenied => "PERMISSION_DENIED",
        FailureKind::PaymentRequired | FailureKind::PreconditionFailed => "FAILED_PRECONDITION",
        FailureKind::NotFound => "NOT_FOUND",
        FailureKind::Conflict => "ABORTED",
        FailureKind::RateLimited => "RESOURCE_EXHAUSTED",
        FailureKind::RequestTimeout | FailureKind::Timeout => "DEADLINE_EXCEEDED",
        FailureKind::Overloaded | FailureKind::Unavailable => "UNAVAILABLE",
        FailureKind::Server | FailureKind::Unmapped => "INTERNAL",
    }
}

#[cfg(test)]
mod tests {
    use bourse_vocab::{Blame, Next};

    use super::*;

    fn check(
        status: u16,
        word: &str,
        message: &str,
        kind: FailureKind,
        blame: Blame,
        next: Next,
    ) -> Failure {
        let body =
            json!({"error": {"code": status, "message": message, "status": word}}).to_string();
        let failure = read(&ErrorReply {
            status,
            body: body.as_bytes(),
            retry_after: None,
        });
        assert_eq!(
            (failure.kind, failure.blame, failure.next),
            (kind, blame, next),
            "{status} {word} {message}"
        );
        let upstream = failure.upstream.as_ref().unwrap();
        assert_eq!(upstream.status, Some(status));
        assert_eq!(upstream.code.as_deref(), Some(word));
        failure
    }

    #[test]
    fn each_word_means_what_google_says_it_means() {
        use FailureKind as Kind;
        let up = (Blame::Upstream, Next::TryAnother);
        for (status, word, message, kind, (blame, next)) in [
            (
                400,
                "INVALID_ARGUMENT",
                "Unable to parse",
                Kind::InvalidRequest,
                (Blame::Caller, Next::Stop),
            ),
            (
                400,
                "INVALID_ARGUMENT",
                "API key not valid. Please pass a valid API key.",
                Kind::Unavailable,
                up,
            ),
            (
                400,
                "INVALID_ARGUMENT",
                "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).",
                Kind::ContextLengthExceeded,
                (Blame::Caller, Next::TryAnotherModel),
            ),
            (
                400,
                "FAILED_PRECONDITION",
                "User location is not supported for the API use.",
                Kind::Unavailable,
                up,
            ),
            (
                403,
                "PERMISSION_DENIED",
                "Your API key was reported as leaked.",
                Kind::Unavailable,
                up,
            ),
            (
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials.",
                Kind::Unavailable,
                up,
            ),
            (
                404,
                "NOT_FOUND",
                "models/gemini-9 is not found for API version v1beta",
                Kind::NotFound,
                up,
            ),
            (
                429,
                "RESOURCE_EXHAUSTED",
                "You exceeded your current quota, please check your plan and billing details.",
                Kind::RateLimited,
                up,
            ),
            (
                500,
                "INTERNAL",
                "An internal error has occurred.",
                Kind::Unavailable,
                up,
            ),
            (
                503,
                "UNAVAILABLE",
                "The model is overloaded.",
                Kind::Overloaded,
                up,
            ),
            (
                504,
                "DEADLINE_EXCEEDED",
                "Deadline expired.",
                Kind::Timeout,
                up,
            ),
        ] {
            check(status, word, message, kind, blame, next);
        }
    }

    #[test]
    fn our_account_is_no_business_of_the_callers() {
        let failure = check(
            403,
            "PERMISSION_DENIED",
            "Consumer project 123 of AIzaSyA12345678901234 is suspended",
            FailureKind::Unavailable,
            Blame::Upstream,
            Next::TryAnother,
        );
        assert!(!failure.message.contains("project"));
        assert_eq!(failure.upstream.unwrap().raw, None);
        assert!(!failure.inside.unwrap().contains("AIzaSyA"));
    }

    #[test]
    fn the_wait_is_read_from_the_details_of_an_array_too() {
        let body = br#"[{"error": {"code": 429, "message": "key AIzaSyA12345678901234", "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.QuotaFailure"},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12.5s"}]}}]"#;
        let failure = read(&ErrorReply {
            status: 429,
            body,
            retry_after: None,
        });
        assert_eq!(failure.kind, FailureKind::RateLimited);
        assert_eq!(failure.retry_after, Some(Duration::from_millis(12_500)));
        assert!(!failure.upstream.unwrap().raw.unwrap().contains("AIzaSyA1"));
    }

    #[test]
    fn a_body_that_is_no_json_is_judged_by_its_status() {
        for (status, kind) in [
            (502, FailureKind::Unavailable),
            (429, FailureKind::RateLimited),
            (503, FailureKind::Overloaded),
        ] {
            let failure = read(&ErrorReply {
                status,
                body: b"<html><title>Error</title></html>",
                retry_after: None,
            });
            assert_eq!(failure.kind, kind);
        }
    }

    #[test]
    fn clients_see_googles_envelope() {
        let failure = Failure::new(FailureKind::RateLimited, "Slow down")
            .retry_after(Duration::from_secs(7))
            .inside("secret");
        let body: Value = bourse_vocab::json::parse(&write(&failure)).unwrap();
        assert_eq!(
            body,
            json!({"error": {"code": 429, "message": "Slow down", "status": "RESOURCE_EXHAUSTED",
                "details": [
                    {"@type": "type.googleapis.com/google.rpc.ErrorInfo",
                     "reason": "RATE_LIMIT_EXCEEDED", "domain": "bourse"},
                    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}]}})
        );
    }
}
