//! Reads a client's request.

use bourse_vocab::chat::{
    Extras, Media, Message, Part, ReasoningRequest, Request, ResponseFormat, Role, Tool, ToolChoice,
};
use bourse_vocab::json::Value;
use bourse_vocab::{Failure, Format};

use super::super::reply::{called, thought};
use super::super::text;
use crate::dialect::media;
use crate::fields::{Fields, Path};

/// Messages, blocks, calls and tools in one list: what the parser takes is
/// bounded already, and this is far above what any client sends.
const ITEMS_MAX: usize = 100_000;

/// Reads a request.
pub fn read(body: Value) -> Result<Request, Failure> {
    let root = Path::Root;
    let mut fields = Fields::of(body, &root)?;
    let model = fields.required_text("model")?;
    let said = fields.array("messages", ITEMS_MAX)?.unwrap_or_default();
    let path = Path::Member(&root, "messages");
    let mut messages = Vec::new();
    for (index, one) in said.into_iter().enumerate() {
        messages.push(message(one, &Path::Item(&path, index))?);
    }
    let mut request = Request::new(Format::Cohere, model, messages);
    request.stream = fields.flag("stream")?.unwrap_or(false);
    request.max_tokens = fields.count("max_tokens", 1, u64::MAX)?;
    tools(&mut fields, &mut request)?;
    request.response_format = form(&mut fields)?;
    request.reasoning = thinking(&mut fields)?;
    sampling(&mut fields, &mut request)?;
    request.extras = Extras {
        format: Format::Cohere,
        members: fields.rest(),
    };
    Ok(request)
}

/// A block of text or of a thought. What the vocabulary has no word for is kept
/// whole.
pub fn read_block(block: &Value) -> Option<Part> {
    match text(block, "type") {
        Some("text") => {
            let said = text(block, "text").unwrap_or_default();
            (!said.is_empty()).then(|| Part::text(said))
        }
        Some("thinking") => {
            let said = text(block, "thinking").unwrap_or_default();
            (!said.is_empty()).then(|| thought(said))
        }
        Some("image_url") => {
            let image = block.get("image_url")?;
            let media: Media = media::read(text(image, "url")?.to_owned());
            Some(Part::Image {
                media,
                detail: text(image, "detail").map(str::to_owned),
                cache: None,
            })
        }
        _ => Some(Part::Opaque {
            format: Format::Cohere,
            value: block.clone(),
        }),
    }
}

fn message(message: Value, path: &Path<'_>) -> Result<Message, Failure> {
    let mut fields = Fields::of(message, path)?;
    let role = match &*fields.required_text("role")? {
        "system" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => return Err(fields.invalid("role", "must be system, user, assistant or tool")),
    };
    let mut parts = Vec::new();
    let plan = fields.text("tool_plan")?.filter(|plan| !plan.is_empty());
    parts.extend(plan.as_deref().map(thought));
    match fields.take("content") {
        None => {}
        Some(Value::String(said)) if said.is_empty() => {}
        Some(Value::String(said)) => parts.push(Part::text(said)),
        Some(Value::Array(blocks)) => parts.extend(blocks.iter().filter_map(read_block)),
        Some(_) => return Err(fields.invalid("content", "must be a string or a list of blocks")),
    }
    let calls = fields.array("tool_calls", ITEMS_MAX)?.unwrap_or_default();
    for call in &calls {
        let (Some(id), Some((name, arguments))) = (text(call, "id"), called(call)) else {
            return Err(fields.invalid("tool_calls", "each needs an id and function.name"));
        };
        parts.push(Part::ToolCall {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments,
        });
    }
    if role == Role::Tool {
        parts = vec![Part::ToolResult {
            call_id: fields.required_text("tool_call_id")?,
            name: None,
            parts,
            is_error: false,
            cache: None,
        }];
    }
    Ok(Message {
        role,
        name: None,
        parts,
    })
}

fn tools(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), Failure> {
    let is_strict = fields.flag("strict_tools")?;
    let tools = fields.array("tools", ITEMS_MAX)?.unwrap_or_default();
    request.tools = tools.into_iter().map(|one| tool(one, is_strict)).collect();
    request.tool_choice = match fields.text("tool_choice")?.as_deref() {
        None => None,
        Some("REQUIRED") => Some(ToolChoice::Required),
        Some("NONE") => Some(ToolChoice::None),
        Some(_) => return Err(fields.invalid("tool_choice", "must be REQUIRED or NONE")),
    };
    Ok(())
}

fn tool(mut tool: Value, strict: Option<bool>) -> Tool {
    let function = tool.get("function");
    let name = function.and_then(|function| text(function, "name"));
    let name = name.map(str::to_owned);
    let (Some(name), Some(function)) = (name, tool.get_mut("function")) else {
        return Tool::Opaque {
            format: Format::Cohere,
            value: tool,
        };
    };
    Tool::Function {
        name,
        description: text(function, "description").map(str::to_owned),
        parameters: function.get_mut("parameters").map(Value::take),
        strict,
        cache: None,
    }
}

fn form(fields: &mut Fields<'_>) -> Result<Option<ResponseFormat>, Failure> {
    let Some(mut form) = fields.take("response_format") else {
        return Ok(None);
    };
    let schema = form.get_mut("json_schema").map(Value::take);
    match (text(&form, "type"), schema) {
        (Some("text"), _) => Ok(Some(ResponseFormat::Text)),
        (Some("json_object"), None | Some(Value::Null)) => Ok(Some(ResponseFormat::JsonObject)),
        (Some("json_object"), Some(schema)) => Ok(Some(ResponseFormat::JsonSchema {
            name: "response".to_owned(),
            description: None,
            schema,
            strict: Some(true),
        })),
        _ => Err(fields.invalid("response_format", "must be of type text or json_object")),
    }
}

fn thinking(fields: &mut Fields<'_>) -> Result<Option<ReasoningRequest>, Failure> {
    let Some(thinking) = fields.take("thinking") else {
        return Ok(None);
    };
    let path = Path::Member(fields.path(), "thinking");
    let mut thinking = Fields::of(thinking, &path)?;
    let is_enabled = match &*thinking.required_text("type")? {
        "enabled" => true,
        "disabled" => false,
        _ => return Err(thinking.invalid("type", "must be enabled or disabled")),
    };
    let budget = thinking.count("token_budget", 1, u64::MAX)?;
    Ok(Some(ReasoningRequest {
        enabled: Some(is_enabled),
        max_tokens: budget.filter(|_| is_enabled),
        ..ReasoningRequest::default()
    }))
}

fn sampling(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), Failure> {
    let sampling = &mut request.sampling;
    sampling.temperature = fields.number("temperature", 0.0, f64::MAX)?;
    sampling.top_p = fields.number("p", 0.0, 1.0)?;
    sampling.top_k = fields.count("k", 0, u64::MAX)?;
    sampling.frequency_penalty = fields.number("frequency_penalty", 0.0, 1.0)?;
    sampling.presence_penalty = fields.number("presence_penalty", 0.0, 1.0)?;
    sampling.seed = fields.integer("seed")?;
    sampling.logprobs = fields.flag("logprobs")?;
    let stops = fields
        .array("stop_sequences", ITEMS_MAX)?
        .unwrap_or_default();
    let path = Path::Member(fields.path(), "stop_sequences");
    for (index, stop) in stops.into_iter().enumerate() {
        sampling.stop.push(Path::Item(&path, index).text(stop)?);
    }
    Ok(())
}
