//! Whole replies: from a provider, and to a client.

use bourse_vocab::chat::{Choice, Finish, Media, Part, Reply};
use bourse_vocab::json::{Map, Value};
use bourse_vocab::service::public_name;
use bourse_vocab::{Failure, Format, Usage};

use super::{reasoning, usage};
use crate::codec::Stamp;
use crate::dialect::answer::{images, plain_reasoning, spoken, text_of};
use crate::dialect::calls::{arguments_of_whole, ids_of_whole};
use crate::dialect::parameters::CHOICES_MAX;
use crate::dialect::{finish, media};
use crate::failure_text;
use crate::object::{self, Object, object};

/// Reads a whole reply.
pub fn read(body: &[u8]) -> Result<Reply, Failure> {
    let value = bourse_vocab::json::parse(body).map_err(|error| {
        Failure::unavailable("The provider's reply is not JSON").inside(error.to_string())
    })?;
    // Some vendors report errors with status 200.
    if let Some(error) = error_in(&value) {
        return Err(error);
    }
    let choices = match value.get("choices").and_then(Value::as_array) {
        Some(items) if !items.is_empty() && items.len() as u64 <= CHOICES_MAX => items
            .iter()
            .zip(0..)
            .map(|(item, position)| choice(item, position, text_of(&value, "id")))
            .collect::<Result<Vec<_>, _>>()?,
        _ => {
            return Err(Failure::unavailable(
                "The provider's reply has no answer in it",
            ));
        }
    };
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(Reply {
        upstream_id: text("id"),
        upstream_model: text("model"),
        system_fingerprint: text("system_fingerprint"),
        service_tier: text("service_tier").map(|word| public_name(&word).into_owned()),
        choices,
        usage: usage::usage_of_reply(body),
        settled: None,
    })
}

/// The failure in a body or chunk that reports one.
pub fn error_in(value: &Value) -> Option<Failure> {
    let says_so = value.get("error").is_some_and(failure_text::says_something);
    let looks_so = value.get("choices").is_none()
        && (value.get("object").and_then(Value::as_str) == Some("error")
            || ["message", "detail", "msg"]
                .iter()
                .any(|name| value.get(name).is_some_and(Value::is_string)));
    (says_so || looks_so).then(|| failure_text::read_late(value))
}

fn choice(item: &Value, position: u32, answer: Option<&str>) -> Result<Choice, Failure> {
    let empty = Value::Null;
    let message = item.get("message").unwrap_or(&empty);
    let mut parts = thoughts(message);
    spoken(
        message.get("content").or_else(|| item.get("text")),
        &mut parts,
    );
    if let Some(refusal) = text_of(message, "refusal") {
        parts.push(Part::Refusal(refusal.to_owned()));
    }
    parts.extend(images(message));
    let word = item.get("finish_reason").and_then(Value::as_str);
    let reason = finish::read(word);
    let calls_begin = parts.len();
    calls(message, answer, reason, &mut parts);
    let finish = reason.map(|reason| finish::with_calls(reason, parts.len() > calls_begin));
    if parts.is_empty()
        && let Some(error) = item
            .get("error")
            .filter(|error| failure_text::says_something(error))
    {
        return Err(failure_text::read_late(error));
    }
    let member = |of: &Value, name: &str| {
        of.get(name)
            .filter(|value| !value.is_null() && value.as_array().is_none_or(|a| !a.is_empty()))
            .cloned()
    };
    Ok(Choice {
        index: index_of(item).unwrap_or(position),
        parts,
        finish,
        native_finish: text_of(item, "native_finish_reason")
            .or(word)
            .map(str::to_owned),
        logprobs: member(item, "logprobs"),
        annotations: member(message, "annotations"),
        audio: member(message, "audio"),
    })
}

/// The `index` of a choice.
pub fn index_of(item: &Value) -> Option<u32> {
    item.get("index")
        .and_then(Value::as_u64)
        .and_then(|index| u32::try_from(index).ok())
}

/// The reasoning of an answer: its pieces if there are any with text, or
/// else the one text under any of its names.
fn thoughts(message: &Value) -> Vec<Part> {
    let mut parts: Vec<Part> = message
        .get("reasoning_details")
        .and_then(Value::as_array)
        .map(|items| items.iter().cloned().map(reasoning::read).collect())
        .unwrap_or_default();
    if reasoning::joined(&parts).is_none()
        && let Some(text) = plain_reasoning(message)
    {
        parts.insert(0, reasoning::plain(text.to_owned()));
    }
    parts
}

fn calls(message: &Value, answer: Option<&str>, reason: Option<Finish>, parts: &mut Vec<Part>) {
    let list = message.get("tool_calls").and_then(Value::as_array);
    let items = list.map(Vec::as_slice).unwrap_or_default();
    for (item, id) in items.iter().zip(ids_of_whole(items, answer)) {
        let Some(function) = item.get("function") else {
            let mut members = Map::new();
            members.insert("tool_call".to_owned(), item.clone());
            parts.push(Part::Opaque {
                format: Format::OpenAiChat,
                value: Value::Object(members),
            });
            continue;
        };
        parts.push(call(id, function, reason));
    }
    // The form before `tool_calls`.
    if list.is_none()
        && let Some(function) = message.get("function_call").filter(|call| call.is_object())
    {
        parts.push(call("call_0".to_owned(), function, reason));
    }
}

fn call(id: String, function: &Value, reason: Option<Finish>) -> Part {
    Part::ToolCall {
        id,
        name: text_of(function, "name").unwrap_or_default().to_owned(),
        arguments: arguments_of_whole(function, reason),
    }
}

