//! Gemini's `generateContent` shape.
//!
//! Facts: Gemini API reference "Generating content"
//! (GenerateContentResponse, Candidate, UsageMetadata), guides "Thinking",
//! "Thought signatures", "Image generation", "Troubleshooting" (error
//! codes), read 2026-11; error details as in google.rpc.RetryInfo.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::ask::{
    IMAGE_TOKENS, JsonWant, MESSAGE_TOKENS, Refusal, Request, Tool, ToolChoice, strings,
    words_within,
};
use crate::replay::gemini_signature;
use crate::reply::{Event, Events, Reply};
use crate::truth::{Choice, Finish, Reported};

/// A transparent PNG of one pixel.
const TINY_PNG_BASE64: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

/// The model between `/models/` and the colon.
#[must_use]
pub fn model_of(path: &str) -> Option<&str> {
    let (_, rest) = path.rsplit_once("/models/")?;
    let (model, _) = rest.split_once(':')?;
    Some(model)
}

/// Reads a request.
///
/// # Errors
/// When the path names no model or `contents` is missing.
pub fn read(path: &str, body: &Value) -> Result<Request, Refusal> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let model = model_of(path).ok_or_else(|| Refusal {
        status: 404,
        message: "model not found in the path".to_owned(),
    })?;
    let contents = body
        .get("contents")
        .and_then(Value::as_array)
        .filter(|contents| !contents.is_empty())
        .ok_or_else(|| {
            Refusal::bad("GenerateContentRequest.contents: contents is not specified")
        })?;
    let config = |pointer: &str| body.pointer(&format!("/generationConfig/{pointer}"));
    let stream = path.ends_with(":streamGenerateContent");
    let budget = config("thinkingConfig/thinkingBudget").and_then(Value::as_i64);
    let shows = config("thinkingConfig/includeThoughts")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let leveled = config("thinkingConfig/thinkingLevel").is_some();
    let json = (config("responseMimeType").and_then(Value::as_str) == Some("application/json"))
        .then(|| {
            config("responseJsonSchema")
                .or_else(|| config("responseSchema"))
                .map_or(JsonWant::Object, |schema| JsonWant::Schema(schema.clone()))
        });
    let last_user = contents
        .last()
        .and_then(|content| content.get("parts")?.as_array())
        .and_then(|parts| {
            parts
                .iter()
                .rev()
                .find_map(|part| part.get("text")?.as_str())
        })
        .unwrap_or_default();
    Ok(Request {
        model: model.to_owned(),
        stream,
        array_stream: stream && !query.split('&').any(|pair| pair == "alt=sse"),
        max_tokens: config("maxOutputTokens").and_then(Value::as_u64),
        prompt_tokens: contents.iter().map(content_tokens).sum::<u64>()
            + body.get("systemInstruction").map_or(0, content_tokens)
            + body.get("tools").map_or(0, words_within),
        uses_cache: body.get("cachedContent").is_some_and(Value::is_string),
        stops: strings(config("stopSequences")),
        n: config("candidateCount")
            .and_then(Value::as_u64)
            .unwrap_or(1)
            .min(8),
        tools: read_tools(body),
        tool_choice: read_tool_choice(body.pointer("/toolConfig/functionCallingConfig")),
        thinks: budget.map_or(shows || leveled, |budget| budget != 0),
        shows_thoughts: shows,
        json,
        wants_image: strings(config("responseModalities"))
            .iter()
            .any(|kind| kind == "IMAGE"),
        last_user: last_user.to_owned(),
        ..Request::default()
    })
}

fn content_tokens(content: &Value) -> u64 {
    let parts = content.get("parts").and_then(Value::as_array);
    let tokens = |part: &Value| {
        if part
            .get("inlineData")
            .or_else(|| part.get("fileData"))
            .is_some()
        {
            IMAGE_TOKENS
        } else if let Some(text) = part.get("text") {
            words_within(text)
        } else {
            words_within(part)
        }
    };
    MESSAGE_TOKENS + parts.map_or(0, |parts| parts.iter().map(tokens).sum())
}

fn read_tools(body: &Value) -> Vec<Tool> {
    let sets = body.get("tools").and_then(Value::as_array);
    let declared = sets
        .into_iter()
        .flatten()
        .filter_map(|set| set.get("functionDeclarations")?.as_array())
        .flatten();
    let read = |tool: &Value| {
        // Google reads names in either style, and its SDK for Python writes
        // this one in the other.
        let schema = tool
            .get("parametersJsonSchema")
            .or_else(|| tool.get("parameters_json_schema"))
            .or_else(|| tool.get("parameters"));
        Some(Tool {
            name: tool.get("name")?.as_str()?.to_owned(),
            schema: schema.cloned().unwrap_or_else(|| json!({"type": "object"})),
        })
    };
    declared.filter_map(read).collect()
}

