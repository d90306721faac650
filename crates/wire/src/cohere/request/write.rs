//! Writes a request for Cohere.

use bourse_vocab::chat::{Effort, Loss, Reason, Request, ResponseFormat, Tool, ToolChoice};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, Format, Next};

use super::super::model;
use super::{messages, sampling};
use crate::codec::{WriteTarget, Written};
use crate::dialect::CallIds;
use crate::dialect::calls::fit_ids;
use crate::dialect::parameters;
use crate::dialect::schema::of_arguments;
use crate::dialect::service;

/// Members that only Cohere has and that a client of chat completions may send
/// as well.
const ITS_OWN: [&str; 4] = ["documents", "citation_options", "safety_mode", "priority"];

/// Output tokens that an effort is a share of where no limit is known.
const USUAL_OUTPUT: u64 = 8_192;

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
    let thinks = model::thinks(target.model);
    let conversation = fit_ids(&request.messages, CallIds::Any);
    let messages = messages::write(&conversation, thinks, &mut draft.losses);
    if messages.is_empty() {
        return Err(Failure::invalid(
            "messages: nothing is left to send; Cohere needs at least one message with content",
        )
        .next(Next::TryAnother));
    }
    draft.set("messages", Value::Array(messages));
    draft.set("stream", json!(request.stream));
    if let Some(limit) = target.limit_of(request.max_tokens) {
        draft.set("max_tokens", json!(limit));
    }
    draft.tools();
    draft.response_format();
    draft.thinking(target, thinks);
    sampling::write(&mut draft.body, &request.sampling, &mut draft.losses);
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
            if extras.format == Format::Cohere || is_its_own {
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
                "Cohere lets the model decide how many tools it calls at once",
            );
        }
        let (word, only) = match &request.tool_choice {
            None | Some(ToolChoice::Auto) => (None, None),
            Some(ToolChoice::None) => (Some("NONE"), None),
            Some(ToolChoice::Required) => (Some("REQUIRED"), None),
            Some(ToolChoice::Named(name)) => (Some("REQUIRED"), Some(name)),
        };
        let mut tools = Vec::new();
        for (index, tool) in request.tools.iter().enumerate() {
            tools.extend(self.tool(tool, &format!("tools[{index}]"), only));
        }
        if tools.is_empty() {
            return;
        }
        if only.is_some() {
            self.lose(
                "tool_choice",
                Reason::emulated("a call is required, and no other tool is offered"),
            );
        }
        self.strictness();
        self.set("tools", Value::Array(tools));
        if let Some(word) = word {
            self.set("tool_choice", json!(word));
        }
    }

    fn tool(&mut self, tool: &Tool, path: &str, only: Option<&String>) -> Option<Value> {
        match tool {
            Tool::Function {
                name,
                description,
                parameters,
                cache,
                ..
            } => {
                if cache.is_some() {
                    self.lose(
                        &format!("{path}.cache_control"),
                        "Cohere caches by itself what prompts share",
                    );
                }
                if only.is_some_and(|only| only != name) {
                    return None;
                }
                let mut function = Map::new();
                function.insert("name".to_owned(), json!(name));
                if let Some(text) = description {
                    function.insert("description".to_owned(), json!(text));
                }
                let schema = of_arguments(parameters.as_ref()).into_owned();
                function.insert("parameters".to_owned(), schema);
                Some(json!({"type": "function", "function": function}))
            }
            Tool::Opaque {
                format: Format::Cohere,
                value,
            } => Some(value.clone()),
            Tool::Opaque { format, .. } => {
                self.refuse(path, format!("only {format} has this tool"));
                None
            }
        }
    }

    /// Tools are strict together or not at all.
    fn strictness(&mut self) {
        let is_strict = |tool: &Tool| {
            matches!(
                tool,
                Tool::Function {
                    strict: Some(true),
                    ..
                }
            )
        };
        let tools = &self.request.tools;
        if tools.iter().all(is_strict) {
            self.set("strict_tools", json!(true));
            return;
        }
        let strict = tools.iter().enumerate().filter(|(_, tool)| is_strict(tool));
        let lost: Vec<usize> = strict.map(|(index, _)| index).collect();
        for index in lost {
            self.lose(
                &format!("tools[{index}].strict"),
                "Cohere's tools are strict together, and others are not",
            );
        }
    }

    /// "The parameter is not supported when used in combinations with the
    /// `documents` or `tools` parameters."
    fn response_format(&mut self) {
        let format = match &self.request.response_format {
            None | Some(ResponseFormat::Text) => return,
            Some(ResponseFormat::JsonObject) => json!({"type": "json_object"}),
            Some(ResponseFormat::JsonSchema { schema, .. }) => {
                json!({"type": "json_object", "json_schema": schema})
            }
            Some(ResponseFormat::Opaque(_)) => {
                return self.refuse("response_format", "Cohere does not know this kind");
            }
        };
        if self.body.contains_key("tools") || self.body.contains_key("documents") {
            self.refuse(
                "response_format",
                "Cohere gives an answer no form beside tools or documents",
            );
        }
        self.set("response_format", format);
    }

    /// Tells how much may be thought (docs.cohere.com/docs/reasoning, 2026).
    fn thinking(&mut self, target: &WriteTarget<'_>, thinks: bool) {
        let Some(asked) = &self.request.reasoning else {
            return;
        };
        if asked.summary.is_some() {
            self.lose("reasoning.summary", "Cohere shows thoughts as they are");
        }
        let asks = asked.effort.is_some() || asked.max_tokens.is_some() || asked.enabled.is_some();
        if asked.is_off() {
            if thinks {
                self.set("thinking", json!({"type": "disabled"}));
            }
            return;
        }
        if asks && !thinks {
            return self.lose("reasoning", "the model does not think");
        }
        let limit = target
            .limit_of(self.request.max_tokens)
            .or(target.max_output);
        let limit = limit.unwrap_or(USUAL_OUTPUT);
        let by_effort = asked.effort.map(|effort| {
            let effort: Effort = target.efforts.nearest(effort);
            (limit / 100).saturating_mul(effort.budget_percent()).max(1)
        });
        if let Some(budget) = asked.max_tokens.or(by_effort) {
            if asked.max_tokens.is_none() {
                let told = format!("asked for as a budget of {budget} tokens");
                self.lose("reasoning.effort", Reason::emulated(told));
            }
            self.set(
                "thinking",
                json!({"type": "enabled", "token_budget": budget}),
            );
        } else if asked.enabled == Some(true) {
            self.set("thinking", json!({"type": "enabled"}));
        }
    }

    fn rest(&mut self) {
        let request = self.request;
        if request.verbosity.is_some() {
            self.lose("verbosity", "Cohere has no such parameter");
        }
        if request.user.is_some() {
            self.lose("user", "Cohere has no such parameter");
        }
        if request.cache.is_some() {
            self.lose(
                "cache_control",
                "Cohere caches by itself what prompts share",
            );
        }
        if request.modalities.iter().any(|kind| kind != "text") {
            self.lose("modalities", "Cohere answers in text only");
        }
    }
}
