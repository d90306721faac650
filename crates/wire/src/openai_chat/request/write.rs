//! Writing a chat request for a provider that speaks the format, more or
//! less: the dialect says where less.

use bourse_vocab::chat::{
    Effort, Loss, ReasoningRequest, Request, ResponseFormat, Sampling, Tool, ToolChoice,
};
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, Format};
use serde::Serialize;

use super::write_message;
use crate::codec::{WriteTarget, Written};
use crate::dialect::{Dialect, MaxTokensName, ReasoningStyle, StreamUsage};
use crate::object::{self, Object, object};

/// Writes a chat request.
pub fn write(request: &Request, target: &WriteTarget<'_>) -> Result<Written, Failure> {
    let mut out = Vec::new();
    let mut body = Body {
        object: Object::open(&mut out),
        dialect: target.dialect,
        extras: (request.extras.format == Format::OpenAiChat).then_some(&request.extras.members),
        written: Vec::new(),
        losses: Vec::new(),
    };
    body.put("model", target.model);
    let mut losses = Vec::new();
    body.nested("messages", |out| {
        write_message::messages(out, &request.messages, target.dialect, &mut losses);
    });
    body.losses.append(&mut losses);
    body.tools(request);
    body.response_format(request.response_format.as_ref());
    body.sampling(&request.sampling);
    let max_tokens = match target.dialect.max_tokens {
        MaxTokensName::MaxTokens => "max_tokens",
        MaxTokensName::MaxCompletionTokens => "max_completion_tokens",
    };
    body.put_some(max_tokens, request.max_tokens.as_ref());
    if let Some(reasoning) = &request.reasoning {
        let limit = request.max_tokens.or(target.max_output);
        body.reasoning(reasoning, limit);
    }
    body.put_some("verbosity", request.verbosity.as_ref());
    if let Some(cache) = &request.cache {
        if target.dialect.cache_control {
            body.nested("cache_control", |out| {
                write_message::cache_control(out, cache);
            });
        } else {
            body.lose("cache_control", write_message::NO_CACHE);
        }
    }
    // Text alone is what everybody does without being told.
    if !request.modalities.is_empty() && request.modalities != ["text"] {
        body.put("modalities", &request.modalities);
    }
    body.put_some("user", request.user.as_ref());
    if request.stream {
        body.put("stream", &true);
        if target.dialect.stream_usage == StreamUsage::OnRequest {
            body.nested("stream_options", |out| {
                object(out, |options| {
                    options.put("include_usage", &true);
                });
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
    /// Members of the caller that are this format's own.
    extras: Option<&'a Map>,
    /// Members that are written, in our words.
    written: Vec<&'a str>,
    losses: Vec<Loss>,
}

impl<'a> Body<'a> {
    fn lose(&mut self, field: impl Into<String>, reason: impl Into<String>) {
        self.losses.push(Loss::new(field, reason));
    }

    fn nested(&mut self, name: &'a str, fill: impl FnOnce(&mut Vec<u8>)) {
        if self.dialect.rejects.contains(&name) {
            return self.lose(name, "the provider does not accept it");
        }
        let theirs = self
            .dialect
            .renames
            .iter()
            .find(|(ours, _)| *ours == name)
            .map_or(name, |(_, theirs)| *theirs);
        self.written.push(name);
        self.object.nested(theirs, fill);
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
                    self.lose(
                        format!("tools[{index}]"),
                        format!("a tool of {format} has no equal in OpenAI's chat format"),
                    );
                }
                Tool::Function { cache: Some(_), .. } if !self.dialect.cache_control => {
                    self.lose(
                        format!("tools[{index}].cache_control"),
                        write_message::NO_CACHE,
                    );
                    tools.push(tool);
                }
                _ => tools.push(tool),
            }
        }
        if tools.is_empty() {
            // A choice among no tools is an error to OpenAI. Leaving out
            // "any" or "none" of nothing changes nothing.
            if let Some(ToolChoice::Required | ToolChoice::Named(_)) = request.tool_choice {
                self.lose("tool_choice", "there is no tool to choose");
            }
            return;
        }
        let cached = self.dialect.cache_control;
        self.nested("tools", |out| {
            object::array(out, tools, |out, tool| write_tool(out, tool, cached));
        });
        match &request.tool_choice {
            None => {}
            Some(ToolChoice::Auto) => self.put("tool_choice", "auto"),
            Some(ToolChoice::None) => self.put("tool_choice", "none"),
            Some(ToolChoice::Required) => self.put("tool_choice", "required"),
            Some(ToolChoice::Named(name)) => self.nested("tool_choice", |out| {
                object(out, |choice| {
                    choice.put("type", "function");
                    choice.nested("function", |out| {
                        object(out, |function| {
                            function.put("name", name);
                        });
                    });
                });
            }),
        }
        self.put_some("parallel_tool_calls", request.parallel_tool_calls.as_ref());
    }

    fn response_format(&mut self, format: Option<&'a ResponseFormat>) {
        match format {
            None => {}
            Some(ResponseFormat::Opaque(value)) => {
                if self.extras.is_some() {
                    self.put("response_format", value);
                } else {
                    self.lose("response_format", "unknown to OpenAI's chat format");
                }
            }
            Some(known) => self.nested("response_format", |out| {
                object(out, |object| write_response_format(object, known));
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

    fn reasoning(&mut self, reasoning: &ReasoningRequest, limit: Option<u64>) {
        let style = self.dialect.reasoning;
        if style == ReasoningStyle::Object {
            let more = self.extras;
            return self.nested("reasoning", |out| write_reasoning(out, reasoning, more));
        }
        if reasoning.summary.is_some() {
            self.lose("reasoning.summary", "the provider cannot be told");
        }
        let wish = Wish::of(reasoning, limit);
        if wish == Wish::Nothing {
            return;
        }
        match style {
            ReasoningStyle::Object => {}
            ReasoningStyle::Unsupported => {
                if wish != Wish::Off {
                    self.lose("reasoning", "the provider cannot be told how to reason");
                }
            }
            ReasoningStyle::Effort => {
                if reasoning.max_tokens.is_some() && reasoning.effort.is_none() {
                    self.lose("reasoning.max_tokens", "sent as the nearest effort");
                }
                self.put("reasoning_effort", wish.effort().name());
            }
            ReasoningStyle::ThinkingSwitch => {
                self.lose_degree(reasoning);
                self.thinking_switch(wish);
            }
            ReasoningStyle::SwitchAndEffort => {
                self.thinking_switch(wish);
                let graded = reasoning.effort.is_some() || reasoning.max_tokens.is_some();
                if graded && wish != Wish::Off {
                    if reasoning.effort.is_none() {
                        self.lose("reasoning.max_tokens", "sent as the nearest effort");
                    }
                    self.put("reasoning_effort", wish.effort().name());
                }
            }
            ReasoningStyle::EnabledSwitch => {
                self.lose_degree(reasoning);
                self.nested("reasoning", |out| {
                    object(out, |switch| {
                        switch.put("enabled", &(wish != Wish::Off));
                    });
                });
            }
            ReasoningStyle::EnableThinking => {
                self.put("enable_thinking", &(wish != Wish::Off));
                if let Wish::Think(effort) = wish {
                    let share =
                        limit.map(|limit| limit.saturating_mul(effort.budget_percent()) / 100);
                    match (reasoning.max_tokens, reasoning.effort, share) {
                        (Some(budget), ..) => self.put("thinking_budget", &budget),
                        (None, Some(_), Some(budget)) => self.put("thinking_budget", &budget),
                        (None, Some(_), None) => {
                            self.lose("reasoning.effort", "no output limit to take a share of");
                        }
                        (None, None, _) => {}
                    }
                }
            }
            ReasoningStyle::ChatTemplate => {
                self.lose_degree(reasoning);
                let given = self
                    .extras
                    .and_then(|extras| extras.get("chat_template_kwargs"))
                    .and_then(Value::as_object);
                self.nested("chat_template_kwargs", |out| {
                    object(out, |arguments| {
                        arguments.put("enable_thinking", &(wish != Wish::Off));
                        for (name, value) in given.into_iter().flatten() {
                            if name != "enable_thinking" {
                                arguments.put(name, value);
                            }
                        }
                    });
                });
            }
        }
    }

    fn thinking_switch(&mut self, wish: Wish) {
        let word = if wish == Wish::Off {
            "disabled"
        } else {
            "enabled"
        };
        self.nested("thinking", |out| {
            object(out, |thinking| {
                thinking.put("type", word);
            });
        });
    }

    /// Thinking can only be switched: how much of it is lost.
    fn lose_degree(&mut self, reasoning: &ReasoningRequest) {
        const SWITCH: &str = "the provider can only switch reasoning on or off";
        if reasoning
            .effort
            .is_some_and(|effort| effort != Effort::None)
        {
            self.lose("reasoning.effort", SWITCH);
        }
        if reasoning.max_tokens.is_some_and(|budget| budget > 0) {
            self.lose("reasoning.max_tokens", SWITCH);
        }
    }

    fn extras(&mut self, request: &'a Request) {
        let ours = self.extras.is_some();
        for (name, value) in &request.extras.members {
            if !ours {
                let from = request.extras.format;
                self.lose(name, format!("a member of {from} without an equal here"));
            } else if reasoning_member(name).is_some()
                && self.dialect.reasoning == ReasoningStyle::Object
                && self.written.contains(&"reasoning")
            {
                // Went along with what it is a member of.
            } else if name.contains(['.', '[']) {
                // A leftover below the top level, named by its path.
                self.lose(name, "unknown, and not carried over");
            } else if !self.written.contains(&name.as_str()) {
                self.put(name, value);
            }
        }
    }
}

/// What the caller wants of the model's thinking, put simply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// Whatever the model does by itself.
    Nothing,
    /// No thinking.
    Off,
    /// Thinking, about this hard.
    Think(Effort),
}

impl Wish {
    fn of(reasoning: &ReasoningRequest, limit: Option<u64>) -> Self {
        // Where no limit is known, a budget is measured against a common one.
        const LIMIT_USUAL: u64 = 32_768;
        match (reasoning.effort, reasoning.max_tokens, reasoning.enabled) {
            (_, _, Some(false)) | (Some(Effort::None), ..) | (None, Some(0), _) => Self::Off,
            (Some(effort), ..) => Self::Think(effort),
            (None, Some(budget), _) => {
                Self::Think(Effort::by_budget(budget, limit.unwrap_or(LIMIT_USUAL)))
            }
            // openrouter.ai/docs, reasoning tokens: enabled means medium.
            (None, None, Some(true)) => Self::Think(Effort::Medium),
            (None, None, None) => Self::Nothing,
        }
    }

    const fn effort(self) -> Effort {
        match self {
            Self::Think(effort) => effort,
            Self::Off | Self::Nothing => Effort::None,
        }
    }
}

/// The member of `reasoning` that a leftover is, if it is one.
fn reasoning_member(name: &str) -> Option<&str> {
    name.strip_prefix("reasoning.")
        .filter(|rest| !rest.contains(['.', '[']))
}

fn write_reasoning(out: &mut Vec<u8>, reasoning: &ReasoningRequest, more: Option<&Map>) {
    object(out, |object| {
        object
            .put_some("effort", reasoning.effort.map(Effort::name).as_ref())
            .put_some("max_tokens", reasoning.max_tokens.as_ref())
            .put_some("enabled", reasoning.enabled.as_ref())
            .put_some("summary", reasoning.summary.as_ref());
        if reasoning.exclude {
            object.put("exclude", &true);
        }
        for (name, value) in more.into_iter().flatten() {
            if let Some(member) = reasoning_member(name) {
                object.put(member, value);
            }
        }
    });
}

fn write_tool(out: &mut Vec<u8>, tool: &Tool, cached: bool) {
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
                });
            });
            if let Some(cache) = cache.as_ref().filter(|_| cached) {
                tool.nested("cache_control", |out| {
                    write_message::cache_control(out, cache);
                });
            }
        }),
    }
}

fn write_response_format(object: &mut Object<'_>, format: &ResponseFormat) {
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
                });
            });
        }
        // Written by the caller, who knows whose it is.
        ResponseFormat::Opaque(_) => {}
    }
}
