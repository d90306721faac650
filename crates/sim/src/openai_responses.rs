//! OpenAI's Responses shape.
//!
//! Facts: OpenAI API reference, "Responses" (create, object, streaming events)
//! and guide "Reasoning models", "Encrypted reasoning items", read 2026-11.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::ask::{
    IMAGE_TOKENS, JsonWant, MESSAGE_TOKENS, Refusal, Request, Tool, ToolChoice, required_str,
    words_within,
};
use crate::replay::openai_seal;
use crate::reply::{CREATED, Event, Events, Reply, len_of, per_token};
use crate::truth::{Call, Choice, Finish, Reported};

/// Reads a request.
///
/// # Errors
/// When `model` or `input` is missing.
pub fn read(body: &Value) -> Result<Request, Refusal> {
    let model = required_str(body, "model")?.to_owned();
    let missing = || Refusal::bad("Missing required parameter: 'input'.");
    let text;
    let items = match body.get("input") {
        Some(Value::Array(items)) if !items.is_empty() => items.as_slice(),
        Some(said @ Value::String(_)) => {
            text = [json!({ "role": "user", "content": said })];
            &text
        }
        _ => return Err(missing()),
    };
    if body.get("max_tokens").is_some() || body.get("messages").is_some() {
        return Err(Refusal::bad("Unknown parameter."));
    }
    let counted = ["instructions", "tools"];
    let prompt_tokens = items.iter().map(item_tokens).sum::<u64>()
        + counted
            .iter()
            .map(|name| body.get(name).map_or(0, words_within))
            .sum::<u64>();
    let kind = |item: &Value| item.get("type").and_then(Value::as_str).map(str::to_owned);
    // Once a tool has answered, the model answers in text.
    let after_tool = items.last().and_then(kind).as_deref() == Some("function_call_output");
    let last_user = items
        .iter()
        .rev()
        .find(|item| item.get("role").and_then(Value::as_str) == Some("user"))
        .filter(|_| !after_tool)
        .map(|item| text_of(item.get("content")))
        .unwrap_or_default();
    let effort = body.pointer("/reasoning/effort").and_then(Value::as_str);
    Ok(Request {
        model,
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
        max_tokens: body.get("max_output_tokens").and_then(Value::as_u64),
        prompt_tokens,
        n: 1,
        tools: read_tools(body),
        tool_choice: read_tool_choice(body.get("tool_choice")),
        one_call: body.get("parallel_tool_calls").and_then(Value::as_bool) == Some(false),
        thinks: effort.is_some_and(|effort| !matches!(effort, "none" | "minimal")),
        shows_thoughts: body
            .pointer("/reasoning/summary")
            .is_some_and(Value::is_string),
        json: read_json_want(body.pointer("/text/format")),
        last_user,
        ..Request::default()
    })
}

fn item_tokens(item: &Value) -> u64 {
    let content = match item.get("content").or_else(|| item.get("output")) {
        Some(Value::Array(parts)) => parts.iter().map(part_tokens).sum(),
        Some(other) => words_within(other),
        None => item.get("arguments").map_or(0, words_within),
    };
    MESSAGE_TOKENS + content
}

fn part_tokens(part: &Value) -> u64 {
    match part.get("type").and_then(Value::as_str) {
        Some("input_image" | "input_file") => IMAGE_TOKENS,
        _ => part.get("text").map_or(0, words_within),
    }
}

fn text_of(content: Option<&Value>) -> String {
    match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts
            .iter()
            .filter_map(|part| part.get("text")?.as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    }
}

fn read_tools(body: &Value) -> Vec<Tool> {
    let tools = body.get("tools").and_then(Value::as_array);
    let read = |tool: &Value| {
        Some(Tool {
            name: tool.get("name")?.as_str()?.to_owned(),
            schema: tool
                .get("parameters")
                .cloned()
                .unwrap_or_else(|| json!({"type": "object"})),
        })
    };
    tools.into_iter().flatten().filter_map(read).collect()
}

fn read_tool_choice(choice: Option<&Value>) -> ToolChoice {
    match choice {
        Some(Value::String(word)) if word == "none" => ToolChoice::Never,
        Some(Value::String(word)) if word == "required" => ToolChoice::Any,
        Some(object) => object
            .get("name")
            .and_then(Value::as_str)
            .map_or(ToolChoice::Auto, |name| ToolChoice::Named(name.to_owned())),
        None => ToolChoice::Auto,
    }
}

fn read_json_want(format: Option<&Value>) -> Option<JsonWant> {
    let format = format?;
    match format.get("type")?.as_str()? {
        "json_object" => Some(JsonWant::Object),
        "json_schema" => Some(
            format
                .get("schema")
                .map_or(JsonWant::Object, |schema| JsonWant::Schema(schema.clone())),
        ),
        _ => None,
    }
}

