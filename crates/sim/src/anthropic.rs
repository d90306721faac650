//! Anthropic's Messages shape.
//!
//! Facts: Claude platform docs "Streaming messages", "Errors", "Prompt
//! caching", "Extended thinking", read 2026-11; usage fields as in
//! anthropic-sdk-python `types/usage.py`, `types/message_delta_usage.py`
//! and `types/output_tokens_details.py`, 2026-11.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::ask::{
    IMAGE_TOKENS, JsonWant, MESSAGE_TOKENS, Refusal, Request, Tool, ToolChoice, required_str,
    strings, words_within,
};
use crate::replay::claude_signature;
use crate::reply::{Event, Events, Reply, len_of, per_token};
use crate::truth::{Call, Choice, Finish, Reported};

/// From this API version on, sampling parameters are refused (migration
/// guide "2026-10-21", read 2026-11).
pub const NO_SAMPLING_VERSION: &str = "2026-10-21";

/// Reads a request.
///
/// # Errors
/// When `model`, `max_tokens` or `messages` is missing.
pub fn read(body: &Value) -> Result<Request, Refusal> {
    let model = required_str(body, "model")?.to_owned();
    let max_tokens = body
        .get("max_tokens")
        .ok_or_else(|| Refusal::bad("max_tokens: Field required"))?
        .as_u64()
        .filter(|max| *max > 0)
        .ok_or_else(|| Refusal::bad("max_tokens: Input should be greater than or equal to 1"))?;
    let messages = body
        .get("messages")
        .and_then(Value::as_array)
        .ok_or_else(|| Refusal::bad("messages: Field required"))?;
    if messages.is_empty() {
        return Err(Refusal::bad("messages: at least one message is required"));
    }
    let mut counter = Counter::default();
    // Tools, system, messages: the order in which the vendor caches them.
    counter.all(body.get("tools"));
    counter.all(body.get("system"));
    for message in messages {
        counter.tokens += MESSAGE_TOKENS;
        counter.all(message.get("content"));
    }
    if body.get("cache_control").is_some() {
        counter.mark(body);
    }
    let last_user = messages
        .iter()
        .rev()
        .find(|message| message.get("role").and_then(Value::as_str) == Some("user"))
        .map(|message| last_text(message.get("content")))
        .unwrap_or_default();
    Ok(Request {
        model,
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
        max_tokens: Some(max_tokens),
        prompt_tokens: counter.tokens,
        mark_5m: counter.mark_5m,
        mark_1h: counter.mark_1h,
        stops: strings(body.get("stop_sequences")),
        n: 1,
        tools: read_tools(body),
        tool_choice: read_tool_choice(body.get("tool_choice")),
        one_call: body.pointer("/tool_choice/disable_parallel_tool_use") == Some(&json!(true)),
        thinks: body
            .pointer("/thinking/type")
            .and_then(Value::as_str)
            .is_some_and(|kind| kind != "disabled"),
        json: body
            .pointer("/output_config/format/schema")
            .map(|schema| JsonWant::Schema(schema.clone())),
        last_user,
        ..Request::default()
    })
}

/// Counts tokens and notes where the last cache marks are.
#[derive(Default)]
struct Counter {
    tokens: u64,
    mark_5m: u64,
    mark_1h: u64,
}

impl Counter {
    fn all(&mut self, part: Option<&Value>) {
        match part {
            Some(Value::Array(blocks)) => blocks.iter().for_each(|block| self.block(block)),
            Some(other) => self.tokens += words_within(other),
            None => {}
        }
    }

    fn block(&mut self, block: &Value) {
        self.tokens += match block.get("type").and_then(Value::as_str) {
            Some("image" | "document") => IMAGE_TOKENS,
            Some("text") => block.get("text").map_or(0, words_within),
            Some("thinking") => block.get("thinking").map_or(0, words_within),
            _ => words_within(block),
        };
        self.mark(block);
    }