/// Writes a whole reply.
pub fn write(reply: &Reply, stamp: &Stamp<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    object(&mut out, |object| {
        head(object, "chat.completion", stamp);
        object.put("system_fingerprint", &reply.system_fingerprint);
        object.put_some("service_tier", reply.service_tier.as_ref());
        object.nested("choices", |out| {
            object::array(out, &reply.choices, write_choice);
        });
        tail(object, reply, stamp);
    });
    out
}

/// The members that every reply and chunk begins with.
pub fn head(object: &mut Object<'_>, kind: &str, stamp: &Stamp<'_>) {
    object
        .put("id", stamp.id)
        .put("object", kind)
        .put("created", &stamp.created)
        .put("model", stamp.model)
        .put("provider", stamp.provider);
}

/// The members that every whole reply ends with.
pub fn tail(object: &mut Object<'_>, reply: &Reply, stamp: &Stamp<'_>) {
    match (&reply.settled, &reply.usage) {
        (Some((usage, bill)), _) => {
            object.nested("usage", |out| usage::write_usage(usage, bill, out));
        }
        // Without a price there is no cost to print, and a cost of zero
        // would be a lie.
        (None, Some(report)) => {
            let (usage, _) = report.resolve(&Usage::default());
            object.nested("usage", |out| write_counts(out, &usage));
        }
        (None, None) => {}
    }
    if let Some(metadata) = stamp.metadata {
        object.raw("openrouter_metadata", metadata);
    }
}

fn write_counts(out: &mut Vec<u8>, usage: &Usage) {
    object(out, |object| {
        object
            .put("prompt_tokens", &usage.prompt)
            .put("completion_tokens", &usage.completion)
            .put("total_tokens", &usage.total());
    });
}

fn write_choice(out: &mut Vec<u8>, choice: &Choice) {
    object(out, |object| {
        object
            .put("index", &choice.index)
            .put("logprobs", &choice.logprobs)
            .put("finish_reason", &choice.finish.map(Finish::name))
            .put("native_finish_reason", &choice.native_finish)
            .nested("message", |out| write_message(out, choice));
    });
}

/// Everything said in `parts`, joined: the format has one text.
pub fn said(parts: &[Part]) -> Option<String> {
    let mut said: Option<String> = None;
    for part in parts {
        if let Part::Text { text, .. } = part {
            said.get_or_insert_default().push_str(text);
        }
    }
    said
}

/// Every refusal in `parts`, joined.
pub fn refused(parts: &[Part]) -> Option<String> {
    let refusals = parts.iter().filter_map(|part| match part {
        Part::Refusal(text) => Some(text.as_str()),
        _ => None,
    });
    let refusal: String = refusals.collect();
    (!refusal.is_empty()).then_some(refusal)
}

fn write_message(out: &mut Vec<u8>, choice: &Choice) {
    let parts = &choice.parts;
    object(out, |object| {
        object
            .put("role", "assistant")
            .put("content", &said(parts))
            .put("refusal", &refused(parts))
            .put("reasoning", &reasoning::joined(parts));
        write_list(object, "reasoning_details", parts, write_detail);
        write_list(object, "tool_calls", parts, write_call);
        write_list(object, "images", parts, |out, part, index| match part {
            Part::Image { media, .. } => write_image(out, media, index),
            _ => false,
        });
        object.put_some("annotations", choice.annotations.as_ref());
        object.put_some("audio", choice.audio.as_ref());
    });
}

/// Writes a list of what `item` writes, or nothing if it writes nothing.
/// `item` gets the number of the next item and says whether it wrote it.
fn write_list(
    object: &mut Object<'_>,
    name: &str,
    parts: &[Part],
    item: impl Fn(&mut Vec<u8>, &Part, u64) -> bool,
) {
    let mut list = Vec::new();
    let mut count = 0;
    for part in parts {
        let before = list.len();
        if count > 0 {
            list.push(b',');
        }
        if item(&mut list, part, count) {
            count += 1;
        } else {
            list.truncate(before);
        }
    }
    if count > 0 {
        object.nested(name, |out| {
            out.push(b'[');
            out.append(&mut list);
            out.push(b']');
        });
    }
}

fn write_detail(out: &mut Vec<u8>, part: &Part, index: u64) -> bool {
    match part {
        Part::Reasoning(piece) => reasoning::write(
            out,
            &piece.kind,
            piece.id.as_deref(),
            piece.scheme.as_deref(),
            index,
        ),
        Part::Opaque {
            format: Format::OpenAiChat,
            value,
        } if reasoning::is_detail(value) => reasoning::write_opaque(out, value, index),
        _ => return false,
    }
    true
}

fn write_call(out: &mut Vec<u8>, part: &Part, index: u64) -> bool {
    match part {
        Part::ToolCall {
            id,
            name,
            arguments,
        } => object(out, |call| {
            call.put("index", &index)
                .put("id", id)
                .put("type", "function")
                .nested("function", |out| {
                    object(out, |function| {
                        function.put("name", name).put("arguments", arguments);
                    });
                });
        }),
        Part::Opaque {
            format: Format::OpenAiChat,
            value,
        } => match value.get("tool_call") {
            Some(call) => object::write(out, call),
            None => return false,
        },
        _ => return false,
    }
    true
}

/// Writes one item of `images`; a picture known only by an id is left out.
pub fn write_image(out: &mut Vec<u8>, media: &Media, index: u64) -> bool {
    let Some(url) = media::url(media) else {
        return false;
    };
    object(out, |image| {
        image
            .put("type", "image_url")
            .nested("image_url", |out| {
                object(out, |inner| {
                    inner.put("url", &url);
                });
            })
            .put("index", &index);
    });
    true
}
