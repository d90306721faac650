//! Writing a chat request for a provider that speaks the format, more or
//! less: the dialect says where less.

use bourse_vocab::chat::{
    Loss, Reason, ReasoningRequest, Request, ResponseFormat, Sampling, Tool, ToolChoice,
};
use bourse_vocab::json::Map;
use bourse_vocab::{Failure, Format};
use serde::Serialize;

use super::leftovers::Leftovers;
use super::{write_message, write_part};
use crate::codec::{WriteTarget, Written};
use crate::dialect::calls::fit_ids;
use crate::dialect::parameters::{
    ASK_FOR_USAGE, Disposal, NEED_TOOLS, Param, choice_of_nothing, disposal, is_path, loss,
};
use crate::dialect::{CacheMarks, Dialect, StreamUsage, thinking, tools};
use crate::object::{self, Object, object};
use crate::openai_responses::is_shared_with_chat;

/// Writes a chat request.
pub fn write(request: &Request, target: &WriteTarget<'_>) -> Result<Written, Failure> {
    let mut out = Vec::new();
    let leftovers = Leftovers::of(request);
    let mut body = Body {
        leftovers: &leftovers,
        object: Object::open(&mut out),
        dialect: target.dialect,
        extras: (request.extras.format == Format::OpenAiChat).then_some(&request.extras.members),
        written: Vec::new(),
        losses: Vec::new(),
    };
    body.put("model", target.model);
    let mut losses = Vec::new();
    body.nested("messages", |out| {
        let messages = fit_ids(&request.messages, target.dialect.call_ids);
        write_message::messages(out, &messages, target.dialect, &leftovers, &mut losses);
    });
    body.losses.append(&mut losses);
    body.tools(request);
    body.response_format(request.response_format.as_ref());
    body.sampling(&request.sampling);
    body.put_some(
        target.dialect.max_tokens.name(),
        target.limit_of(request.max_tokens).as_ref(),
    );
    if let Some(reasoning) = &request.reasoning {
        body.reasoning(reasoning, request, target);
    }
    body.put_some("verbosity", request.verbosity.as_ref());
    if let Some(cache) = &request.cache {
        let mark = disposal(target.dialect, Param::CacheControl.name());
        if matches!(mark, Disposal::Send(_)) {
            body.nested("cache_control", |out| {
                write_part::cache_control(out, cache);
            });
        } else {
            body.lose("cache_control", write_part::NO_CACHE);
        }
    }
    // Text alone is what everybody does without being told.
    if !request.modalities.is_empty() && request.modalities != ["text"] {
        body.put("modalities", &request.modalities);
    }
    body.put_some("user", request.user.as_ref());
    if let Some(word) = target.dialect.tier_word(target.tier) {
        body.put("service_tier", word);
    }
    if request.stream {
        body.put("stream", &true);
        if target.dialect.stream_usage == StreamUsage::OnRequest {
            body.nested("stream_options", |out| {
                out.extend_from_slice(ASK_FOR_USAGE.as_bytes());
            });
        }
    }
    body.extras(request);
    let Body { object, losses, .. } = body;
    object.close();
    Ok(Written { body: out, losses })
}

/// The top level of a request. Every member goes through the dialect.
struct Body<'a> {
    object: Object<'a>,
    dialect: &'a Dialect,
    leftovers: &'a Leftovers<'a>,
    /// Members of the caller that are this format's own.
    extras: Option<&'a Map>,
    /// Members that are written, in our words.
    written: Vec<&'a str>,
    losses: Vec<Loss>,
}

impl<'a> Body<'a> {
    fn lose(&mut self, field: impl Into<String>, reason: impl Into<Reason>) {
        self.losses.push(Loss::new(field, reason));
    }

