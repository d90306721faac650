//! Reading a client's chat request.

use bourse_vocab::chat::{
    CacheControl, Extras, Message, Request, ResponseFormat, Role, Sampling, Tool, ToolChoice,
};
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, Format};

use super::{MESSAGES_MAX, MODALITIES_MAX, TOOLS_MAX};
use crate::dialect::parameters::{CHOICES_MAX, Fate, Param, STOPS_MAX, TOKENS_MAX};
use crate::dialect::{members, thinking, tools};
use crate::fields::{Fields, Path};

/// Reads a chat request.
pub fn read(body: Value) -> Result<Request, Failure> {
    let mut reader = Reader::default();
    let mut fields = Fields::of(body, &Path::Root)?;
    let messages = reader.conversation(&mut fields)?;
    reader.finish(fields, messages)
}

/// Reads the parts of a request, keeping what it does not know.
#[derive(Debug, Default)]
pub struct Reader {
    /// Unknown members, those below the top level under their full path.
    pub(super) extras: Map,
}

impl Reader {
    fn conversation(&mut self, fields: &mut Fields<'_>) -> Result<Vec<Message>, Failure> {
        let path = Path::Member(&Path::Root, "messages");
        let Some(items) = fields.array("messages", MESSAGES_MAX)? else {
            // The oldest form of a chat request: one prompt, no messages.
            return match fields.text("prompt")? {
                Some(prompt) => Ok(vec![Message {
                    role: Role::User,
                    name: None,
                    parts: vec![bourse_vocab::chat::Part::text(prompt)],
                }]),
                None => Err(path.invalid("is required")),
            };
        };
        if items.is_empty() {
            return Err(path.invalid("at least one message is required"));
        }
        self.messages(items, &path)
    }

    /// Reads everything but the conversation.
    pub fn finish(
        mut self,
        mut fields: Fields<'_>,
        messages: Vec<Message>,
    ) -> Result<Request, Failure> {
        for param in Param::ALL {
            if param.fate() == Fate::Ours {
                fields.take(param.name());
            }
        }
        self.stream_options(&mut fields)?;
        let mut request = Request::new(
            Format::OpenAiChat,
            fields.text("model")?.unwrap_or_default(),
            messages,
        );
        request.tools = self.tools(&mut fields)?;
        request.tool_choice = tool_choice(&mut fields)?;
        request.parallel_tool_calls = fields.flag("parallel_tool_calls")?;
        request.response_format = self.response_format(&mut fields)?;
        request.sampling = sampling(&mut fields)?;
        // Both names are in use, and some clients send both.
        request.max_tokens = fields.count("max_tokens", 1, TOKENS_MAX)?.max(fields.count(
            "max_completion_tokens",
            1,
            TOKENS_MAX,
        )?);
        request.reasoning = thinking::read(&mut fields)?;
        request.verbosity = fields.text("verbosity")?;
        request.stream = fields.flag("stream")?.unwrap_or(false);
        request.cache = cache_control(&mut fields)?;
        request.modalities = modalities(&mut fields)?;
        request.user = fields.text("user")?;
        let mut members = fields.rest();
        for (name, value) in &members {
            members::check(name, || Some(value.to_string().into_bytes().into()))?;
        }
        members.append(&mut self.extras);
        request.extras = Extras {
            format: Format::OpenAiChat,
            members,
        };
        Ok(request)
    }

    /// Usage is always asked for; of anything else no provider is told.
    fn stream_options(&mut self, fields: &mut Fields<'_>) -> Result<(), Failure> {
        let path = Path::Member(&Path::Root, "stream_options");
        if let Some(value) = fields.take("stream_options") {
            let mut options = Fields::of(value, &path)?;
            options.take("include_usage");
            options.rest_into(&mut self.extras);
        }
        Ok(())
    }

    fn tools(&mut self, fields: &mut Fields<'_>) -> Result<Vec<Tool>, Failure> {
        if let Some(items) = fields.array("tools", TOOLS_MAX)? {
            let path = Path::Member(&Path::Root, "tools");
            return items
                .into_iter()
                .enumerate()
                .map(|(index, item)| self.tool(item, &Path::Item(&path, index)))
                .collect();
        }
        // The form before `tools`, still sent by old clients.
        let path = Path::Member(&Path::Root, "functions");
        fields
            .array("functions", TOOLS_MAX)?
            .unwrap_or_default()
            .into_iter()
            .enumerate()
            .map(|(index, item)| self.function(item, &Path::Item(&path, index), None))
            .collect()
    }

    fn tool(&mut self, item: Value, path: &Path<'_>) -> Result<Tool, Failure> {
        let mut tool = Fields::of(item, path)?;
        let kind = tool.text("type")?;
        match (kind.as_deref(), tool.take("function")) {
            (None | Some("function"), Some(function)) => {
                let cache = cache_control(&mut tool)?;
                let function = self.function(function, &Path::Member(path, "function"), cache)?;
                tool.rest_into(&mut self.extras);
                Ok(function)
            }
            (None, None) => Err(tool.invalid("type", "is required")),
            (Some("function"), None) => Err(tool.invalid("function", "is required")),
            (Some(kind), _) if !tools::is_run_by_client(kind) => {
                Err(tools::refusal(&format!("{path}.type"), kind))
            }
            (Some(kind), function) => {
                let kind = Value::String(kind.to_owned());
                tool.put_back("type", kind);
                if let Some(function) = function {
                    tool.put_back("function", function);
                }
                Ok(Tool::Opaque {
                    format: Format::OpenAiChat,
                    value: Value::Object(tool.rest()),
                })
            }
        }
    }