    fn mark(&mut self, block: &Value) {
        if block.get("cache_control").is_none_or(Value::is_null) {
            return;
        }
        if block.pointer("/cache_control/ttl").and_then(Value::as_str) == Some("1h") {
            self.mark_1h = self.tokens;
        } else {
            self.mark_5m = self.tokens;
        }
    }
}

fn last_text(content: Option<&Value>) -> String {
    match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(blocks)) => blocks
            .iter()
            .rev()
            .find_map(|block| block.get("text")?.as_str())
            .unwrap_or_default()
            .to_owned(),
        _ => String::new(),
    }
}

fn read_tools(body: &Value) -> Vec<Tool> {
    let Some(tools) = body.get("tools").and_then(Value::as_array) else {
        return Vec::new();
    };
    let read = |tool: &Value| {
        Some(Tool {
            name: tool.get("name")?.as_str()?.to_owned(),
            schema: tool
                .get("input_schema")
                .cloned()
                .unwrap_or_else(|| json!({"type": "object"})),
        })
    };
    tools.iter().filter_map(read).collect()
}

fn read_tool_choice(choice: Option<&Value>) -> ToolChoice {
    let Some(choice) = choice else {
        return ToolChoice::Auto;
    };
    match choice.get("type").and_then(Value::as_str) {
        Some("none") => ToolChoice::Never,
        Some("any") => ToolChoice::Any,
        Some("tool") => choice
            .get("name")
            .and_then(Value::as_str)
            .map_or(ToolChoice::Any, |name| ToolChoice::Named(name.to_owned())),
        _ => ToolChoice::Auto,
    }
}

/// A request whose model is part of the address, as Vertex AI has it
/// (platform.claude.com, "Claude on Vertex AI", November 2026), with the model
/// where it is elsewhere.
///
/// # Errors
/// The body has a model, or lacks its version.
pub fn placed(path: &str, mut body: Value) -> Result<Value, Refusal> {
    let path = path.split('?').next().unwrap_or(path);
    let Some((model, _)) = path
        .rsplit_once('/')
        .and_then(|(_, last)| last.split_once(':'))
    else {
        return Ok(body);
    };
    if body.get("model").is_some() {
        return Err(Refusal::bad("model: Extra inputs are not permitted"));
    }
    if body.get("anthropic_version").and_then(Value::as_str) != Some("vertex-2023-10-16") {
        return Err(Refusal::bad("anthropic_version: Field required"));
    }
    if let Some(members) = body.as_object_mut() {
        members.insert("model".to_owned(), model.into());
    }
    Ok(body)
}

/// What the request's headers and body may not say together.
///
/// # Errors
/// 401 without a key; 400 without a version or with sampling parameters
/// under a version that refuses them.
pub fn check_headers(has_key: bool, version: Option<&str>, body: &[u8]) -> Result<(), Refusal> {
    if !has_key {
        return Err(Refusal {
            status: 401,
            message: "x-api-key header is required".to_owned(),
        });
    }
    let Some(version) = version else {
        return Err(Refusal::bad("anthropic-version: header is required"));
    };
    if version >= NO_SAMPLING_VERSION
        && let Ok(body) = serde_json::from_slice::<Value>(body)
        && let Some(key) = ["temperature", "top_p", "top_k"]
            .iter()
            .find(|key| body.get(**key).is_some())
    {
        return Err(Refusal::bad(format!(
            "{key}: Extra inputs are not permitted"
        )));
    }
    Ok(())
}

fn stop_reason(reply: &Reply, choice: &Choice) -> (String, Value) {
    let (reason, sequence) = match &choice.finish {
        Finish::Stop => ("end_turn", Value::Null),
        Finish::StopText(text) => ("stop_sequence", json!(text)),
        Finish::Length => ("max_tokens", Value::Null),
        Finish::Tools => ("tool_use", Value::Null),
    };
    (
        reply
            .script
            .finish_reason
            .clone()
            .unwrap_or_else(|| reason.to_owned()),
        sequence,
    )
}

/// Input counts exclude what was read from or written to a cache.
fn fresh_input(reported: &Reported) -> i64 {
    reported
        .prompt
        .saturating_sub(reported.cached)
        .saturating_sub(reported.write_5m)
        .saturating_sub(reported.write_1h)
}

