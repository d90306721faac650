//! Bytes pass between a client and a target of the same format, whatever that
//! format is.

use super::*;

const ASKED: &str = r#"{"model":"claude","max_tokens":1000,"provider":{"only":["acme"]},
 "system":[{"type":"text","text":"long","cache_control":{"type":"ephemeral","ttl":"1h"}}],
 "messages":[{"role":"user","content":"2+2?"},{"role":"assistant","content":[{"type":"thinking",
 "thinking":"four","signature":"c2ln"},{"type":"text","text":"4","from_the_future":[1.50,{}]}]},
 {"role":"user","content":[{"type":"text","text":"sure?","cache_control":{"type":"ephemeral"}}]}],
 "session_id":"s","stream":true,"tomorrow":{"z":1,"a":1e400}}"#;

#[test]
fn an_anthropic_request_passes_to_anthropic_but_for_its_model_and_our_members() {
    let way = way_to(Interface::chat(Format::Anthropic));
    let expected = ASKED
        .replace(r#""model":"claude""#, r#""model":"vendor-name""#)
        .replace("\"provider\":{\"only\":[\"acme\"]},\n ", "")
        .replace("\n \"session_id\":\"s\",", "");
    for size in [1, 7, 64, ASKED.len()] {
        let request = request(&MESSAGES, ASKED, size);
        assert!(!request.translates(&way));
        assert_eq!(written(&*request, &way).unwrap(), expected);
    }
}

#[test]
fn a_gemini_request_passes_to_gemini() {
    let asked = r#"{"contents":[{"role":"model","parts":[{"text":"a","thoughtSignature":"c2ln"}]},
        {"parts":[{"text":"b"}]}],"cachedContent":"cachedContents/1","tomorrow":0.10,
        "generationConfig":{"topK":40,"tomorrow":[]}}"#;
    let way = way_to(Interface::chat(Format::Gemini));
    let request = request(&GENERATE, asked, 10);
    assert_eq!(written(&*request, &way).unwrap(), asked);
}

#[test]
fn what_passes_to_one_target_is_translated_for_another() {
    let request = request(&MESSAGES, ASKED, 50);
    let way = way_to(Interface::chat(Format::OpenAiChat));
    assert!(request.translates(&way));
    let written: serde_json::Value =
        serde_json::from_str(&written(&*request, &way).unwrap()).unwrap();
    assert_eq!(written["model"], "vendor-name");
    assert_eq!(written["messages"][0]["role"], "system");
}

const ANSWER: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"tomorrow":1.50,"usage":{"input_tokens":7,"cache_read_input_tokens":100,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"four"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"server_tool_use","id":"t","name":"web_search","input":{}}}

event: tomorrow
data: {"type":"tomorrow","x":1e400}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":9}}

event: message_stop
data: {"type":"message_stop"}

"#;

#[test]
fn an_anthropic_stream_passes_byte_for_byte_and_is_metered() {
    let way = way_to(Interface::chat(Format::Anthropic));
    let request = request(&MESSAGES, ASKED, 50);
    for size in 1..200 {
        let mut feed = request.feed(&way, &STAMP);
        let (out, ended) = told(&mut *feed, ANSWER.as_bytes(), size);
        ended.unwrap();
        assert_eq!(out, ANSWER, "in pieces of {size}");
        assert!(feed.has_content() && feed.is_complete());
        let report = feed.report();
        assert_eq!(report.usage.prompt, Some(107));
        assert_eq!(report.usage.cache_read, Some(100));
        assert_eq!(report.usage.completion, Some(9));
        assert_eq!(report.upstream_id.as_deref(), Some("msg_1"));
        assert_eq!(report.finish, Some("stop"));
        assert_eq!(report.native_finish.as_deref(), Some("end_turn"));
        assert_eq!(report.content_bytes, 4);
    }
}

#[test]
fn nothing_before_the_first_content_counts_as_content() {
    let way = way_to(Interface::chat(Format::Anthropic));
    let request = request(&MESSAGES, ASKED, 50);
    let mut feed = request.feed(&way, &STAMP);
    let mut out = Vec::new();
    let start = ANSWER.find("event: content_block_delta").unwrap();
    let (before, after) = ANSWER.as_bytes().split_at(start);
    feed.feed(&Bytes::copy_from_slice(before), &mut out)
        .unwrap();
    assert!(!feed.has_content());
    feed.feed(&Bytes::copy_from_slice(after), &mut out).unwrap();
    assert!(feed.has_content());
}

