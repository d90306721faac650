//! Error replies: from a provider, and to a client.

use bourse_vocab::failure::CONTINUATION;
use bourse_vocab::{Failure, FailureKind};
use serde_json::{Map, Value};

use crate::object::{Object, object};

/// Writes OpenRouter's error body (openrouter.ai/docs, errors and debugging,
/// August 2026). `code` is the HTTP status, always a number: the strict
/// SDKs refuse anything else.
pub fn write(failure: &Failure) -> Vec<u8> {
    let mut out = Vec::new();
    object(&mut out, |body| {
        body.nested("error", |out| {
            object(out, |error| write_error(error, failure));
        });
    });
    out
}

/// Writes the members of `error`.
pub fn write_error(error: &mut Object<'_>, failure: &Failure) {
    error
        .put("code", &failure.status())
        .put("message", failure.message.as_ref())
        .put("metadata", &metadata(failure));
    if let Some(availability) = failure
        .details
        .as_ref()
        .and_then(|details| details.availability.as_ref())
    {
        error.put("availability", availability);
    }
}

/// What clients read beside the message. Our own failures say nothing of
/// what happened inside.
fn metadata(failure: &Failure) -> Map<String, Value> {
    let mut metadata = Map::new();
    metadata.insert("error_type".into(), failure.kind.error_type().into());
    if let Some(upstream) = &failure.upstream
        && failure.kind != FailureKind::Server
    {
        if let Some(provider) = &upstream.provider {
            metadata.insert("provider_name".into(), provider.as_ref().into());
        }
        if let Some(code) = &upstream.code {
            metadata.insert("provider_code".into(), code.as_str().into());
        }
        if let Some(raw) = &upstream.raw {
            metadata.insert("raw".into(), raw.as_str().into());
        }
    }
    if let Some(details) = &failure.details {
        for (name, value) in &details.metadata {
            metadata.insert(name.clone(), value.clone());
        }
    }
    metadata
}

/// Writes the `error` of a chunk that ends a stream. The caller learns less
/// than before the first byte: of errors in the class of 500 only the kind
/// (openrouter.ai/docs, streaming, October 2026).
pub fn write_late(error: &mut Object<'_>, failure: &Failure) {
    let status = failure.status();
    let theirs = status < 500;
    let message = late_message(failure);
    error
        .put("code", &status)
        .put("message", message)
        .nested("metadata", |out| {
            object(out, |metadata| {
                metadata.put("error_type", failure.kind.error_type());
                if let Some(upstream) = failure.upstream.as_ref() {
                    metadata.put_some("provider_name", upstream.provider.as_ref());
                    if theirs {
                        metadata.put_some("provider_code", upstream.code.as_ref());
                    }
                }
                // Why nobody went on with the answer: ours to tell.
                let details = failure.details.as_ref();
                let told = details.and_then(|details| details.metadata.get(CONTINUATION));
                metadata.put_some(CONTINUATION, told);
            });
        });
}

/// What the caller learns of a failure when the answer has begun.
pub fn late_message(failure: &Failure) -> &str {
    if failure.status() < 500 {
        return failure.message.as_ref();
    }
    match failure.kind {
        FailureKind::Timeout => "The provider took too long to answer",
        FailureKind::Overloaded => "The provider is overloaded",
        FailureKind::Unavailable | FailureKind::Unmapped => {
            "The provider failed before the answer was complete"
        }
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use bourse_vocab::failure::UpstreamError;
    use serde_json::json;

    use super::*;

    fn written(failure: &Failure) -> Value {
        serde_json::from_slice(&write(failure)).unwrap()
    }

    #[test]
    fn the_body_has_a_numeric_code_and_the_kind() {
        let failure = Failure::new(FailureKind::RateLimited, "Slow down")
            .upstream(UpstreamError {
                provider: Some("OpenAI".into()),
                status: Some(429),
                code: Some("rate_limit_exceeded".into()),
                request_id: Some("req_1".into()),
                raw: Some("{}".into()),
                refused_us: false,
                is_unpaid: false,
            })
            .metadata("previous_errors", json!([{"provider": "x", "code": 502}]))
            .availability(json!({"code": "capacity_exhausted"}))
            .inside("secret");
        assert_eq!(
            written(&failure),
            json!({"error": {"code": 429, "message": "Slow down", "metadata": {
                "error_type": "rate_limit_exceeded", "provider_name": "OpenAI",
                "provider_code": "rate_limit_exceeded", "raw": "{}",
                "previous_errors": [{"provider": "x", "code": 502}],
            }, "availability": {"code": "capacity_exhausted"}}})
        );
    }

    #[test]
    fn our_own_failures_keep_their_story_to_themselves() {
        let text = String::from_utf8(write(&Failure::server("table calls is gone"))).unwrap();
        assert_eq!(
            text,
            r#"{"error":{"code":500,"message":"Internal Server Error","metadata":{"error_type":"server"}}}"#
        );
    }
}