fn usage(reported: &Reported, output: i64) -> Value {
    json!({
        "input_tokens": fresh_input(reported),
        "cache_creation_input_tokens": reported.write_5m.saturating_add(reported.write_1h),
        "cache_read_input_tokens": reported.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": reported.write_5m,
            "ephemeral_1h_input_tokens": reported.write_1h,
        },
        "output_tokens": output,
        "service_tier": "standard",
    })
}

fn with_thinking(mut usage: Value, reported: &Reported) -> Value {
    if let Some(fields) = usage.as_object_mut().filter(|_| reported.reasoning != 0) {
        fields.insert(
            "output_tokens_details".to_owned(),
            json!({ "thinking_tokens": reported.reasoning }),
        );
    }
    usage
}

fn message(reply: &Reply, content: &Value, reason: &Value, sequence: &Value) -> Value {
    json!({
        "id": format!("msg_01{:016x}", reply.id),
        "type": "message",
        "role": "assistant",
        "model": reply.ask.model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": sequence,
    })
}

fn with_usage(mut of: Value, usage: Option<Value>) -> Value {
    if let (Some(fields), Some(usage)) = (of.as_object_mut(), usage) {
        fields.insert("usage".to_owned(), usage);
    }
    of
}

/// The reply without streaming.
#[must_use]
pub fn reply(reply: &Reply) -> Value {
    let Some(choice) = reply.choice(0) else {
        return Value::Null;
    };
    let mut content = Vec::new();
    if !choice.thought.is_empty() {
        content.push(json!({
            "type": "thinking", "thinking": choice.thought.text(), "signature": claude_signature(&choice.thought.text()),
        }));
    }
    if !choice.content.is_empty() {
        content.push(json!({ "type": "text", "text": reply.content_text(0) }));
    }
    for call in &choice.calls {
        // A call cut short by max_tokens has broken arguments; the vendor
        // then shows an empty input.
        let input = serde_json::from_str(&call.arguments.text()).unwrap_or_else(|_| json!({}));
        content.push(json!({
            "type": "tool_use", "id": format!("toolu_01{:016x}", call.id),
            "name": call.name, "input": input,
        }));
    }
    let (reason, sequence) = stop_reason(reply, choice);
    let whole = message(reply, &json!(content), &json!(reason), &sequence);
    with_usage(
        whole,
        reply
            .reported
            .as_ref()
            .map(|r| with_thinking(usage(r, r.completion), r)),
    )
}

fn event(name: &'static str, mut value: Value, tokens: u64) -> Event {
    if let Some(fields) = value.as_object_mut() {
        fields.insert("type".to_owned(), json!(name));
    }
    Event::named(name, &value, tokens)
}

fn start(index: usize, block: &Value) -> Event {
    event(
        "content_block_start",
        json!({ "index": index, "content_block": block }),
        0,
    )
}

fn delta(index: usize, delta: &Value, tokens: u64) -> Event {
    event(
        "content_block_delta",
        json!({ "index": index, "delta": delta }),
        tokens,
    )
}

fn stop(index: usize) -> Event {
    event("content_block_stop", json!({ "index": index }), 0)
}

/// The stream.
#[must_use]
pub fn stream(reply: &Arc<Reply>) -> Events {
    let Some(choice) = reply.choice(0) else {
        return Box::new(std::iter::empty());
    };
    let opening = with_usage(
        message(reply, &json!([]), &Value::Null, &Value::Null),
        reply
            .reported
            .as_ref()
            .map(|reported| usage(reported, 1.min(reported.completion))),
    );
    let opening = [
        event("message_start", json!({ "message": opening }), 0),
        event("ping", json!({}), 0),
    ];
    let mut index = 0;
    let mut all: Events = Box::new(opening.into_iter());
    if !choice.thought.is_empty() {
        all = Box::new(all.chain(thought_block(reply, choice, index)));
        index += 1;
    }
    if !choice.content.is_empty() {
        all = Box::new(all.chain(text_block(reply, choice, index)));
        index += 1;
    }
    for call in &choice.calls {
        all = Box::new(all.chain(call_block(call, index)));
        index += 1;
    }

    let (reason, sequence) = stop_reason(reply, choice);
    let last = json!({ "delta": { "stop_reason": reason, "stop_sequence": sequence } });
    let counts = reply.reported.as_ref().map(|reported| {
        let counts = json!({
            "input_tokens": fresh_input(reported),
            "cache_creation_input_tokens": reported.write_5m.saturating_add(reported.write_1h),
            "cache_read_input_tokens": reported.cached,
            "output_tokens": reported.completion,
        });
        with_thinking(counts, reported)
    });
    let closing = [
        event("message_delta", with_usage(last, counts), 0),
        event("message_stop", json!({}), 0).closing(),
    ];
    Box::new(all.chain(closing))
}

