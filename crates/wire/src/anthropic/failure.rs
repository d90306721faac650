//! Errors, both ways (Claude API errors, November 2026).

use bourse_vocab::failure::UpstreamError;
use bourse_vocab::{Blame, Failure, FailureKind, Next};
use serde_json::{Value, json};

use crate::codec::ErrorReply;

/// How much of a provider's error body is kept: enough for any sentence,
/// too little to hold a prompt that it echoes.
const RAW_MAX: usize = 2048;

/// Understands a provider's error reply.
pub(super) fn read(reply: &ErrorReply<'_>) -> Failure {
    let value = serde_json::from_slice(reply.body).unwrap_or(Value::Null);
    let mut failure = classify(&value, Some(reply.status));
    if let Some(upstream) = &mut failure.upstream {
        upstream.raw = Some(redacted(&String::from_utf8_lossy(reply.body)));
    }
    if let Some(wait) = reply.retry_after {
        failure = failure.retry_after(wait);
    }
    failure
}

/// Understands an `error` event or body.
pub(super) fn read_value(value: &Value, status: Option<u16>) -> Failure {
    let mut failure = classify(value, status);
    if let Some(upstream) = &mut failure.upstream {
        upstream.raw = Some(redacted(&value.to_string()));
    }
    failure
}

fn classify(value: &Value, status: Option<u16>) -> Failure {
    let error = value.get("error").unwrap_or(&Value::Null);
    let word = error.get("type").and_then(Value::as_str);
    let message = error.get("message").and_then(Value::as_str).unwrap_or("");
    let kind = word.and_then(|word| by_type(word, message));
    let kind = kind.unwrap_or_else(|| by_status(status, message));
    let failure = match kind {
        Kind::Caller(kind) => Failure::new(kind, said(message, "The provider refused the request")),
        Kind::Busy(kind) => Failure::new(kind, said(message, "The provider is busy")),
        // Our account with the provider is none of the caller's business,
        // and another provider may serve.
        Kind::Account => {
            let mut failure = Failure::unavailable("The provider could not serve this request");
            failure.blame = Blame::Upstream;
            failure.next(Next::TryAnother)
        }
        Kind::Gone => {
            let mut failure = Failure::new(
                FailureKind::NotFound,
                said(message, "The provider does not serve this model"),
            );
            failure.blame = Blame::Upstream;
            failure.next(Next::TryAnother)
        }
        Kind::Broken => Failure::unavailable(said(message, "The provider failed")),
    };
    failure.upstream(UpstreamError {
        provider: None,
        status,
        code: word.map(|word| cut(word, 64).to_owned()),
        raw: None,
    })
}

enum Kind {
    Caller(FailureKind),
    Busy(FailureKind),
    Account,
    Gone,
    Broken,
}

fn by_type(word: &str, message: &str) -> Option<Kind> {
    Some(match word {
        "invalid_request_error" => invalid(message),
        "authentication_error" | "permission_error" | "billing_error" => Kind::Account,
        "not_found_error" => Kind::Gone,
        "conflict_error" => Kind::Caller(FailureKind::Conflict),
        "request_too_large" => Kind::Caller(FailureKind::PayloadTooLarge),
        "rate_limit_error" => Kind::Busy(FailureKind::RateLimited),
        "overloaded_error" => Kind::Busy(FailureKind::Overloaded),
        "timeout_error" => Kind::Busy(FailureKind::Timeout),
        "api_error" => Kind::Broken,
        _ => return None,
    })
}

/// `invalid_request_error` covers several things that need different
/// remedies, and only the sentence tells them apart.
fn invalid(message: &str) -> Kind {
    let message = message.to_ascii_lowercase();
    let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    if says(&[
        "prompt is too long",
        "exceed context limit",
        "exceeds the context window",
        "context window",
    ]) {
        Kind::Caller(FailureKind::ContextLengthExceeded)
    } else if says(&["max_tokens:"]) && says(&["maximum allowed", "exceed", "> "]) {
        Kind::Caller(FailureKind::MaxTokensExceeded)
    } else if says(&["credit balance", "spend limit", "usage limits", "billing"]) {
        // Reported as 400 too when a spend limit is reached.
        Kind::Account
    } else if says(&["content filtering policy", "usage policy", "safety"]) {
        Kind::Caller(FailureKind::ContentPolicy)
    } else if says(&[
        "could not process image",
        "image exceeds",
        "image dimensions",
    ]) {
        Kind::Caller(FailureKind::InvalidImage)
    } else {
        Kind::Caller(FailureKind::InvalidRequest)
    }
}

fn by_status(status: Option<u16>, message: &str) -> Kind {
    match status {
        Some(400 | 422) => invalid(message),
        Some(401..=403) => Kind::Account,
        Some(404) => Kind::Gone,
        Some(409) => Kind::Caller(FailureKind::Conflict),
        Some(413) => Kind::Caller(FailureKind::PayloadTooLarge),
        Some(429) => Kind::Busy(FailureKind::RateLimited),
        Some(408 | 504) => Kind::Busy(FailureKind::Timeout),
        Some(503 | 529) => Kind::Busy(FailureKind::Overloaded),
        _ => Kind::Broken,
    }
}

fn said(message: &str, otherwise: &str) -> String {
    if message.trim().is_empty() {
        return otherwise.to_owned();
    }
    redacted(message)
}

/// The text up to `max` bytes, whole characters only.
fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("")
}

/// Cuts a text to its bound and blots out what looks like a key: providers
/// do echo the credential that they refuse.
fn redacted(text: &str) -> String {
    // The bound comes first, so that the work is bounded too; a key that it
    // cuts in half is blotted out all the same.
    let text = cut(text, RAW_MAX);
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let (before, from) = rest.split_at(start);
        let (word, after) = from.split_at(from.find(|c| !is_word(c)).unwrap_or(from.len()));
        out.push_str(before);
        let is_key = ["sk-", "sk_", "AKIA", "ASIA", "eyJ", "ya29.", "AIza"]
            .into_iter()
            .any(|prefix| word.starts_with(prefix) && word.len() >= prefix.len() + 6);
        out.push_str(if is_key { "***" } else { word });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Writes the body of an error reply (openrouter.ai/docs, errors and
/// debugging, August 2026).
pub(super) fn write(failure: &Failure) -> Vec<u8> {
    let mut error = json!({
        "type": word(failure.kind),
        "message": failure.message,
        "error_type": failure.kind.error_type(),
    });
    // What SDKs look for to fall back (see `refuse_thread`).
    let details = failure
        .details
        .as_ref()
        .and_then(|details| details.metadata.get("details"));
    if let (Some(details), Value::Object(members)) = (details, &mut error) {
        members.insert("details".to_owned(), details.clone());
    }
    json!({"type": "error", "error": error, "request_id": null})
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
        FailureKind::Timeout => "timeout_error",
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
