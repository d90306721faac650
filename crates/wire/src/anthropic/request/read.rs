//! Reads a client's request (Messages API reference, November 2026).

use bourse_vocab::chat::{
    CacheControl, Effort, Extras, Media, Message, Part, Reasoning, ReasoningKind, ReasoningRequest,
    Request, ResponseFormat, Role, Sampling, Tool, ToolChoice,
};
use bourse_vocab::json::{Map, Number, Value};
use bourse_vocab::{Failure, Format};

use super::super::passthrough::{self, members::Fate};
use super::super::seal;

/// Reads a request.
pub fn read(body: Value) -> Result<Request, Failure> {
    let Value::Object(mut members) = body else {
        return Err(Failure::invalid("The body must be a JSON object"));
    };
    take_gateways_own(&mut members)?;
    let model = string(&mut members, "model")?.unwrap_or_default();
    // Anthropic insists on it; OpenRouter's document does not.
    let max_tokens = count(&mut members, "max_tokens")?;
    // What blocks and tools have that no word here is for, by its path.
    let mut unknown = Map::new();
    let mut messages = system(members.remove("system"), &mut unknown)?;
    conversation(members.remove("messages"), &mut messages, &mut unknown)?;

    let mut request = Request::new(Format::Anthropic, model, messages);
    request.max_tokens = max_tokens;
    request.stream = boolean(&mut members, "stream")?.unwrap_or(false);
    request.sampling = Sampling {
        temperature: number(&mut members, "temperature")?,
        top_p: number(&mut members, "top_p")?,
        top_k: count(&mut members, "top_k")?,
        stop: strings(members.remove("stop_sequences"), "stop_sequences")?,
        ..Sampling::default()
    };
    request.tools = tools(members.remove("tools"), &mut unknown)?;
    tool_choice(members.remove("tool_choice"), &mut request)?;
    request.cache = cache(members.get("cache_control"));
    members.remove("cache_control");
    request.user = user(&mut members)?;
    thinking(&mut members, &mut request)?;
    output_config(&mut members, &mut request);
    members.retain(|_, value| !value.is_null());
    members.append(&mut unknown);
    request.extras = Extras {
        format: Format::Anthropic,
        members,
    };
    Ok(request)
}

/// Takes out what was for the gateway, and refuses what nobody here does.
fn take_gateways_own(members: &mut Map) -> Result<(), Failure> {
    for (name, value) in &*members {
        if let Some(known) = passthrough::members::known(name) {
            known.refuse_by_value(value)?;
        }
    }
    members.retain(|name, _| {
        let fate = passthrough::members::known(name).map(|known| known.fate);
        !matches!(fate, Some(Fate::Ours | Fate::Refused(_))) || name == "user"
    });
    Ok(())
}

fn wrong(field: &str, expected: &str) -> Failure {
    Failure::invalid(format!("{field}: {expected}"))
}

fn taken(members: &mut Map, name: &str) -> Option<Value> {
    let value = members.get_mut(name)?.take();
    (!value.is_null()).then_some(value)
}

fn string(members: &mut Map, name: &str) -> Result<Option<String>, Failure> {
    match taken(members, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(name, "must be a string")),
    }
}

fn boolean(members: &mut Map, name: &str) -> Result<Option<bool>, Failure> {
    match taken(members, name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(flag)),
        Some(_) => Err(wrong(name, "must be true or false")),
    }
}

fn count(members: &mut Map, name: &str) -> Result<Option<u64>, Failure> {
    match taken(members, name) {
        None => Ok(None),
        Some(value) => value
            .as_u64()
            .map(Some)
            .ok_or_else(|| wrong(name, "must be a whole number, 0 or more")),
    }
}

fn number(members: &mut Map, name: &str) -> Result<Option<Number>, Failure> {
    match taken(members, name) {
        None => Ok(None),
        Some(Value::Number(number)) if number.as_f64().is_some() => Ok(Some(number)),
        Some(_) => Err(wrong(name, "must be a number")),
    }
}

fn strings(value: Option<Value>, name: &str) -> Result<Vec<String>, Failure> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err(wrong(name, "must be an array of strings")),
            })
            .collect(),
        Some(_) => Err(wrong(name, "must be an array of strings")),
    }
}

fn system(value: Option<Value>, unknown: &mut Map) -> Result<Vec<Message>, Failure> {
    let parts = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::String(text)) => vec![Part::text(text)],
        Some(Value::Array(blocks)) => parts(blocks, "system", unknown)?,
        Some(_) => return Err(wrong("system", "must be a string or an array of blocks")),
    };
    Ok(vec![Message {
        role: Role::System,
        name: None,
        parts,
    }])
}