fn read_tool_choice(config: Option<&Value>) -> ToolChoice {
    let mode = config.and_then(|config| config.get("mode")?.as_str());
    let allowed = strings(config.and_then(|config| config.get("allowedFunctionNames")));
    match (mode, allowed.as_slice()) {
        (Some("NONE"), _) => ToolChoice::Never,
        (Some("ANY"), [only]) => ToolChoice::Named(only.clone()),
        (Some("ANY"), _) => ToolChoice::Any,
        _ => ToolChoice::Auto,
    }
}

fn finish_word(reply: &Reply, choice: &Choice) -> String {
    reply.script.finish_reason.clone().unwrap_or_else(|| {
        // Calls end with STOP too: the vendor has no reason of their own.
        match choice.finish {
            Finish::Length => "MAX_TOKENS",
            _ => "STOP",
        }
        .to_owned()
    })
}

/// Thoughts are counted beside the candidates here, not within them.
fn usage(reply: &Reply, reported: &Reported, thoughts: i64, candidates: i64) -> Value {
    let mut usage = json!({
        "promptTokenCount": reported.prompt,
        "candidatesTokenCount": candidates,
        "totalTokenCount": reported.prompt.saturating_add(candidates).saturating_add(thoughts),
        "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": reported.prompt }],
    });
    if let Some(fields) = usage.as_object_mut() {
        if thoughts != 0 {
            fields.insert("thoughtsTokenCount".to_owned(), json!(thoughts));
        }
        if reported.cached != 0 {
            fields.insert("cachedContentTokenCount".to_owned(), json!(reported.cached));
            fields.insert(
                "cacheTokensDetails".to_owned(),
                json!([{ "modality": "TEXT", "tokenCount": reported.cached }]),
            );
        }
        if reply.ask.wants_image {
            fields.insert(
                "candidatesTokensDetails".to_owned(),
                json!([{ "modality": "IMAGE", "tokenCount": reported.image }]),
            );
        }
    }
    usage
}

fn final_usage(reply: &Reply) -> Option<Value> {
    let reported = reply.reported.as_ref()?;
    let candidates = if reported.completion < reported.reasoning || reported.completion < 0 {
        reported.completion
    } else {
        reported.completion.saturating_sub(reported.reasoning)
    };
    Some(usage(reply, reported, reported.reasoning, candidates))
}

fn whole(reply: &Reply, candidates: Vec<Value>, usage: Option<Value>) -> Value {
    let mut fields = Map::new();
    fields.insert("candidates".to_owned(), Value::Array(candidates));
    if let Some(usage) = usage {
        fields.insert("usageMetadata".to_owned(), usage);
    }
    fields.insert("modelVersion".to_owned(), json!(reply.ask.model));
    fields.insert("responseId".to_owned(), json!(format!("{:016x}", reply.id)));
    Value::Object(fields)
}

fn candidate(at: usize, parts: &[Value], finish: Option<String>) -> Value {
    let mut candidate = json!({ "content": { "parts": parts, "role": "model" }, "index": at });
    if let (Some(fields), Some(finish)) = (candidate.as_object_mut(), finish) {
        fields.insert("finishReason".to_owned(), json!(finish));
    }
    candidate
}

fn call_parts(reply: &Reply, choice: &Choice) -> Vec<Value> {
    let part = |(at, call): (usize, &crate::truth::Call)| {
        let args: Value =
            serde_json::from_str(&call.arguments.text()).unwrap_or_else(|_| json!({}));
        let mut part = json!({ "functionCall": { "id": format!("{:08x}", call.id >> 32), "name": call.name, "args": args } });
        // Of parallel calls only the first is signed.
        if let Some(fields) = part.as_object_mut().filter(|_| at == 0) {
            fields.insert(
                "thoughtSignature".to_owned(),
                json!(gemini_signature(reply.answer.key)),
            );
        }
        part
    };
    choice.calls.iter().enumerate().map(part).collect()
}

fn image_part() -> Value {
    json!({ "inlineData": { "mimeType": "image/png", "data": TINY_PNG_BASE64 } })
}

