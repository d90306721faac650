//! Amazon Bedrock's Converse shape.
//!
//! Facts: the service model of `bedrock-runtime` 2023-09-30 in botocore
//! 1.44.8, and docs.aws.amazon.com, "Event stream encoding" and "Prompt
//! caching", read 2026-11. Text has no `contentBlockStart`, and every event a
//! member `p` of padding, as real streams do.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::ask::{
    IMAGE_TOKENS, JsonWant, MESSAGE_TOKENS, Refusal, Request, Tool, ToolChoice, strings,
    words_within,
};
use crate::replay::claude_signature;
use crate::reply::{Event, Events, Reply, len_of, per_token};
use crate::truth::{Call, Choice, Finish, Reported};

/// The model in the path, and whether a stream is asked for.
///
/// # Errors
/// When the path names no model.
fn asked(path: &str) -> Result<(String, bool), Refusal> {
    let path = path.split('?').next().unwrap_or(path);
    let found = path.rsplit_once("/model/").and_then(|(_, rest)| {
        let (model, verb) = rest.rsplit_once('/')?;
        Some((decoded(model)?, verb == "converse-stream"))
    });
    found
        .filter(|(model, _)| !model.is_empty())
        .ok_or_else(|| Refusal::bad("The provided model identifier is invalid."))
}