/// A block of thoughts, signed.
fn thought_block(
    reply: &Arc<Reply>,
    choice: &Choice,
    index: usize,
) -> impl Iterator<Item = Event> + use<> {
    let thinker = Arc::clone(reply);
    let thoughts = per_token(len_of(Some(&choice.thought)), move |i| {
        let piece = thinker
            .choice(0)
            .map(|choice| choice.thought.piece(i))
            .unwrap_or_default();
        delta(
            index,
            &json!({ "type": "thinking_delta", "thinking": piece }),
            1,
        )
    });
    let signed = delta(
        index,
        &json!({ "type": "signature_delta", "signature": claude_signature(&choice.thought.text()) }),
        0,
    );
    let block = json!({ "type": "thinking", "thinking": "", "signature": "" });
    [start(index, &block)]
        .into_iter()
        .chain(thoughts)
        .chain([signed, stop(index)])
}

/// A block of text.
fn text_block(
    reply: &Arc<Reply>,
    choice: &Choice,
    index: usize,
) -> impl Iterator<Item = Event> + use<> {
    let speaker = Arc::clone(reply);
    let contents = per_token(choice.content.len(), move |i| {
        delta(
            index,
            &json!({ "type": "text_delta", "text": speaker.content_piece(0, i) }),
            1,
        )
    });
    let block = json!({ "type": "text", "text": "" });
    [start(index, &block)]
        .into_iter()
        .chain(contents)
        .chain([stop(index)])
}

/// A call of a tool.
fn call_block(call: &Call, index: usize) -> Vec<Event> {
    let block = json!({
        "type": "tool_use", "id": format!("toolu_01{:016x}", call.id),
        "name": call.name, "input": {},
    });
    let piece_of = |piece: &str, tokens| {
        let piece = json!({ "type": "input_json_delta", "partial_json": piece });
        delta(index, &piece, tokens)
    };
    let mut events = vec![start(index, &block), piece_of("", 0)];
    events.extend(call.arguments.iter().map(|piece| piece_of(&piece, 1)));
    events.push(stop(index));
    events
}

/// The error body for a status.
#[must_use]
pub fn error_body(status: u16, code: Option<&str>, message: Option<&str>, id: u64) -> Value {
    let (kind, default_message) = match status {
        401 => ("authentication_error", "invalid x-api-key"),
        402 => (
            "billing_error",
            "Your credit balance is too low to access the Claude API.",
        ),
        403 => (
            "permission_error",
            "Your API key does not have permission to use the specified resource.",
        ),
        404 => (
            "not_found_error",
            "The requested resource could not be found.",
        ),
        409 => (
            "conflict_error",
            "The request conflicts with the current state.",
        ),
        413 => ("request_too_large", "Request exceeds the maximum size"),
        429 => (
            "rate_limit_error",
            "This request would exceed your rate limit.",
        ),
        504 => ("timeout_error", "The request timed out."),
        529 => ("overloaded_error", "Overloaded"),
        400..=499 => ("invalid_request_error", "Invalid request."),
        _ => ("api_error", "Internal server error"),
    };
    json!({
        "type": "error",
        "error": { "type": code.unwrap_or(kind), "message": message.unwrap_or(default_message) },
        "request_id": format!("req_01{id:016x}"),
    })
}
