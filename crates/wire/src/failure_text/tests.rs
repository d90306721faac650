use super::*;
use std::time::Duration;

fn say(status: u16, body: &str) -> Failure {
    read(&ErrorReply {
        status,
        body: body.as_bytes(),
        retry_after: None,
    })
}

fn check(status: u16, body: &str, kind: FailureKind, blame: Blame, next: Next) {
    let failure = say(status, body);
    assert_eq!(
        (failure.kind, failure.blame, failure.next),
        (kind, blame, next),
        "{status} {body}"
    );
}

#[test]
fn prompts_that_are_too_long_are_recognised_in_every_vendors_words() {
    for (status, body) in [
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":8}}"#,
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"The input token count (40) exceeds the maximum number of tokens allowed (8).","status":"INVALID_ARGUMENT"}}"#,
        ),
        (413, r#"{"message":"Prompt too long"}"#),
        (422, r#"{"detail":"too many tokens: 12 > 8"}"#),
        (500, r#"{"error":"maximum context length reached"}"#),
    ] {
        check(
            status,
            body,
            FailureKind::ContextLengthExceeded,
            Blame::Caller,
            Next::TryAnotherModel,
        );
    }
}

#[test]
fn trouble_with_our_account_is_never_shown_as_the_callers() {
    for (status, body) in [
        (
            401,
            r#"{"error":{"message":"Incorrect API key provided: sk-proj-abc123def456. See our site.","code":"invalid_api_key"}}"#,
        ),
        (402, r#"{"error":{"message":"Insufficient Balance"}}"#),
        (
            403,
            r#"{"error":{"message":"Project proj_x has no access"}}"#,
        ),
        (
            429,
            r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the API."}}"#,
        ),
        (
            400,
            r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
        ),
    ] {
        check(
            status,
            body,
            FailureKind::Unavailable,
            Blame::Upstream,
            Next::TryAnother,
        );
        let failure = say(status, body);
        assert_eq!(failure.message, "The provider could not serve this request");
        let upstream = failure.upstream.unwrap();
        assert_eq!((upstream.status, upstream.raw), (Some(status), None));
        assert!(
            !failure.inside.unwrap().contains("abc123"),
            "the log holds no key"
        );
    }
}

#[test]
fn statuses_tell_the_rest() {
    use FailureKind as Kind;
    use {Blame::*, Next::*};
    for (status, body, kind, blame, next) in [
        (
            400,
            r#"{"error":{"message":"'temperature' must be a number","code":null}}"#,
            Kind::InvalidRequest,
            Caller,
            Stop,
        ),
        (
            400,
            r#"{"error":{"message":"Your request was rejected by our safety system."}}"#,
            Kind::ContentPolicy,
            Caller,
            TryAnotherModel,
        ),
        (
            403,
            r#"{"error":{"message":"flagged by moderation"}}"#,
            Kind::ContentPolicy,
            Caller,
            TryAnotherModel,
        ),
        (
            400,
            r#"{"error":{"message":"max_tokens is too large: 9"}}"#,
            Kind::MaxTokensExceeded,
            Caller,
            TryAnotherModel,
        ),
        (
            400,
            r#"{"error":{"message":"Could not process image"}}"#,
            Kind::InvalidImage,
            Caller,
            Stop,
        ),
        (
            404,
            r#"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#,
            Kind::NotFound,
            Upstream,
            TryAnother,
        ),
        (
            400,
            r#"{"error":"unknown model x"}"#,
            Kind::NotFound,
            Upstream,
            TryAnother,
        ),
        (408, "", Kind::Timeout, Upstream, TryAnother),
        (
            413,
            r#"{"error":{"message":"Request too large for model on tokens per minute (TPM): Limit 6000","code":"rate_limit_exceeded"}}"#,
            Kind::RateLimited,
            Upstream,
            TryAnother,
        ),
        (
            413,
            "<html><head><title>413 Request Entity Too Large</title></head></html>",
            Kind::PayloadTooLarge,
            Caller,
            TryAnother,
        ),
        (
            422,
            r#"{"detail":[{"loc":["body","n"],"msg":"value is not a valid integer","type":"type_error.integer"}]}"#,
            Kind::Unprocessable,
            Caller,
            Stop,
        ),
        (
            429,
            r#"{"message":"Too many requests"}"#,
            Kind::RateLimited,
            Upstream,
            TryAnother,
        ),
        (500, "oops", Kind::Unavailable, Upstream, TryAnother),
        (503, "", Kind::Overloaded, Upstream, TryAnother),
        (504, "", Kind::Timeout, Upstream, TryAnother),
        (524, "", Kind::Timeout, Upstream, TryAnother),
        (
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Kind::Overloaded,
            Upstream,
            TryAnother,
        ),
        (302, "", Kind::Unavailable, Upstream, TryAnother),
    ] {
        check(status, body, kind, blame, next);
    }
}

#[test]
fn the_message_is_found_in_every_shape() {
    for (body, message) in [
        (r#"{"error":{"message":"a"}}"#, "a"),
        (r#"{"error":"b"}"#, "b"),
        (r#"{"message":"c"}"#, "c"),
        (r#"{"detail":"d"}"#, "d"),
        (r#"{"detail":[{"msg":"e"}]}"#, "e"),
        (r#"{"error":{"error":{"message":"f"}}}"#, "f"),
        ("<!doctype html><TITLE>g</TITLE>", "g"),
        ("plain", "plain"),
        ("", "Provider returned error 500"),
        (
            r#"{"object":"error","message":"h","type":"x","code":40303}"#,
            "h",
        ),
    ] {
        assert_eq!(say(500, body).message, message, "{body}");
    }
}

#[test]
fn an_error_in_a_stream_is_judged_by_its_own_code() {
    for (body, kind) in [
        (
            r#"{"error":{"code":429,"message":"slow down"}}"#,
            FailureKind::RateLimited,
        ),
        (
            r#"{"error":{"code":"502","message":"x"}}"#,
            FailureKind::Unavailable,
        ),
        (
            r#"{"error":{"type":"overloaded_error","message":"x"}}"#,
            FailureKind::Overloaded,
        ),
        (
            r#"{"error":{"code":"rate_limit_exceeded","message":"x"}}"#,
            FailureKind::RateLimited,
        ),
        (r#"{"error":{"message":"x"}}"#, FailureKind::Unavailable),
        (
            r#"{"error":{"code":"context_length_exceeded","message":"x"}}"#,
            FailureKind::ContextLengthExceeded,
        ),
    ] {
        let value = bourse_vocab::json::parse(body.as_bytes()).unwrap();
        assert_eq!(read_late(&value).kind, kind, "{body}");
    }
}

#[test]
fn keys_are_redacted_and_words_are_not() {
    for (text, clean) in [
        ("key sk-proj-abc_123-XYZ is bad", "key sk-*** is bad"),
        (
            "Authorization: Bearer abcdefgh12345678.",
            "Authorization: Bearer ***.",
        ),
        ("AIzaSyA-1234567890abcdef", "AIza***"),
        (
            "Incorrect API key: sk-abc****wxyz.",
            "Incorrect API key: sk-***.",
        ),
        (
            "the task-forced-entry risk-averse",
            "the task-forced-entry risk-averse",
        ),
        ("sk-ip", "sk-ip"),
        (
            "in organization org-abcDEF123456 on",
            "in organization org-*** on",
        ),
        ("Ünïcode gsk_0123456789abc", "Ünïcode gsk_***"),
    ] {
        assert_eq!(redact(text), clean);
    }
}

#[test]
fn what_is_shown_of_a_body_is_bounded_and_the_wait_is_kept() {
    let body = "ü".repeat(4000);
    let failure = read(&ErrorReply {
        status: 503,
        body: body.as_bytes(),
        retry_after: Some(Duration::from_secs(7)),
    });
    let raw = failure.upstream.unwrap().raw.unwrap();
    assert!(raw.len() <= RAW_BYTES_MAX && raw.len() > RAW_BYTES_MAX - 4);
    assert!(failure.message.len() <= 1024);
    assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
}

proptest::proptest! {
    #[test]
    fn no_body_panics_and_no_key_survives(status in 100..1000_u16, text in "\\PC{0,40}") {
        let body = format!("{text} sk-or-v1-0123456789abcdef {text}");
        let failure = say(status, &body);
        let shown = format!("{failure:?}");
        proptest::prop_assert!(!shown.contains("0123456789abcdef"));
    }
}

#[test]
fn a_body_says_when_to_come_back_where_the_head_does_not() {
    for (status, body, rest_ms) in [
        (
            429,
            r#"{"error":{"message":"Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 14567, Requested 24754. Please try again in 18.642s. Visit x","type":"tokens","code":"rate_limit_exceeded"}}"#,
            Some(18_642),
        ),
        (
            429,
            r#"[{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"32s"}]}}]"#,
            Some(32_000),
        ),
        (
            429,
            r#"{"error":{"code":429,"message":"slow down","metadata":{"error_type":"rate_limit_exceeded"},"availability":{"retry_after":4}}}"#,
            Some(4_000),
        ),
        (503, r#"{"message":"busy","retry_after":2}"#, Some(2_000)),
        // What is wrong with the request is so in an hour, too.
        (
            400,
            r#"{"error":{"message":"say 'try again in 5s' in fewer words","type":"invalid_request_error"}}"#,
            None,
        ),
        (429, r#"{"error":{"message":"slow down"}}"#, None),
    ] {
        let failure = say(status, body);
        let rest = rest_ms.map(Duration::from_millis);
        assert_eq!(failure.retry_after, rest, "{body}");
        let headed = read(&ErrorReply {
            status,
            body: body.as_bytes(),
            retry_after: Some(Duration::from_secs(7)),
        });
        assert_eq!(headed.retry_after, Some(Duration::from_secs(7)), "{body}");
    }
}
