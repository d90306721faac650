//! Ollama's own shape.
//!
//! Facts: docs/api.md, docs/api/errors.mdx and api/types.go of ollama/ollama,
//! read 2026-11, as of August 2026: it streams unless it is told not to, a call
//! comes whole, the last line says `done` with the counts, and counts of zero
//! are left out. The moments in it are fixed.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::ask::{
    IMAGE_TOKENS, JsonWant, MESSAGE_TOKENS, Refusal, Request, Tool, required_str, strings,
    words_within,
};
use crate::embeddings;
use crate::reply::{Event, Events, Reply, len_of, per_token};
use crate::truth::{Call, Choice, Finish, Reported};

/// When simulated models say they answered: [`crate::reply::CREATED`].
const CREATED_AT: &str = "2026-09-21T14:13:20.000000Z";

/// Reads a request.
///
/// # Errors
/// When Ollama would refuse it.
pub fn read(body: &Value) -> Result<Request, Refusal> {
    let model = required_str(body, "model")
        .map_err(|_| Refusal::bad("model is required"))?
        .to_owned();
    let messages = body.get("messages").and_then(Value::as_array);
    let messages = messages.map(Vec::as_slice).unwrap_or_default();
    for message in messages {
        check_images(message)?;
    }
    let tokens = messages.iter().map(message_tokens).sum::<u64>();
    let asks = |message: &&Value| message.get("role").and_then(Value::as_str) == Some("user");
    let last_user = messages.iter().rev().find(asks);
    let last_user = last_user.and_then(|message| message.get("content")?.as_str());
    // Once a tool has answered, the model answers in text.
    let after_tool = messages.last().and_then(|last| last.get("role")?.as_str()) == Some("tool");
    let options = body.get("options");
    let limit = options.and_then(|options| options.get("num_predict"));
    Ok(Request {
        model,
        stream: body.get("stream").and_then(Value::as_bool) != Some(false),
        max_tokens: limit.and_then(Value::as_u64),
        prompt_tokens: tokens + body.get("tools").map_or(0, words_within),
        stops: strings(options.and_then(|options| options.get("stop"))),
        n: 1,
        tools: tools(body),
        thinks: thinks(body.get("think"))?,
        json: match body.get("format") {
            Some(Value::String(word)) if word == "json" => Some(JsonWant::Object),
            Some(schema @ Value::Object(_)) => Some(JsonWant::Schema(schema.clone())),
            _ => None,
        },
        last_user: match (after_tool, last_user) {
            (false, Some(text)) => text.to_owned(),
            _ => String::new(),
        },
        ..Request::default()
    })
}

/// Reads a request for vectors.
///
/// # Errors
/// When Ollama would refuse it.
pub fn read_embed(body: &Value) -> Result<Request, Refusal> {
    embeddings::read(body).map_err(|_| Refusal::bad("invalid input type"))
}

fn check_images(message: &Value) -> Result<(), Refusal> {
    let images = message.get("images").and_then(Value::as_array);
    for image in images.into_iter().flatten() {
        let decoded = image.as_str().map(|text| STANDARD.decode(text));
        if !matches!(decoded, Some(Ok(_))) {
            return Err(Refusal::bad("illegal base64 data at input byte 0"));
        }
    }
    Ok(())
}

fn message_tokens(message: &Value) -> u64 {
    let images = message.get("images").and_then(Value::as_array);
    let shown = images.map_or(0, |images| images.len() as u64);
    let said = ["content", "thinking", "tool_calls"];
    let said = said.iter().filter_map(|name| message.get(name));
    MESSAGE_TOKENS + shown * IMAGE_TOKENS + said.map(words_within).sum::<u64>()
}

fn tools(body: &Value) -> Vec<Tool> {
    let tools = body.get("tools").and_then(Value::as_array);
    let read = |tool: &Value| {
        let function = tool.get("function")?;
        Some(Tool {
            name: function.get("name")?.as_str()?.to_owned(),
            schema: function.get("parameters")?.clone(),
        })
    };
    tools.into_iter().flatten().filter_map(read).collect()
}

fn thinks(think: Option<&Value>) -> Result<bool, Refusal> {
    match think {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(thinks)) => Ok(*thinks),
        Some(Value::String(level)) if ["low", "medium", "high", "max"].contains(&&**level) => {
            Ok(true)
        }
        Some(other) => Err(Refusal::bad(format!(
            "invalid think value: {other} (must be \"high\", \"medium\", \"low\", \"max\", true, or false)"
        ))),
    }
}

fn head(reply: &Reply) -> Map<String, Value> {
    Map::from_iter([
        ("model".to_owned(), json!(reply.ask.model)),
        ("created_at".to_owned(), json!(CREATED_AT)),
    ])
}