/// One piece of a path without its escapes; `None` if a slash is in it, which
/// would be two, or what is no text.
fn decoded(piece: &str) -> Option<String> {
    if piece.contains('/') {
        return None;
    }
    let mut bytes = Vec::new();
    let mut rest = piece.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        rest = tail;
        let digits = std::str::from_utf8(digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// Reads a request.
///
/// # Errors
/// What the vendor's validation would refuse.
pub fn read(path: &str, body: &Value) -> Result<Request, Refusal> {
    let (model, stream) = asked(path)?;
    let messages = body
        .get("messages")
        .and_then(Value::as_array)
        .filter(|messages| !messages.is_empty())
        .ok_or_else(|| Refusal::bad("messages: a conversation needs at least one message"))?;
    let role = |message: &Value| {
        message
            .get("role")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    if messages.first().and_then(role).as_deref() != Some("user") {
        return Err(Refusal::bad(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
        ));
    }
    let mut counter = Counter::default();
    counter.all(body.pointer("/toolConfig/tools"));
    counter.all(body.get("system"));
    for message in messages {
        counter.tokens += MESSAGE_TOKENS;
        counter.all(message.get("content"));
    }
    check(messages, body.get("toolConfig"))?;
    let config = body.get("inferenceConfig");
    if let Some(heat) = config.and_then(|config| config.get("temperature"))
        && !heat
            .as_f64()
            .is_some_and(|heat| (0.0..=1.0).contains(&heat))
    {
        return Err(Refusal::bad(
            "1 validation error detected: Value at 'inferenceConfig.temperature' failed to satisfy constraint: Member must be less than or equal to 1",
        ));
    }
    let last_user = messages
        .iter()
        .rev()
        .find(|message| role(message).as_deref() == Some("user"))
        .map(last_text)
        .unwrap_or_default();
    let thinking = body.pointer("/additionalModelRequestFields/thinking/type");
    Ok(Request {
        model,
        stream,
        max_tokens: config.and_then(|config| config.get("maxTokens")?.as_u64()),
        prompt_tokens: counter.tokens,
        mark_5m: counter.mark_5m,
        mark_1h: counter.mark_1h,
        stops: strings(config.and_then(|config| config.get("stopSequences"))),
        n: 1,
        tools: tools(body),
        tool_choice: tool_choice(body.pointer("/toolConfig/toolChoice")),
        thinks: thinking
            .and_then(Value::as_str)
            .is_some_and(|kind| kind != "disabled"),
        json: schema(body).map(JsonWant::Schema),
        last_user,
        ..Request::default()
    })
}

/// What the service checks of blocks before a model sees them.
fn check(messages: &[Value], tools: Option<&Value>) -> Result<(), Refusal> {
    let blocks = messages
        .iter()
        .filter_map(|message| message.get("content")?.as_array())
        .flatten();
    for block in blocks {
        if block.as_object().is_none_or(|block| block.len() != 1) {
            return Err(Refusal::bad(
                "The content of a message must be a union with one member.",
            ));
        }
        let is_of_tools = block.get("toolUse").or_else(|| block.get("toolResult"));
        if is_of_tools.is_some() && tools.is_none() {
            return Err(Refusal::bad(
                "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
            ));
        }
        let bytes = block
            .get("image")
            .or_else(|| block.get("document"))
            .and_then(|part| part.pointer("/source/bytes")?.as_str());
        if bytes.is_some_and(|bytes| STANDARD.decode(bytes).is_err()) {
            return Err(Refusal::bad("SerializationException: bytes are not base64"));
        }
    }
    Ok(())
}

/// Counts tokens and notes where the last cache marks are.
#[derive(Default)]
struct Counter {
    tokens: u64,
    mark_5m: u64,
    mark_1h: u64,
}

impl Counter {
    fn all(&mut self, blocks: Option<&Value>) {
        let blocks = blocks.and_then(Value::as_array);
        for block in blocks.into_iter().flatten() {
            if let Some(point) = block.get("cachePoint") {
                match point.get("ttl").and_then(Value::as_str) {
                    Some("1h") => self.mark_1h = self.tokens,
                    _ => self.mark_5m = self.tokens,
                }
                continue;
            }
            let is_shown = block.get("image").or_else(|| block.get("document"));
            self.tokens += match is_shown {
                Some(_) => IMAGE_TOKENS,
                None => words_within(block),
            };
        }
    }
}

fn last_text(message: &Value) -> String {
    let blocks = message.get("content").and_then(Value::as_array);
    let mut blocks = blocks.into_iter().flatten().rev();
    let found = blocks.find_map(|block| block.get("text")?.as_str());
    found.unwrap_or_default().to_owned()
}

fn tools(body: &Value) -> Vec<Tool> {
    let tools = body.pointer("/toolConfig/tools").and_then(Value::as_array);
    let read = |tool: &Value| {
        let spec = tool.get("toolSpec")?;
        Some(Tool {
            name: spec.get("name")?.as_str()?.to_owned(),
            schema: spec.pointer("/inputSchema/json")?.clone(),
        })
    };
    tools.into_iter().flatten().filter_map(read).collect()
}

fn tool_choice(choice: Option<&Value>) -> ToolChoice {
    let Some(choice) = choice else {
        return ToolChoice::Auto;
    };
    match choice.pointer("/tool/name").and_then(Value::as_str) {
        Some(name) => ToolChoice::Named(name.to_owned()),
        None if choice.get("any").is_some() => ToolChoice::Any,
        None => ToolChoice::Auto,
    }
}

/// The answer's schema, which is a text of JSON.
fn schema(body: &Value) -> Option<Value> {
    let text = body.pointer("/outputConfig/textFormat/structure/jsonSchema/schema")?;
    serde_json::from_str(text.as_str()?).ok()
}

fn stop_reason(reply: &Reply, choice: &Choice) -> String {
    let reason = match &choice.finish {
        Finish::Stop => "end_turn",
        Finish::StopText(_) => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::Tools => "tool_use",
    };
    let told = reply.script.finish_reason.clone();
    told.unwrap_or_else(|| reason.to_owned())
}

/// Input counts exclude what was read from or written to a cache; thoughts are
/// not counted apart.
fn usage(reported: &Reported) -> Value {
    let written = reported.write_5m.saturating_add(reported.write_1h);
    let fresh = reported
        .prompt
        .saturating_sub(reported.cached)
        .saturating_sub(written);
    let details: Vec<Value> = [("1h", reported.write_1h), ("5m", reported.write_5m)]
        .into_iter()
        .filter(|(_, tokens)| *tokens != 0)
        .map(|(ttl, tokens)| json!({ "ttl": ttl, "inputTokens": tokens }))
        .collect();
    json!({
        "inputTokens": fresh,
        "outputTokens": reported.completion,
        "totalTokens": reported.prompt.saturating_add(reported.completion),
        "cacheReadInputTokens": reported.cached,
        "cacheWriteInputTokens": written,
        "cacheDetails": details,
    })
}

fn with_usage(mut of: Value, reported: Option<&Reported>) -> Value {
    if let (Some(fields), Some(reported)) = (of.as_object_mut(), reported) {
        fields.insert("usage".to_owned(), usage(reported));
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
        let thought = json!({ "text": choice.thought.text(), "signature": claude_signature(&choice.thought.text()) });
        content.push(json!({ "reasoningContent": { "reasoningText": thought } }));
    }
    if !choice.content.is_empty() {
        content.push(json!({ "text": reply.content_text(0) }));
    }
    for call in &choice.calls {
        let input = serde_json::from_str(&call.arguments.text()).unwrap_or_else(|_| json!({}));
        content.push(json!({ "toolUse": {
            "toolUseId": tool_id(call), "name": call.name, "input": input } }));
    }
    let whole = json!({
        "output": { "message": { "role": "assistant", "content": content } },
        "stopReason": stop_reason(reply, choice),
        "metrics": { "latencyMs": 500 },
    });
    with_usage(whole, reply.reported.as_ref())
}

fn tool_id(call: &Call) -> String {
    format!("tooluse_{:016x}", call.id)
}

/// An event with its padding.
fn event(name: &'static str, mut value: Value, tokens: u64) -> Event {
    if let Some(fields) = value.as_object_mut() {
        fields.insert("p".to_owned(), json!("abcdefghijk"));
    }
    Event::named(name, &value, tokens)
}

fn delta(index: usize, delta: &Value, tokens: u64) -> Event {
    let value = json!({ "contentBlockIndex": index, "delta": delta });
    event("contentBlockDelta", value, tokens)
}

fn stop(index: usize) -> Event {
    event("contentBlockStop", json!({ "contentBlockIndex": index }), 0)
}

/// The stream.
#[must_use]
pub fn stream(reply: &Arc<Reply>) -> Events {
    let Some(choice) = reply.choice(0) else {
        return Box::new(std::iter::empty());
    };
    let opening = event("messageStart", json!({ "role": "assistant" }), 0);
    let mut all: Events = Box::new(std::iter::once(opening));
    let mut index = 0;
    if !choice.thought.is_empty() {
        all = Box::new(all.chain(thought_block(reply, choice, index)));
        index += 1;
    }
    if !choice.content.is_empty() {
        let speaker = Arc::clone(reply);
        let contents = per_token(choice.content.len(), move |i| {
            delta(index, &json!({ "text": speaker.content_piece(0, i) }), 1)
        });
        all = Box::new(all.chain(contents).chain([stop(index)]));
        index += 1;
    }
    for call in &choice.calls {
        all = Box::new(all.chain(call_block(call, index)));
        index += 1;
    }
    let reason = json!({ "stopReason": stop_reason(reply, choice) });
    let metadata = json!({ "metrics": { "latencyMs": 500 } });
    let metadata = with_usage(metadata, reply.reported.as_ref());
    let closing = [
        event("messageStop", reason, 0).closing(),
        event("metadata", metadata, 0),
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
        delta(index, &json!({ "reasoningContent": { "text": piece } }), 1)
    });
    let signed =
        json!({ "reasoningContent": { "signature": claude_signature(&choice.thought.text()) } });
    thoughts.chain([delta(index, &signed, 0), stop(index)])
}

/// A call of a tool.
fn call_block(call: &Call, index: usize) -> Vec<Event> {
    let start = json!({ "toolUse": { "toolUseId": tool_id(call), "name": call.name } });
    let start = json!({ "contentBlockIndex": index, "start": start });
    let piece_of =
        |piece: &str, tokens| delta(index, &json!({ "toolUse": { "input": piece } }), tokens);
    let mut events = vec![event("contentBlockStart", start, 0)];
    events.extend(call.arguments.iter().map(|piece| piece_of(&piece, 1)));
    events.push(stop(index));
    events
}

/// The exception of a status, and its sentence.
fn exception(status: u16) -> (&'static str, &'static str) {
    match status {
        403 => (
            "accessDeniedException",
            "You don't have access to the model with the specified model ID.",
        ),
        404 => (
            "resourceNotFoundException",
            "Could not resolve the foundation model from the provided model identifier.",
        ),
        408 => ("modelTimeoutException", "Model has timed out."),
        424 => ("modelStreamErrorException", "The model failed."),
        429 => (
            "throttlingException",
            "Too many requests, please wait before trying again.",
        ),
        503 => (
            "serviceUnavailableException",
            "Bedrock is unable to process your request.",
        ),
        400..=499 => ("validationException", "The request is invalid."),
        _ => ("internalServerException", "Internal failure."),
    }
}

/// The error body for a status.
#[must_use]
pub fn error_body(status: u16, message: Option<&str>) -> Value {
    json!({ "message": message.unwrap_or(exception(status).1) })
}

/// The name of the exception that a stream breaks off with.
#[must_use]
pub fn exception_name(status: u16) -> &'static str {
    exception(status).0
}

/// A binary message with a payload of JSON: an event, or an exception.
#[must_use]
pub fn message(name: &str, payload: &str) -> Vec<u8> {
    let (sort, named) = if name.ends_with("Exception") {
        ("exception", ":exception-type")
    } else {
        ("event", ":event-type")
    };
    let mut headers = Vec::new();
    let fields = [
        (named, name),
        (":content-type", "application/json"),
        (":message-type", sort),
    ];
    for (header, value) in fields {
        headers.push(u8::try_from(header.len()).unwrap_or(u8::MAX));
        headers.extend_from_slice(header.as_bytes());
        // Seven is a text.
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    // Two lengths and three checksums or lengths of four bytes around them.
    let whole = 16 + headers.len() + payload.len();
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    let mut out = length(whole).to_vec();
    out.extend_from_slice(&length(headers.len()));
    out.extend_from_slice(&checksum(&out));
    out.extend_from_slice(&headers);
    out.extend_from_slice(payload.as_bytes());
    let sum = checksum(&out);
    out.extend_from_slice(&sum);
    out
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    crc32fast::hash(bytes).to_be_bytes()
}
