use super::*;
use crate::codec::Codec as _;

fn splice(body: &str) -> Result<ReplyParts, Failure> {
    splice_reply(body.as_bytes(), &STAMP, false)
}

fn render(body: &str) -> String {
    String::from_utf8(splice(body).unwrap().render(&usage(), &BILL)).unwrap()
}

const USAGE: &str = r#""usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"cost":0.000001,"is_byok":false,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":0,"audio_tokens":0,"video_tokens":0},"cost_details":{"upstream_inference_cost":0.000001,"upstream_inference_prompt_cost":0.0000006,"upstream_inference_completions_cost":0.0000004},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"image_tokens":0}}}"#;
const HEAD: &str =
    r#"{"id":"gen-1","object":"chat.completion","created":7,"model":"acme/m","provider":"Acme""#;

#[test]
fn a_reply_gets_a_new_head_and_a_price_and_keeps_the_rest() {
    let body = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"hi \ud83e","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":1},"service_tier":"default","system_fingerprint":"fp","vendor":{"a" : 1}}"#;
    assert_eq!(
        render(body),
        format!(
            r#"{HEAD},"choices":[{{"index":0,"message":{{"role":"assistant","content":"hi \ud83e","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop","native_finish_reason":"stop"}}],"service_tier":"default","system_fingerprint":"fp","vendor":{{"a" : 1}},{USAGE}"#
        )
    );
    let parts = splice(body).unwrap();
    assert_eq!(parts.usage.unwrap().prompt, Some(9));
    assert_eq!(parts.upstream_id.as_deref(), Some("chatcmpl-1"));
    assert_eq!(parts.upstream_model.as_deref(), Some("m-1"));
    assert_eq!(parts.service_tier.as_deref(), Some("default"));
    assert_eq!(parts.finishes[0].reason, Finish::Stop);
    assert!(parts.has_content);
}