/// A client sees whole frames, then one error, and never an end that looks
/// like a good one: whether the stream was cut in the middle of a frame or
/// the provider reported an error of its own.
#[test]
fn a_broken_stream_passes_up_to_the_break_and_ends_in_one_error() {
    let way = way_to(Interface::chat(Format::Anthropic));
    let request = request(&MESSAGES, ASKED, 50);
    let good = ANSWER.find("event: content_block_stop").unwrap();
    let good = &ANSWER[..good];
    let reported = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"secret of theirs\"}}\n\n";
    let nonsense = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\n\n";
    for tail in [&ANSWER[good.len()..good.len() + 30], reported, nonsense] {
        let mut feed = request.feed(&way, &STAMP);
        let (mut out, ended) = told(&mut *feed, format!("{good}{tail}").as_bytes(), 11);
        let failure = ended.unwrap_err();
        assert_eq!(out, good, "{tail}");
        let mut more = Vec::new();
        feed.fail(&failure, &mut more);
        out.push_str(std::str::from_utf8(&more).unwrap());
        let last = out.strip_prefix(good).unwrap();
        assert!(last.starts_with("event: error\ndata: "), "{last}");
        assert_eq!(last.matches("event: ").count(), 1, "{last}");
        assert!(!out.contains("message_stop"));
    }
}

const CHUNKS: [&str; 2] = [
    r#"{"candidates":[{"content":{"parts":[{"text":"4","thoughtSignature":"c2ln"}],"role":"model"},"index":0}],"responseId":"r1","tomorrow":[1.50]}"#,
    r#"{"candidates":[{"content":{"parts":[{"text":"!"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3,"totalTokenCount":10},"responseId":"r1"}"#,
];

/// The same frames come out as server-sent events, however they came in.
#[test]
fn a_gemini_stream_passes_whatever_frames_it() {
    let [first, second] = CHUNKS;
    let expected = format!("data: {first}\n\ndata: {second}\n\n");
    let streams = [
        (
            Framing::Sse,
            format!("data: {first}\r\n\r\ndata: {second}\r\n\r\n"),
        ),
        (Framing::JsonLines, format!("{first}\n{second}")),
        (Framing::JsonArray, format!("[{first},\n{second}]")),
    ];
    let request = request(&GENERATE, "{\"contents\":[]}", 50);
    for (framing, stream) in streams {
        let way = way_to(Interface {
            framing,
            ..Interface::chat(Format::Gemini)
        });
        assert!(!request.translates(&way));
        for size in 1..50 {
            let mut feed = request.feed(&way, &STAMP);
            let (out, ended) = told(&mut *feed, stream.as_bytes(), size);
            ended.unwrap();
            assert_eq!(out, expected, "{framing:?} in pieces of {size}");
            let report = feed.report();
            assert_eq!(report.usage.prompt, Some(7));
            assert_eq!(report.usage.completion, Some(3));
            assert_eq!(report.finish, Some("stop"));
        }
    }
}

/// A target's framing does not matter to a client of another format either.
#[test]
fn a_translated_stream_is_read_in_the_frames_of_its_way() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"2+2?"}],"stream":true}"#;
    let request = request(&chat::Chat, body, 50);
    let way = way_to(Interface {
        framing: Framing::JsonLines,
        ..Interface::chat(Format::Gemini)
    });
    let mut feed = request.feed(&way, &STAMP);
    let (out, ended) = told(&mut *feed, CHUNKS.join("\n").as_bytes(), 13);
    ended.unwrap();
    assert!(
        out.contains(r#""content":"4""#) && out.contains(r#""content":"!""#),
        "{out}"
    );
    assert!(feed.is_complete());
}

#[test]
fn whole_replies_pass_byte_for_byte_and_are_metered() {
    let message = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude",
        "content":[{"type":"text","text":"4","tomorrow":1.50}],"stop_reason":"end_turn",
        "usage":{"input_tokens":7,"output_tokens":3},"container":null}"#;
    for (endpoint, body) in [(&MESSAGES, message), (&GENERATE, CHUNKS[1])] {
        let way = way_to(Interface::chat(endpoint.format));
        let request = request(endpoint, "{\"contents\":[],\"messages\":[]}", 50);
        let bytes = Bytes::copy_from_slice(body.as_bytes());
        let whole = request.whole(&way, &STAMP, &bytes).unwrap();
        assert_eq!(whole.report.usage.prompt, Some(7));
        assert_eq!(whole.report.usage.completion, Some(3));
        assert_eq!(whole.report.finish, Some("stop"));
        let told = (whole.render)(&Usage::default(), &Bill::default());
        assert_eq!(told, bytes);
        assert!(request.whole(&way, &STAMP, &Bytes::from("{}")).is_err());
    }
}