fn conversation(
    value: Option<Value>,
    messages: &mut Vec<Message>,
    unknown: &mut Map,
) -> Result<(), Failure> {
    let Some(Value::Array(turns)) = value else {
        return Err(wrong("messages", "must be an array of messages"));
    };
    if turns.is_empty() {
        return Err(wrong("messages", "at least one message is required"));
    }
    for (index, turn) in turns.into_iter().enumerate() {
        let path = format!("messages.{index}");
        let Value::Object(mut turn) = turn else {
            return Err(wrong(&path, "must be an object"));
        };
        let role = match turn.get("role").and_then(Value::as_str) {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            // New instructions between turns, which Opus 4.8 introduced and
            // coding agents send (mid-conversation system messages, 2026).
            Some("system") => Role::System,
            _ => {
                return Err(wrong(
                    &format!("{path}.role"),
                    "must be 'user', 'assistant' or 'system'",
                ));
            }
        };
        let content = format!("{path}.content");
        let parts = match turn.remove("content") {
            Some(Value::String(text)) => vec![Part::text(text)],
            Some(Value::Array(blocks)) => parts(blocks, &content, unknown)?,
            _ => return Err(wrong(&content, "must be a string or an array of blocks")),
        };
        push(role, parts, messages);
    }
    Ok(())
}

/// Adds a turn; results of tools become messages of their own, which come
/// first because they answer the turn before.
fn push(role: Role, parts: Vec<Part>, messages: &mut Vec<Message>) {
    let (results, rest): (Vec<_>, Vec<_>) = parts
        .into_iter()
        .partition(|part| matches!(part, Part::ToolResult { .. }));
    let only_results = !results.is_empty() && rest.is_empty();
    messages.extend(results.into_iter().map(|part| Message {
        role: Role::Tool,
        name: None,
        parts: vec![part],
    }));
    if !only_results {
        messages.push(Message {
            role,
            name: None,
            parts: rest,
        });
    }
}

fn parts(blocks: Vec<Value>, path: &str, unknown: &mut Map) -> Result<Vec<Part>, Failure> {
    blocks
        .into_iter()
        .enumerate()
        .map(|(index, block)| part(block, &format!("{path}.{index}"), unknown))
        .collect()
}

/// Members of blocks that are read into the vocabulary.
const READ: &[(&str, &[&str])] = &[
    ("text", &["text", "cache_control"]),
    ("image", &["source", "cache_control"]),
    ("document", &["source", "title", "cache_control"]),
    ("thinking", &["thinking", "signature"]),
    ("redacted_thinking", &["data"]),
    ("tool_use", &["id", "name", "input"]),
    (
        "tool_result",
        &["tool_use_id", "content", "is_error", "cache_control"],
    ),
];

/// Files the members of an object that are not in `read`, so that they are not
/// lost without a word. What is empty says nothing: SDKs replay answers with
/// members that are `null`.
fn keep_unknown(object: &Value, read: &[&str], path: &str, unknown: &mut Map) {
    let members = object.as_object().into_iter().flatten();
    for (name, value) in members {
        let says_nothing = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if name != "type" && !read.contains(&name.as_str()) && !says_nothing {
            unknown.insert(format!("{path}.{name}"), value.clone());
        }
    }
}

fn part(block: Value, path: &str, unknown: &mut Map) -> Result<Part, Failure> {
    let Some(kind) = block.get("type").and_then(Value::as_str) else {
        return Err(wrong(&format!("{path}.type"), "field required"));
    };
    let text = |name: &str| -> Result<String, Failure> {
        match block.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            _ => Err(wrong(&format!("{path}.{name}"), "must be a string")),
        }
    };
    let part = match kind {
        "text" => Part::Text {
            text: text("text")?,
            cache: cache(block.get("cache_control")),
        },
        "image" => match media(block.get("source"), path)? {
            Some(media) => Part::Image {
                media,
                detail: None,
                cache: cache(block.get("cache_control")),
            },
            None => opaque(block.clone()),
        },
        "document" => match media(block.get("source"), path)? {
            Some(media) => Part::File {
                filename: block
                    .get("title")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
                media,
                cache: cache(block.get("cache_control")),
            },
            None => opaque(block.clone()),
        },
        "thinking" => {
            let signature = block
                .get("signature")
                .and_then(Value::as_str)
                .filter(|signature| !signature.is_empty());
            thought(text("thinking")?, signature)
        }
        "redacted_thinking" => sealed(&text("data")?),
        "tool_use" => Part::ToolCall {
            id: text("id")?,
            name: text("name")?,
            arguments: match block.get("input") {
                None | Some(Value::Null) => "{}".to_owned(),
                Some(input) => input.to_string(),
            },
        },
        "tool_result" => Part::ToolResult {
            call_id: text("tool_use_id")?,
            name: None,
            parts: result(block.get("content"), &format!("{path}.content"), unknown)?,
            is_error: block.get("is_error").and_then(Value::as_bool) == Some(true),
            cache: cache(block.get("cache_control")),
        },
        _ => return Ok(opaque(block)),
    };
    // A source that is kept whole keeps its block whole.
    if !matches!(part, Part::Opaque { .. })
        && let Some((_, read)) = READ.iter().find(|(known, _)| *known == kind)
    {
        keep_unknown(&block, read, path, unknown);
    }
    Ok(part)
}

