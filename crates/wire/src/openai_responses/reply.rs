//! Whole replies: from a provider, and to a client.

use bourse_vocab::chat::{Choice, Finish, Media, Part, Reply};
use bourse_vocab::json::{Map, Value};
use bourse_vocab::service::public_name;
use bourse_vocab::{Failure, FailureKind, Format};

use super::echo::Echo;
use super::item::{self, Call, Content, Status};
use super::pieces::{Thought, own_id};
use super::response::{self, Body, Head};
use super::{SCHEME, annotations, custom, usage};
use crate::codec::Stamp;
use crate::dialect::answer::text_of;
use crate::dialect::calls::NO_ARGUMENTS;
use crate::failure_text;
use crate::openai_chat::usage as counts;

/// Reads a whole reply.
pub fn read(body: &[u8]) -> Result<Reply, Failure> {
    let value = bourse_vocab::json::parse(body).map_err(|error| {
        Failure::unavailable("The provider's reply is not JSON").inside(error.to_string())
    })?;
    if let Some(error) = error_in(&value) {
        return Err(error);
    }
    let Some(items) = value.get("output").and_then(Value::as_array) else {
        return Err(Failure::unavailable(
            "The provider's reply has no answer in it",
        ));
    };
    let mut choice = Choice {
        index: 0,
        parts: Vec::new(),
        finish: None,
        native_finish: None,
        logprobs: None,
        annotations: None,
        audio: None,
    };
    let mut heard = Heard::default();
    for entry in items {
        output_item(entry, &mut choice.parts, &mut heard);
    }
    choice.logprobs = logprobs(heard.logprobs);
    choice.annotations = (!heard.annotations.is_empty()).then_some(heard.annotations.into());
    let calls = choice
        .parts
        .iter()
        .any(|part| matches!(part, Part::ToolCall { .. }));
    let (finish, native) = finish_of(&value, calls);
    (choice.finish, choice.native_finish) = (Some(finish), Some(native));
    Ok(Reply {
        upstream_id: text_of(&value, "id").map(str::to_owned),
        upstream_model: text_of(&value, "model").map(str::to_owned),
        system_fingerprint: None,
        service_tier: tier(&value),
        choices: vec![choice],
        usage: value
            .get("usage")
            .filter(|usage| usage.is_object())
            .map(counts::read_usage),
        settled: None,
    })
}

/// The tier that a response says, in public words.
pub fn tier(response: &Value) -> Option<String> {
    Some(public_name(text_of(response, "service_tier")?).into_owned())
}

/// The failure in a response, or in a body, that reports one.
pub fn error_in(value: &Value) -> Option<Failure> {
    let says_so = value.get("error").is_some_and(failure_text::says_something);
    let looks_so = value.get("status").and_then(Value::as_str) == Some("failed");
    (says_so || looks_so).then(|| failure_text::read_late(value))
}

/// Why a response ended, and the provider's own word for it.
pub fn finish_of(response: &Value, calls: bool) -> (Finish, String) {
    let status = text_of(response, "status").unwrap_or("completed");
    let reason = response
        .get("incomplete_details")
        .and_then(|details| text_of(details, "reason"));
    let finish = match (status, reason) {
        ("incomplete", Some("content_filter")) => Finish::ContentFilter,
        ("incomplete", _) => Finish::Length,
        ("failed" | "cancelled", _) => Finish::Error,
        _ if calls => Finish::ToolCalls,
        _ => Finish::Stop,
    };
    (finish, reason.unwrap_or(status).to_owned())
}

/// Log probabilities as chat completions have them.
pub fn logprobs(tokens: Vec<Value>) -> Option<Value> {
    if tokens.is_empty() {
        return None;
    }
    let mut members = Map::new();
    members.insert("content".to_owned(), Value::Array(tokens));
    members.insert("refusal".to_owned(), Value::Null);
    Some(Value::Object(members))
}

/// The tokens in log probabilities of chat completions.
pub fn tokens(logprobs: Option<&Value>) -> Vec<Value> {
    let list = logprobs.and_then(|logprobs| logprobs.get("content")?.as_array());
    list.cloned().unwrap_or_default()
}

