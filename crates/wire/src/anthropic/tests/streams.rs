//! Streams.

use bourse_vocab::chat::{Event, Finish, ReasoningDelta, ReasoningKind};
use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{Bill, Failure, FailureKind, Nanos, Usage, UsageReport};
use proptest::prelude::*;

use super::{Anthropic, STAMP};
use crate::codec::Codec;
use crate::sse::Frame;

/// Reads a stream whose frames hold one `data` line each.
fn read(frames: &[Value]) -> Result<Vec<Event>, Failure> {
    let mut reader = Anthropic.stream_reader();
    let mut events = Vec::new();
    for frame in frames {
        let data = frame.to_string();
        reader.frame(
            &Frame {
                event: frame["type"].as_str().unwrap_or(""),
                data: data.as_bytes(),
            },
            &mut events,
        )?;
    }
    reader.end(&mut events)?;
    Ok(events)
}

/// Writes events; returns each frame's data, checked against its `event:`.
fn write(events: &[Event]) -> Vec<Value> {
    let mut writer = Anthropic.stream_writer(&STAMP);
    let mut out = Vec::new();
    for event in events {
        writer.event(event, &mut out);
    }
    let text = String::from_utf8(out).unwrap();
    text.split_terminator("\n\n")
        .map(|frame| {
            let (event, data) = frame.split_once('\n').unwrap();
            let data: Value =
                bourse_vocab::json::parse(data.strip_prefix("data: ").unwrap().as_bytes()).unwrap();
            assert_eq!(data["type"], event.strip_prefix("event: ").unwrap());
            data
        })
        .collect()
}

/// Every block opened once, in order, one at a time, and closed.
fn check_blocks(frames: &[Value]) {
    let mut next = 0;
    let mut open = false;
    for frame in frames {
        match frame["type"].as_str().unwrap() {
            "content_block_start" => {
                assert!(!open && frame["index"] == next, "{frame}");
                open = true;
            }
            "content_block_delta" => assert!(open && frame["index"] == next, "{frame}"),
            "content_block_stop" => {
                assert!(open && frame["index"] == next, "{frame}");
                open = false;
                next += 1;
            }
            _ => assert!(!open, "{frame}"),
        }
    }
    assert!(!open);
}

/// Comparable, for `Event` holds failures that are not.
fn shown(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| format!("{event:?}")).collect()
}

fn stream() -> Vec<Value> {
    vec![
        json!({"type": "message_start", "message": {"id": "msg_1", "type": "message",
            "role": "assistant", "model": "claude-sonnet-4-5", "content": [], "usage":
            {"input_tokens": 10, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 4,
                "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 3},
                "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
        json!({"type": "ping"}),
        json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "thinking_delta", "thinking": "hm"}}),
        json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "signature_delta", "signature": "EqQB"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1,
            "content_block": {"type": "redacted_thinking", "data": "EmwK"}}),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "content_block_start", "index": 2, "content_block":
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}}),
        json!({"type": "content_block_delta", "index": 2,
            "delta": {"type": "input_json_delta", "partial_json": "{}"}}),
        json!({"type": "content_block_stop", "index": 2}),
        json!({"type": "content_block_start", "index": 3,
            "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 3,
            "delta": {"type": "text_delta", "text": "Dark."}}),
        json!({"type": "content_block_delta", "index": 3, "delta": {"type": "citations_delta",
            "citation": {"type": "web_search_result_location", "url": "https://x.test",
                "title": "X", "cited_text": "dark", "encrypted_index": "e"}}}),
        json!({"type": "content_block_stop", "index": 3}),
        json!({"type": "content_block_start", "index": 4, "content_block":
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}}),
        json!({"type": "content_block_delta", "index": 4,
            "delta": {"type": "input_json_delta", "partial_json": ""}}),
        json!({"type": "content_block_delta", "index": 4,
            "delta": {"type": "input_json_delta", "partial_json": "{\"at\":"}}),
        json!({"type": "content_block_delta", "index": 4,
            "delta": {"type": "input_json_delta", "partial_json": "\"sky\"}"}}),
        json!({"type": "content_block_stop", "index": 4}),
        json!({"type": "content_block_start", "index": 5, "content_block":
            {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}}}),
        json!({"type": "content_block_stop", "index": 5}),
        json!({"type": "something_new", "index": 9}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null},
            "usage": {"output_tokens": 50, "output_tokens_details": {"thinking_tokens": 8}}}),
        json!({"type": "message_stop"}),
    ]
}

