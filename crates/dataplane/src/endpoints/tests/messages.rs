//! Anthropic's Messages for clients, in front of targets of every format.

use bourse_catalog::Parameter;
use bourse_vocab::{Nanos, Next, ServiceTier, TierWish};

use super::super::messages::Messages;
use super::*;

const ASKED: &str = r#"{"model":"acme/model","max_tokens":1000,"stream":true,
 "system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],
 "metadata":{"user_id":"alice"},"thinking":{"type":"enabled","budget_tokens":500},
 "tools":[{"name":"look","input_schema":{"type":"object"}}],"stop_sequences":["END"],
 "messages":[{"role":"user","content":[{"type":"text","text":"2+2?"},
 {"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJD"}}]}]}"#;

fn scanned(body: &str) -> Scanned {
    Scanned {
        outline: scan(body.as_bytes()).unwrap(),
        segments: vec![Bytes::copy_from_slice(body.as_bytes())],
    }
}

fn read(body: &str, headers: &[(&str, &str)]) -> Result<Incoming, Failure> {
    let mut request = http::Request::builder().uri("/v1/messages");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    let caller = Caller {
        identity: &Identity::of(StoreId([7; 16])),
        account: AccountId(1),
    };
    Messages.read(&head, scanned(body), caller)
}

/// A request with these members beside the usual ones.
fn with(members: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"a"}}],{members}}}"#)
}

