//! Writes a request for Ollama.

use bourse_vocab::chat::{Effort, Loss, Reason, Request, ResponseFormat, Tool, ToolChoice};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, Format, Next};

use super::{OPTIONS, messages, options};
use crate::codec::{WriteTarget, Written};
use crate::dialect::CallIds;
use crate::dialect::calls::fit_ids;
use crate::dialect::parameters;
use crate::dialect::schema::of_arguments;
use crate::dialect::service;

/// Members that only Ollama has and that a client of chat completions may send
/// as well: how long the model stays loaded, how it runs, and whether a
/// conversation that is too long is cut.
const ITS_OWN: [&str; 4] = ["keep_alive", OPTIONS, "truncate", "shift"];

/// Output tokens that a thinking budget is a share of where no limit is known.
const USUAL_OUTPUT: u64 = 32_768;

/// Writes a request.
///
/// # Errors
/// Nothing is left to send.
pub fn write(request: &Request, target: &WriteTarget<'_>) -> Result<Written, Failure> {
    let mut draft = Draft {
        request,
        losses: Vec::new(),
        body: Map::new(),
    };
    draft.set("model", json!(target.model));
    draft.extras();
    let conversation = fit_ids(&request.messages, CallIds::Any);
    let messages = messages::write(&conversation, &mut draft.losses);
    if messages.is_empty() {
        // Ollama would load the model and say nothing.
        return Err(Failure::invalid(
            "messages: nothing is left to send; Ollama needs at least one message with content",
        )
        .next(Next::TryAnother));
    }
    draft.set("messages", Value::Array(messages));
    // It streams unless it is told not to.
    draft.set("stream", json!(request.stream));
    draft.tools();
    draft.format();
    draft.think(target);
    draft.options(target);
    draft.rest();
    for name in target.dialect.rejects {
        if draft.body.remove(name).is_some() {
            draft.lose(name, "the provider takes no such parameter");
        }
    }
    let body = draft
        .body
        .to_bytes()
        .map_err(|error| Failure::server(format!("a request could not be written: {error}")))?;
    Ok(Written {
        body,
        losses: draft.losses,
    })
}

struct Draft<'a> {
    request: &'a Request,
    losses: Vec<Loss>,
    body: Map,
}

