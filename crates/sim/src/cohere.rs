//! Cohere's own shape of chat.
//!
//! Facts: types of cohere-ai/cohere-python as of August 2026, and
//! docs.cohere.com, "A Guide to Streaming Responses" and "Errors", read 2026-11:
//! what is billed is told apart from what was counted, which is more; a plan
//! stands before calls; errors have an id and a sentence.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::ask::{JsonWant, Refusal, Request, ToolChoice, strings};
use crate::openai_chat;
use crate::reply::{Event, Events, Reply, len_of, per_token};
use crate::truth::{Call, Choice, Finish, Reported};

/// Tokens that Cohere's template adds to a prompt, which nobody pays.
const TEMPLATE_TOKENS: i64 = 500;
/// The most stop sequences.
const STOPS_MAX: usize = 5;

/// Reads a request. Messages, tools and pictures are OpenAI's in all that is
/// counted here.
///
/// # Errors
/// When Cohere would refuse it.
pub fn read(body: &Value) -> Result<Request, Refusal> {
    let ask = openai_chat::read(body)
        .map_err(|_| Refusal::bad("invalid request: message must be at least 1 token long"))?;
    let stops = strings(body.get("stop_sequences"));
    if stops.len() > STOPS_MAX {
        return Err(Refusal::bad(
            "invalid request: stop_sequences must have at most 5 items",
        ));
    }
    for penalty in ["frequency_penalty", "presence_penalty"] {
        let given = body.get(penalty).and_then(Value::as_f64).unwrap_or(0.0);
        if !(0.0..=1.0).contains(&given) {
            return Err(Refusal::bad(format!(
                "invalid request: {penalty} must be between 0 and 1 inclusive."
            )));
        }
    }
    let tools = body.get("tools").and_then(Value::as_array);
    let form = body.get("response_format");
    if form.is_some() && tools.is_some_and(|tools| !tools.is_empty()) {
        return Err(Refusal::bad(
            "invalid request: response_format is not supported with tools.",
        ));
    }
    let thinking = body.pointer("/thinking/type").and_then(Value::as_str);
    let schema = form.and_then(|form| form.get("json_schema"));
    Ok(Request {
        stops,
        n: 1,
        tool_choice: match body.get("tool_choice").and_then(Value::as_str) {
            Some("REQUIRED") => ToolChoice::Any,
            Some("NONE") => ToolChoice::Never,
            _ => ToolChoice::Auto,
        },
        thinks: thinking == Some("enabled"),
        json: match (form.and_then(|form| form.get("type")?.as_str()), schema) {
            (Some("json_object"), Some(schema)) => Some(JsonWant::Schema(schema.clone())),
            (Some("json_object"), None) => Some(JsonWant::Object),
            _ => None,
        },
        ..ask
    })
}

fn finish_reason(reply: &Reply, choice: &Choice) -> String {
    let reason = match &choice.finish {
        Finish::Stop => "COMPLETE",
        Finish::StopText(_) => "STOP_SEQUENCE",
        Finish::Length => "MAX_TOKENS",
        Finish::Tools => "TOOL_CALL",
    };
    let told = reply.script.finish_reason.clone();
    told.unwrap_or_else(|| reason.to_owned())
}

fn usage(reported: &Reported) -> Value {
    json!({
        "billed_units": {
            "input_tokens": reported.prompt, "output_tokens": reported.completion },
        "tokens": {
            "input_tokens": reported.prompt.saturating_add(TEMPLATE_TOKENS),
            "output_tokens": reported.completion },
        "cached_tokens": reported.cached,
    })
}

fn call(call: &Call, arguments: &str) -> Value {
    json!({
        "id": format!("{}_{:016x}", call.name, call.id),
        "type": "function",
        "function": { "name": call.name, "arguments": arguments },
    })
}

/// The reply without streaming.
#[must_use]
pub fn reply(reply: &Reply) -> Value {
    let Some(choice) = reply.choice(0) else {
        return Value::Null;
    };
    let mut message = json!({ "role": "assistant" });
    let mut content = Vec::new();
    if !choice.thought.is_empty() {
        content.push(json!({ "type": "thinking", "thinking": choice.thought.text() }));
    }
    if !choice.content.is_empty() {
        content.push(json!({ "type": "text", "text": reply.content_text(0) }));
    }
    if let Some(fields) = message.as_object_mut() {
        if !content.is_empty() {
            fields.insert("content".to_owned(), json!(content));
        }
        let calls = choice.calls.iter();
        let calls: Vec<Value> = calls.map(|one| call(one, &one.arguments.text())).collect();
        if !calls.is_empty() {
            fields.insert("tool_plan".to_owned(), json!("I will use the tools."));
            fields.insert("tool_calls".to_owned(), json!(calls));
        }
    }
    let mut whole = json!({
        "id": id(reply), "message": message, "finish_reason": finish_reason(reply, choice),
    });
    if let (Some(fields), Some(reported)) = (whole.as_object_mut(), &reply.reported) {
        fields.insert("usage".to_owned(), usage(reported));
    }
    whole
}

