use bourse_vocab::FailureKind;
use bourse_vocab::chat::{Event, Finish, ReasoningDelta, ReasoningKind};
use bourse_vocab::json;
use proptest::prelude::*;

use super::*;
use crate::laws;

fn stream(chunks: &[Value]) -> laws::Outcome {
    let bytes: String = chunks
        .iter()
        .map(|chunk| match chunk {
            Value::String(text) => format!("data: {text}\n\n"),
            chunk => format!("data: {chunk}\n\n"),
        })
        .collect();
    let outcome = laws::read_stream(&OpenAiChat, [bytes.as_bytes()]);
    laws::check(&outcome).unwrap();
    outcome
}

fn bit(delta: Value) -> Value {
    json!({"id": "x", "choices": [{"index": 0, "delta": delta}]})
}

fn end(reason: &str) -> Value {
    json!({"id": "x", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn done() -> Value {
    json!("[DONE]")
}

#[test]
fn content_after_the_end_is_a_broken_stream() {
    let outcome = stream(&[
        bit(json!({"content": "a"})),
        end("stop"),
        bit(json!({})),
        bit(json!({"content": "b"})),
        done(),
    ]);
    assert_eq!(outcome.failure.unwrap().kind, FailureKind::Unavailable);
}

#[test]
fn repeating_the_end_is_harmless() {
    let outcome = stream(&[
        bit(json!({"content": "a"})),
        end("stop"),
        end("stop"),
        end("length"),
        done(),
    ]);
    assert!(outcome.failure.is_none());
}

#[test]
fn a_stream_that_ends_without_a_reason_is_not_whole() {
    for chunks in [
        vec![],
        vec![done()],
        vec![bit(json!({"content": "a"}))],
        vec![bit(json!({"content": "a"})), done()],
        vec![bit(json!({"content": "a"})), end(""), done()],
        vec![
            json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 0}}),
            done(),
        ],
    ] {
        let outcome = stream(&chunks);
        assert_eq!(
            outcome.failure.map(|f| f.kind),
            Some(FailureKind::Unavailable),
            "{chunks:?}"
        );
    }
}