/// The reply without streaming.
#[must_use]
pub fn reply(reply: &Reply) -> Value {
    let candidates = reply.answer.choices.iter().enumerate().map(|(at, choice)| {
        let mut parts = Vec::new();
        if reply.ask.shows_thoughts && !choice.thought.is_empty() {
            parts.push(json!({ "text": choice.thought.text(), "thought": true }));
        }
        if !choice.content.is_empty() {
            parts.push(json!({ "text": reply.content_text(at) }));
        }
        parts.extend(call_parts(reply, choice));
        if reply.ask.wants_image && at == 0 {
            parts.push(image_part());
        }
        candidate(at, &parts, Some(finish_word(reply, choice)))
    });
    whole(reply, candidates.collect(), final_usage(reply))
}

/// The stream. Its usage counts are cumulative, in every chunk.
#[must_use]
pub fn stream(reply: &Arc<Reply>) -> Events {
    let mut all: Events = Box::new(std::iter::empty());
    let last = reply.answer.choices.len().saturating_sub(1);
    let mut done = 0;
    for (at, choice) in reply.answer.choices.iter().enumerate() {
        let maker = Arc::clone(reply);
        let shown = if reply.ask.shows_thoughts {
            choice.thought.len()
        } else {
            0
        };
        // Hidden thoughts are spent before the first chunk appears.
        let base = done + choice.thought.len() - shown;
        let (thoughts, contents) = (choice.thought.len(), choice.content.len());
        let pieces = (0..shown + contents).map(move |i| {
            let piece = match maker.choice(at) {
                Some(choice) if i < shown => {
                    json!({ "text": choice.thought.piece(i), "thought": true })
                }
                _ => json!({ "text": maker.content_piece(at, i - shown) }),
            };
            let spent = base + i + 1;
            let thought = spent.min(thoughts);
            let so_far = partial_usage(&maker, thought, spent.saturating_sub(thoughts));
            Event::data(
                &whole(&maker, vec![candidate(at, &[piece], None)], so_far),
                1,
            )
        });
        let closer = Arc::clone(reply);
        let closing = std::iter::once_with(move || {
            let Some(choice) = closer.choice(at) else {
                return Vec::new();
            };
            let mut events: Vec<Event> = Vec::new();
            let mut parts = call_parts(&closer, choice);
            if closer.ask.wants_image && at == 0 {
                parts.push(image_part());
            }
            let tokens = choice.calls.iter().map(|call| call.arguments.len()).sum();
            if parts.is_empty() {
                parts.push(json!({ "text": "" }));
            }
            let finish = (!closer.script.no_done).then(|| finish_word(&closer, choice));
            let usage = if at == last {
                final_usage(&closer)
            } else {
                None
            };
            events.push(Event::data(
                &whole(&closer, vec![candidate(at, &parts, finish)], usage),
                tokens,
            ));
            events
        });
        done += choice.tokens();
        all = Box::new(all.chain(pieces).chain(closing.flatten()));
    }
    all
}

fn partial_usage(reply: &Reply, thoughts: u64, candidates: u64) -> Option<Value> {
    let reported = reply.reported.as_ref()?;
    // A lying vendor lies all along.
    if reply.script.usage != crate::script::UsageFault::Honest {
        return final_usage(reply);
    }
    let int = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
    Some(usage(reply, reported, int(thoughts), int(candidates)))
}

/// The error body for a status.
#[must_use]
pub fn error_body(
    status: u16,
    code: Option<&str>,
    message: Option<&str>,
    retry_s: Option<u64>,
) -> Value {
    let (word, default_message) = match status {
        401 => (
            "UNAUTHENTICATED",
            "Request is missing required authentication credential.",
        ),
        403 => (
            "PERMISSION_DENIED",
            "Your API key doesn't have the required permissions.",
        ),
        404 => ("NOT_FOUND", "The requested model was not found."),
        429 => ("RESOURCE_EXHAUSTED", "You exceeded your current quota."),
        503 => (
            "UNAVAILABLE",
            "The model is overloaded. Please try again later.",
        ),
        504 => (
            "DEADLINE_EXCEEDED",
            "Deadline expired before operation could complete.",
        ),
        400..=499 => ("INVALID_ARGUMENT", "Request contains an invalid argument."),
        _ => ("INTERNAL", "An internal error has occurred."),
    };
    let mut body = json!({
        "code": status,
        "message": message.unwrap_or(default_message),
        "status": code.unwrap_or(word),
    });
    if let (Some(fields), Some(seconds)) = (body.as_object_mut(), retry_s) {
        let retry = json!([{ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{seconds}s") }]);
        fields.insert("details".to_owned(), retry);
    }
    json!({ "error": body })
}

/// The model list.
#[must_use]
pub fn models(names: &[String]) -> Value {
    let all: Vec<_> = names
        .iter()
        .map(|name| json!({ "name": format!("models/{name}"), "displayName": name, "supportedGenerationMethods": ["generateContent"] }))
        .collect();
    json!({ "models": all })
}