fn count(whole: &mut Map<String, Value>, reported: Option<&Reported>) {
    let Some(reported) = reported else {
        return;
    };
    let counts = [
        ("total_duration", 500_000_000),
        ("prompt_eval_count", reported.prompt),
        ("eval_count", reported.completion),
    ];
    for (name, number) in counts {
        if number > 0 {
            whole.insert(name.to_owned(), json!(number));
        }
    }
}

fn done(reply: &Reply, choice: &Choice, message: Value) -> Value {
    let mut whole = head(reply);
    whole.insert("message".to_owned(), message);
    whole.insert("done".to_owned(), json!(true));
    let reason = match &choice.finish {
        Finish::Length => "length",
        Finish::Stop | Finish::StopText(_) | Finish::Tools => "stop",
    };
    let told = reply.script.finish_reason.as_deref();
    whole.insert("done_reason".to_owned(), json!(told.unwrap_or(reason)));
    count(&mut whole, reply.reported.as_ref());
    Value::Object(whole)
}

fn call(number: usize, call: &Call) -> Value {
    let arguments: Value =
        serde_json::from_str(&call.arguments.text()).unwrap_or_else(|_| json!({}));
    json!({
        "id": format!("call_{:016x}", call.id),
        "function": {"index": number, "name": call.name, "arguments": arguments},
    })
}

/// The reply without streaming.
#[must_use]
pub fn reply(reply: &Reply) -> Value {
    let Some(choice) = reply.choice(0) else {
        return Value::Null;
    };
    let mut message = json!({"role": "assistant", "content": reply.content_text(0)});
    if let Some(fields) = message.as_object_mut() {
        if !choice.thought.is_empty() {
            fields.insert("thinking".to_owned(), json!(choice.thought.text()));
        }
        if !choice.calls.is_empty() {
            let calls: Vec<Value> = choice
                .calls
                .iter()
                .enumerate()
                .map(|(number, one)| call(number, one))
                .collect();
            fields.insert("tool_calls".to_owned(), json!(calls));
        }
    }
    done(reply, choice, message)
}

/// The vectors.
#[must_use]
pub fn vectors(reply: &Reply) -> Value {
    let mut whole = Map::from_iter([("model".to_owned(), json!(reply.ask.model))]);
    whole.insert("embeddings".to_owned(), json!(embeddings::vectors(reply)));
    if let Some(reported) = &reply.reported {
        whole.insert("prompt_eval_count".to_owned(), json!(reported.prompt));
    }
    Value::Object(whole)
}

fn line(reply: &Reply, name: &str, said: &Value, tokens: u64) -> Event {
    let mut message = Map::from_iter([
        ("role".to_owned(), json!("assistant")),
        ("content".to_owned(), json!("")),
    ]);
    message.insert(name.to_owned(), said.clone());
    let mut line = head(reply);
    line.insert("message".to_owned(), Value::Object(message));
    line.insert("done".to_owned(), json!(false));
    Event::data(&Value::Object(line), tokens)
}

/// The stream.
#[must_use]
pub fn stream(reply: &Arc<Reply>) -> Events {
    let Some(choice) = reply.choice(0) else {
        return Box::new(std::iter::empty());
    };
    let thinker = Arc::clone(reply);
    let thoughts = per_token(len_of(Some(&choice.thought)), move |at| {
        let piece = thinker.choice(0).map(|choice| choice.thought.piece(at));
        line(&thinker, "thinking", &json!(piece.unwrap_or_default()), 1)
    });
    let speaker = Arc::clone(reply);
    let contents = per_token(choice.content.len(), move |at| {
        line(&speaker, "content", &json!(speaker.content_piece(0, at)), 1)
    });
    let calls: Vec<Event> = choice
        .calls
        .iter()
        .enumerate()
        .map(|(number, one)| {
            let told = json!([call(number, one)]);
            line(reply, "tool_calls", &told, one.arguments.len())
        })
        .collect();
    let last = done(reply, choice, json!({"role": "assistant", "content": ""}));
    let last = Event::data(&last, 0).closing();
    Box::new(thoughts.chain(contents).chain(calls).chain([last]))
}

/// The error body for a status.
#[must_use]
pub fn error_body(status: u16, message: Option<&str>) -> Value {
    let sentence = match status {
        401 => "unauthorized",
        404 => "model 'm' not found",
        429 => "you have reached your hourly usage limit",
        502 => "upstream error",
        503 => "server busy, please try again.  maximum pending requests exceeded",
        400..=499 => "invalid request",
        _ => "an error was encountered while running the model",
    };
    json!({"error": message.unwrap_or(sentence)})
}
