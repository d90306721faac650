//! OpenAI's legacy Completions shape.
//!
//! Facts: OpenAI API reference, "Completions (legacy)", read 2026-11.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::ask::{Refusal, Request, required_str, strings};
use crate::openai_chat::{finish_word, usage};
use crate::reply::{CREATED, Event, Events, Reply, per_token};
use crate::words;

/// Reads a request.
///
/// # Errors
/// When `model` is missing.
pub fn read(body: &Value) -> Result<Request, Refusal> {
    let prompts = strings(body.get("prompt"));
    Ok(Request {
        model: required_str(body, "model")?.to_owned(),
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
        include_usage: body
            .pointer("/stream_options/include_usage")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        // The legacy default is 16 tokens.
        max_tokens: Some(body.get("max_tokens").and_then(Value::as_u64).unwrap_or(16)),
        prompt_tokens: prompts.iter().map(|prompt| words::count(prompt)).sum(),
        stops: strings(body.get("stop")),
        n: body.get("n").and_then(Value::as_u64).unwrap_or(1),
        last_user: prompts.last().cloned().unwrap_or_default(),
        ..Request::default()
    })
}

fn body(reply: &Reply, choices: &Value) -> Value {
    json!({
        "id": format!("cmpl-{:016x}", reply.id),
        "object": "text_completion",
        "created": CREATED,
        "model": reply.ask.model,
        "choices": choices,
    })
}

fn one(at: usize, text: &str, finish: &Value) -> Value {
    json!({ "index": at, "text": text, "logprobs": null, "finish_reason": finish })
}

fn with_usage(mut whole: Value, reply: &Reply) -> Value {
    if let (Some(fields), Some(reported)) = (whole.as_object_mut(), &reply.reported) {
        fields.insert("usage".to_owned(), usage(reported));
    }
    whole
}

/// The reply without streaming.
#[must_use]
pub fn reply(reply: &Reply) -> Value {
    let choices: Vec<_> = reply
        .answer
        .choices
        .iter()
        .enumerate()
        .map(|(at, choice)| {
            one(
                at,
                &reply.content_text(at),
                &json!(finish_word(reply, choice)),
            )
        })
        .collect();
    with_usage(body(reply, &json!(choices)), reply)
}

/// The stream.
#[must_use]
pub fn stream(reply: &Arc<Reply>) -> Events {
    let mut all: Events = Box::new(std::iter::empty());
    for (at, choice) in reply.answer.choices.iter().enumerate() {
        let speaker = Arc::clone(reply);
        let contents = per_token(choice.content.len(), move |i| {
            let choice = one(at, &speaker.content_piece(at, i), &Value::Null);
            Event::data(&body(&speaker, &json!([choice])), 1)
        });
        let last = one(at, "", &json!(finish_word(reply, choice)));
        let last = std::iter::once(Event::data(&body(reply, &json!([last])), 0));
        all = Box::new(all.chain(contents).chain(last));
    }
    let mut ending = Vec::new();
    if reply.ask.include_usage && reply.reported.is_some() {
        ending.push(Event::data(&with_usage(body(reply, &json!([])), reply), 0));
    }
    ending.push(Event {
        name: None,
        data: "[DONE]".to_owned(),
        tokens: 0,
        closes: true,
    });
    Box::new(all.chain(ending))
}