#[test]
fn a_whole_stream_becomes_events() {
    let report = |completion, reasoning| {
        Event::Usage(UsageReport {
            prompt: Some(19),
            cache_read: Some(5),
            cache_write_5m: Some(1),
            cache_write_1h: Some(3),
            completion: Some(completion),
            reasoning,
            ..UsageReport::default()
        })
    };
    let thought = |index, kind| Event::Reasoning {
        choice: 0,
        delta: ReasoningDelta {
            index,
            kind,
            id: None,
            scheme: Some("anthropic-claude-v1".to_owned()),
        },
    };
    let start = |index, id: &str, name: &str| Event::ToolStart {
        choice: 0,
        index,
        id: id.to_owned(),
        name: name.to_owned(),
    };
    let arguments = |index, fragment: &str| Event::ToolArguments {
        choice: 0,
        index,
        fragment: fragment.to_owned(),
    };
    let expected = [
        Event::Start {
            upstream_id: Some("msg_1".to_owned()),
            upstream_model: Some("claude-sonnet-4-5".to_owned()),
        },
        report(1, None),
        thought(
            0,
            ReasoningKind::Text {
                text: "hm".to_owned(),
                signature: None,
            },
        ),
        thought(
            0,
            ReasoningKind::Text {
                text: String::new(),
                signature: Some("EqQB".to_owned()),
            },
        ),
        thought(1, ReasoningKind::Encrypted("EmwK".to_owned())),
        Event::Text {
            choice: 0,
            text: "Dark.".to_owned(),
            logprobs: None,
        },
        Event::Other {
            choice: 0,
            name: "annotations",
            value: json!([{"type": "url_citation", "url_citation": {"url": "https://x.test",
                "title": "X", "content": "dark", "start_index": 0, "end_index": 0}}]),
        },
        start(0, "toolu_1", "look"),
        arguments(0, "{\"at\":"),
        arguments(0, "\"sky\"}"),
        start(1, "toolu_2", "now"),
        arguments(1, "{}"),
        Event::Finish {
            choice: 0,
            reason: Finish::ToolCalls,
            native: Some("tool_use".to_owned()),
        },
        report(50, Some(8)),
        Event::Done,
    ];
    assert_eq!(shown(&read(&stream()).unwrap()), shown(&expected));
}

#[test]
fn what_the_writer_writes_the_reader_reads_alike() {
    let events = read(&stream()).unwrap();
    let frames = write(&events);
    check_blocks(&frames);
    let mut again = read(&frames).unwrap();
    // The id and the model are ours on the way out, and so is what is said of
    // the tier where the provider says nothing.
    again[0] = events[0].clone();
    assert!(matches!(again.remove(1), Event::Tier(name) if name == "default"));
    assert_eq!(shown(&again)[2..], shown(&events)[2..]);
    assert_eq!(frames[0]["message"]["id"], "gen-1");
    assert_eq!(frames[0]["message"]["usage"]["input_tokens"], 10);
    let delta = &frames[frames.len() - 2];
    assert_eq!(delta["usage"]["input_tokens"], 10);
    assert_eq!(delta["usage"]["output_tokens"], 50);
}

#[test]
fn every_early_end_is_a_failure() {
    let frames = stream();
    for length in 0..frames.len() - 2 {
        let failure = read(&frames[..length]).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable, "{length}");
    }
    // With the stop reason everything was said.
    let events = read(&frames[..frames.len() - 1]).unwrap();
    assert!(matches!(events.last(), Some(Event::Done)));
    let failure = read(&[json!({"type": "message_stop"})]).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable);
}

#[test]
fn content_out_of_its_order_is_a_failure() {
    let mut headless = stream();
    headless.remove(0);
    assert!(read(&headless).is_err());
    let mut endless = stream();
    endless.pop();
    endless.extend_from_within(11..14);
    assert!(read(&endless).is_err());
}