/// What a tool returned.
fn result(content: Option<&Value>, path: &str, unknown: &mut Map) -> Result<Vec<Part>, Failure> {
    match content {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Part::text(text.as_str())]),
        Some(Value::Array(blocks)) => parts(blocks.clone(), path, unknown),
        Some(_) => Err(wrong(path, "must be a string or an array of blocks")),
    }
}

fn opaque(value: Value) -> Part {
    Part::Opaque {
        format: Format::Anthropic,
        value,
    }
}

/// A `thinking` block, here and in replies.
pub fn thought(text: String, signature: Option<&str>) -> Part {
    let (scheme, id, signature) = match signature.filter(|it| *it != seal::UNSIGNED) {
        Some(signature) => {
            let (scheme, id, signature) = seal::open(signature);
            (Some(scheme), id, Some(signature))
        }
        None => (None, None, None),
    };
    Part::Reasoning(Reasoning {
        kind: ReasoningKind::Text { text, signature },
        id,
        scheme,
        replayed: None,
    })
}

/// A `redacted_thinking` block, here and in replies.
pub fn sealed(data: &str) -> Part {
    let (scheme, id, data) = seal::open(data);
    Part::Reasoning(Reasoning {
        kind: ReasoningKind::Encrypted(data),
        id,
        scheme: Some(scheme),
        replayed: None,
    })
}

/// Where the bytes are; none for sources that only this format knows.
fn media(source: Option<&Value>, path: &str) -> Result<Option<Media>, Failure> {
    let Some(source) = source else {
        return Err(wrong(&format!("{path}.source"), "field required"));
    };
    let text = |name: &str| -> Result<String, Failure> {
        match source.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            _ => Err(wrong(&format!("{path}.source.{name}"), "must be a string")),
        }
    };
    Ok(Some(match source.get("type").and_then(Value::as_str) {
        Some("base64") => Media::Base64 {
            mime: text("media_type")?,
            data: text("data")?,
        },
        Some("text") => Media::Base64 {
            mime: "text/plain".to_owned(),
            data: super::blocks::encode(&text("data")?),
        },
        Some("url") => Media::Url(text("url")?),
        Some("file") => Media::FileId(text("file_id")?),
        _ => return Ok(None),
    }))
}

fn cache(value: Option<&Value>) -> Option<CacheControl> {
    let value = value.filter(|value| value.is_object())?;
    Some(CacheControl {
        ttl: value.get("ttl").and_then(Value::as_str).map(str::to_owned),
    })
}

fn tools(value: Option<Value>, unknown: &mut Map) -> Result<Vec<Tool>, Failure> {
    let items = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(wrong("tools", "must be an array of tools")),
    };
    items
        .into_iter()
        .enumerate()
        .map(|(index, mut tool)| {
            let kind = tool.get("type").and_then(Value::as_str);
            if !matches!(kind, None | Some("custom")) {
                return Ok(Tool::Opaque {
                    format: Format::Anthropic,
                    value: tool,
                });
            }
            let Some(name) = tool.get("name").and_then(Value::as_str) else {
                return Err(wrong(&format!("tools.{index}.name"), "must be a string"));
            };
            const READ: &[&str] = &[
                "name",
                "description",
                "input_schema",
                "strict",
                "cache_control",
            ];
            keep_unknown(&tool, READ, &format!("tools.{index}"), unknown);
            Ok(Tool::Function {
                name: name.to_owned(),
                description: tool
                    .get("description")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
                strict: tool.get("strict").and_then(Value::as_bool),
                cache: cache(tool.get("cache_control")),
                parameters: tool.get_mut("input_schema").map(Value::take),
            })
        })
        .collect()
}

fn tool_choice(value: Option<Value>, request: &mut Request) -> Result<(), Failure> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(());
    };
    request.tool_choice = Some(read_tool_choice(&value)?);
    request.parallel_tool_calls = value
        .get("disable_parallel_tool_use")
        .and_then(Value::as_bool)
        .map(|disabled| !disabled);
    Ok(())
}