#[test]
fn what_the_call_must_know_is_read_from_members_and_headers() {
    let headers = [
        ("anthropic-beta", "interleaved-thinking-2025-05-14"),
        ("anthropic-version", "2023-06-01"),
    ];
    let ask = read(ASKED, &headers).unwrap().ask;
    assert_eq!(ask.models, ["acme/model"]);
    assert_eq!((ask.stream, ask.max_output), (true, Some(1000)));
    assert_eq!(ask.thinking.budget, Some(500));
    assert!(ask.needs.input.contains(Modality::Image));
    for parameter in [
        Parameter::MaxTokens,
        Parameter::Reasoning,
        Parameter::Stop,
        Parameter::Tools,
    ] {
        assert!(ask.needs.parameters.contains(parameter), "{parameter:?}");
    }
    assert_eq!(ask.attribution.user, "alice");
    assert!(
        ask.attribution
            .betas
            .contains("interleaved-thinking-2025-05-14")
    );
    assert!(ask.opener.is_some());
    assert_eq!((ask.facts.tools, ask.facts.cache_marks), (1, 1));

    let ask = read(
        &with(r#""models":["n"],"session_id":"s","service_tier":"priority","provider":{"order":["acme"]}"#),
        &[],
    )
    .unwrap()
    .ask;
    assert_eq!(ask.models, ["m", "n"]);
    assert_eq!(ask.attribution.conversation(), "s");
    assert_eq!(ask.tier, TierWish::Tier(ServiceTier::Priority));
    assert_eq!((ask.wishes.order.len(), ask.opener), (1, None));
}

#[test]
fn a_budget_for_thoughts_beyond_the_limit_is_paid_for_too() {
    for (max_tokens, budget, paid) in [(1000, 500, 1000), (10, 90_000, 90_000)] {
        let thinking = format!(
            r#""max_tokens":{max_tokens},"thinking":{{"type":"enabled","budget_tokens":{budget}}}"#
        );
        let ask = read(&with(&thinking), &[]).unwrap().ask;
        assert_eq!(ask.max_output, Some(paid));
        assert_eq!(ask.needs.max_output, Some(max_tokens));
    }
    let unlimited = with(r#""thinking":{"type":"enabled","budget_tokens":2000}"#);
    assert_eq!(read(&unlimited, &[]).unwrap().ask.max_output, None);
}

#[test]
fn what_openrouter_has_and_this_server_has_not_is_refused() {
    for (members, path) in [
        (r#""plugins":[{"id":"web"}]"#, "plugins: "),
        (r#""preset":"mine""#, "preset: "),
        (r#""transforms":["other"]"#, "transforms: "),
        (r#""debug":{"echo_upstream_body":true}"#, "debug."),
        (r#""service_tier":"scale""#, "service_tier: "),
        (r#""provider":{"only":7}"#, "provider"),
    ] {
        let Err(failure) = read(&with(members), &[]) else {
            panic!("{members} is not refused");
        };
        assert_eq!(failure.kind, FailureKind::InvalidRequest);
        assert!(
            failure.message.starts_with(path),
            "{members}: {}",
            failure.message
        );
    }
    assert!(read(&with(r#""plugins":[{"id":"web","enabled":false}]"#), &[]).is_ok());
}

#[test]
fn a_provider_is_told_a_hash_of_the_user_on_either_road() {
    let request = read(ASKED, &[]).unwrap().request;
    for format in Format::ALL {
        let way = way_to(Interface::chat(format));
        let written = written(&*request, &way).unwrap();
        assert!(!written.contains("alice"), "{written}");
    }
    let way = way_to(Interface::chat(Format::Anthropic));
    let sent: serde_json::Value = serde_json::from_str(&written(&*request, &way).unwrap()).unwrap();
    let user = sent["metadata"]["user_id"].as_str().unwrap();
    assert!(user.starts_with("user-"), "{user}");
}

#[test]
fn every_format_is_asked_the_same() {
    let request = read(ASKED, &[]).unwrap().request;
    let sent = |format| -> serde_json::Value {
        let way = way_to(Interface::chat(format));
        assert_eq!(request.translates(&way), format != Format::Anthropic);
        serde_json::from_str(&written(&*request, &way).unwrap()).unwrap()
    };
    let own = sent(Format::Anthropic);
    assert_eq!(own["model"], "vendor-name");
    assert_eq!(own["system"][0]["cache_control"]["type"], "ephemeral");
    let chat = sent(Format::OpenAiChat);
    assert_eq!(chat["messages"][0]["role"], "system");
    assert_eq!(chat["messages"][1]["content"][1]["type"], "image_url");
    assert_eq!(chat["tools"][0]["function"]["name"], "look");
    assert_eq!(chat["stop"][0], "END");
    let gemini = sent(Format::Gemini);
    assert_eq!(
        gemini["contents"][0]["parts"][1]["inlineData"]["data"],
        "QUJD"
    );
}

/// What cannot be said is content, and no answer is given without it.
#[test]
fn a_part_or_a_tool_that_only_anthropic_has_goes_to_no_other_target() {
    let part = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"search_result","source":"s","title":"t","content":[]}]}]}"#;
    let tool = with(r#""tools":[{"type":"bash_20250124","name":"bash"}]"#);
    for body in [part, tool.as_str()] {
        let request = read(body, &[]).unwrap().request;
        for format in Format::ALL {
            let way = way_to(Interface::chat(format));
            let target = WriteTarget {
                model: "vendor-name",
                max_output: Some(100),
                limit: None,
                efforts: bourse_vocab::chat::Efforts::default(),
                tier: TierWish::None,
                dialect: &way.dialect,
            };
            let is_refused = match request.write(&way, &target) {
                Ok(prepared) => prepared.losses.iter().any(|loss| loss.is_content),
                Err(failure) => failure.next == Next::TryAnother,
            };
            assert_eq!(is_refused, format != Format::Anthropic, "{format}: {body}");
        }
    }
}

#[test]
fn an_error_has_anthropics_shape_and_the_id_where_sdks_look_for_it() {
    for (kind, status, word) in [
        (FailureKind::InvalidRequest, 400, "invalid_request_error"),
        (FailureKind::Authentication, 401, "authentication_error"),
        (FailureKind::PaymentRequired, 402, "billing_error"),
        (FailureKind::PermissionDenied, 403, "permission_error"),
        (FailureKind::NotFound, 404, "not_found_error"),
        (FailureKind::PayloadTooLarge, 413, "request_too_large"),
        (FailureKind::RateLimited, 429, "rate_limit_error"),
        (FailureKind::Server, 500, "api_error"),
    ] {
        let failure = Failure::new(kind, "so it is");
        let response = respond::failure(&Messages, &failure, Some("gen-1"));
        assert_eq!(response.status(), status);
        let respond::ReplyBody::Whole(Some(body), _) = response.into_body() else {
            panic!("an error is a whole body");
        };
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["type"], "error");
        assert_eq!(body["error"]["type"], word);
        assert_eq!(body["error"]["message"], "so it is");
        assert_eq!(body["request_id"], "gen-1");
    }
    let mut headers = HeaderMap::new();
    headers.insert(respond::GENERATION_ID, HeaderValue::from_static("gen-1"));
    Messages.head(&mut headers);
    assert_eq!(headers["request-id"], "gen-1");
}

/// The same answer as each format streams it: thought, text, a call.
pub(super) const STREAMS: [(Format, &str); 3] = [
    (
        Format::Anthropic,
        r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"usage":{"input_tokens":7,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"four"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"4"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t1","name":"look","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}

event: message_stop
data: {"type":"message_stop"}

"#,
    ),
    (
        Format::OpenAiChat,
        r#"data: {"id":"c1","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"four"}}]}

data: {"id":"c1","choices":[{"index":0,"delta":{"content":"4"}}]}

data: {"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"look","arguments":"{\"a\":1}"}}]}}]}

data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}

data: {"id":"c1","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":9}}

data: [DONE]

"#,
    ),
    (
        Format::Gemini,
        r#"data: {"candidates":[{"content":{"parts":[{"text":"four","thought":true}],"role":"model"},"index":0}],"responseId":"r1"}

data: {"candidates":[{"content":{"parts":[{"text":"4"}],"role":"model"},"index":0}],"responseId":"r1"}

data: {"candidates":[{"content":{"parts":[{"functionCall":{"id":"t1","name":"look","args":{"a":1}}}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":9,"totalTokenCount":16},"responseId":"r1"}

"#,
    ),
];

/// The events of a stream: every one has a name, which its data has too.
fn events(stream: &str) -> Vec<serde_json::Value> {
    let (whole, rest) = stream.rsplit_once("\n\n").unwrap_or(("", stream));
    assert_eq!(rest, "", "half an event: {stream}");
    let events = whole.split("\n\n").filter(|event| !event.is_empty());
    let events = events.map(|event| {
        let (name, data) = event.split_once("\ndata: ").unwrap();
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(name, format!("event: {}", data["type"].as_str().unwrap()));
        data
    });
    events.collect()
}

/// The types of events and the places of blocks, deltas told once.
fn order(events: &[serde_json::Value]) -> Vec<String> {
    let mut order: Vec<String> = events
        .iter()
        .map(|event| {
            let kind = event["type"].as_str().unwrap();
            let block = event["content_block"]["type"].as_str();
            let index = event["index"].as_u64();
            let index = index.map_or_else(String::new, |index| format!(" {index}"));
            format!(
                "{kind}{index}{}",
                block.map_or_else(String::new, |block| format!(" {block}"))
            )
        })
        .collect();
    order.dedup();
    order
}

fn bill() -> Bill {
    Bill {
        total: Nanos(1_500),
        ..Bill::default()
    }
}

#[test]
fn a_stream_has_anthropics_order_of_events_whoever_answers_and_however_it_is_cut() {
    for (format, stream) in STREAMS {
        let way = way_to(Interface::chat(format));
        let request = read(ASKED, &[]).unwrap().request;
        let mut first = None;
        for size in 1..stream.len() {
            let mut feed = request.feed(&way, &STAMP);
            let (mut out, ended) = told(&mut *feed, stream.as_bytes(), size);
            ended.unwrap();
            assert!(feed.is_complete(), "{format} in pieces of {size}");
            assert!(
                !out.contains("message_stop"),
                "it is not settled yet: {out}"
            );
            let report = feed.report();
            assert_eq!(
                (report.usage.prompt, report.usage.completion),
                (Some(7), Some(9))
            );
            let usage = Usage {
                prompt: 7,
                completion: 9,
                ..Usage::default()
            };
            let mut end = Vec::new();
            feed.finish(&usage, &bill(), &mut end);
            out.push_str(std::str::from_utf8(&end).unwrap());
            assert_eq!(
                *first.get_or_insert_with(|| out.clone()),
                out,
                "{format}: {size}"
            );
        }
        let events = events(&first.unwrap());
        let expected = [
            "message_start",
            "content_block_start 0 thinking",
            "content_block_delta 0",
            "content_block_stop 0",
            "content_block_start 1 text",
            "content_block_delta 1",
            "content_block_stop 1",
            "content_block_start 2 tool_use",
            "content_block_delta 2",
            "content_block_stop 2",
            "message_delta",
            "message_stop",
        ];
        assert_eq!(order(&events), expected, "{format}");
        let message = &events[0]["message"];
        assert_eq!(message["id"], "gen-1");
        assert_eq!(
            (&message["model"], &message["provider"]),
            (&"acme/model".into(), &"Acme".into())
        );
        let delta = &events[events.len() - 2];
        assert_eq!(delta["delta"]["stop_reason"], "tool_use", "{format}");
        assert_eq!(delta["usage"]["output_tokens"], 9);
        assert_eq!(delta["usage"]["cost"].to_string(), "1.5e-6");
    }
}

#[test]
fn an_answer_without_the_first_choice_is_none() {
    let way = way_to(Interface::chat(Format::OpenAiChat));
    let request = read(ASKED, &[]).unwrap().request;
    for end in ["", "data: [DONE]\n\n"] {
        let stream = format!(
            "data: {{\"choices\":[{{\"index\":1,\"delta\":{{\"content\":\"a\"}},\"finish_reason\":\"stop\"}}]}}\n\n{end}"
        );
        let mut feed = request.feed(&way, &STAMP);
        let (out, ended) = told(&mut *feed, stream.as_bytes(), stream.len());
        let failure = ended.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable, "{end:?} {out}");
        assert!(!feed.is_complete());
    }
}

#[test]
fn what_is_behind_the_end_of_an_answer_says_nothing_of_it() {
    let way = way_to(Interface::chat(Format::Bedrock));
    let request = read(ASKED, &[]).unwrap().request;
    let mut stream = Vec::new();
    for (name, payload) in [
        ("messageStart", r#"{"role":"assistant"}"#),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"text":"a"}}"#,
        ),
        ("messageStop", r#"{"stopReason":"end_turn"}"#),
        (
            "metadata",
            r#"{"usage":{"inputTokens":7,"outputTokens":9}}"#,
        ),
    ] {
        let kind = (bourse_wire::framing::MessageKind::Event, name);
        bourse_wire::framing::encode(kind, payload.as_bytes(), &mut stream);
    }
    stream.extend_from_slice(b"these bytes are no message, and more than a prelude");
    for size in [1, 7, stream.len()] {
        let mut feed = request.feed(&way, &STAMP);
        let (out, ended) = told(&mut *feed, &stream, size);
        assert!(ended.is_ok(), "{size}: {ended:?} {out}");
        assert!(feed.is_complete());
    }
}

/// However much of a stream came, what follows its end is one error.
#[test]
fn a_stream_that_breaks_anywhere_ends_in_an_error_and_never_in_a_stop() {
    for (format, stream) in STREAMS {
        let way = way_to(Interface::chat(format));
        let request = read(ASKED, &[]).unwrap().request;
        let mut broken = 0;
        for end in 0..stream.len() {
            let mut feed = request.feed(&way, &STAMP);
            let (mut out, ended) = told(&mut *feed, &stream.as_bytes()[..end], 64);
            let Err(failure) = ended else {
                // All was said but for the last words.
                continue;
            };
            broken += 1;
            let mut error = Vec::new();
            feed.fail(&failure, &mut error);
            out.push_str(std::str::from_utf8(&error).unwrap());
            let events = events(&out);
            let last = events.last().unwrap();
            assert_eq!(last["type"], "error", "{format} cut at {end}");
            assert_eq!(last["request_id"], "gen-1");
            let names = order(&events);
            assert_eq!(names.iter().filter(|name| *name == "error").count(), 1);
            assert!(!names.contains(&"message_stop".to_owned()), "{out}");
            assert!(!names.contains(&"message_delta".to_owned()), "{out}");
        }
        assert!(broken > stream.len() / 2, "{format}: {broken}");
    }
}

#[test]
fn a_whole_answer_says_what_it_cost_whoever_gave_it() {
    let replies = [
        (
            Format::Anthropic,
            r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"4","later":1.50}],"stop_reason":"stop_sequence","stop_sequence":"END","usage":{"input_tokens":7,"output_tokens":3}}"#,
            ("stop_sequence", "END"),
        ),
        (
            Format::OpenAiChat,
            r#"{"id":"c1","choices":[{"index":0,"message":{"role":"assistant","content":"4"},"finish_reason":"length"}],"usage":{"prompt_tokens":7,"completion_tokens":3}}"#,
            ("max_tokens", ""),
        ),
        (
            Format::Gemini,
            r#"{"candidates":[{"content":{"parts":[{"text":"4"}],"role":"model"},"finishReason":"SAFETY","index":0}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3,"totalTokenCount":10}}"#,
            ("refusal", ""),
        ),
    ];
    for (format, reply, (reason, sequence)) in replies {
        let way = way_to(Interface::chat(format));
        let request = read(ASKED, &[]).unwrap().request;
        let whole = request.whole(&way, &STAMP, &Bytes::from(reply)).unwrap();
        assert_eq!(whole.report.usage.prompt, Some(7));
        let usage = Usage {
            prompt: 7,
            completion: 3,
            ..Usage::default()
        };
        let told = (whole.render)(&usage, &bill());
        let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
        assert_eq!(
            (&told["id"], &told["type"]),
            (&"gen-1".into(), &"message".into())
        );
        assert_eq!(
            (&told["model"], &told["provider"]),
            (&"acme/model".into(), &"Acme".into())
        );
        assert_eq!(told["content"][0]["text"], "4");
        assert_eq!(told["stop_reason"], reason, "{format}");
        assert_eq!(told["stop_sequence"].as_str().unwrap_or(""), sequence);
        assert_eq!(told["usage"]["input_tokens"], 7);
        assert_eq!(told["usage"]["cost"].to_string(), "1.5e-6");
        assert!(
            request.whole(&way, &STAMP, &Bytes::from("{}")).is_err(),
            "{format}"
        );
    }
}