impl Draft<'_> {
    fn set(&mut self, name: &str, value: Value) {
        self.body.insert(name.to_owned(), value);
    }

    fn lose(&mut self, field: &str, reason: impl Into<Reason>) {
        self.losses.push(Loss::new(field, reason));
    }

    fn refuse(&mut self, field: &str, reason: impl Into<Reason>) {
        self.losses.push(Loss::content(field, reason));
    }

    fn extras(&mut self) {
        let extras = &self.request.extras;
        for (name, value) in extras.members.iter() {
            let is_its_own =
                extras.format == Format::OpenAiChat && ITS_OWN.contains(&name.as_str());
            if extras.format == Format::Ollama || is_its_own {
                self.body.insert(name.clone(), value.clone());
            } else if name != service::MEMBER {
                let reason = format!("only {} has this parameter", extras.format);
                self.losses.push(parameters::loss(name, reason));
            }
        }
        self.losses.extend(self.request.reasoning_losses());
    }

    fn tools(&mut self) {
        let request = self.request;
        if request.parallel_tool_calls == Some(false) {
            self.lose(
                "parallel_tool_calls",
                "Ollama lets the model decide how many tools it calls at once",
            );
        }
        match &request.tool_choice {
            None | Some(ToolChoice::Auto) => {}
            // No word says "none of them"; without tools none is called.
            Some(ToolChoice::None) => return,
            Some(ToolChoice::Required | ToolChoice::Named(_)) => self.lose(
                "tool_choice",
                Reason::degraded("the model cannot be forced; sent as auto"),
            ),
        }
        let mut tools = Vec::new();
        for (index, tool) in request.tools.iter().enumerate() {
            let path = format!("tools[{index}]");
            match tool {
                Tool::Function {
                    name,
                    description,
                    parameters,
                    strict,
                    cache,
                } => {
                    if *strict == Some(true) {
                        self.lose(&format!("{path}.strict"), "Ollama has no strict tools");
                    }
                    if cache.is_some() {
                        self.lose(
                            &format!("{path}.cache_control"),
                            "Ollama caches by itself what prompts share",
                        );
                    }
                    let mut function = Map::new();
                    function.insert("name".to_owned(), json!(name));
                    if let Some(text) = description {
                        function.insert("description".to_owned(), json!(text));
                    }
                    let schema = of_arguments(parameters.as_ref()).into_owned();
                    function.insert("parameters".to_owned(), schema);
                    tools.push(json!({"type": "function", "function": function}));
                }
                Tool::Opaque {
                    format: Format::Ollama,
                    value,
                } => tools.push(value.clone()),
                Tool::Opaque { format, .. } => {
                    self.refuse(&path, format!("only {format} has this tool"));
                }
            }
        }
        if !tools.is_empty() {
            self.set("tools", Value::Array(tools));
        }
    }

    /// A grammar holds the answer to its form, so that every schema is strict.
    fn format(&mut self) {
        match &self.request.response_format {
            None | Some(ResponseFormat::Text) => {}
            Some(ResponseFormat::JsonObject) => self.set("format", json!("json")),
            Some(ResponseFormat::JsonSchema { schema, .. }) => {
                self.set("format", schema.clone());
            }
            Some(ResponseFormat::Opaque(_)) => {
                self.refuse("response_format", "Ollama does not know this kind");
            }
        }
    }

    /// Tells how to think: on or off, or by level (docs/capabilities/thinking.mdx,
    /// August 2026).
    fn think(&mut self, target: &WriteTarget<'_>) {
        let Some(asked) = &self.request.reasoning else {
            return;
        };
        if asked.summary.is_some() {
            self.lose("reasoning.summary", "Ollama shows thoughts as they are");
        }
        let has_levels_only = target.model.contains("gpt-oss");
        if asked.is_off() {
            if has_levels_only {
                self.lose(
                    "reasoning",
                    Reason::degraded("the model always thinks; sent as low"),
                );
                self.set("think", json!("low"));
            } else {
                self.set("think", json!(false));
            }
            return;
        }
        let limit = self.request.max_tokens.or(target.max_output);
        let by_budget = asked.max_tokens.map(|budget| {
            let share = Effort::by_budget(budget, limit.unwrap_or(USUAL_OUTPUT));
            ("reasoning.max_tokens", share)
        });
        let by_effort = asked.effort.map(|effort| ("reasoning.effort", effort));
        let wanted = by_effort.or(by_budget);
        let Some((field, wanted)) = wanted else {
            if asked.enabled == Some(true) {
                let on = if has_levels_only {
                    json!("medium")
                } else {
                    json!(true)
                };
                self.set("think", on);
            }
            return;
        };
        let level = match target.efforts.nearest(wanted) {
            Effort::None | Effort::Minimal | Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::Max if !has_levels_only => "max",
            Effort::High | Effort::Xhigh | Effort::Max => "high",
        };
        if level != wanted.name() || field == "reasoning.max_tokens" {
            self.lose(field, Reason::degraded(format!("sent as {level}")));
        }
        self.set("think", json!(level));
    }

    fn options(&mut self, target: &WriteTarget<'_>) {
        let mut chosen = match self.body.remove(OPTIONS) {
            Some(Value::Object(options)) => options,
            Some(_) => {
                self.lose(OPTIONS, "must be an object");
                Map::new()
            }
            None => Map::new(),
        };
        let sampling = &self.request.sampling;
        let limit = target.limit_of(self.request.max_tokens);
        options::write(&mut chosen, sampling, limit, &mut self.losses);
        if !chosen.is_empty() {
            self.set(OPTIONS, Value::Object(chosen));
        }
        if let Some(wants) = sampling.logprobs {
            self.set("logprobs", json!(wants));
        }
        if let Some(top) = sampling.top_logprobs {
            self.set("top_logprobs", json!(top));
        }
    }

    fn rest(&mut self) {
        let request = self.request;
        if request.verbosity.is_some() {
            self.lose("verbosity", "Ollama has no such parameter");
        }
        if request.user.is_some() {
            self.lose("user", "Ollama has no such parameter");
        }
        if request.cache.is_some() {
            self.lose(
                "cache_control",
                "Ollama caches by itself what prompts share",
            );
        }
        if request.modalities.iter().any(|kind| kind != "text") {
            self.lose("modalities", "Ollama answers in text only");
        }
    }
}