/// Reads `tool_choice`.
pub fn read_tool_choice(value: &Value) -> Result<ToolChoice, Failure> {
    Ok(match value.get("type").and_then(Value::as_str) {
        Some("auto") => ToolChoice::Auto,
        Some("any") => ToolChoice::Required,
        Some("none") => ToolChoice::None,
        Some("tool") => match value.get("name").and_then(Value::as_str) {
            Some(name) => ToolChoice::Named(name.to_owned()),
            None => return Err(wrong("tool_choice.name", "must be a string")),
        },
        _ => {
            return Err(wrong(
                "tool_choice.type",
                "must be 'auto', 'any', 'tool' or 'none'",
            ));
        }
    })
}

fn user(members: &mut Map) -> Result<Option<String>, Failure> {
    let named = string(members, "user")?;
    let from_metadata = match members.get_mut("metadata") {
        Some(Value::Object(metadata)) => match metadata.remove("user_id") {
            Some(Value::String(id)) => Some(id),
            _ => None,
        },
        _ => None,
    };
    drop_if_empty(members, "metadata");
    Ok(from_metadata.or(named))
}

fn drop_if_empty(members: &mut Map, name: &str) {
    let empty = match members.get(name) {
        Some(Value::Object(object)) => object.is_empty(),
        Some(Value::Null) => true,
        _ => false,
    };
    if empty {
        members.remove(name);
    }
}

fn thinking(members: &mut Map, request: &mut Request) -> Result<(), Failure> {
    if let Some(thinking) = members.remove("thinking").filter(|value| !value.is_null()) {
        request.reasoning = Some(read_thinking(&thinking)?);
    }
    Ok(())
}

/// Reads `thinking`.
pub fn read_thinking(thinking: &Value) -> Result<ReasoningRequest, Failure> {
    let display = thinking.get("display").and_then(Value::as_str);
    let mut reasoning = ReasoningRequest {
        exclude: display == Some("omitted"),
        // Who must be asked to show its thoughts is asked.
        summary: (display == Some("summarized")).then(|| "auto".to_owned()),
        ..ReasoningRequest::default()
    };
    match thinking.get("type").and_then(Value::as_str) {
        Some("enabled") => {
            let Some(budget) = thinking.get("budget_tokens").and_then(Value::as_u64) else {
                return Err(wrong("thinking.budget_tokens", "must be a whole number"));
            };
            reasoning.enabled = Some(true);
            reasoning.max_tokens = Some(budget);
        }
        Some("adaptive") => reasoning.enabled = Some(true),
        // `between_tools` is the least that Sonnet 5.5 thinks, and what its
        // clients say for "off".
        Some("disabled" | "between_tools") => reasoning.enabled = Some(false),
        _ => {
            return Err(wrong(
                "thinking.type",
                "must be 'enabled', 'adaptive' or 'disabled'",
            ));
        }
    }
    Ok(reasoning)
}

/// Takes what the vocabulary has words for out of `output_config`; the rest
/// stays among the extras.
fn output_config(members: &mut Map, request: &mut Request) {
    if let Some(Value::Object(config)) = members.get_mut("output_config") {
        if let Some(name) = config.get("effort").and_then(Value::as_str) {
            match (&mut request.reasoning, Effort::by_name(name)) {
                (Some(reasoning), Some(effort))
                    if reasoning.enabled == Some(true) && reasoning.max_tokens.is_none() =>
                {
                    reasoning.effort = Some(effort);
                }
                // Effort governs the whole answer; without thinking its
                // namesake elsewhere is verbosity.
                _ => request.verbosity = Some(name.to_owned()),
            }
            config.remove("effort");
        }
        if let Some(format) = config.get("format").and_then(schema_of) {
            request.response_format = Some(format);
            config.remove("format");
        }
    }
    // What it was called in the beta (structured outputs, 2025).
    if let Some(format) = members.get("output_format").and_then(schema_of) {
        request.response_format.get_or_insert(format);
        members.remove("output_format");
    }
    drop_if_empty(members, "output_config");
}

/// An answer's format by a schema.
fn schema_of(format: &Value) -> Option<ResponseFormat> {
    if format.get("type").and_then(Value::as_str) != Some("json_schema") {
        return None;
    }
    Some(ResponseFormat::JsonSchema {
        // Anthropic's schemas have no name and OpenAI's must.
        name: "response".to_owned(),
        description: None,
        schema: format.get("schema").cloned().unwrap_or_default(),
        strict: Some(true),
    })
}
