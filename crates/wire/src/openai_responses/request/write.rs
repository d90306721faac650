//! Writing a request for a provider of this format
//! (platform.openai.com/docs/api-reference/responses, November 2026).
//!
//! Nothing is stored there: what the next turn needs of the model's thoughts
//! comes back sealed, and is replayed.

use bourse_vocab::chat::{Loss, Reason, Request, ResponseFormat, Sampling, Tool, ToolChoice};
use bourse_vocab::{Failure, Format};

use super::write_items;
use crate::codec::{WriteTarget, Written};
use crate::dialect::calls::fit_ids;
use crate::dialect::parameters::{Disposal, Param, choice_of_nothing, disposal};
use crate::dialect::{Dialect, ReasoningStyle, thinking};
use crate::object::{self, Object, object};
use crate::openai_responses::members::is_shared_with_chat;

/// What of the model's thoughts is to be told so that it can be replayed.
const SEALED: &str = "[\"reasoning.encrypted_content\"]";

/// Writes a request.
pub fn write(request: &Request, target: &WriteTarget<'_>) -> Result<Written, Failure> {
    let mut out = Vec::new();
    let mut body = Body {
        object: Object::open(&mut out),
        dialect: target.dialect,
        losses: Vec::new(),
    };
    body.object.put("model", target.model);
    let mut losses = Vec::new();
    body.object.nested("input", |out| {
        let messages = fit_ids(&request.messages, target.dialect.call_ids);
        write_items::items(out, &messages, target.dialect, &mut losses);
    });
    body.losses.append(&mut losses);
    body.tools(request);
    body.text(request);
    body.sampling(&request.sampling);
    if let Some(limit) = target.limit_of(request.max_tokens) {
        body.object.put("max_output_tokens", &limit);
    }
    body.reasoning(request, target);
    if let Some(user) = &request.user {
        body.put("user", |out| object::write(out, user));
    }
    if let Some(word) = target.dialect.tier_word(target.tier) {
        body.object.put("service_tier", word);
    }
    if request.cache.is_some() {
        body.lose("cache_control", "the provider decides how it caches");
    }
    if request.modalities.iter().any(|kind| kind != "text") {
        body.losses.push(Loss::content(
            "modalities",
            "the provider answers with text here",
        ));
    }
    body.object.put("store", &false);
    if request.stream {
        body.object.put("stream", &true);
    }
    body.extras(request);
    let Body { object, losses, .. } = body;
    object.close();
    Ok(Written { body: out, losses })
}

struct Body<'a> {
    object: Object<'a>,
    dialect: &'a Dialect,
    losses: Vec<Loss>,
}

