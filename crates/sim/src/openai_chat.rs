//! OpenAI's Chat Completions shape.
//!
//! Facts: OpenAI API reference, "Chat Completions" (create, object, chunk
//! object) and guide "Error codes", read 2026-11; usage fields as in
//! openai-python `types/completion_usage.py`, 2026-11.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::ask::{
    IMAGE_TOKENS, JsonWant, MESSAGE_TOKENS, Refusal, Request, Tool, ToolChoice, required_str,
    strings, words_within,
};
use crate::reply::{CREATED, Event, Events, Reply, len_of, per_token};
use crate::script::{Script, ShowReasoning};
use crate::truth::{Choice, Finish, Reported};

/// Reads a request.
///
/// # Errors
/// When `model` or `messages` is missing.
pub fn read(body: &Value) -> Result<Request, Refusal> {
    let model = required_str(body, "model")?.to_owned();
    let messages = body
        .get("messages")
        .and_then(Value::as_array)
        .filter(|all| !all.is_empty())
        .ok_or_else(|| Refusal::bad("Missing required parameter: 'messages'."))?;
    let tools = read_tools(body);
    let prompt_tokens = messages.iter().map(message_tokens).sum::<u64>()
        + body.get("tools").map_or(0, words_within);
    let last_user = messages
        .iter()
        .rev()
        .find(|message| message.get("role").and_then(Value::as_str) == Some("user"))
        .map(|message| text_of(message.get("content")))
        .unwrap_or_default();
    // Once a tool has answered, the model answers in text.
    let after_tool = messages.last().and_then(|last| last.get("role")?.as_str()) == Some("tool");
    let effort = body
        .get("reasoning_effort")
        .or_else(|| body.pointer("/reasoning/effort"))
        .and_then(Value::as_str);
    Ok(Request {
        model,
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
        include_usage: body
            .pointer("/stream_options/include_usage")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        max_tokens: body
            .get("max_completion_tokens")
            .or_else(|| body.get("max_tokens"))
            .and_then(Value::as_u64),
        prompt_tokens,
        stops: strings(body.get("stop")),
        n: body.get("n").and_then(Value::as_u64).unwrap_or(1),
        tools,
        tool_choice: read_tool_choice(body.get("tool_choice")),
        one_call: body.get("parallel_tool_calls").and_then(Value::as_bool) == Some(false),
        thinks: effort.is_some_and(|effort| !matches!(effort, "none" | "minimal")),
        json: read_json_want(body.get("response_format")),
        logprobs: (body.get("logprobs").and_then(Value::as_bool) == Some(true)).then(|| {
            body.get("top_logprobs")
                .and_then(Value::as_u64)
                .unwrap_or(0)
        }),
        last_user: if after_tool { String::new() } else { last_user },
        ..Request::default()
    })
}

fn message_tokens(message: &Value) -> u64 {
    let content = match message.get("content") {
        Some(Value::Array(parts)) => parts.iter().map(part_tokens).sum(),
        Some(other) => words_within(other),
        None => 0,
    };
    MESSAGE_TOKENS + content + message.get("tool_calls").map_or(0, words_within)
}

fn part_tokens(part: &Value) -> u64 {
    match part.get("type").and_then(Value::as_str) {
        Some("image_url") => IMAGE_TOKENS,
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
    let Some(tools) = body.get("tools").and_then(Value::as_array) else {
        return Vec::new();
    };
    let read = |tool: &Value| {
        let function = tool.get("function")?;
        Some(Tool {
            name: function.get("name")?.as_str()?.to_owned(),
            schema: function
                .get("parameters")
                .cloned()
                .unwrap_or_else(|| json!({"type": "object"})),
        })
    };
    tools.iter().filter_map(read).collect()
}

fn read_tool_choice(choice: Option<&Value>) -> ToolChoice {
    match choice {
        Some(Value::String(word)) if word == "none" => ToolChoice::Never,
        Some(Value::String(word)) if word == "required" => ToolChoice::Any,
        Some(object) => object
            .pointer("/function/name")
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
                .pointer("/json_schema/schema")
                .map_or(JsonWant::Object, |schema| JsonWant::Schema(schema.clone())),
        ),
        _ => None,
    }
}

/// The vendor's word for why a choice ended.
#[must_use]
pub fn finish_word(reply: &Reply, choice: &Choice) -> String {
    reply.script.finish_reason.clone().unwrap_or_else(|| {
        match choice.finish {
            Finish::Stop | Finish::StopText(_) => "stop",
            Finish::Length => "length",
            Finish::Tools => "tool_calls",
        }
        .to_owned()
    })
}