#[test]
fn an_error_ends_the_stream() {
    for error in [
        json!({"error": {"code": 429, "message": "slow"}}),
        json!({"error": "slow", "code": 429}),
        json!({"object": "error", "message": "slow", "code": 429}),
        json!({"error": {"code": "429", "message": "slow"}, "choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]}),
    ] {
        let outcome = stream(&[bit(json!({"content": "a"})), error, done()]);
        let Some(Event::Error(failure)) = outcome.events.last() else {
            panic!("no error in {:?}", outcome.events);
        };
        assert_eq!(
            (failure.kind, &*failure.message),
            (FailureKind::RateLimited, "slow")
        );
    }
}

#[test]
fn usage_in_the_last_chunk_follows_the_end() {
    let last = json!({"choices": [{"index": 0, "delta": {"content": "b"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2}});
    let events = stream(&[bit(json!({"content": "a"})), last]).events;
    assert!(
        matches!(
            events[events.len() - 3],
            Event::Finish {
                reason: Finish::Stop,
                ..
            }
        ),
        "{events:?}"
    );
    assert!(
        matches!(events[events.len() - 2], Event::Usage(report) if report.completion == Some(2))
    );
}

#[test]
fn usage_is_found_where_vendors_hide_it() {
    let usage = json!({"prompt_tokens": 1, "completion_tokens": 2});
    let mut inside = end("stop");
    inside.get_mut("choices").unwrap().as_array_mut().unwrap()[0]["usage"] = usage.clone();
    let mut groq = end("stop");
    groq["x_groq"] = json!({"id": "r", "usage": usage});
    for last in [inside, groq] {
        let events = stream(&[bit(json!({"content": "a"})), last]).events;
        let is_usage =
            |event: &Event| matches!(event, Event::Usage(report) if report.prompt == Some(1));
        assert!(events.iter().any(is_usage), "{events:?}");
    }
}

#[test]
fn arguments_before_the_name_wait_for_it() {
    let call = |function: Value| bit(json!({"tool_calls": [{"index": 0, "function": function}]}));
    let outcome = stream(&[
        call(json!({"arguments": "{\"a\""})),
        call(json!({"name": "f", "arguments": ":1}"})),
        end("stop"),
        done(),
    ]);
    assert!(
        matches!(&outcome.events[1], Event::ToolStart { name, id, .. } if name == "f" && id == "call_x_0")
    );
    assert!(
        matches!(&outcome.events[2], Event::ToolArguments { fragment, .. } if fragment == "{\"a\":1}")
    );
    let outcome = stream(&[call(json!({"arguments": "{}"})), end("stop"), done()]);
    assert!(
        outcome.failure.is_some(),
        "a call without a name is no answer"
    );
}

#[test]
fn calls_are_numbered_without_a_gap_in_the_order_in_which_they_begin() {
    let calls = |calls: Value| bit(json!({"tool_calls": calls}));
    let begun = |chunks: &[Value]| -> Vec<(u32, String)> {
        let events = stream(chunks).events;
        let start = |event: Event| match event {
            Event::ToolStart { index, name, .. } => Some((index, name)),
            _ => None,
        };
        events.into_iter().filter_map(start).collect()
    };
    let second = json!({"id": "b", "function": {"name": "r"}});
    // What says nothing is no call, and what has no name is none yet.
    let outcome = stream(&[calls(json!([{}])), calls(json!([second])), end("stop")]);
    assert!(outcome.failure.is_none(), "{outcome:?}");
    for first in [json!({}), json!({"function": {"arguments": "{"}})] {
        let chunks = [calls(json!([first])), calls(json!([second])), end("stop")];
        assert_eq!(begun(&chunks), [(0, "r".to_owned())]);
    }
    let late = [
        calls(json!([{"index": 0, "function": {"arguments": "{}"}}])),
        calls(json!([{"index": 1, "id": "b", "function": {"name": "r"}}])),
        calls(json!([{"index": 0, "function": {"name": "f"}}])),
        end("stop"),
    ];
    assert_eq!(begun(&late), [(0, "r".to_owned()), (1, "f".to_owned())]);
}

#[test]
fn reasoning_pieces_are_told_apart() {
    let detail = |detail: Value| bit(json!({"reasoning_details": [detail]}));
    let outcome = stream(&[
        detail(json!({"type": "reasoning.text", "text": "a"})),
        detail(json!({"type": "reasoning.text", "text": "b", "signature": "s"})),
        detail(json!({"type": "reasoning.encrypted", "data": "c"})),
        bit(json!({"content": "x"})),
        bit(json!({"reasoning": "d"})),
        end("stop"),
    ]);
    let indices: Vec<_> = outcome
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Reasoning { delta, .. } => Some(delta.index),
            _ => None,
        })
        .collect();
    assert_eq!(indices, [0, 0, 1, 2]);
}

#[test]
fn the_metadata_is_on_the_last_chunk_only() {
    let stamp = Stamp {
        metadata: Some(r#"{"attempts":1}"#),
        ..STAMP
    };
    let mut writer = OpenAiChat.stream_writer(&stamp);
    let mut out = Vec::new();
    writer.event(
        &Event::Text {
            choice: 0,
            text: "a".into(),
            logprobs: None,
        },
        &mut out,
    );
    writer.event(
        &Event::Finish {
            choice: 0,
            reason: Finish::Stop,
            native: None,
        },
        &mut out,
    );
    assert!(!String::from_utf8_lossy(&out).contains("openrouter_metadata"));
    out.clear();
    writer.event(
        &Event::Settled(Default::default(), Default::default()),
        &mut out,
    );
    let text = String::from_utf8(out.clone()).unwrap();
    assert!(
        text.ends_with("\"openrouter_metadata\":{\"attempts\":1}}\n\n"),
        "{text}"
    );
    out.clear();
    writer.event(&Event::Done, &mut out);
    assert_eq!(out, b"data: [DONE]\n\n");
}

#[test]
fn nothing_is_written_before_there_is_content() {
    let mut writer = OpenAiChat.stream_writer(&STAMP);
    let mut out = Vec::new();
    writer.event(
        &Event::Start {
            upstream_id: None,
            upstream_model: None,
        },
        &mut out,
    );
    writer.event(&Event::Usage(Default::default()), &mut out);
    assert!(out.is_empty());
}

/// One thing to say; together a stream that obeys the laws.
fn saying() -> impl Strategy<Value = Event> {
    prop_oneof![
        "\\PC{1,8}".prop_map(|text| Event::Text {
            choice: 0,
            text,
            logprobs: None
        }),
        "\\PC{1,8}".prop_map(|text| Event::Refusal { choice: 0, text }),
        ("\\PC{1,8}", 0..3_u32).prop_map(|(text, index)| Event::Reasoning {
            choice: 0,
            delta: ReasoningDelta {
                index,
                kind: ReasoningKind::Text {
                    text,
                    signature: None
                },
                id: None,
                scheme: Some("anthropic-claude-v1".into()),
            },
        }),
        ("[a-z]{1,5}", "\\PC{1,8}").prop_map(|(name, fragment)| Event::ToolArguments {
            choice: 0,
            index: 0,
            fragment: format!("{name}\n{fragment}"),
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What is written is read as the same events, wherever it is cut.
    #[test]
    fn a_stream_survives_writing_and_reading(
        sayings in proptest::collection::vec(saying(), 1..8),
        cut in 1..40_usize,
    ) {
        let mut events = vec![];
        let mut calls = 0;
        for saying in sayings {
            if let Event::ToolArguments { choice, fragment, .. } = saying {
                let (id, name) = (format!("call_{calls}"), "tool".to_owned());
                events.push(Event::ToolStart { choice, index: calls, id, name });
                events.push(Event::ToolArguments { choice, index: calls, fragment });
                calls += 1;
            } else {
                events.push(saying);
            }
        }
        let reason = if calls > 0 { Finish::ToolCalls } else { Finish::Stop };
        events.push(Event::Finish { choice: 0, reason, native: Some("end".into()) });
        events.push(Event::Done);
        let mut writer = OpenAiChat.stream_writer(&STAMP);
        let mut out = Vec::new();
        for event in &events {
            writer.event(event, &mut out);
        }
        let outcome = laws::read_stream(&OpenAiChat, out.chunks(cut));
        prop_assert_eq!(laws::check(&outcome), Ok(()));
        let read = format!("{:?}", &outcome.events[1..]);
        prop_assert_eq!(read, format!("{events:?}"));
        prop_assert!(outcome.failure.is_none());
    }

    #[test]
    fn no_stream_panics_or_breaks_the_laws(bytes in proptest::collection::vec(
        prop_oneof![
            Just("data: "), Just("\n\n"), Just("[DONE]"), Just("{\"choices\":[{"), Just("\"delta\":{"),
            Just("\"content\":\"a\""), Just("}"), Just("]"), Just(","), Just("\"finish_reason\":\"stop\""),
            Just("\"tool_calls\":[{\"function\":{\"name\":\"f\"}}]"), Just("\"index\":3"),
            Just("data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n"),
            Just("data: {\"choices\":[{\"index\":1,\"delta\":{\"tool_calls\":[{\"id\":\"a\",\"function\":{\"arguments\":{}}}]}}]}\n\n"),
        ], 0..30)) {
        let text = bytes.concat();
        let outcome = laws::read_stream(&OpenAiChat, [text.as_bytes()]);
        prop_assert_eq!(laws::check(&outcome), Ok(()));
    }
}

#[test]
fn a_call_without_arguments_is_told_an_empty_object_before_its_end() {
    let start = bit(json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "now"}}]}));
    let arguments = |word: &str| {
        let events = stream(&[start.clone(), end(word), done()]).events;
        let told = |event: &Event| match event {
            Event::ToolArguments { fragment, .. } => Some(fragment.clone()),
            _ => None,
        };
        let at = |is: fn(&Event) -> bool| events.iter().position(is);
        let arguments = at(|event| matches!(event, Event::ToolArguments { .. }));
        assert!(arguments < at(|event| matches!(event, Event::Finish { .. })));
        events.iter().find_map(told)
    };
    assert_eq!(arguments("stop").as_deref(), Some("{}"));
    assert_eq!(arguments("tool_calls").as_deref(), Some("{}"));
    assert_eq!(arguments("length"), None);
}