    fn function(
        &mut self,
        item: Value,
        path: &Path<'_>,
        cache: Option<CacheControl>,
    ) -> Result<Tool, Failure> {
        let mut function = Fields::of(item, path)?;
        let name = function.required_text("name")?;
        if name.is_empty() {
            return Err(function.invalid("name", "must not be empty"));
        }
        let tool = Tool::Function {
            name,
            description: function.text("description")?,
            parameters: function.object("parameters")?.map(Value::Object),
            strict: function.flag("strict")?,
            cache,
        };
        function.rest_into(&mut self.extras);
        Ok(tool)
    }

    fn response_format(
        &mut self,
        fields: &mut Fields<'_>,
    ) -> Result<Option<ResponseFormat>, Failure> {
        let path = Path::Member(&Path::Root, "response_format");
        let Some(value) = fields.take("response_format") else {
            return Ok(None);
        };
        let whole = value.clone();
        let mut format = Fields::of(value, &path)?;
        let read = match format.required_text("type")?.as_str() {
            "text" => ResponseFormat::Text,
            "json_object" => ResponseFormat::JsonObject,
            "json_schema" => {
                let path = Path::Member(&path, "json_schema");
                let Some(inner) = format.take("json_schema") else {
                    return Err(path.invalid("is required"));
                };
                let mut inner = Fields::of(inner, &path)?;
                let schema = ResponseFormat::JsonSchema {
                    name: inner.required_text("name")?,
                    description: inner.text("description")?,
                    schema: Value::Object(inner.object("schema")?.unwrap_or_default()),
                    strict: inner.flag("strict")?,
                };
                inner.rest_into(&mut self.extras);
                schema
            }
            _ => return Ok(Some(ResponseFormat::Opaque(whole))),
        };
        format.rest_into(&mut self.extras);
        Ok(Some(read))
    }
}

/// Reads `tool_choice`, and `function_call`, which is the form before it.
fn tool_choice(fields: &mut Fields<'_>) -> Result<Option<ToolChoice>, Failure> {
    let mut choice = None;
    for name in ["function_call", "tool_choice"] {
        let Some(value) = fields.take(name) else {
            continue;
        };
        choice = tools::read_choice(name, &value)?;
        if choice.is_none() {
            // OpenAI's custom and allowed tools: only who knows them can obey.
            fields.put_back(name, value);
        }
    }
    Ok(choice)
}

fn sampling(fields: &mut Fields<'_>) -> Result<Sampling, Failure> {
    const TOP_LOGPROBS_MAX: u64 = 20;
    Ok(Sampling {
        temperature: fields.number("temperature", 0.0, 2.0)?,
        top_p: fields.number("top_p", 0.0, 1.0)?,
        top_k: fields.count("top_k", 0, TOKENS_MAX)?,
        min_p: fields.number("min_p", 0.0, 1.0)?,
        top_a: fields.number("top_a", 0.0, 1.0)?,
        frequency_penalty: fields.number("frequency_penalty", -2.0, 2.0)?,
        presence_penalty: fields.number("presence_penalty", -2.0, 2.0)?,
        repetition_penalty: fields.number("repetition_penalty", 0.0, 2.0)?,
        seed: fields.integer("seed")?,
        stop: stop(fields)?,
        logit_bias: fields.object("logit_bias")?,
        logprobs: fields.flag("logprobs")?,
        top_logprobs: fields.count("top_logprobs", 0, TOP_LOGPROBS_MAX)?,
        n: fields.count("n", 1, CHOICES_MAX)?,
    })
}

fn stop(fields: &mut Fields<'_>) -> Result<Vec<String>, Failure> {
    let path = Path::Member(&Path::Root, "stop");
    match fields.take("stop") {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text]),
        Some(value @ Value::Array(_)) => texts(value, &path, STOPS_MAX),
        Some(other) => Err(path.expected("a string or an array of strings", &other)),
    }
}

fn modalities(fields: &mut Fields<'_>) -> Result<Vec<String>, Failure> {
    let path = Path::Member(&Path::Root, "modalities");
    fields.take("modalities").map_or_else(
        || Ok(Vec::new()),
        |value| texts(value, &path, MODALITIES_MAX),
    )
}

fn texts(value: Value, path: &Path<'_>, max: usize) -> Result<Vec<String>, Failure> {
    path.array(value, max)?
        .into_iter()
        .enumerate()
        .map(|(index, item)| Path::Item(path, index).text(item))
        .collect()
}

/// Takes a cache breakpoint out of a part, a tool or the request: Anthropic's
/// `cache_control` or OpenAI's `prompt_cache_breakpoint`.
pub fn cache_control(fields: &mut Fields<'_>) -> Result<Option<CacheControl>, Failure> {
    let breakpoint = fields.object("prompt_cache_breakpoint")?;
    let Some(members) = fields.take("cache_control") else {
        return Ok(breakpoint.map(|_| CacheControl::default()));
    };
    let parent = fields.path();
    let path = Path::Member(parent, "cache_control");
    let mut control = Fields::of(members, &path)?;
    match control.required_text("type")?.as_str() {
        "ephemeral" => Ok(Some(CacheControl {
            ttl: control.text("ttl")?,
        })),
        _ => Err(control.invalid("type", "must be ephemeral")),
    }
}
