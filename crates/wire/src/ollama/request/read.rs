//! Reads a client's request.

use std::collections::VecDeque;

use bourse_vocab::chat::{
    Effort, Extras, Media, Message, Part, Reasoning, ReasoningKind, ReasoningRequest, Request,
    ResponseFormat, Role, Tool,
};
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, Format};

use super::super::reply::called;
use super::super::text;
use super::{LIMIT, OPTIONS};
use crate::fields::{Fields, Path};

/// Messages, pictures, calls and tools in one list: what the parser takes is
/// bounded already, and this is far above what any client sends.
const ITEMS_MAX: usize = 100_000;

/// Reads a request.
pub fn read(body: Value) -> Result<Request, Failure> {
    let root = Path::Root;
    let mut fields = Fields::of(body, &root)?;
    let model = fields.required_text("model")?;
    let said = fields.array("messages", ITEMS_MAX)?.unwrap_or_default();
    let path = Path::Member(&root, "messages");
    let mut reader = Reader::default();
    for (index, message) in said.into_iter().enumerate() {
        reader.message(message, &Path::Item(&path, index))?;
    }
    let mut request = Request::new(Format::Ollama, model, reader.messages);
    request.stream = fields.flag("stream")?.unwrap_or(true);
    let tools = fields.array("tools", ITEMS_MAX)?.unwrap_or_default();
    request.tools = tools.into_iter().map(tool).collect();
    request.response_format = match fields.take("format") {
        None => None,
        Some(Value::String(word)) if word.is_empty() => None,
        Some(Value::String(word)) if word == "json" => Some(ResponseFormat::JsonObject),
        Some(schema @ Value::Object(_)) => Some(ResponseFormat::JsonSchema {
            name: "response".to_owned(),
            description: None,
            schema,
            strict: Some(true),
        }),
        Some(_) => return Err(fields.invalid("format", "must be json or a JSON schema")),
    };
    think(&mut fields, &mut request)?;
    options(&mut fields, &mut request)?;
    request.sampling.logprobs = fields.flag("logprobs")?;
    request.sampling.top_logprobs = fields.count("top_logprobs", 0, 20)?;
    request.extras = Extras {
        format: Format::Ollama,
        members: fields.rest(),
    };
    Ok(request)
}

/// A picture is base64 alone; what it is shows its beginning.
pub fn picture(data: String) -> Media {
    const BEGINNINGS: [(&str, &str); 4] = [
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
        ("iVBORw0KGgo", "image/png"),
    ];
    let known = BEGINNINGS.iter().find(|(start, _)| data.starts_with(start));
    let mime = known.map_or("image/png", |(_, mime)| mime).to_owned();
    Media::Base64 { mime, data }
}

#[derive(Default)]
struct Reader {
    messages: Vec<Message>,
    /// Calls so far, for the ids of those that have none.
    calls: usize,
    /// Calls without a result yet.
    open: VecDeque<(String, String)>,
}

impl Reader {
    fn message(&mut self, message: Value, path: &Path<'_>) -> Result<(), Failure> {
        let mut fields = Fields::of(message, path)?;
        let role = match fields.required_text("role")?.to_ascii_lowercase().as_str() {
            "system" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "tool" => Role::Tool,
            _ => return Err(fields.invalid("role", "must be system, user, assistant or tool")),
        };
        let mut parts = Vec::new();
        if let Some(thought) = fields.text("thinking")?.filter(|text| !text.is_empty()) {
            parts.push(Part::Reasoning(Reasoning {
                kind: ReasoningKind::Text {
                    text: thought,
                    signature: None,
                },
                id: None,
                scheme: None,
                replayed: None,
            }));
        }
        let content = fields.text("content")?.filter(|text| !text.is_empty());
        parts.extend(content.map(Part::text));
        let images = fields.array("images", ITEMS_MAX)?.unwrap_or_default();
        let at = Path::Member(path, "images");
        for (index, image) in images.into_iter().enumerate() {
            let data = Path::Item(&at, index).text(image)?;
            parts.push(Part::Image {
                media: picture(data),
                detail: None,
                cache: None,
            });
        }
        let calls = fields.array("tool_calls", ITEMS_MAX)?.unwrap_or_default();
        for (index, call) in calls.iter().enumerate() {
            let at = Path::Member(path, "tool_calls");
            parts.push(self.call(call, &Path::Item(&at, index))?);
        }
        if role == Role::Tool {
            parts = vec![self.result(&mut fields, parts)?];
        }
        self.messages.push(Message {
            role,
            name: None,
            parts,
        });
        Ok(())
    }