fn id(reply: &Reply) -> String {
    format!("c14c80c3-18eb-4519-{:016x}", reply.id)
}

fn told(kind: &'static str, index: usize, message: &Value, tokens: u64) -> Event {
    let event = json!({ "type": kind, "index": index, "delta": { "message": message } });
    Event::named(kind, &event, tokens)
}

fn ended(kind: &'static str, index: usize) -> Event {
    Event::named(kind, &json!({ "type": kind, "index": index }), 0)
}

/// The stream.
#[must_use]
pub fn stream(reply: &Arc<Reply>) -> Events {
    let Some(choice) = reply.choice(0) else {
        return Box::new(std::iter::empty());
    };
    let opening = json!({ "type": "message-start", "id": id(reply), "delta": { "message": {
        "role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": [] } } });
    let opening = Event::named("message-start", &opening, 0);
    let mut all: Events = Box::new(std::iter::once(opening));
    let mut index = 0;
    if !choice.thought.is_empty() {
        let thinker = Arc::clone(reply);
        let piece = move |at| {
            let choice = thinker.choice(0);
            choice
                .map(|choice| choice.thought.piece(at))
                .unwrap_or_default()
        };
        all = Box::new(all.chain(block(
            "thinking",
            len_of(Some(&choice.thought)),
            index,
            piece,
        )));
        index += 1;
    }
    if !choice.content.is_empty() {
        let speaker = Arc::clone(reply);
        let piece = move |at| speaker.content_piece(0, at);
        all = Box::new(all.chain(block("text", choice.content.len(), index, piece)));
    }
    if !choice.calls.is_empty() {
        let plan = json!({ "tool_plan": "I will use the tools." });
        all = Box::new(all.chain([told("tool-plan-delta", 0, &plan, 0)]));
    }
    for (number, one) in choice.calls.iter().enumerate() {
        all = Box::new(all.chain(call_events(number, one)));
    }
    let mut delta = json!({ "finish_reason": finish_reason(reply, choice) });
    if let (Some(fields), Some(reported)) = (delta.as_object_mut(), &reply.reported) {
        fields.insert("usage".to_owned(), usage(reported));
    }
    let end = json!({ "type": "message-end", "delta": delta });
    Box::new(all.chain([Event::named("message-end", &end, 0).closing()]))
}

fn block(
    kind: &'static str,
    tokens: u64,
    index: usize,
    piece: impl Fn(u64) -> String + Send + 'static,
) -> Events {
    let start = json!({ "content": { "type": kind, kind: "" } });
    let bits = per_token(tokens, move |at| {
        told(
            "content-delta",
            index,
            &json!({ "content": { kind: piece(at) } }),
            1,
        )
    });
    let start = std::iter::once(told("content-start", index, &start, 0));
    Box::new(start.chain(bits).chain([ended("content-end", index)]))
}

fn call_events(number: usize, one: &Call) -> Vec<Event> {
    let start = json!({ "tool_calls": call(one, "") });
    let mut events = vec![told("tool-call-start", number, &start, 0)];
    events.extend(one.arguments.iter().map(|piece| {
        let bit = json!({ "tool_calls": { "function": { "arguments": piece } } });
        told("tool-call-delta", number, &bit, 1)
    }));
    events.push(ended("tool-call-end", number));
    events
}

/// The error body for a status.
#[must_use]
pub fn error_body(status: u16, message: Option<&str>) -> Value {
    let sentence = match status {
        401 | 498 => "invalid api token",
        402 => "Please add or update your payment method at https://dashboard.cohere.com/billing",
        404 => {
            "model 'm' not found, make sure the correct model ID was used and that you have access to the model."
        }
        429 => "You are past the per minute request limit, please wait and try again later.",
        503 => "The service is temporarily unavailable.",
        400..=499 => "invalid request: message must be at least 1 token long",
        _ => "internal server error, this has been reported to our developers.",
    };
    json!({ "id": "0f0a9a8a-1d11-4e8b-8b40-95d5a0c0ffee", "message": message.unwrap_or(sentence) })
}

/// The end of a stream that failed, from the body of the error.
#[must_use]
pub fn stream_error(body: &Value) -> Value {
    json!({ "type": "message-end", "delta": {
        "finish_reason": "ERROR", "error": body.get("message") } })
}