#[test]
fn more_choices_than_can_be_asked_for_are_refused_on_either_road() {
    let of = |count: usize| {
        let choice = r#"{"message":{"content":"x"},"finish_reason":"stop"}"#;
        format!(r#"{{"choices":[{}]}}"#, vec![choice; count].join(","))
    };
    for (count, is_taken) in [(128, true), (129, false)] {
        let body = of(count);
        assert_eq!(splice(&body).is_ok(), is_taken, "{count}");
        let read = crate::codec(bourse_vocab::Format::OpenAiChat).read_reply(body.as_bytes());
        assert_eq!(read.is_ok(), is_taken, "{count}");
    }
}

#[test]
fn the_tier_of_service_is_told_in_public_words() {
    let body = |tier: &str| {
        format!(
            r#"{{"choices":[{{"message":{{"content":"x"}},"finish_reason":"stop"}}],"service_tier" : {tier}}}"#
        )
    };
    for (theirs, ours, noted) in [
        (
            r#""fast""#,
            r#""service_tier":"priority""#,
            Some("priority"),
        ),
        (
            r#""on_demand""#,
            r#""service_tier":"default""#,
            Some("default"),
        ),
        (r#""flex""#, r#""service_tier":"flex""#, Some("flex")),
        (r#""a\"b""#, r#""service_tier":"a\"b""#, Some("a\"b")),
        ("null", r#""service_tier":null"#, None),
        (r#""""#, r#""service_tier":"""#, None),
    ] {
        let text = render(&body(theirs));
        assert!(text.contains(ours), "{text}");
        assert_eq!(
            splice(&body(theirs)).unwrap().service_tier.as_deref(),
            noted
        );
    }
}

#[test]
fn what_strict_clients_insist_on_is_added() {
    assert_eq!(
        render(r#"{"choices":[{"message":{"reasoning_content":"hm"},"finish_reason":"eos"}]}"#),
        format!(
            r#"{HEAD},"choices":[{{"message":{{"reasoning":"hm","reasoning_details":[{{"type":"reasoning.text","text":"hm","format":"unknown","index":0}}],"role":"assistant","content":null}},"index":0,"finish_reason":"stop","native_finish_reason":"eos"}}],"system_fingerprint":null,{USAGE}"#
        )
    );
}

#[test]
fn metadata_comes_last() {
    let stamp = Stamp {
        metadata: Some(r#"{"a":1}"#),
        ..STAMP
    };
    let body = br#"{"choices":[{"index":0,"message":{"role":"assistant","content":"x"}}]}"#;
    let text = splice_reply(body, &stamp, false)
        .unwrap()
        .render(&usage(), &BILL);
    assert!(text.ends_with(br#","openrouter_metadata":{"a":1}}"#));
}

#[test]
fn reasoning_can_be_hidden_and_still_counts() {
    let body = br#"{"choices":[{"index":0,"message":{"role":"assistant","reasoning":"secret","content":"hi"},"finish_reason":"stop"}]}"#;
    let parts = splice_reply(body, &STAMP, true).unwrap();
    assert_eq!(parts.content_bytes, 8);
    let text = String::from_utf8(parts.render(&usage(), &BILL)).unwrap();
    assert!(!text.contains("secret"));
}

#[test]
fn an_empty_answer_has_no_content() {
    for content in ["null", "\"\""] {
        let body = format!(
            r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","content":{content},"tool_calls":[]}},"finish_reason":null}}]}}"#
        );
        let parts = splice(&body).unwrap();
        assert!(!parts.has_content);
        assert!(parts.finishes.is_empty());
    }
    let tools = r#"{"choices":[{"index":0,"message":{"content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"function_call"}]}"#;
    let parts = splice(tools).unwrap();
    assert!(parts.has_content);
    assert_eq!(parts.finishes[0].reason, Finish::ToolCalls);
    assert_eq!(parts.finishes[0].native, "function_call");
}

#[test]
fn what_is_no_chat_completion_sends_the_call_elsewhere() {
    for body in [
        // Which of the two a client shows is its own affair.
        r#"{"choices":[{"index":0,"message":{"content":"a"}}],"choices":[]}"#,
        "",
        "<html>",
        "[]",
        "{}",
        r#"{"choices":[]}"#,
        r#"{"choices":null}"#,
        r#"{"choices":[1]}"#,
        r#"{"choices":[{}]}"#,
        r#"{"choices":[{"message":{"content":"cut"#,
    ] {
        let failure = splice(body).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable, "{body}");
        assert_eq!(failure.next, Next::TryAnother, "{body}");
    }
    let failure = splice(r#"{"error":{"message":"slow \ud83e","code":429}}"#).unwrap_err();
    assert_eq!(failure.kind, FailureKind::RateLimited);
    assert_eq!(failure.message, "slow \u{fffd}");
    assert_eq!(failure.upstream.unwrap().provider.as_deref(), Some("Acme"));
}

#[test]
fn bytes_that_are_not_text_are_mended() {
    let body =
        b"{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\xff\"}}]}";
    let text = splice_reply(body, &STAMP, false)
        .unwrap()
        .render(&usage(), &BILL);
    let value: Value = bourse_vocab::json::parse(&text).unwrap();
    assert_eq!(value["choices"][0]["message"]["content"], "a\u{fffd}");
}

/// Both roads: the bytes, and the vocabulary.
#[test]
fn a_whole_call_without_arguments_is_told_an_empty_object_unless_it_was_cut() {
    for (function, word, expected) in [
        (r#""arguments":"""#, "tool_calls", "{}"),
        (r#""arguments":null"#, "stop", "{}"),
        (r#""parameters":1"#, "tool_calls", "{}"),
        (r#""arguments":"""#, "length", ""),
        (r#""arguments":"{\"a\":1}""#, "stop", "{\"a\":1}"),
    ] {
        let body = format!(
            r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","content":null,"tool_calls":[{{"id":"a","type":"function","function":{{"name":"now",{function}}}}}]}},"finish_reason":"{word}"}}]}}"#
        );
        let value: serde_json::Value = serde_json::from_str(&render(&body)).unwrap();
        let told = &value["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"];
        assert_eq!(told, expected, "{body}");
        let reply = crate::openai_chat::reply::read(body.as_bytes()).unwrap();
        let parts = &reply.choices[0].parts;
        let Some(bourse_vocab::chat::Part::ToolCall { arguments, .. }) = parts.last() else {
            panic!("no call in {parts:?}")
        };
        assert_eq!(arguments, expected, "{body}");
    }
}

#[test]
fn a_whole_reply_whose_error_says_nothing_is_an_answer() {
    for error in ["null", "false", "0", r#""""#, "{}", "[]"] {
        let body = format!(
            r#"{{"error":{error},"choices":[{{"index":0,"message":{{"role":"assistant","content":"a"}},"finish_reason":"stop"}}]}}"#
        );
        assert!(splice(&body).is_ok(), "{body}");
        let read = crate::openai_chat::reply::read(body.as_bytes());
        assert!(read.is_ok(), "{body}");
    }
}

#[test]
fn both_roads_count_the_same_where_usage_is_told_twice_or_elsewhere() {
    let reply = |choice: &str, rest: &str| {
        format!(
            r#"{{"choices":[{{"index":0,"message":{{"content":"a"}},"finish_reason":"stop"{choice}}}]{rest}}}"#
        )
    };
    let told = r#","usage":{"prompt_tokens":9,"completion_tokens":4}"#;
    let groq = r#","x_groq":{"usage":{"prompt_tokens":9,"completion_tokens":4}}"#;
    for (body, nonsense) in [
        (reply("", &format!(r#"{told},"usage":"""#)), true),
        (reply("", &format!(r#","usage":""{told}"#)), true),
        (reply("", &format!(r#"{told},"usage":{{}}"#)), false),
        (reply("", &format!(r#"{told},"usage":null"#)), false),
        (
            reply("", &format!(r#"{told},"usage":{{"prompt_tokens":0}}"#)),
            false,
        ),
        (reply(told, ""), false),
        (reply("", groq), false),
        (reply(r#","usage":{"prompt_tokens":9}"#, groq), false),
    ] {
        let bytes = splice(&body).unwrap().usage.unwrap();
        let words = crate::openai_chat::OpenAiChat.read_reply(body.as_bytes());
        assert_eq!(words.unwrap().usage, Some(bytes), "{body}");
        assert_eq!(
            (bytes.prompt, bytes.completion, bytes.nonsense),
            (Some(9), Some(4), nonsense),
            "{body}"
        );
    }
}