    /// Writes a member that this writer knows the meaning of.
    fn nested(&mut self, name: &'a str, fill: impl FnOnce(&mut Vec<u8>)) {
        if self.dialect.rejects.contains(&name) {
            if let Disposal::Lose(reason) = disposal(self.dialect, name) {
                self.lose(name, reason);
            }
            return;
        }
        let renames = self.dialect.renames.iter();
        let theirs = renames.clone().find(|(ours, _)| *ours == name);
        self.written.push(name);
        self.object
            .nested(theirs.map_or(name, |(_, theirs)| theirs), fill);
    }

    fn put<T: Serialize + ?Sized>(&mut self, name: &'a str, value: &T) {
        self.nested(name, |out| object::write(out, value));
    }

    fn put_some<T: Serialize>(&mut self, name: &'a str, value: Option<&T>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    fn tools(&mut self, request: &'a Request) {
        let mut tools = Vec::with_capacity(request.tools.len());
        for (index, tool) in request.tools.iter().enumerate() {
            match tool {
                Tool::Opaque { format, .. } if *format != Format::OpenAiChat => {
                    self.losses.push(Loss::content(
                        format!("tools[{index}]"),
                        format!("a tool of {format} has no equal in OpenAI's chat format"),
                    ));
                }
                // OpenAI's marks stand in parts of messages, and in no tool
                // (`ChatCompletionFunctionTool`, openai-python 3.52, November 2026).
                Tool::Function { cache: Some(_), .. }
                    if self.dialect.cache != CacheMarks::CacheControl =>
                {
                    self.lose(
                        format!("tools[{index}].cache_control"),
                        write_part::NO_CACHE,
                    );
                    tools.push((index, tool));
                }
                _ => tools.push((index, tool)),
            }
        }
        if tools.is_empty() {
            let opaque = self.extras.and_then(|extras| extras.get("tool_choice"));
            let forces = opaque.is_some()
                || matches!(
                    request.tool_choice,
                    Some(ToolChoice::Required | ToolChoice::Named(_))
                );
            self.losses.extend(choice_of_nothing(forces));
            self.written.extend(NEED_TOOLS);
            return;
        }
        let (marks, leftovers) = (self.dialect.cache, self.leftovers);
        self.nested("tools", |out| {
            object::array(out, tools, |out, (index, tool)| {
                write_tool(out, tool, marks, leftovers, index);
            });
        });
        match &request.tool_choice {
            None => {}
            Some(ToolChoice::Auto) => self.put("tool_choice", "auto"),
            Some(ToolChoice::None) => self.put("tool_choice", "none"),
            Some(ToolChoice::Required) => self.put("tool_choice", "required"),
            Some(ToolChoice::Named(name)) => {
                self.nested("tool_choice", |out| tools::write_named(out, name));
            }
        }
        self.put_some("parallel_tool_calls", request.parallel_tool_calls.as_ref());
    }

    fn response_format(&mut self, format: Option<&'a ResponseFormat>) {
        let leftovers = self.leftovers;
        match format {
            None => {}
            Some(ResponseFormat::Opaque(value)) => {
                if self.extras.is_some() {
                    self.put("response_format", value);
                } else {
                    self.losses.push(Loss::content(
                        "response_format",
                        "unknown to OpenAI's chat format",
                    ));
                }
            }
            Some(known) => self.nested("response_format", |out| {
                object(out, |object| {
                    write_response_format(object, known, leftovers);
                });
            }),
        }
    }

    fn sampling(&mut self, sampling: &'a Sampling) {
        self.put_some("temperature", sampling.temperature.as_ref());
        self.put_some("top_p", sampling.top_p.as_ref());
        self.put_some("top_k", sampling.top_k.as_ref());
        self.put_some("min_p", sampling.min_p.as_ref());
        self.put_some("top_a", sampling.top_a.as_ref());
        self.put_some("frequency_penalty", sampling.frequency_penalty.as_ref());
        self.put_some("presence_penalty", sampling.presence_penalty.as_ref());
        self.put_some("repetition_penalty", sampling.repetition_penalty.as_ref());
        self.put_some("seed", sampling.seed.as_ref());
        if !sampling.stop.is_empty() {
            self.put("stop", &sampling.stop);
        }
        self.put_some("logit_bias", sampling.logit_bias.as_ref());
        self.put_some("logprobs", sampling.logprobs.as_ref());
        self.put_some("top_logprobs", sampling.top_logprobs.as_ref());
        self.put_some("n", sampling.n.as_ref());
    }

