//! Streams: what a provider tells, and what a client is told.

use std::sync::Arc;

use bourse_vocab::chat::{Event, Finish, ReasoningKind};
use bourse_vocab::{Failure, Format};
use serde_json::{Value, json};

use crate::laws::{self, Outcome};
use crate::openai_responses::{Echo, stream_writer};
use crate::{Stamp, codec, json};

const STAMP: Stamp<'static> = Stamp {
    id: "gen-1-2",
    model: "acme/model",
    provider: "Acme",
    created: 7,
    metadata: Some("{\"m\":1}"),
};

fn read(events: &[Value]) -> Outcome {
    let stream: String = events
        .iter()
        .map(|event| format!("data: {event}\n\n"))
        .collect();
    let outcome = laws::read_stream(codec(Format::OpenAiResponses), [stream.as_bytes()]);
    laws::check(&outcome).unwrap();
    outcome
}

fn item(kind: &str, at: u64, item: &Value) -> Value {
    json!({"type": format!("response.output_item.{kind}"), "output_index": at, "item": item})
}

fn completed() -> Value {
    json!({"type": "response.completed", "response": {"status": "completed"}})
}

#[test]
fn what_comes_only_with_the_end_of_an_item_is_told() {
    let outcome = read(&[
        item(
            "done",
            0,
            &json!({"type": "message",
            "content": [{"type": "output_text", "text": "all"}]}),
        ),
        item(
            "done",
            1,
            &json!({"type": "function_call", "call_id": "c", "name": "f"}),
        ),
        completed(),
    ]);
    assert!(outcome.failure.is_none());
    let said = outcome
        .events
        .iter()
        .any(|event| matches!(event, Event::Text { text, .. } if text == "all"));
    let called = outcome
        .events
        .iter()
        .any(|event| matches!(event, Event::ToolArguments { fragment, .. } if fragment == "{}"));
    assert!(said && called, "{:?}", outcome.events);
    let finish = Some(Finish::ToolCalls);
    assert!(
        outcome.events.iter().any(|event| {
            matches!(event, Event::Finish { reason, .. } if Some(*reason) == finish)
        })
    );
}

#[test]
fn a_stream_that_contradicts_itself_is_a_failure() {
    let call = json!({"type": "function_call", "call_id": "c", "name": "f"});
    let delta = json!({"type": "response.function_call_arguments.delta", "output_index": 0,
        "delta": "{}"});
    for events in [
        vec![delta.clone()],
        vec![item("added", 0, &call), completed()],
        vec![item("done", 0, &call), delta],
        vec![item(
            "added",
            0,
            &json!({"type": "function_call", "call_id": "c"}),
        )],
        vec![json!({"type": "response.output_text.delta", "delta": "x"})],
        vec![json!({"type": "response.created", "response": {}})],
    ] {
        assert!(read(&events).failure.is_some(), "{events:?}");
    }
}

#[test]
fn errors_in_a_stream_are_errors_whatever_they_are_called() {
    for event in [
        json!({"type": "response.failed", "response": {"status": "failed",
            "error": {"code": "rate_limit_exceeded", "message": "Slow down"}}}),
        json!({"type": "error", "code": "rate_limit_exceeded", "message": "Slow down"}),
        json!({"type": "response.completed", "response": {"status": "failed",
            "error": {"code": "rate_limit_exceeded", "message": "Slow down"}}}),
    ] {
        let outcome = read(std::slice::from_ref(&event));
        let Some(Event::Error(failure)) = outcome.events.last() else {
            panic!("{event}: {:?}", outcome.events);
        };
        assert_eq!(failure.message, "Slow down", "{event}");
    }
}

