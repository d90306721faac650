//! Reads a client's request.

use bourse_vocab::chat::{
    CacheControl, Effort, Extras, Message, Part, Reasoning, ReasoningKind, Request, ResponseFormat,
    Role, Tool, ToolChoice,
};
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, Format};

use super::super::{SCHEME, blob, text};
use super::MORE;
use crate::anthropic::read_thinking;
use crate::fields::{Fields, Path};

/// Messages, blocks and tools in one list: what the parser takes is bounded
/// already, and this is far above what any client sends.
const ITEMS_MAX: usize = 100_000;

/// Reads a request. The model is in the URL, so it is empty.
pub fn read(body: Value) -> Result<Request, Failure> {
    let root = Path::Root;
    let mut fields = Fields::of(body, &root)?;
    let mut messages = Vec::new();
    if let Some(blocks) = fields.array("system", ITEMS_MAX)? {
        let parts = parts(blocks, &Path::Member(&root, "system"))?;
        messages.push(message(Role::System, parts));
    }
    let path = Path::Member(&root, "messages");
    for (index, said) in fields
        .array("messages", ITEMS_MAX)?
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        turn(said, &Path::Item(&path, index), &mut messages)?;
    }
    let mut request = Request::new(Format::Bedrock, "", messages);
    inference(&mut fields, &mut request)?;
    tools(&mut fields, &mut request)?;
    output(&mut fields, &mut request)?;
    thinking(&mut fields, &mut request)?;
    request.extras = Extras {
        format: Format::Bedrock,
        members: fields.rest(),
    };
    Ok(request)
}

const fn message(role: Role, parts: Vec<Part>) -> Message {
    Message {
        role,
        name: None,
        parts,
    }
}

/// One message; results of tools become messages of their own.
fn turn(said: Value, path: &Path<'_>, messages: &mut Vec<Message>) -> Result<(), Failure> {
    let mut fields = Fields::of(said, path)?;
    let role = match &*fields.required_text("role")? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => return Err(fields.invalid("role", "must be user, assistant or system")),
    };
    let blocks = fields.array("content", ITEMS_MAX)?.unwrap_or_default();
    let mut said = Vec::new();
    for part in parts(blocks, &Path::Member(path, "content"))? {
        if matches!(part, Part::ToolResult { .. }) {
            if !said.is_empty() {
                messages.push(message(role, std::mem::take(&mut said)));
            }
            messages.push(message(Role::Tool, vec![part]));
        } else {
            said.push(part);
        }
    }
    if !said.is_empty() {
        messages.push(message(role, said));
    }
    Ok(())
}

/// Blocks as parts; a breakpoint belongs to the part before it.
fn parts(blocks: Vec<Value>, path: &Path<'_>) -> Result<Vec<Part>, Failure> {
    let mut parts: Vec<Part> = Vec::new();
    for (index, block) in blocks.into_iter().enumerate() {
        let path = Path::Item(path, index);
        let Value::Object(_) = block else {
            return Err(path.expected("an object", &block));
        };
        let point = block.get("cachePoint").map(|point| CacheControl {
            ttl: text(point, "ttl").map(str::to_owned),
        });
        let is_marked = match (point, parts.last_mut()) {
            (Some(point), Some(last)) => mark(last, &point),
            _ => false,
        };
        if !is_marked {
            parts.push(read_block(block)?);
        }
    }
    Ok(parts)
}

/// Puts a breakpoint on a part, if it can have one.
fn mark(part: &mut Part, point: &CacheControl) -> bool {
    match part {
        Part::Text { cache, .. }
        | Part::Image { cache, .. }
        | Part::File { cache, .. }
        | Part::ToolResult { cache, .. } => {
            *cache = Some(point.clone());
            true
        }
        _ => false,
    }
}

/// One block, of a request or of a reply. What the vocabulary has no word for
/// is kept whole.
pub fn read_block(block: Value) -> Result<Part, Failure> {
    Ok(known(&block)?.unwrap_or(Part::Opaque {
        format: Format::Bedrock,
        value: block,
    }))
}