fn usage(reported: &Reported) -> Value {
    json!({
        "input_tokens": reported.prompt,
        "input_tokens_details": { "cached_tokens": reported.cached },
        "output_tokens": reported.completion,
        "output_tokens_details": { "reasoning_tokens": reported.reasoning },
        "total_tokens": reported.prompt.saturating_add(reported.completion),
    })
}

fn response(reply: &Reply, status: &str, output: &[Value]) -> Value {
    let is_over = status != "in_progress";
    let incomplete = (status == "incomplete").then(|| json!({ "reason": "max_output_tokens" }));
    json!({
        "id": format!("resp_{:016x}", reply.id),
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": null,
        "incomplete_details": incomplete,
        "instructions": null,
        "metadata": {},
        "model": reply.ask.model,
        "output": output,
        "parallel_tool_calls": true,
        "service_tier": "default",
        "store": false,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": reply.reported.as_ref().filter(|_| is_over).map(usage),
    })
}

const fn status(choice: &Choice) -> &'static str {
    match choice.finish {
        Finish::Length => "incomplete",
        Finish::Stop | Finish::StopText(_) | Finish::Tools => "completed",
    }
}

fn item_id(prefix: &str, reply: &Reply, index: usize) -> String {
    format!("{prefix}_{:016x}{index}", reply.id)
}

fn reasoning(reply: &Reply, choice: &Choice, index: usize) -> Value {
    let shown = reply.ask.shows_thoughts.then(|| choice.thought.text());
    let summary: Vec<Value> = shown
        .map(|text| json!({ "type": "summary_text", "text": text }))
        .into_iter()
        .collect();
    let id = item_id("rs", reply, index);
    let sealed = openai_seal(reply.answer.key, &id);
    json!({
        "type": "reasoning", "id": id, "summary": summary, "encrypted_content": sealed,
    })
}

fn message(reply: &Reply, index: usize, status: &str, content: &[Value]) -> Value {
    json!({
        "type": "message", "id": item_id("msg", reply, index), "status": status,
        "role": "assistant", "content": content,
    })
}

fn text_part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn call_item(reply: &Reply, call: &Call, index: usize, status: &str, arguments: &str) -> Value {
    json!({
        "type": "function_call", "id": item_id("fc", reply, index), "status": status,
        "call_id": format!("call_{:016x}", call.id), "name": call.name, "arguments": arguments,
    })
}

/// The items of an answer.
fn output(reply: &Reply, choice: &Choice) -> Vec<Value> {
    let mut items = Vec::new();
    if !choice.thought.is_empty() {
        items.push(reasoning(reply, choice, items.len()));
    }
    if !choice.content.is_empty() {
        let part = text_part(&reply.content_text(0));
        items.push(message(reply, items.len(), status(choice), &[part]));
    }
    for call in &choice.calls {
        let (at, arguments) = (items.len(), call.arguments.text());
        items.push(call_item(reply, call, at, "completed", &arguments));
    }
    items
}

/// The reply without streaming.
#[must_use]
pub fn reply(reply: &Reply) -> Value {
    reply.choice(0).map_or(Value::Null, |choice| {
        response(reply, status(choice), &output(reply, choice))
    })
}

fn event(name: &'static str, mut value: Value, tokens: u64) -> Event {
    if let Some(fields) = value.as_object_mut() {
        fields.insert("type".to_owned(), json!(name));
    }
    Event::named(name, &value, tokens)
}

/// The stream.
#[must_use]
pub fn stream(reply: &Arc<Reply>) -> Events {
    let Some(choice) = reply.choice(0) else {
        return Box::new(std::iter::empty());
    };
    let begun = json!({ "response": response(reply, "in_progress", &[]) });
    let mut all: Events = Box::new(
        [
            event("response.created", begun.clone(), 0),
            event("response.in_progress", begun, 0),
        ]
        .into_iter(),
    );
    let mut index = 0;
    if !choice.thought.is_empty() {
        all = Box::new(all.chain(thought_item(reply, choice, index)));
        index += 1;
    }
    if !choice.content.is_empty() {
        all = Box::new(all.chain(message_item(reply, choice, index)));
        index += 1;
    }
    for call in &choice.calls {
        all = Box::new(all.chain(call_events(reply, call, index)));
        index += 1;
    }
    let status = status(choice);
    let name = match status {
        "incomplete" => "response.incomplete",
        _ => "response.completed",
    };
    let whole = json!({ "response": response(reply, status, &output(reply, choice)) });
    let last = event(name, whole, 0).closing();
    Box::new(numbered(all.chain([last])))
}