/// The usage object.
#[must_use]
pub fn usage(reported: &Reported) -> Value {
    json!({
        "prompt_tokens": reported.prompt,
        "completion_tokens": reported.completion,
        "total_tokens": reported.prompt.saturating_add(reported.completion),
        "prompt_tokens_details": { "cached_tokens": reported.cached, "audio_tokens": 0 },
        "completion_tokens_details": {
            "reasoning_tokens": reported.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

fn thought_key(script: &Script) -> Option<&'static str> {
    match script.show_reasoning {
        ShowReasoning::None => None,
        ShowReasoning::ReasoningContent => Some("reasoning_content"),
        ShowReasoning::Reasoning => Some("reasoning"),
    }
}

fn logprob(token: &str, alternatives: u64) -> Value {
    let one = |text: &str, logprob: f64| json!({ "token": text, "logprob": logprob, "bytes": text.as_bytes() });
    let mut entry = one(token, -0.25);
    if let Some(fields) = entry.as_object_mut() {
        let others = (0..alternatives.min(20))
            .map(|_| one(token, -0.25))
            .collect();
        fields.insert("top_logprobs".to_owned(), Value::Array(others));
    }
    entry
}

/// The reply without streaming.
#[must_use]
pub fn reply(reply: &Reply) -> Value {
    let choices: Vec<Value> = reply
        .answer
        .choices
        .iter()
        .enumerate()
        .map(|(at, choice)| whole_choice(reply, at, choice))
        .collect();
    let mut whole = head(reply, "chat.completion");
    whole.insert("choices".to_owned(), Value::Array(choices));
    if let Some(reported) = &reply.reported {
        whole.insert("usage".to_owned(), usage(reported));
    }
    Value::Object(whole)
}

fn whole_choice(reply: &Reply, at: usize, choice: &Choice) -> Value {
    let content = if choice.calls.is_empty() || !choice.content.is_empty() {
        Value::String(reply.content_text(at))
    } else {
        Value::Null
    };
    let mut message = json!({
        "role": "assistant", "content": content, "refusal": null, "annotations": [],
    });
    if let Some(fields) = message.as_object_mut() {
        if let Some(key) = thought_key(&reply.script).filter(|_| !choice.thought.is_empty()) {
            fields.insert(key.to_owned(), Value::String(choice.thought.text()));
        }
        if !choice.calls.is_empty() {
            let calls = choice
                .calls
                .iter()
                .map(|call| {
                    json!({
                        "id": format!("call_{:016x}", call.id),
                        "type": "function",
                        "function": { "name": call.name, "arguments": call.arguments.text() },
                    })
                })
                .collect();
            fields.insert("tool_calls".to_owned(), Value::Array(calls));
        }
    }
    let logprobs = reply.ask.logprobs.map(|alternatives| {
        let all: Vec<_> = choice
            .content
            .iter()
            .map(|t| logprob(&t, alternatives))
            .collect();
        json!({ "content": all, "refusal": null })
    });
    json!({
        "index": at, "message": message, "logprobs": logprobs,
        "finish_reason": finish_word(reply, choice),
    })
}

fn head(reply: &Reply, object: &str) -> Map<String, Value> {
    let head = json!({
        "id": format!("chatcmpl-{:016x}", reply.id),
        "object": object,
        "created": CREATED,
        "model": reply.ask.model,
        "service_tier": "default",
        "system_fingerprint": "fp_51b0000000",
    });
    match head {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn chunk(
    reply: &Reply,
    at: usize,
    delta: &Value,
    logprobs: &Value,
    finish: &Value,
    tokens: u64,
) -> Event {
    let mut fields = head(reply, "chat.completion.chunk");
    let choice =
        json!({ "index": at, "delta": delta, "logprobs": logprobs, "finish_reason": finish });
    fields.insert("choices".to_owned(), json!([choice]));
    // With include_usage every other chunk carries a null usage.
    if reply.ask.include_usage {
        fields.insert("usage".to_owned(), Value::Null);
    }
    Event::data(&Value::Object(fields), tokens)
}

/// The stream.
#[must_use]
pub fn stream(reply: &Arc<Reply>) -> Events {
    let mut all: Events = Box::new(std::iter::empty());
    for at in 0..reply.answer.choices.len() {
        all = Box::new(all.chain(choice_stream(reply, at)));
    }
    let last = Arc::clone(reply);
    Box::new(all.chain(std::iter::once_with(move || ending(&last)).flatten()))
}

fn ending(reply: &Reply) -> Vec<Event> {
    let mut ending = Vec::new();
    if let (true, Some(reported)) = (reply.ask.include_usage, &reply.reported) {
        let mut fields = head(reply, "chat.completion.chunk");
        fields.insert("choices".to_owned(), json!([]));
        fields.insert("usage".to_owned(), usage(reported));
        ending.push(Event::data(&Value::Object(fields), 0));
    }
    let done = Event {
        name: None,
        data: "[DONE]".to_owned(),
        tokens: 0,
        closes: true,
    };
    ending.push(done);
    ending
}

fn choice_stream(reply: &Arc<Reply>, at: usize) -> Events {
    let null = Value::Null;
    let Some(choice) = reply.choice(at) else {
        return Box::new(std::iter::empty());
    };
    let opening = json!({ "role": "assistant", "content": "", "refusal": null });
    let first = std::iter::once(chunk(reply, at, &opening, &null, &null, 0));

    let shown = thought_key(&reply.script);
    let thinker = Arc::clone(reply);
    // Hidden thoughts take their time too, but send nothing.
    let thoughts = per_token(
        if shown.is_some() {
            len_of(Some(&choice.thought))
        } else {
            0
        },
        move |i| {
            let piece = thinker
                .choice(at)
                .map(|c| c.thought.piece(i))
                .unwrap_or_default();
            let key = shown.unwrap_or("reasoning_content");
            let delta = Value::Object(Map::from_iter([(key.to_owned(), Value::String(piece))]));
            chunk(&thinker, at, &delta, &Value::Null, &Value::Null, 1)
        },
    );

    let mut calls = Vec::new();
    for (index, call) in choice.calls.iter().enumerate() {
        let opening = json!({ "tool_calls": [{
            "index": index, "id": format!("call_{:016x}", call.id), "type": "function",
            "function": { "name": call.name, "arguments": "" },
        }] });
        calls.push(chunk(reply, at, &opening, &null, &null, 0));
        for piece in call.arguments.iter() {
            let delta =
                json!({ "tool_calls": [{ "index": index, "function": { "arguments": piece } }] });
            calls.push(chunk(reply, at, &delta, &null, &null, 1));
        }
    }

    let speaker = Arc::clone(reply);
    let contents = per_token(choice.content.len(), move |i| {
        let piece = speaker.content_piece(at, i);
        let logprobs = speaker.ask.logprobs.map_or(
            Value::Null,
            |alternatives| json!({ "content": [logprob(&piece, alternatives)], "refusal": null }),
        );
        chunk(
            &speaker,
            at,
            &json!({ "content": piece }),
            &logprobs,
            &Value::Null,
            1,
        )
    });
    let finish = Value::String(finish_word(reply, choice));
    let last = std::iter::once(chunk(reply, at, &json!({}), &null, &finish, 0));
    Box::new(
        first
            .chain(thoughts)
            .chain(contents)
            .chain(calls)
            .chain(last),
    )
}

/// The error body for a status.
#[must_use]
pub fn error_body(status: u16, code: Option<&str>, message: Option<&str>) -> Value {
    let (kind, default_code, default_message) = match status {
        401 => (
            "invalid_request_error",
            Some("invalid_api_key"),
            "Incorrect API key provided.",
        ),
        402 => (
            "insufficient_quota",
            Some("insufficient_quota"),
            "Insufficient balance.",
        ),
        403 => (
            "invalid_request_error",
            Some("unsupported_country_region_territory"),
            "Country, region, or territory not supported.",
        ),
        404 => (
            "invalid_request_error",
            Some("model_not_found"),
            "The model does not exist or you do not have access to it.",
        ),
        429 => (
            "requests",
            Some("rate_limit_exceeded"),
            "Rate limit reached for requests.",
        ),
        503 => (
            "server_error",
            None,
            "The engine is currently overloaded, please try again later.",
        ),
        400..=499 => ("invalid_request_error", None, "Invalid request."),
        _ => (
            "server_error",
            None,
            "The server had an error while processing your request.",
        ),
    };
    json!({ "error": {
        "message": message.unwrap_or(default_message),
        "type": if code == Some("insufficient_quota") { "insufficient_quota" } else { kind },
        "param": null,
        "code": code.or(default_code),
    } })
}

/// The model list.
#[must_use]
pub fn models(names: &[String]) -> Value {
    let data: Vec<_> = names
        .iter()
        .map(|name| json!({ "id": name, "object": "model", "created": CREATED, "owned_by": "sim" }))
        .collect();
    json!({ "object": "list", "data": data })
}
