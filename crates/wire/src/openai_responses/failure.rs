//! Errors as this format tells them (openrouter.ai/docs, errors and debugging,
//! August 2026; the API document, `BadRequestResponseErrorData` and
//! `OpenResponsesErrorField`, October 2026).

use bourse_vocab::{Failure, FailureKind};

use crate::object::{Object, object};
use crate::openai_chat::failure as chat;

/// The body of an error reply: with a number for a code, as at every other
/// path, because the strict SDKs refuse anything else.
pub fn write(failure: &Failure) -> Vec<u8> {
    let mut out = Vec::new();
    object(&mut out, |body| {
        body.nested("error", |out| {
            object(out, |error| chat::write_error(error, failure));
        })
        .put("error_type", failure.kind.error_type());
    });
    out
}

/// The `error` of a response that failed: a word of OpenAI's list.
pub fn write_late(error: &mut Object<'_>, failure: &Failure) {
    error
        .put("code", code(failure.kind))
        .put("message", chat::late_message(failure));
}

/// The word for a kind (openrouter.ai/docs, errors and debugging, mapping of
/// Responses, August 2026).
pub const fn code(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::RateLimited => "rate_limit_exceeded",
        FailureKind::ContextLengthExceeded | FailureKind::InvalidRequest => "invalid_prompt",
        FailureKind::ContentPolicy => "image_content_policy_violation",
        _ => "server_error",
    }
}