#[test]
fn nonsense_in_a_stream_is_a_failure() {
    let mut reader = Anthropic.stream_reader();
    let frame = Frame {
        event: "message_start",
        data: b"{\"type\":",
    };
    assert!(reader.frame(&frame, &mut Vec::new()).is_err());
    for mut frames in [
        vec![json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "text_delta", "text": "x"}})],
        vec![json!({"type": "content_block_start", "content_block": {"type": "text"}})],
        vec![
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}),
            json!({"type": "content_block_delta", "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": "{"}}),
        ],
        vec![json!({"type": "content_block_start", "index": 0,
            "content_block": {"type": "tool_use", "name": "x"}})],
    ] {
        frames.insert(0, json!({"type": "message_start", "message": {}}));
        assert_eq!(read(&frames).unwrap_err().kind, FailureKind::Unavailable);
    }
}

#[test]
fn an_error_event_ends_the_stream() {
    let mut frames = stream();
    frames.truncate(4);
    frames.push(json!({"type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded"}}));
    frames.push(json!({"type": "message_stop"}));
    let events = read(&frames).unwrap();
    let Some(Event::Error(failure)) = events.last() else {
        panic!("{events:?}");
    };
    assert_eq!(failure.kind, FailureKind::Overloaded);

    let mut events = events;
    events.push(Event::Done);
    let written = write(&events);
    let last = written.last().unwrap();
    assert_eq!(last["type"], "error");
    assert_eq!(last["error"]["type"], "overloaded_error");
}

fn text(text: &str) -> Event {
    Event::Text {
        choice: 0,
        text: text.to_owned(),
        logprobs: None,
    }
}

fn start(index: u32) -> Event {
    Event::ToolStart {
        choice: 0,
        index,
        id: format!("call_{index}"),
        name: "look".to_owned(),
    }
}

fn arguments(index: u32, fragment: &str) -> Event {
    Event::ToolArguments {
        choice: 0,
        index,
        fragment: fragment.to_owned(),
    }
}

fn finish(reason: Finish) -> Event {
    Event::Finish {
        choice: 0,
        reason,
        native: None,
    }
}

#[test]
fn a_block_that_was_not_stopped_ends_with_the_answer() {
    let open = |index: u64, id: &str| json!({"type": "content_block_start", "index": index, "content_block": {"type": "tool_use", "id": id, "name": "look", "input": {}}});
    let events = read(&[
        json!({"type": "message_start", "message": {}}),
        open(0, "a"),
        open(1, "b"),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}}),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "message_stop"}),
    ])
    .unwrap();
    let sorts: Vec<String> = events
        .iter()
        .map(|event| match event {
            Event::ToolArguments {
                index, fragment, ..
            } => format!("{index}: {fragment}"),
            Event::ToolStart { .. } => "tool".to_owned(),
            Event::Finish { .. } => "finish".to_owned(),
            Event::Done => "done".to_owned(),
            _ => "other".to_owned(),
        })
        .collect();
    let expected = ["other", "tool", "tool", "0: {}", "1: {}", "finish", "done"];
    assert_eq!(sorts, expected);
}

/// The arguments that a client collects, call by call.
fn collected(frames: &[Value]) -> Vec<(String, String)> {
    let mut calls: Vec<(String, String)> = Vec::new();
    for frame in frames {
        if frame["content_block"]["type"] == "tool_use" {
            let id = frame["content_block"]["id"].as_str().unwrap();
            calls.push((id.to_owned(), String::new()));
        }
        if frame["delta"]["type"] == "input_json_delta" {
            let more = frame["delta"]["partial_json"].as_str().unwrap();
            calls.last_mut().unwrap().1.push_str(more);
        }
    }
    calls
}

#[test]
fn interleaved_calls_are_written_one_after_the_other() {
    let frames = write(&[
        text("Let me see."),
        start(0),
        start(1),
        arguments(1, "{\"b\":"),
        arguments(0, "{\"a\": \"}\\\""),
        start(2),
        arguments(1, "1}"),
        arguments(0, "\"}"),
        arguments(2, "{}"),
        text("Done."),
        finish(Finish::ToolCalls),
        Event::Done,
    ]);
    check_blocks(&frames);
    let expected = [
        ("call_0", "{\"a\": \"}\\\"\"}"),
        ("call_1", "{\"b\":1}"),
        ("call_2", "{}"),
    ];
    let expected = expected.map(|(id, text)| (id.to_owned(), text.to_owned()));
    assert_eq!(collected(&frames), expected);
}

