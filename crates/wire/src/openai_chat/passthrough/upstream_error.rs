//! Errors inside answers: a status of 200, and then something went wrong.

use bourse_vocab::failure::UpstreamError;
use bourse_vocab::{Failure, FailureKind, Next};
use serde_json::Value;

use crate::json::text;

/// Characters of a provider's message that are kept.
const MESSAGE_MAX: usize = 500;

/// Understands an `error`, whether it is a text, an object with `message`
/// and `code`, or such an object inside another `error`.
pub(super) fn read_error(error: &[u8], provider: &str) -> Failure {
    let value = text::value(error).unwrap_or(Value::Null);
    let value = value.get("error").unwrap_or(&value);
    let message = value
        .get("message")
        .unwrap_or(value)
        .as_str()
        .map(|message| message.chars().take(MESSAGE_MAX).collect::<String>());
    let words: Vec<String> = ["code", "type", "status"]
        .into_iter()
        .filter_map(|name| value.get(name))
        .map(|word| {
            word.as_str()
                .map_or_else(|| word.to_string(), str::to_owned)
        })
        .collect();
    let status = words
        .iter()
        .filter_map(|word| word.parse().ok())
        .find(|status| (400..600).contains(status));
    let kind = words
        .iter()
        .find_map(|word| by_word(word))
        .or_else(|| status.map(by_status))
        .unwrap_or(FailureKind::Unavailable);
    let said = match (kind, &message) {
        // What happens inside a provider is not the caller's business.
        (FailureKind::Unavailable | FailureKind::Timeout, _) | (_, None) => {
            "The provider failed while it was answering.".to_owned()
        }
        (_, Some(message)) => format!("The provider reported an error: {message}"),
    };
    let mut failure = Failure::new(kind, said).upstream(UpstreamError {
        provider: Some(provider.to_owned().into()),
        status,
        code: words.into_iter().next().filter(|code| code != "null"),
        raw: message,
    });
    // The request was accepted before; another target may well finish it.
    if failure.next == Next::Stop {
        failure = failure.next(Next::TryAnother);
    }
    failure
}

fn by_word(word: &str) -> Option<FailureKind> {
    Some(match word {
        "rate_limit_exceeded" | "rate_limit_error" | "too_many_requests" => {
            FailureKind::RateLimited
        }
        "overloaded" | "overloaded_error" | "provider_overloaded" | "engine_overloaded_error" => {
            FailureKind::Overloaded
        }
        "context_length_exceeded" => FailureKind::ContextLengthExceeded,
        "content_filter" | "content_policy_violation" => FailureKind::ContentPolicy,
        "timeout" => FailureKind::Timeout,
        _ => return None,
    })
}

/// 401 to 403 are about our own key or account at the provider, which is
/// nothing that the caller could mend.
const fn by_status(status: u16) -> FailureKind {
    match status {
        400 | 422 => FailureKind::InvalidRequest,
        408 | 504 => FailureKind::Timeout,
        429 => FailureKind::RateLimited,
        503 | 529 => FailureKind::Overloaded,
        _ => FailureKind::Unavailable,
    }
}