    fn reasoning(
        &mut self,
        reasoning: &ReasoningRequest,
        request: &Request,
        target: &WriteTarget<'_>,
    ) {
        let extras = self.extras;
        let own = |name: &str| extras?.get(name).cloned();
        let given = thinking::Given {
            limit: target.limit_of(request.max_tokens).or(target.max_output),
            efforts: target.efforts,
            own: &own,
        };
        let (members, mut losses) = thinking::members(self.dialect.reasoning, reasoning, given);
        for (name, value) in members {
            self.nested(name, |out| out.extend_from_slice(value.as_bytes()));
        }
        self.losses.append(&mut losses);
    }

    fn extras(&mut self, request: &'a Request) {
        let ours = self.extras.is_some();
        for (name, value) in &request.extras.members {
            let from = request.extras.format;
            let is_shared = from == Format::OpenAiResponses && is_shared_with_chat(name);
            if name == Param::ServiceTier.name() {
                // Written in the target's words, if it is told at all.
            } else if !ours && !is_shared {
                self.lose(name, format!("a member of {from} without an equal here"));
            } else if is_path(name) {
                // A leftover below the top level, named by its path.
                if !self.leftovers.keeps(name) {
                    self.lose(name, "unknown, and not carried over");
                }
            } else if !self.written.contains(&name.as_str()) {
                match disposal(self.dialect, name) {
                    Disposal::Send(theirs) => {
                        self.object.put(theirs.unwrap_or(name), value);
                    }
                    Disposal::Leave => {}
                    Disposal::Lose(reason) => self.losses.push(loss(name, reason)),
                }
            }
        }
    }
}

fn write_tool(
    out: &mut Vec<u8>,
    tool: &Tool,
    marks: CacheMarks,
    leftovers: &Leftovers<'_>,
    index: usize,
) {
    match tool {
        Tool::Opaque { value, .. } => object::write(out, value),
        Tool::Function {
            name,
            description,
            parameters,
            strict,
            cache,
        } => object(out, |tool| {
            tool.put("type", "function");
            tool.nested("function", |out| {
                object(out, |function| {
                    function
                        .put("name", name)
                        .put_some("description", description.as_ref())
                        .put_some("parameters", parameters.as_ref())
                        .put_some("strict", strict.as_ref());
                    leftovers.write(function, format_args!("tools[{index}].function"));
                });
            });
            if let Some(cache) = cache
                && marks == CacheMarks::CacheControl
            {
                write_part::write_mark(tool, marks, cache);
            }
            leftovers.write(tool, format_args!("tools[{index}]"));
        }),
    }
}

fn write_response_format(
    object: &mut Object<'_>,
    format: &ResponseFormat,
    leftovers: &Leftovers<'_>,
) {
    match format {
        ResponseFormat::Text => {
            object.put("type", "text");
        }
        ResponseFormat::JsonObject => {
            object.put("type", "json_object");
        }
        ResponseFormat::JsonSchema {
            name,
            description,
            schema,
            strict,
        } => {
            object.put("type", "json_schema");
            object.nested("json_schema", |out| {
                crate::object::object(out, |inner| {
                    inner
                        .put("name", name)
                        .put_some("description", description.as_ref())
                        .put("schema", schema)
                        .put_some("strict", strict.as_ref());
                    leftovers.write(inner, format_args!("response_format.json_schema"));
                });
            });
        }
        // Written by the caller, who knows whose it is.
        ResponseFormat::Opaque(_) => return,
    }
    leftovers.write(object, format_args!("response_format"));
}
