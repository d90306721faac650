//! Whole replies, both ways.

use bourse_vocab::chat::{Choice, Finish, Media, Part, Reasoning, ReasoningKind, Reply};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, Usage};

use super::{logprobs, moment, request, text, usage};
use crate::codec::Stamp;
use crate::dialect::calls::{arguments, ids_of_whole};
use crate::failure_text;

/// Reads a provider's reply.
pub fn read(body: &[u8]) -> Result<Reply, Failure> {
    let unreadable = |inside: String| {
        Failure::unavailable("The provider's reply could not be read").inside(inside)
    };
    let reply: Value = bourse_vocab::json::parse(body)
        .map_err(|error| unreadable(format!("not JSON: {error}")))?;
    if reply.get("error").is_some_and(failure_text::says_something) {
        return Err(failure_text::read_late(&reply));
    }
    let message = reply
        .get("message")
        .filter(|message| message.is_object())
        .ok_or_else(|| unreadable("no message".to_owned()))?;
    let parts = parts(message, answer_name(&reply).as_deref());
    let calls = parts
        .iter()
        .any(|part| matches!(part, Part::ToolCall { .. }));
    let native = text(&reply, "done_reason").map(str::to_owned);
    let is_done = reply.get("done").and_then(Value::as_bool) == Some(true);
    Ok(Reply {
        upstream_id: None,
        upstream_model: text(&reply, "model").map(str::to_owned),
        system_fingerprint: None,
        service_tier: None,
        choices: vec![Choice {
            index: 0,
            parts,
            finish: is_done.then(|| finish(native.as_deref(), calls)),
            native_finish: native,
            logprobs: logprobs::read(&reply),
            annotations: None,
            audio: None,
        }],
        usage: usage::read(&reply),
        settled: None,
    })
}

/// What an answer can be told from others by: it has no id, but the moment of
/// its first word, which is good for the names of calls that have none.
pub fn answer_name(reply: &Value) -> Option<String> {
    /// Clients limit ids to 40 bytes.
    const DIGITS_MAX: usize = 24;
    let created = text(reply, "created_at")?;
    let digits = created.chars().filter(char::is_ascii_digit);
    let name: String = digits.take(DIGITS_MAX).collect();
    (!name.is_empty()).then_some(name)
}

fn parts(message: &Value, answer: Option<&str>) -> Vec<Part> {
    let mut parts = Vec::new();
    if let Some(thought) = text(message, "thinking").filter(|thought| !thought.is_empty()) {
        parts.push(Part::Reasoning(Reasoning {
            kind: ReasoningKind::Text {
                text: thought.to_owned(),
                signature: None,
            },
            id: None,
            scheme: None,
            replayed: None,
        }));
    }
    if let Some(said) = text(message, "content").filter(|said| !said.is_empty()) {
        parts.push(Part::text(said));
    }
    let images = message.get("images").and_then(Value::as_array);
    for image in images.into_iter().flatten().filter_map(Value::as_str) {
        parts.push(Part::Image {
            media: request::picture(image.to_owned()),
            detail: None,
            cache: None,
        });
    }
    let calls = message.get("tool_calls").and_then(Value::as_array);
    let calls = calls.map(Vec::as_slice).unwrap_or_default();
    let ids = ids_of_whole(calls, answer);
    for (call, id) in calls.iter().zip(ids) {
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

/// The name and the arguments of a call, if it has a name.
pub fn called(call: &Value) -> Option<(&str, String)> {
    let function = call.get("function")?;
    let arguments = match arguments(function) {
        none if none.is_empty() => "{}".to_owned(),
        some => some,
    };
    Some((text(function, "name")?, arguments))
}

/// What a `done_reason` means. With calls the word is `stop` too.
pub fn finish(reason: Option<&str>, has_calls: bool) -> Finish {
    match reason {
        Some("length") => Finish::Length,
        _ if has_calls => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}

/// The `done_reason` of a finish.
pub const fn done_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Length => "length",
        Finish::Stop | Finish::ToolCalls | Finish::ContentFilter | Finish::Error => "stop",
    }
}

/// Writes a reply for a client.
pub fn write(reply: &Reply, stamp: &Stamp<'_>) -> Vec<u8> {
    // Ollama gives one answer; others of `n` have no place.
    let choice = reply.choices.first();
    let mut written = head(stamp.model, stamp.created);
    let parts = choice.map(|choice| choice.parts.as_slice());
    written.insert("message".to_owned(), message(parts.unwrap_or_default()));
    let finish = choice.and_then(|choice| choice.finish);
    if let Some(finish) = finish {
        written.insert("done_reason".to_owned(), json!(done_reason(finish)));
    }
    written.insert("done".to_owned(), json!(true));
    if let Some(list) = choice.and_then(|choice| logprobs::write(choice.logprobs.as_ref()?)) {
        written.insert("logprobs".to_owned(), list);
    }
    let used = match (&reply.settled, &reply.usage) {
        (Some((usage, _)), _) => *usage,
        (None, Some(report)) => report.resolve(&Usage::default()).0,
        (None, None) => Usage::default(),
    };
    usage::write(&used, &mut written);
    Value::Object(written).to_string().into_bytes()
}

/// How every answer and every line of a stream begins.
pub fn head(model: &str, created: u64) -> Map {
    let mut head = Map::new();
    head.insert("model".to_owned(), json!(model));
    head.insert("created_at".to_owned(), json!(moment::written(created)));
    head
}

fn message(parts: &[Part]) -> Value {
    let (mut said, mut thought) = (String::new(), String::new());
    let (mut images, mut calls) = (Vec::new(), Vec::new());
    for part in parts {
        match part {
            Part::Text { text, .. } | Part::Refusal(text) => said.push_str(text),
            Part::Reasoning(Reasoning { kind, .. }) => thought.push_str(readable(kind)),
            Part::Image {
                media: Media::Base64 { data, .. },
                ..
            } => images.push(json!(data)),
            Part::ToolCall {
                id,
                name,
                arguments,
            } => calls.push(request::call(id, name, arguments).0),
            // No member of its messages has a place for them.
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
    message.insert("content".to_owned(), json!(said));
    if !thought.is_empty() {
        message.insert("thinking".to_owned(), json!(thought));
    }
    for (name, list) in [("images", images), ("tool_calls", calls)] {
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