#[test]
fn calls_in_order_are_written_as_they_come() {
    let mut writer = Anthropic.stream_writer(&STAMP);
    let mut out = Vec::new();
    for event in [
        start(0),
        arguments(0, "{}"),
        start(1),
        arguments(1, "{\"x\""),
    ] {
        writer.event(&event, &mut out);
    }
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.contains("call_1") && text.contains("{\\\"x\\\""),
        "{text}"
    );
}

#[test]
fn calls_that_never_finish_are_written_at_the_end() {
    let frames = write(&[
        start(0),
        start(1),
        arguments(1, "{\"b\":1}"),
        finish(Finish::ToolCalls),
        Event::Done,
    ]);
    check_blocks(&frames);
    assert_eq!(collected(&frames).len(), 2);
}

#[test]
fn the_price_is_told_once_and_a_cut_stream_never_looks_whole() {
    let settled = Event::Settled(
        Usage {
            prompt: 9,
            completion: 2,
            ..Usage::default()
        },
        Bill {
            total: Nanos(5),
            ..Bill::default()
        },
    );
    let frames = write(&[
        text("Hi"),
        finish(Finish::Stop),
        Event::Usage(UsageReport::default()),
        settled.clone(),
        settled.clone(),
        Event::Done,
    ]);
    let kinds: Vec<&str> = frames
        .iter()
        .map(|frame| frame["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    assert_eq!(frames[4]["usage"]["input_tokens"], 9);
    assert_eq!(frames[4]["delta"]["stop_reason"], "end_turn");

    let frames = write(&[text("Hi"), settled, Event::Done]);
    assert!(frames.iter().all(|frame| frame["type"] != "message_stop"));

    let frames = write(&[text("Hi"), finish(Finish::Error), Event::Done]);
    assert_eq!(frames.last().unwrap()["type"], "error");
}

#[test]
fn sealed_reasoning_is_gathered_into_one_block() {
    let seal = |index, data: &str| Event::Reasoning {
        choice: 0,
        delta: ReasoningDelta {
            index,
            kind: ReasoningKind::Encrypted(data.to_owned()),
            id: None,
            scheme: Some("anthropic-claude-v1".to_owned()),
        },
    };
    let frames = write(&[
        seal(0, "Em"),
        seal(0, "wK"),
        seal(1, "x"),
        text("Hi"),
        finish(Finish::Stop),
        Event::Done,
    ]);
    check_blocks(&frames);
    assert_eq!(frames[1]["content_block"]["data"], "EmwK");
    assert_eq!(frames[3]["content_block"]["data"], "x");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever order the fragments of parallel calls arrive in, each call
    /// comes out whole, in its own block, in the order of the calls.
    #[test]
    fn no_fragment_of_an_interleaved_call_is_lost(
        calls in prop::collection::vec("[a-z\"{}\\\\é ]{0,12}", 1..5),
        order in prop::collection::vec((0..5usize, 1..4usize), 0..60),
    ) {
        let texts: Vec<String> = calls.iter().map(|text| json!({"q": text}).to_string()).collect();
        let mut rest: Vec<Vec<char>> = texts.iter().map(|text| text.chars().collect()).collect();
        let mut opened = 0;
        let mut events = Vec::new();
        let all = (0..texts.len()).map(|call| (call, usize::MAX));
        for (call, length) in order.into_iter().chain(all) {
            let call = call % texts.len();
            while opened <= call {
                events.push(start(u32::try_from(opened).unwrap()));
                opened += 1;
            }
            let length = length.min(rest[call].len());
            let fragment: String = rest[call].drain(..length).collect();
            events.push(arguments(u32::try_from(call).unwrap(), &fragment));
        }
        events.extend([finish(Finish::ToolCalls), Event::Done]);
        let frames = write(&events);
        check_blocks(&frames);
        let expected: Vec<(String, String)> = texts
            .into_iter()
            .enumerate()
            .map(|(index, text)| (format!("call_{index}"), text))
            .collect();
        prop_assert_eq!(collected(&frames), expected);
    }
}
