//! The laws of a stream of Responses, for every stream of every format: events
//! are numbered, what is opened is closed, the ends repeat what was told, and
//! who reads it hears what the provider said.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
use std::path::Path;

use bourse_vocab::Format;
use bourse_vocab::chat::{Event, ReasoningKind};
use bourse_wire::laws::{self, Outcome};
use bourse_wire::{Stamp, codec};
use serde_json::Value;

const STAMP: Stamp<'static> = Stamp {
    id: "gen-1763683200-000000000000001",
    model: "acme/model-1",
    provider: "Acme",
    created: 1_763_683_200,
    metadata: None,
};

fn write(outcome: &Outcome) -> Vec<u8> {
    let mut writer = codec(Format::OpenAiResponses).stream_writer(&STAMP);
    let mut out = Vec::new();
    for event in &outcome.events {
        writer.event(event, &mut out);
    }
    if let Some(failure) = &outcome.failure {
        writer.event(&Event::Error(Box::new(failure.clone())), &mut out);
    }
    out
}

/// What is open, and what was told of it.
#[derive(Default)]
struct Heard {
    items: BTreeMap<u64, (String, bool)>,
    /// By item, sort of event, and number.
    texts: BTreeMap<(String, String, u64), String>,
    done: BTreeMap<u64, Value>,
}

impl Heard {
    fn event(&mut self, event: &Value) {
        let kind = event["type"].as_str().unwrap();
        let at = event["output_index"].as_u64();
        match kind {
            "response.output_item.added" => {
                let at = at.unwrap();
                assert_eq!(at, self.items.len() as u64, "{event}");
                let id = event["item"]["id"].as_str().unwrap().to_owned();
                assert!(
                    !self.items.values().any(|(other, _)| *other == id),
                    "{event}"
                );
                self.items.insert(at, (id, true));
            }
            "response.output_item.done" => {
                let (id, open) = self.items.get_mut(&at.unwrap()).unwrap();
                assert_eq!(event["item"]["id"], id.as_str());
                assert!(std::mem::replace(open, false), "{event}");
                self.done.insert(at.unwrap(), event["item"].clone());
            }
            _ if event.get("item_id").is_some() => {
                let (id, open) = &self.items[&at.unwrap()];
                assert_eq!(event["item_id"], id.as_str());
                assert!(open, "{event}");
                self.inside(kind, id.clone(), event);
            }
            _ => {}
        }
    }

    fn inside(&mut self, kind: &str, id: String, event: &Value) {
        let number = ["content_index", "summary_index"]
            .iter()
            .find_map(|name| event[*name].as_u64())
            .unwrap_or(0);
        if let Some(kind) = kind.strip_suffix(".delta") {
            let text = self.texts.entry((id, kind.to_owned(), number)).or_default();
            text.push_str(event["delta"].as_str().unwrap());
        } else if let Some(kind) = kind.strip_suffix(".done") {
            let whole = ["text", "refusal", "arguments", "input"]
                .iter()
                .find_map(|name| event[*name].as_str());
            if let Some(whole) = whole {
                let key = (id, kind.to_owned(), number);
                let told = self.texts.get(&key).map_or("", String::as_str);
                assert_eq!(whole, told, "{event}");
            }
        }
    }
}

/// What a reader hears, without the ways in which it can be cut.
fn meaning(outcome: &Outcome) -> Vec<String> {
    let mut said = BTreeMap::<String, String>::new();
    let mut add = |what: String, text: &str| said.entry(what).or_default().push_str(text);
    for event in &outcome.events {
        match event {
            Event::Text {
                choice: 0, text, ..
            } => add("text".into(), text),
            Event::Refusal { choice: 0, text } => add("refusal".into(), text),
            Event::Reasoning { choice: 0, delta } => match &delta.kind {
                ReasoningKind::Text { text, signature } => {
                    add("thought".into(), text);
                    add("signature".into(), signature.as_deref().unwrap_or(""));
                }
                ReasoningKind::Summary(text) => add("summary".into(), text),
                ReasoningKind::Encrypted(data) => add("sealed".into(), data),
            },
            Event::ToolStart {
                choice: 0,
                index,
                id,
                name,
            } => {
                add(format!("call {index}"), &format!("{id} {name} "));
            }
            Event::ToolArguments {
                choice: 0,
                index,
                fragment,
            } => {
                add(format!("call {index}"), fragment);
            }
            Event::Finish {
                choice: 0, reason, ..
            } => add("finish".into(), reason.name()),
            _ => {}
        }
    }
    said.into_iter()
        .filter(|(_, text)| !text.trim().is_empty())
        .map(|(what, text)| format!("{what}: {}", text.trim_end()))
        .collect()
}

#[test]
fn every_stream_keeps_to_the_laws_and_is_heard_as_it_was_told() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/chat");
    let mut checked = 0;
    for case in std::fs::read_dir(fixtures).unwrap() {
        let folder = case.unwrap().path();
        for from in Format::ALL {
            let Ok(bytes) = std::fs::read(folder.join(format!("{from}.stream.txt"))) else {
                continue;
            };
            let name = format!("{} in {from}", folder.display());
            let bytes = laws::framed(from, &bytes);
            let outcome = laws::read_stream(codec(from), [&bytes[..]]);
            let out = write(&outcome);
            let text = String::from_utf8(out.clone()).unwrap();
            if text.is_empty() {
                continue;
            }
            let events: Vec<Value> = text
                .lines()
                .filter_map(|line| line.strip_prefix("data: "))
                .filter(|data| *data != "[DONE]")
                .map(|data| serde_json::from_str(data).unwrap())
                .collect();
            let mut heard = Heard::default();
            for (at, event) in events.iter().enumerate() {
                assert_eq!(event["sequence_number"], at, "{name}");
                heard.event(event);
            }
            let last = events.last().unwrap();
            let is_whole = last["type"] != "response.failed";
            if is_whole {
                let done: Vec<Value> = heard.done.into_values().collect();
                assert_eq!(last["response"]["output"], Value::Array(done), "{name}");
                assert!(heard.items.values().all(|(_, open)| !open), "{name}");
                let again = laws::read_stream(codec(Format::OpenAiResponses), [&out[..]]);
                laws::check(&again).unwrap_or_else(|broken| panic!("{name}: {broken}"));
                assert_eq!(meaning(&again), meaning(&outcome), "{name}");
            }
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked}");
}