fn known(block: &Value) -> Result<Option<Part>, Failure> {
    let owned = |value: &Value, name| text(value, name).map(str::to_owned);
    if let Some(said) = text(block, "text") {
        return Ok(Some(Part::text(said)));
    }
    if let Some(image) = block.get("image") {
        return Ok(blob::read(blob::IMAGES, image).map(|media| Part::Image {
            media,
            detail: None,
            cache: None,
        }));
    }
    if let Some(document) = block.get("document") {
        let read = blob::read(blob::DOCUMENTS, document);
        return Ok(read.map(|media| Part::File {
            filename: owned(document, "name"),
            media,
            cache: None,
        }));
    }
    if let Some(video) = block.get("video") {
        return Ok(blob::read(blob::VIDEOS, video).map(|media| Part::Video { media }));
    }
    if let Some(audio) = block.get("audio") {
        let data = audio
            .get("source")
            .and_then(|source| owned(source, "bytes"));
        return Ok(data
            .zip(owned(audio, "format"))
            .map(|(data, format)| Part::Audio { data, format }));
    }
    if let Some(call) = block.get("toolUse") {
        return Ok(tool_use(call));
    }
    if let Some(result) = block.get("toolResult") {
        return tool_result(result);
    }
    Ok(block.get("reasoningContent").and_then(reasoning))
}

fn tool_use(call: &Value) -> Option<Part> {
    // What Amazon runs itself is not the client's to run.
    if call.get("type").is_some_and(|kind| !kind.is_null()) {
        return None;
    }
    Some(Part::ToolCall {
        id: text(call, "toolUseId")?.to_owned(),
        name: text(call, "name")?.to_owned(),
        arguments: match call.get("input") {
            None | Some(Value::Null) => "{}".to_owned(),
            Some(input) => input.to_string(),
        },
    })
}

fn tool_result(result: &Value) -> Result<Option<Part>, Failure> {
    let Some(id) = text(result, "toolUseId") else {
        return Ok(None);
    };
    let blocks = result.get("content").and_then(Value::as_array);
    let mut parts = Vec::new();
    for block in blocks.into_iter().flatten() {
        parts.push(match block.get("json") {
            Some(value) => Part::text(value.to_string()),
            None => read_block(block.clone())?,
        });
    }
    Ok(Some(Part::ToolResult {
        call_id: id.to_owned(),
        name: None,
        parts,
        is_error: text(result, "status") == Some("error"),
        cache: None,
    }))
}

fn reasoning(content: &Value) -> Option<Part> {
    let kind = match (
        content.get("reasoningText"),
        text(content, "redactedContent"),
    ) {
        (Some(thought), _) => ReasoningKind::Text {
            text: text(thought, "text")?.to_owned(),
            signature: text(thought, "signature")
                .filter(|signature| !signature.is_empty())
                .map(str::to_owned),
        },
        (None, Some(data)) => ReasoningKind::Encrypted(data.to_owned()),
        (None, None) => return None,
    };
    let is_signed = !matches!(
        kind,
        ReasoningKind::Text {
            signature: None,
            ..
        }
    );
    Some(Part::Reasoning(Reasoning {
        kind,
        id: None,
        scheme: is_signed.then(|| SCHEME.to_owned()),
        replayed: None,
    }))
}

fn inference(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), Failure> {
    let Some(config) = fields.take("inferenceConfig") else {
        return Ok(());
    };
    let path = Path::Member(fields.path(), "inferenceConfig");
    let mut config = Fields::of(config, &path)?;
    request.max_tokens = config.count("maxTokens", 1, u64::MAX)?;
    request.sampling.temperature = config.number("temperature", 0.0, 1.0)?;
    request.sampling.top_p = config.number("topP", 0.0, 1.0)?;
    let stops = config
        .array("stopSequences", ITEMS_MAX)?
        .unwrap_or_default();
    let path = Path::Member(&path, "stopSequences");
    for (index, stop) in stops.into_iter().enumerate() {
        let stop = Path::Item(&path, index).text(stop)?;
        request.sampling.stop.push(stop);
    }
    keep(fields, "inferenceConfig", config.rest());
    Ok(())
}