    fn call(&mut self, call: &Value, path: &Path<'_>) -> Result<Part, Failure> {
        let Some((name, arguments)) = called(call) else {
            return Err(path.invalid("function.name is required"));
        };
        let id = match text(call, "id").filter(|id| !id.is_empty()) {
            Some(id) => id.to_owned(),
            None => format!("call_{}", self.calls),
        };
        self.calls = self.calls.saturating_add(1);
        self.open.push_back((id.clone(), name.to_owned()));
        Ok(Part::ToolCall {
            id,
            name: name.to_owned(),
            arguments,
        })
    }

    /// A result answers the call of its id, or the first open one of its tool,
    /// or the first.
    fn result(&mut self, fields: &mut Fields<'_>, parts: Vec<Part>) -> Result<Part, Failure> {
        let name = fields.text("tool_name")?;
        let id = fields.text("tool_call_id")?.filter(|id| !id.is_empty());
        let place = self.open.iter().position(|(open, tool)| match &id {
            Some(id) => open == id,
            None => name.as_ref().is_none_or(|name| name == tool),
        });
        let open = place.and_then(|place| self.open.remove(place));
        let call_id = id.or_else(|| open.as_ref().map(|(id, _)| id.clone()));
        let Some(call_id) = call_id else {
            return Err(fields.invalid("tool_call_id", "no call is open that this could answer"));
        };
        Ok(Part::ToolResult {
            call_id,
            name: name.or(open.map(|(_, tool)| tool)),
            parts,
            is_error: false,
            cache: None,
        })
    }
}

fn tool(mut tool: Value) -> Tool {
    let function = tool.get("function");
    let name = function.and_then(|function| text(function, "name"));
    let name = name.map(str::to_owned);
    let (Some(name), Some(function)) = (name, tool.get_mut("function")) else {
        return Tool::Opaque {
            format: Format::Ollama,
            value: tool,
        };
    };
    Tool::Function {
        name,
        description: text(function, "description").map(str::to_owned),
        parameters: function.get_mut("parameters").map(Value::take),
        strict: None,
        cache: None,
    }
}

fn think(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), Failure> {
    let mut reasoning = ReasoningRequest::default();
    match fields.take("think") {
        None => return Ok(()),
        Some(Value::Bool(wants)) => reasoning.enabled = Some(wants),
        Some(Value::String(level)) => {
            let effort = Effort::by_name(&level);
            reasoning.effort = Some(effort.ok_or_else(|| {
                fields.invalid("think", "must be true, false, low, medium, high or max")
            })?);
        }
        Some(_) => return Err(fields.invalid("think", "must be a boolean or a level")),
    }
    request.reasoning = Some(reasoning);
    Ok(())
}

fn options(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), Failure> {
    let Some(options) = fields.take(OPTIONS) else {
        return Ok(());
    };
    let path = Path::Member(fields.path(), OPTIONS);
    let mut options = Fields::of(options, &path)?;
    // Minus one stands for no limit, minus two for the rest of the context.
    let limit = options.integer(LIMIT)?;
    request.max_tokens = limit.and_then(|limit| u64::try_from(limit).ok());
    let sampling = &mut request.sampling;
    sampling.temperature = options.number("temperature", 0.0, f64::MAX)?;
    sampling.top_p = options.number("top_p", 0.0, 1.0)?;
    sampling.min_p = options.number("min_p", 0.0, 1.0)?;
    sampling.repetition_penalty = options.number("repeat_penalty", 0.0, f64::MAX)?;
    sampling.presence_penalty = options.number("presence_penalty", f64::MIN, f64::MAX)?;
    sampling.frequency_penalty = options.number("frequency_penalty", f64::MIN, f64::MAX)?;
    sampling.top_k = options.count("top_k", 0, u64::MAX)?;
    sampling.seed = options.integer("seed")?;
    let stops = options.array("stop", ITEMS_MAX)?.unwrap_or_default();
    let at = Path::Member(&path, "stop");
    for (index, stop) in stops.into_iter().enumerate() {
        sampling.stop.push(Path::Item(&at, index).text(stop)?);
    }
    let rest: Map = options.rest();
    if !rest.is_empty() {
        fields.put_back(OPTIONS, Value::Object(rest));
    }
    Ok(())
}
