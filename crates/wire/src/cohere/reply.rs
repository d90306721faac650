//! Whole replies, both ways.

use bourse_vocab::chat::{Choice, Finish, Part, Reasoning, ReasoningKind, Reply};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, Usage};

use super::{request, text, usage};
use crate::codec::Stamp;
use crate::dialect::calls::{arguments, ids_of_whole};

/// Reads a provider's reply.
pub fn read(body: &[u8]) -> Result<Reply, Failure> {
    let unreadable = |inside: String| {
        Failure::unavailable("The provider's reply could not be read").inside(inside)
    };
    let reply: Value = bourse_vocab::json::parse(body)
        .map_err(|error| unreadable(format!("not JSON: {error}")))?;
    let message = reply
        .get("message")
        .filter(|message| message.is_object())
        .ok_or_else(|| unreadable("no message".to_owned()))?;
    let id = text(&reply, "id").map(str::to_owned);
    let native = text(&reply, "finish_reason").map(str::to_owned);
    let citations = message.get("citations").and_then(Value::as_array);
    let annotations: Vec<Value> = citations
        .into_iter()
        .flatten()
        .flat_map(annotations)
        .collect();
    Ok(Reply {
        upstream_model: None,
        system_fingerprint: None,
        service_tier: None,
        choices: vec![Choice {
            index: 0,
            parts: parts(message, id.as_deref()),
            finish: native.as_deref().map(finish),
            native_finish: native,
            logprobs: None,
            annotations: (!annotations.is_empty()).then_some(Value::Array(annotations)),
            audio: None,
        }],
        upstream_id: id,
        usage: reply.get("usage").map(usage::read),
        settled: None,
    })
}

fn parts(message: &Value, answer: Option<&str>) -> Vec<Part> {
    let mut parts = Vec::new();
    let plan = text(message, "tool_plan").filter(|plan| !plan.is_empty());
    parts.extend(plan.map(thought));
    let content = message.get("content").and_then(Value::as_array);
    for block in content.into_iter().flatten() {
        parts.extend(request::read_block(block));
    }
    let calls = message.get("tool_calls").and_then(Value::as_array);
    let calls = calls.map(Vec::as_slice).unwrap_or_default();
    for (call, id) in calls.iter().zip(ids_of_whole(calls, answer)) {
        if let Some((name, arguments)) = called(call) {
            parts.push(Part::ToolCall {
                id,
                name: name.to_owned(),
                arguments,
            });
        }
    }
    parts
}

/// A thought, or a plan, which is one.
pub fn thought(text: &str) -> Part {
    Part::Reasoning(Reasoning {
        kind: ReasoningKind::Text {
            text: text.to_owned(),
            signature: None,
        },
        id: None,
        scheme: None,
        replayed: None,
    })
}

/// The name and the arguments of a call, if it has a name.
pub fn called(call: &Value) -> Option<(&str, String)> {
    let function = call.get("function")?;
    let arguments = match arguments(function) {
        none if none.is_empty() => "{}".to_owned(),
        some => some,
    };
    Some((text(function, "name")?, arguments))
}

/// A citation in OpenAI's `annotations` shape, for each source that has an
/// address: that shape has no place for the others.
pub fn annotations(citation: &Value) -> Vec<Value> {
    let of_text = text(citation, "type").is_none_or(|kind| kind == "TEXT_CONTENT");
    let sources = citation.get("sources").and_then(Value::as_array);
    let place = |name: &str| citation.get(name).and_then(Value::as_u64).unwrap_or(0);
    sources
        .into_iter()
        .flatten()
        .filter(|_| of_text)
        .filter_map(|source| {
            let shown = source
                .get("document")
                .or_else(|| source.get("tool_output"))?;
            let url = text(shown, "url")?;
            Some(json!({
                "type": "url_citation",
                "url_citation": {
                    "url": url,
                    "title": text(shown, "title").unwrap_or(""),
                    "start_index": place("start"),
                    "end_index": place("end"),
                },
            }))
        })
        .collect()
}

/// What a `finish_reason` means. Reasons that are added later are taken for a
/// normal end.
pub fn finish(reason: &str) -> Finish {
    match reason {
        "MAX_TOKENS" => Finish::Length,
        "TOOL_CALL" => Finish::ToolCalls,
        "ERROR" | "TIMEOUT" => Finish::Error,
        _ => Finish::Stop,
    }
}

/// The `finish_reason` of a finish; the provider's own word where it is one of
/// Cohere's.
pub fn finish_reason(finish: Finish, native: Option<&str>) -> &'static str {
    const NATIVE: [&str; 6] = [
        "COMPLETE",
        "STOP_SEQUENCE",
        "MAX_TOKENS",
        "TOOL_CALL",
        "ERROR",
        "TIMEOUT",
    ];
    let own = NATIVE
        .into_iter()
        .find(|reason| Some(*reason) == native && self::finish(reason) == finish);
    own.unwrap_or(match finish {
        Finish::Stop | Finish::ContentFilter => "COMPLETE",
        Finish::Length => "MAX_TOKENS",
        Finish::ToolCalls => "TOOL_CALL",
        Finish::Error => "ERROR",
    })
}

/// Writes a reply for a client.
pub fn write(reply: &Reply, stamp: &Stamp<'_>) -> Vec<u8> {
    // Cohere gives one answer; others of `n` have no place.
    let choice = reply.choices.first();
    let mut written = Map::new();
    written.insert("id".to_owned(), json!(stamp.id));
    let parts = choice.map(|choice| choice.parts.as_slice());
    written.insert("message".to_owned(), message(parts.unwrap_or_default()));
    if let Some((choice, finish)) = choice.and_then(|choice| Some((choice, choice.finish?))) {
        let reason = finish_reason(finish, choice.native_finish.as_deref());
        written.insert("finish_reason".to_owned(), json!(reason));
    }
    let used = match (&reply.settled, &reply.usage) {
        (Some((usage, _)), _) => *usage,
        (None, Some(report)) => report.resolve(&Usage::default()).0,
        (None, None) => Usage::default(),
    };
    written.insert("usage".to_owned(), usage::write(&used));
    Value::Object(written).to_string().into_bytes()
}

fn message(parts: &[Part]) -> Value {
    let (mut content, mut calls) = (Vec::new(), Vec::new());
    for part in parts {
        match part {
            Part::Text { text, .. } | Part::Refusal(text) => {
                content.push(json!({"type": "text", "text": text}));
            }
            Part::Reasoning(Reasoning { kind, .. }) => {
                let thought = readable(kind);
                if !thought.is_empty() {
                    content.push(json!({"type": "thinking", "thinking": thought}));
                }
            }
            Part::ToolCall {
                id,
                name,
                arguments,
            } => calls.push(request::call(id, name, arguments)),
            // No block of its answers has a place for them.
            Part::Image { .. }
            | Part::Audio { .. }
            | Part::File { .. }
            | Part::Video { .. }
            | Part::ToolResult { .. }
            | Part::Opaque { .. } => {}
        }
    }
    let mut message = Map::new();
    message.insert("role".to_owned(), json!("assistant"));
    for (name, list) in [("content", content), ("tool_calls", calls)] {
        if !list.is_empty() {
            message.insert(name.to_owned(), Value::Array(list));
        }
    }
    Value::Object(message)
}

/// What of a thought can be read: nothing of one that is sealed.
pub fn readable(kind: &ReasoningKind) -> &str {
    match kind {
        ReasoningKind::Text { text, .. } | ReasoningKind::Summary(text) => text,
        ReasoningKind::Encrypted(_) => "",
    }
}