fn written(events: &[Event], echo: Echo) -> Vec<Value> {
    let mut writer = stream_writer(&STAMP, Arc::new(echo));
    let mut out = Vec::new();
    for event in events {
        writer.event(event, &mut out);
    }
    let text = String::from_utf8(out).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn start(index: u32, name: &str) -> Event {
    Event::ToolStart {
        choice: 0,
        index,
        id: format!("call_{index}"),
        name: name.to_owned(),
    }
}

fn more(index: u32, fragment: &str) -> Event {
    Event::ToolArguments {
        choice: 0,
        index,
        fragment: fragment.to_owned(),
    }
}

fn end(reason: Finish) -> [Event; 2] {
    [
        Event::Finish {
            choice: 0,
            reason,
            native: None,
        },
        Event::Done,
    ]
}

#[test]
fn calls_that_are_told_side_by_side_are_items_of_their_own() {
    let mut events = vec![
        start(0, "a"),
        start(1, "b"),
        more(1, "{\"x\""),
        more(0, "{}"),
        more(1, ":1}"),
    ];
    events.extend(end(Finish::ToolCalls));
    let told = written(&events, Echo::default());
    let last = &told.last().unwrap()["response"];
    assert_eq!(last["status"], "completed");
    assert_eq!(last["openrouter_metadata"], json!({"m": 1}));
    let calls: Vec<_> = last["output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| (call["name"].as_str(), call["arguments"].as_str()))
        .collect();
    assert_eq!(
        calls,
        [(Some("a"), Some("{}")), (Some("b"), Some("{\"x\":1}"))]
    );
}

#[test]
fn the_input_of_a_custom_tool_is_told_when_it_is_whole() {
    let body = r#"{"tools":[{"type":"custom","name":"patch"}]}"#;
    let echo = Echo::of(&json::scan(body.as_bytes()).unwrap(), &[body.into()]);
    let mut events = vec![
        start(0, "patch"),
        more(0, "{\"input\":\"*"),
        more(0, "**\"}"),
    ];
    events.extend(end(Finish::ToolCalls));
    let told = written(&events, echo);
    let kinds: Vec<_> = told.iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.custom_tool_call_input.delta",
            "response.custom_tool_call_input.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    assert_eq!(told[4]["input"], "***");
    assert_eq!(told[5]["item"]["input"], "***");
}

#[test]
fn a_stream_without_an_end_is_never_dressed_up_as_a_whole_one() {
    let text = Event::Text {
        choice: 0,
        text: "hi".into(),
        logprobs: None,
    };
    let kinds = |events: &[Event]| -> Vec<String> {
        written(events, Echo::default())
            .iter()
            .map(|event| event["type"].as_str().unwrap().to_owned())
            .collect()
    };
    let cut = kinds(&[text.clone(), Event::Done]);
    assert!(
        !cut.iter().any(|kind| kind == "response.completed"),
        "{cut:?}"
    );
    let broken = Event::Error(Box::new(Failure::unavailable("it broke")));
    let failed = kinds(&[text.clone(), broken]);
    assert_eq!(failed.last().unwrap(), "response.failed");
    let [finish, done] = end(Finish::Error);
    let failed = kinds(&[text, finish, done]);
    assert_eq!(failed.last().unwrap(), "response.failed");
}

#[test]
fn a_seal_with_an_id_of_its_own_is_an_item_of_its_own() {
    let bit = |index, kind, id: Option<&str>| Event::Reasoning {
        choice: 0,
        delta: bourse_vocab::chat::ReasoningDelta {
            index,
            kind,
            id: id.map(str::to_owned),
            scheme: Some("google-gemini-v1".into()),
        },
    };
    let mut events = vec![
        bit(0, ReasoningKind::Summary("s".into()), None),
        bit(1, ReasoningKind::Encrypted("X".into()), Some("call_0")),
    ];
    events.extend(end(Finish::Stop));
    let told = written(&events, Echo::default());
    let output = told.last().unwrap()["response"]["output"].clone();
    assert_eq!(output[0]["id"], "rs_gen-1-2_0");
    assert_eq!(output[1]["id"], "call_0");
    assert_eq!(output[1]["encrypted_content"], "X");
}

#[test]
fn a_thought_that_says_whose_it_is_when_it_is_signed_is_one_item() {
    let bit = |text: &str, signature: Option<&str>, scheme: Option<&str>| Event::Reasoning {
        choice: 0,
        delta: bourse_vocab::chat::ReasoningDelta {
            index: 0,
            kind: ReasoningKind::Text {
                text: text.to_owned(),
                signature: signature.map(str::to_owned),
            },
            id: None,
            scheme: scheme.map(str::to_owned),
        },
    };
    let mut events = vec![
        bit("hm, ", None, None),
        bit("so.", None, None),
        bit("", Some("EqQB"), Some("anthropic-claude-v1")),
    ];
    events.extend(end(Finish::Stop));
    let told = written(&events, Echo::default());
    let output = &told.last().unwrap()["response"]["output"];
    assert_eq!(output.as_array().unwrap().len(), 1, "{output}");
    assert_eq!(output[0]["content"][0]["text"], "hm, so.");
    assert_eq!(output[0]["signature"], "EqQB");
    assert_eq!(output[0]["format"], "anthropic-claude-v1");
}