/// What belongs to the whole answer and not to a part.
#[derive(Default)]
struct Heard {
    annotations: Vec<Value>,
    logprobs: Vec<Value>,
}

fn output_item(entry: &Value, parts: &mut Vec<Part>, heard: &mut Heard) {
    match text_of(entry, "type") {
        Some("message") => {
            let content = entry.get("content").and_then(Value::as_array);
            for part in content.into_iter().flatten() {
                message_part(part, parts, heard);
            }
        }
        Some("reasoning") => {
            let pieces = thought(entry).pieces();
            parts.extend(pieces.into_iter().map(Part::Reasoning));
        }
        Some("function_call") => parts.push(Part::ToolCall {
            id: call_id(entry),
            name: text_of(entry, "name").unwrap_or_default().to_owned(),
            arguments: text_of(entry, "arguments")
                .unwrap_or(NO_ARGUMENTS)
                .to_owned(),
        }),
        Some("image_generation_call") => parts.extend(picture(entry).map(|media| Part::Image {
            media,
            detail: None,
            cache: None,
        })),
        _ => parts.push(Part::Opaque {
            format: Format::OpenAiResponses,
            value: entry.clone(),
        }),
    }
}

fn message_part(part: &Value, parts: &mut Vec<Part>, heard: &mut Heard) {
    if let Some(refusal) = text_of(part, "refusal") {
        parts.push(Part::Refusal(refusal.to_owned()));
        return;
    }
    parts.extend(text_of(part, "text").map(Part::text));
    let list = |name: &str| part.get(name).and_then(Value::as_array).into_iter();
    heard
        .annotations
        .extend(list("annotations").flatten().map(annotations::read));
    heard.logprobs.extend(list("logprobs").flatten().cloned());
}

/// The model's name for a call; some servers only give the item an id.
pub fn call_id(entry: &Value) -> String {
    let id = text_of(entry, "call_id").or_else(|| text_of(entry, "id"));
    id.unwrap_or("call_0").to_owned()
}

/// A picture in an item. The format that the model was asked for is told
/// beside it (platform.openai.com/docs, image generation tool, 2026).
pub fn picture(entry: &Value) -> Option<Media> {
    let result = text_of(entry, "result")?;
    if result.starts_with("data:") || result.starts_with("http") {
        return Some(crate::dialect::media::read(result.to_owned()));
    }
    let format = text_of(entry, "output_format").unwrap_or("png");
    Some(Media::Base64 {
        mime: format!("image/{format}"),
        data: result.to_owned(),
    })
}

/// An item of reasoning.
pub fn thought(entry: &Value) -> Thought {
    let texts = |name: &str| {
        let list = entry.get(name).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(|part| text_of(part, "text").map(str::to_owned))
            .collect()
    };
    let text = |name: &str| text_of(entry, name).map(str::to_owned);
    let scheme = text("format").filter(|scheme| scheme != "unknown");
    let thought = Thought {
        id: own_id(text("id")),
        summary: texts("summary"),
        content: texts("content"),
        signature: text("signature"),
        sealed: text("encrypted_content"),
        scheme: Some(scheme.unwrap_or_else(|| SCHEME.to_owned())),
    };
    thought.unsealed()
}

/// Writes a whole reply.
pub fn write(reply: &Reply, stamp: &Stamp<'_>, echo: &Echo) -> Vec<u8> {
    let head = Head::of(stamp);
    // One answer is all that the format has.
    let choice = reply.choices.first();
    let finish = choice
        .and_then(|choice| choice.finish)
        .unwrap_or(Finish::Stop);
    let (status, incomplete) = response::status_of(finish);
    let items = choice.map_or_else(Vec::new, |choice| items(choice, &head, echo, status));
    let failure = (status == Status::Failed).then(|| {
        Failure::new(
            FailureKind::Unavailable,
            "The provider failed before its answer was complete",
        )
    });
    let counted = reply.usage.as_ref().map(usage::known);
    let usage = match &reply.settled {
        Some((usage, bill)) => Some((usage, Some(bill))),
        None => counted.as_ref().map(|usage| (usage, None)),
    };
    let mut out = Vec::new();
    let body = Body {
        status,
        incomplete,
        failure: failure.as_ref(),
        output: items.iter().map(Vec::as_slice).collect(),
        tier: reply.service_tier.as_deref(),
        usage,
        metadata: stamp.metadata,
    };
    response::write(&mut out, &head, echo, &body);
    out
}