/// Leaves what was not taken of an object among the extras.
fn keep(fields: &mut Fields<'_>, name: &str, rest: Map) {
    if !rest.is_empty() {
        fields.put_back(name, Value::Object(rest));
    }
}

fn tools(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), Failure> {
    let Some(config) = fields.take("toolConfig") else {
        return Ok(());
    };
    let path = Path::Member(fields.path(), "toolConfig");
    let mut config = Fields::of(config, &path)?;
    for tool in config.array("tools", ITEMS_MAX)?.unwrap_or_default() {
        let point = tool.get("cachePoint").map(|point| CacheControl {
            ttl: text(point, "ttl").map(str::to_owned),
        });
        match (point, request.tools.last_mut()) {
            (Some(point), Some(Tool::Function { cache, .. })) => *cache = Some(point),
            _ => request.tools.push(self::tool(tool)),
        }
    }
    request.tool_choice = match config.take("toolChoice") {
        None => None,
        Some(choice) => Some(self::choice(&choice, &Path::Member(&path, "toolChoice"))?),
    };
    keep(fields, "toolConfig", config.rest());
    Ok(())
}

fn choice(choice: &Value, path: &Path<'_>) -> Result<ToolChoice, Failure> {
    if choice.get("auto").is_some() {
        return Ok(ToolChoice::Auto);
    }
    if choice.get("any").is_some() {
        return Ok(ToolChoice::Required);
    }
    let named = choice.get("tool").and_then(|tool| text(tool, "name"));
    named
        .map(|name| ToolChoice::Named(name.to_owned()))
        .ok_or_else(|| path.invalid("must have auto, any or tool"))
}

fn tool(mut tool: Value) -> Tool {
    let spec = tool.get("toolSpec");
    let name = spec.and_then(|spec| text(spec, "name")).map(str::to_owned);
    let (Some(name), Some(spec)) = (name, tool.get_mut("toolSpec")) else {
        return Tool::Opaque {
            format: Format::Bedrock,
            value: tool,
        };
    };
    Tool::Function {
        name,
        description: text(spec, "description").map(str::to_owned),
        strict: spec.get("strict").and_then(Value::as_bool),
        cache: None,
        parameters: spec
            .get_mut("inputSchema")
            .and_then(|schema| schema.get_mut("json"))
            .map(Value::take),
    }
}

/// Reads `outputConfig`: the schema is a text of JSON.
fn output(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), Failure> {
    let Some(config) = fields.take("outputConfig") else {
        return Ok(());
    };
    let path = Path::Member(fields.path(), "outputConfig");
    let mut config = Fields::of(config, &path)?;
    request.verbosity = config.text("effort")?;
    let format = config.take("textFormat");
    let definition = format
        .as_ref()
        .and_then(|f| f.pointer("/structure/jsonSchema"));
    if let Some(definition) = definition {
        let schema = text(definition, "schema").unwrap_or_default();
        let schema = bourse_vocab::json::parse(schema.as_bytes())
            .map_err(|error| config.invalid("textFormat", format_args!("schema: {error}")))?;
        request.response_format = Some(ResponseFormat::JsonSchema {
            name: text(definition, "name").unwrap_or("response").to_owned(),
            description: text(definition, "description").map(str::to_owned),
            schema,
            strict: Some(true),
        });
    }
    keep(fields, "outputConfig", config.rest());
    Ok(())
}

/// Takes what the vocabulary has words for out of what is for one maker's
/// models; with thinking, the effort is how hard to think.
fn thinking(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), Failure> {
    let Some(mut more) = fields.object(MORE)? else {
        return Ok(());
    };
    if let Some(thinking) = more.remove("thinking") {
        let mut reasoning = read_thinking(&thinking)?;
        let effort = request.verbosity.as_deref().and_then(Effort::by_name);
        if let (Some(effort), Some(true), None) = (effort, reasoning.enabled, reasoning.max_tokens)
        {
            reasoning.effort = Some(effort);
            request.verbosity = None;
        }
        request.reasoning = Some(reasoning);
    }
    if let Some(top_k) = more.get("top_k").and_then(Value::as_u64) {
        request.sampling.top_k = Some(top_k);
        more.remove("top_k");
    }
    keep(fields, MORE, more);
    Ok(())
}