impl Body<'_> {
    fn lose(&mut self, field: impl Into<String>, reason: impl Into<Reason>) {
        self.losses.push(Loss::new(field, reason));
    }

    /// Writes a member unless the vendor refuses it.
    fn put(&mut self, name: &str, fill: impl FnOnce(&mut Vec<u8>)) {
        if self.dialect.rejects.contains(&name) {
            self.lose(name, "the provider does not accept it");
        } else {
            self.object.nested(name, fill);
        }
    }

    fn tools(&mut self, request: &Request) {
        let mut tools = Vec::with_capacity(request.tools.len());
        for (index, tool) in request.tools.iter().enumerate() {
            match tool {
                Tool::Opaque { format, .. } if *format != Format::OpenAiResponses => {
                    self.losses.push(Loss::content(
                        format!("tools[{index}]"),
                        format!("a tool of {format} has no equal in OpenAI's Responses"),
                    ));
                }
                Tool::Function { cache: Some(_), .. } => {
                    self.lose(
                        format!("tools[{index}].cache_control"),
                        "the provider decides how it caches",
                    );
                    tools.push(tool);
                }
                _ => tools.push(tool),
            }
        }
        if tools.is_empty() {
            let forces = matches!(
                request.tool_choice,
                Some(ToolChoice::Required | ToolChoice::Named(_))
            );
            self.losses.extend(choice_of_nothing(forces));
            return;
        }
        self.object.nested("tools", |out| {
            object::array(out, tools, write_tool);
        });
        if let Some(choice) = &request.tool_choice {
            self.object.nested("tool_choice", |out| match choice {
                ToolChoice::Auto => object::write(out, "auto"),
                ToolChoice::None => object::write(out, "none"),
                ToolChoice::Required => object::write(out, "required"),
                ToolChoice::Named(name) => object(out, |choice| {
                    choice.put("type", "function").put("name", name);
                }),
            });
        }
        if let Some(parallel) = request.parallel_tool_calls {
            self.put("parallel_tool_calls", |out| object::write(out, &parallel));
        }
    }

    /// Writes `text`, if anything is said of it.
    fn text(&mut self, request: &Request) {
        let format = request.response_format.as_ref();
        if let Some(ResponseFormat::Opaque(_)) = format
            && request.extras.format != Format::OpenAiResponses
        {
            self.losses.push(Loss::content(
                "response_format",
                "unknown to OpenAI's Responses",
            ));
            return;
        }
        if format.is_none() && request.verbosity.is_none() {
            return;
        }
        self.object.nested("text", |out| {
            object(out, |text| {
                if let Some(format) = format {
                    text.nested("format", |out| write_format(out, format));
                }
                text.put_some("verbosity", request.verbosity.as_ref());
            });
        });
    }

    fn sampling(&mut self, sampling: &Sampling) {
        if let Some(temperature) = &sampling.temperature {
            self.put("temperature", |out| object::write(out, temperature));
        }
        if let Some(top_p) = &sampling.top_p {
            self.put("top_p", |out| object::write(out, top_p));
        }
        let count = sampling.top_logprobs;
        if count.is_some() || sampling.logprobs == Some(true) {
            // Who asks for no alternatives asks for `logprobs` alone.
            if count.is_none() && self.dialect.rejects.contains(&"logprobs") {
                self.lose("logprobs", "the provider does not accept it");
            } else {
                let count = count.unwrap_or(0);
                self.put("top_logprobs", |out| object::write(out, &count));
            }
        }
        // The format has none of these.
        let lost = [
            ("top_k", sampling.top_k.is_some()),
            ("min_p", sampling.min_p.is_some()),
            ("top_a", sampling.top_a.is_some()),
            ("frequency_penalty", sampling.frequency_penalty.is_some()),
            ("presence_penalty", sampling.presence_penalty.is_some()),
            ("repetition_penalty", sampling.repetition_penalty.is_some()),
            ("seed", sampling.seed.is_some()),
            ("stop", !sampling.stop.is_empty()),
            ("logit_bias", sampling.logit_bias.is_some()),
        ];
        for (name, _) in lost.into_iter().filter(|(_, asked)| *asked) {
            self.lose(name, "OpenAI's Responses have no such parameter");
        }
        if sampling.n.is_some_and(|n| n > 1) {
            self.losses
                .push(Loss::content("n", "OpenAI's Responses give one answer"));
        }
    }

    fn reasoning(&mut self, request: &Request, target: &WriteTarget<'_>) {
        let thinks = self.dialect.reasoning != ReasoningStyle::Unsupported;
        if let Some(asked) = &request.reasoning {
            let mut told = asked.clone();
            // Which is told here, and nowhere else.
            told.summary = None;
            let given = thinking::Given {
                limit: target.limit_of(request.max_tokens).or(target.max_output),
                efforts: target.efforts,
                own: &|_| None,
            };
            let style = if thinks {
                ReasoningStyle::Effort
            } else {
                ReasoningStyle::Unsupported
            };
            let (members, mut losses) = thinking::members(style, &told, given);
            self.losses.append(&mut losses);
            let effort = members.first().map(|(_, effort)| effort.as_str());
            let summary = asked.summary.as_ref().filter(|_| thinks);
            if effort.is_some() || summary.is_some() {
                self.object.nested("reasoning", |out| {
                    object(out, |reasoning| {
                        if let Some(effort) = effort {
                            reasoning.raw("effort", effort);
                        }
                        reasoning.put_some("summary", summary);
                    });
                });
            }
        }
        if thinks {
            self.object.raw("include", SEALED);
        } else if request.sampling.logprobs == Some(true)
            && !self.dialect.rejects.contains(&"top_logprobs")
        {
            self.object
                .raw("include", "[\"message.output_text.logprobs\"]");
        }
    }

    fn extras(&mut self, request: &Request) {
        let from = request.extras.format;
        for (name, value) in &request.extras.members {
            if name == Param::ServiceTier.name() {
                // Written in the target's words, if it is told at all.
                continue;
            }
            let is_shared = is_shared_with_chat(name)
                && matches!(from, Format::OpenAiChat | Format::OpenAiResponses)
                && name != Param::ImageConfig.name();
            match disposal(self.dialect, name) {
                Disposal::Send(theirs) if is_shared => {
                    self.object.put(theirs.unwrap_or(name), value);
                }
                Disposal::Lose(reason) if is_shared => self.lose(name, reason),
                Disposal::Leave => {}
                _ => self.lose(name, format!("a member of {from} that is not passed on")),
            }
        }
    }
}

fn write_tool(out: &mut Vec<u8>, tool: &Tool) {
    match tool {
        Tool::Opaque { value, .. } => object::write(out, value),
        Tool::Function {
            name,
            description,
            parameters,
            strict,
            ..
        } => object(out, |tool| {
            tool.put("type", "function")
                .put("name", name)
                .put_some("description", description.as_ref());
            match parameters {
                Some(parameters) => tool.put("parameters", parameters),
                // It has to be there.
                None => tool.raw("parameters", "{\"type\":\"object\",\"properties\":{}}"),
            };
            // Silence means `true` here and `false` in chat completions.
            tool.put("strict", &strict.unwrap_or(false));
        }),
    }
}

fn write_format(out: &mut Vec<u8>, format: &ResponseFormat) {
    object(out, |object| match format {
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
            object
                .put("type", "json_schema")
                .put("name", name)
                .put_some("description", description.as_ref())
                .put("schema", schema)
                .put_some("strict", strict.as_ref());
        }
        ResponseFormat::Opaque(value) => {
            for (name, value) in value.as_object().into_iter().flatten() {
                object.put(name, value);
            }
        }
    });
}