/// The items of an answer, in order: what is said in a row is one message.
fn items(choice: &Choice, head: &Head, echo: &Echo, status: Status) -> Vec<Vec<u8>> {
    let status = match status {
        Status::Completed => Status::Completed,
        _ => Status::Incomplete,
    };
    let mut items = Items {
        head,
        status,
        out: Vec::new(),
        content: Vec::new(),
        thoughts: Vec::new(),
    };
    let mut tokens = tokens(choice.logprobs.as_ref());
    let mut cited = choice
        .annotations
        .as_ref()
        .map(annotations::write)
        .unwrap_or_default();
    // Where exactly the citations stood is told by their offsets alone.
    let last_text = choice
        .parts
        .iter()
        .rposition(|part| matches!(part, Part::Text { .. }));
    for (at, part) in choice.parts.iter().enumerate() {
        match part {
            Part::Text { text, .. } => items.say(Content::Text {
                text: text.clone(),
                annotations: if Some(at) == last_text {
                    std::mem::take(&mut cited)
                } else {
                    Vec::new()
                },
                logprobs: std::mem::take(&mut tokens),
            }),
            Part::Refusal(text) => items.say(Content::Refusal(text.clone())),
            Part::Reasoning(piece) => {
                items.close_message();
                Thought::push(&mut items.thoughts, piece);
            }
            Part::ToolCall {
                id,
                name,
                arguments,
            } => items.call(echo.call(id, name), arguments),
            Part::Image { media, .. } => {
                items.push("ig", |out, id| item::picture(out, id, media));
            }
            Part::Opaque {
                format: Format::OpenAiResponses,
                value,
            } => items.push("", |out, _| crate::object::write(out, value)),
            _ => {}
        }
    }
    items.close();
    items.out
}

/// Items while they are gathered.
struct Items<'a> {
    head: &'a Head,
    status: Status,
    out: Vec<Vec<u8>>,
    /// The message that is open.
    content: Vec<Content>,
    /// Reasoning that is open.
    thoughts: Vec<Thought>,
}

impl Items<'_> {
    fn say(&mut self, content: Content) {
        self.close_thoughts();
        self.content.push(content);
    }

    fn add(&mut self, prefix: &str, write: impl FnOnce(&mut Vec<u8>, &str)) {
        let mut out = Vec::new();
        write(&mut out, &self.head.item_id(prefix, self.out.len()));
        self.out.push(out);
    }

    fn push(&mut self, prefix: &str, write: impl FnOnce(&mut Vec<u8>, &str)) {
        self.close();
        self.add(prefix, write);
    }

    fn call(&mut self, mut call: Call, arguments: &str) {
        call.given = if call.is_custom {
            custom::input(arguments)
        } else {
            arguments.to_owned()
        };
        let status = self.status;
        self.push(call.prefix(), |out, id| call.write(out, id, status));
    }

    fn close_message(&mut self) {
        let content = std::mem::take(&mut self.content);
        if !content.is_empty() {
            let status = self.status;
            self.add("msg", |out, id| item::message(out, id, &content, status));
        }
    }

    fn close_thoughts(&mut self) {
        for thought in std::mem::take(&mut self.thoughts) {
            self.add("rs", |out, made_up| {
                let id = thought.id.as_deref().unwrap_or(made_up);
                item::reasoning(out, id, &thought, Status::Completed);
            });
        }
    }

    fn close(&mut self) {
        self.close_thoughts();
        self.close_message();
    }
}