/// Each event with its number.
fn numbered(events: impl Iterator<Item = Event> + Send) -> impl Iterator<Item = Event> + Send {
    events.enumerate().map(|(number, mut event)| {
        // Every event is an object that is not empty.
        let rest = event.data.split_off(1);
        event.data = format!("{{\"sequence_number\":{number},{rest}");
        event
    })
}

fn added(index: usize, item: &Value) -> Event {
    let item = json!({ "output_index": index, "item": item });
    event("response.output_item.added", item, 0)
}

fn done(index: usize, item: &Value) -> Event {
    let item = json!({ "output_index": index, "item": item });
    event("response.output_item.done", item, 0)
}

/// Thoughts: their summary, if it is asked for, or nothing but time.
fn thought_item(reply: &Arc<Reply>, choice: &Choice, index: usize) -> Vec<Event> {
    let whole = reasoning(reply, choice, index);
    let id = item_id("rs", reply, index);
    let mut events = vec![added(
        index,
        &json!({ "type": "reasoning", "id": id, "summary": [] }),
    )];
    if reply.ask.shows_thoughts {
        let place = |mut fields: Value| {
            if let Some(of) = fields.as_object_mut() {
                of.insert("item_id".to_owned(), json!(id));
                of.insert("output_index".to_owned(), json!(index));
                of.insert("summary_index".to_owned(), json!(0));
            }
            fields
        };
        let part = |text: &str| json!({ "part": { "type": "summary_text", "text": text } });
        let text = choice.thought.text();
        events.push(event(
            "response.reasoning_summary_part.added",
            place(part("")),
            0,
        ));
        events.extend(choice.thought.iter().map(|piece| {
            let delta = place(json!({ "delta": piece }));
            event("response.reasoning_summary_text.delta", delta, 1)
        }));
        let said = place(json!({ "text": text }));
        events.push(event("response.reasoning_summary_text.done", said, 0));
        events.push(event(
            "response.reasoning_summary_part.done",
            place(part(&text)),
            0,
        ));
    }
    events.push(done(index, &whole));
    events
}

/// A message, token by token.
fn message_item(
    reply: &Arc<Reply>,
    choice: &Choice,
    index: usize,
) -> impl Iterator<Item = Event> + use<> {
    let id = item_id("msg", reply, index);
    let place = move |mut fields: Value| {
        if let Some(of) = fields.as_object_mut() {
            of.insert("item_id".to_owned(), json!(id));
            of.insert("output_index".to_owned(), json!(index));
            of.insert("content_index".to_owned(), json!(0));
        }
        fields
    };
    let text = reply.content_text(0);
    let part = text_part(&text);
    let opening = [
        added(index, &message(reply, index, "in_progress", &[])),
        event(
            "response.content_part.added",
            place(json!({ "part": text_part("") })),
            0,
        ),
    ];
    let closing = [
        event(
            "response.output_text.done",
            place(json!({ "text": text, "logprobs": [] })),
            0,
        ),
        event(
            "response.content_part.done",
            place(json!({ "part": part })),
            0,
        ),
        done(index, &message(reply, index, status(choice), &[part])),
    ];
    let speaker = Arc::clone(reply);
    let said = per_token(len_of(Some(&choice.content)), move |i| {
        let delta = json!({ "delta": speaker.content_piece(0, i), "logprobs": [] });
        event("response.output_text.delta", place(delta), 1)
    });
    opening.into_iter().chain(said).chain(closing)
}

/// A call, token by token.
fn call_events(reply: &Reply, call: &Call, index: usize) -> Vec<Event> {
    let id = item_id("fc", reply, index);
    let arguments = call.arguments.text();
    let mut events = vec![added(
        index,
        &call_item(reply, call, index, "in_progress", ""),
    )];
    events.extend(call.arguments.iter().map(|piece| {
        let delta = json!({ "item_id": id, "output_index": index, "delta": piece });
        event("response.function_call_arguments.delta", delta, 1)
    }));
    let whole = json!({
        "item_id": id, "output_index": index, "name": call.name, "arguments": arguments,
    });
    events.push(event("response.function_call_arguments.done", whole, 0));
    let item = call_item(reply, call, index, "completed", &arguments);
    events.push(done(index, &item));
    events
}

/// The event that ends a stream which failed.
#[must_use]
pub fn stream_error(error: &Value) -> Value {
    let inner = error.get("error").unwrap_or(error);
    json!({
        "type": "error", "sequence_number": 0, "param": null,
        "code": inner.get("code").or_else(|| inner.get("type")),
        "message": inner.get("message"),
    })
}
