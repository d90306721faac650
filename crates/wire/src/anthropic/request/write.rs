//! Writes a request for Anthropic.

use bourse_vocab::chat::{
    Effort, Loss, Message, Reason, Request, ResponseFormat, Role, Tool, ToolChoice,
};
use bourse_vocab::failure::Next;
use bourse_vocab::json;
use bourse_vocab::json::{Map, Number, Value};
use bourse_vocab::{Failure, Format};

use super::super::model::Model;
use super::blocks::{Blocks, cache_control, cached, kind, set};
use super::sampling::{unknown_sampling, unless};
use super::thinking::{self, Given};
use crate::codec::{WriteTarget, Written};
use crate::dialect::calls::fit_ids;
use crate::dialect::messages::put_name_before;
use crate::dialect::schema::close_objects;
use crate::dialect::{CallIds, parameters, schema, service};

/// Breakpoints that one request may hold (prompt caching, 2026).
const BREAKPOINTS_MAX: usize = 4;

/// Writes a request.
pub fn write(request: &Request, target: &WriteTarget<'_>) -> Result<Written, Failure> {
    let mut writer = Writer {
        request,
        model: Model::named(target.model),
        native: request.extras.format == Format::Anthropic,
        losses: Vec::new(),
        body: Map::new(),
    };
    writer.extras(target);
    let in_body = target.dialect.instead_of_model;
    let (name, text) = in_body.unwrap_or(("model", target.model));
    writer.set(name, json!(text));
    let unthought = writer.conversation()?;
    let effort = writer.thinking(target, unthought);
    writer.output(effort);
    writer.tools();
    writer.rest();
    writer.limit_breakpoints();
    writer.dialect(target);
    let body = writer
        .body
        .to_bytes()
        .map_err(|error| Failure::server(format!("a request could not be written: {error}")))?;
    Ok(Written {
        body,
        losses: writer.losses,
    })
}

struct Writer<'a> {
    request: &'a Request,
    model: Model,
    native: bool,
    losses: Vec<Loss>,
    body: Map,
}

/// Messages of one speaker, which Anthropic wants in one piece.
struct Turn {
    role: &'static str,
    blocks: Vec<Value>,
}

impl Writer<'_> {
    fn set(&mut self, name: &str, value: Value) {
        self.body.insert(name.to_owned(), value);
    }

    fn lose(&mut self, field: &str, reason: impl Into<Reason>) {
        self.losses.push(Loss::new(field, reason));
    }

    /// Notes what the caller's program relies on and the model cannot be told.
    fn refuse(&mut self, field: &str, reason: impl Into<Reason>) {
        self.losses.push(Loss::content(field, reason));
    }

    /// Starts from what only Anthropic understands, so that what follows is
    /// laid over it.
    fn extras(&mut self, target: &WriteTarget<'_>) {
        let extras = &self.request.extras;
        if self.native {
            for (name, value) in &extras.members {
                if parameters::is_path(name) {
                    self.lose(name, "unknown, and not carried over");
                } else {
                    self.body.insert(name.clone(), value.clone());
                }
            }
        }
        // In the target's words, if it is told at all.
        self.body.remove(service::MEMBER);
        if let Some(word) = target.dialect.tier_word(target.tier) {
            self.set(service::MEMBER, json!(word));
        }
        if self.native {
            return;
        }
        let names = extras.members.keys();
        for name in names.filter(|name| *name != service::MEMBER) {
            let reason = format!("only {} has this parameter", extras.format);
            self.losses.push(parameters::loss(name, reason));
        }
        self.losses.extend(self.request.reasoning_losses());
    }

    fn forced_tool(&self) -> bool {
        !self.request.tools.is_empty()
            && self.model.forced_tools
            && matches!(
                self.request.tool_choice,
                Some(ToolChoice::Required | ToolChoice::Named(_))
            )
    }

    /// Writes `thinking`, `max_tokens` and the sampling parameters, which
    /// depend on each other. Returns the effort.
    fn thinking(&mut self, target: &WriteTarget<'_>, unthought: bool) -> Option<&'static str> {
        let given = Given {
            model: self.model,
            max_tokens: target.limit_of(self.request.max_tokens),
            max_output: target.max_output,
            forced_tool: self.forced_tool(),
            unthought,
            native: self.native,
        };
        let plan = thinking::plan(self.request.reasoning.as_ref(), given, &mut self.losses);
        self.set("max_tokens", json!(plan.max_tokens));
        let disabled = plan
            .thinking
            .as_ref()
            .is_some_and(|thinking| kind(thinking) == Some("disabled"));
        if let Some(thinking) = plan.thinking {
            self.set("thinking", thinking);
        }
        self.sampling(plan.on);
        self.effort(plan.effort, disabled)
    }

    /// The effort to write: what reasoning asked for, else what verbosity
    /// did (openrouter.ai/docs, parameters, 2026).
    fn effort(&mut self, planned: Option<&'static str>, disabled: bool) -> Option<&'static str> {
        let Some(verbosity) = self.request.verbosity.as_deref() else {
            return planned;
        };
        if planned.is_some() {
            self.lose("verbosity", "the reasoning effort decides");
            return planned;
        }
        let wanted = Effort::by_name(verbosity).filter(|effort| *effort != Effort::None);
        let Some(effort) = wanted.and_then(|effort| self.model.effort(effort)) else {
            self.lose("verbosity", "the model has no such effort");
            return None;
        };
        // With thinking off, `high` is the most (what's new in Opus 5, 2026).
        if disabled && matches!(effort, "xhigh" | "max") {
            self.lose(
                "verbosity",
                Reason::degraded("cut to high, because thinking is off"),
            );
            return Some("high");
        }
        Some(effort)
    }

    fn sampling(&mut self, thinks: bool) {
        let sampling = &self.request.sampling;
        let mut losses = Vec::new();
        let mut lose = |field: &str, reason: Reason| losses.push(Loss::new(field, reason));
        let mut temperature = unless(&sampling.temperature, 1.0);
        let mut top_p = unless(&sampling.top_p, 1.0);
        let mut top_k = sampling.top_k.filter(|k| *k > 0);
        if !self.model.sampling || thinks {
            let reason = if self.model.sampling {
                "cannot be combined with thinking"
            } else {
                "the model takes no sampling parameters"
            };
            if temperature.take().is_some() {
                lose("temperature", reason.into());
            }
            // Thinking tolerates 0.95 to 1 (extended thinking, 2026).
            let tolerated = |p: &Number| p.as_f64().is_some_and(|p| p >= 0.95);
            if !(self.model.sampling && top_p.as_ref().is_none_or(tolerated))
                && top_p.take().is_some()
            {
                lose("top_p", reason.into());
            }
            if top_k.take().is_some() {
                lose("top_k", reason.into());
            }
        }
        if temperature
            .as_ref()
            .and_then(Number::as_f64)
            .is_some_and(|t| t > 1.0)
        {
            lose(
                "temperature",
                Reason::degraded("cut to 1, Anthropic's highest"),
            );
            temperature = None;
        }
        // "temperature and top_p cannot both be specified" (Opus 4.1 on).
        if !self.model.both_samplers && temperature.is_some() && top_p.take().is_some() {
            lose("top_p", "cannot be combined with temperature".into());
        }
        for field in unknown_sampling(sampling) {
            lose(field, "Anthropic has no such parameter".into());
        }
        let (stop, blank): (Vec<&String>, Vec<&String>) = sampling
            .stop
            .iter()
            .partition(|text| !text.trim().is_empty());
        if !blank.is_empty() {
            lose("stop", "Anthropic takes no blank stop sequences".into());
        }
        self.losses.append(&mut losses);
        if !stop.is_empty() {
            self.set("stop_sequences", json!(stop));
        }
        for (name, value) in [
            ("temperature", temperature.map(|value| json!(value))),
            ("top_p", top_p.map(|value| json!(value))),
            ("top_k", top_k.map(|value| json!(value))),
        ] {
            if let Some(value) = value {
                self.set(name, value);
            }
        }
    }

    /// Writes `output_config`: effort, and the answer's schema, which needs
    /// no beta header any more (structured outputs, 2026).
    fn output(&mut self, effort: Option<&'static str>) {
        let mut config = match self.body.remove("output_config") {
            Some(Value::Object(config)) => config,
            _ => Map::new(),
        };
        if let Some(effort) = effort {
            config.insert("effort".to_owned(), json!(effort));
        }
        match &self.request.response_format {
            None | Some(ResponseFormat::Text) => {}
            Some(ResponseFormat::JsonSchema { schema, .. }) if self.model.structured => {
                let mut schema = schema.clone();
                if close_objects(&mut schema) {
                    self.lose(
                        "response_format",
                        Reason::degraded(
                            "additionalProperties was set to false, which Anthropic insists on",
                        ),
                    );
                }
                config.insert(
                    "format".to_owned(),
                    json!({"type": "json_schema", "schema": schema}),
                );
            }
            Some(ResponseFormat::JsonSchema { .. }) => {
                self.refuse("response_format", "the model cannot follow a schema");
            }
            // The only type of `output_config.format` is `json_schema`, and
            // its objects must list all that they may have (structured
            // outputs, 2026), so no schema says "any object".
            Some(ResponseFormat::JsonObject) => {
                self.refuse(
                    "response_format",
                    "Anthropic has no JSON mode without a schema; send a json_schema",
                );
            }
            Some(ResponseFormat::Opaque(_)) => {
                self.refuse("response_format", "Anthropic does not know this kind");
            }
        }
        if !config.is_empty() {
            self.set("output_config", Value::Object(config));
        }
    }

    fn blocks(&mut self, message: &Message, path: &str) -> Vec<Value> {
        let mut blocks = Vec::new();
        Blocks {
            native: self.native,
            losses: &mut self.losses,
        }
        .write(&message.parts, path, &mut blocks);
        if let Some(name) = message.name.as_deref().filter(|name| !name.is_empty()) {
            self.prefix(name, path, &mut blocks);
        }
        blocks
    }

    /// Anthropic knows no participants: the name goes before the text.
    fn prefix(&mut self, name: &str, path: &str, blocks: &mut [Value]) {
        let first = blocks.iter_mut().find(|block| kind(block) == Some("text"));
        match first.and_then(|block| block.get_mut("text")) {
            Some(Value::String(text)) => put_name_before(text, name),
            _ => self.lose(&format!("{path}.name"), "there is no text to put it before"),
        }
    }

    /// Writes `system` and `messages`. Returns whether a turn goes on that
    /// did not begin with thinking.
    fn conversation(&mut self) -> Result<bool, Failure> {
        // Other ids are an error to Anthropic ("`tool_use` ids must be
        // unique", NVIDIA-NeMo/Switchyard issue 502, 2026).
        let messages = &*fit_ids(&self.request.messages, CallIds::UniqueWords);
        let is_system = |message: &Message| matches!(message.role, Role::System | Role::Developer);
        let mut leading = messages.iter().take_while(|m| is_system(m)).count();
        let only_system = leading == messages.len() && leading > 0;
        if only_system {
            // Anthropic wants something to answer.
            leading -= 1;
            self.lose(
                &format!("messages[{leading}].role"),
                Reason::emulated("sent as the user's, because there is no other message"),
            );
        }
        let mut system = Vec::new();
        let mut turns: Vec<Turn> = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            let path = format!("messages[{index}]");
            let mut blocks = self.blocks(message, &path);
            if index < leading {
                let before = blocks.len();
                blocks.retain(|block| kind(block) == Some("text"));
                if blocks.len() < before {
                    let reason = "Anthropic's system prompt is text only";
                    self.losses.push(Loss::content(path, reason));
                }
                system.append(&mut blocks);
                continue;
            }
            if blocks.is_empty() {
                continue;
            }
            let next = messages.get(index + 1).map(|next| next.role);
            let role = match message.role {
                Role::Assistant => "assistant",
                Role::User | Role::Tool => "user",
                Role::System | Role::Developer if only_system => "user",
                Role::System | Role::Developer if self.may_interject(&turns, next) => "system",
                Role::System | Role::Developer => {
                    self.demote(&path, &mut blocks);
                    "user"
                }
            };
            match turns.last_mut() {
                Some(turn) if turn.role == role => turn.blocks.append(&mut blocks),
                _ => turns.push(Turn { role, blocks }),
            }
        }
        if !system.is_empty() {
            self.set("system", Value::Array(system));
        }
        if turns.is_empty() {
            return Err(Failure::invalid(
                "messages: nothing is left to send; Anthropic needs at least one message with content",
            )
            .next(Next::TryAnother));
        }
        self.prefill(&mut turns)?;
        let unthought = is_unthought(&turns);
        let turns = turns
            .into_iter()
            .map(|turn| json!({"role": turn.role, "content": turn.blocks}))
            .collect();
        self.set("messages", Value::Array(turns));
        Ok(unthought)
    }

    /// Whether the role `system` may stand here: after the user's turn and
    /// before the model's (mid-conversation system messages, 2026).
    fn may_interject(&self, turns: &[Turn], next: Option<Role>) -> bool {
        self.model.system_turns
            && turns.last().is_some_and(|turn| turn.role == "user")
            && matches!(next, None | Some(Role::Assistant))
    }

    /// Sends later instructions as the user's, marked as what they are.
    fn demote(&mut self, path: &str, blocks: &mut [Value]) {
        for block in blocks.iter_mut() {
            if kind(block) == Some("text") {
                let text = block.get("text").and_then(Value::as_str).unwrap_or("");
                let text = format!("<system>\n{text}\n</system>");
                set(block, "text", json!(text));
            }
        }
        self.lose(
            &format!("{path}.role"),
            Reason::emulated("sent as the user's, because Anthropic takes no system message here"),
        );
    }

    /// A conversation that ends with the model's own words lets it go on
    /// from there, up to 4.5; trailing white space is an error.
    fn prefill(&self, turns: &mut [Turn]) -> Result<(), Failure> {
        let Some(turn) = turns.last_mut().filter(|turn| turn.role == "assistant") else {
            return Ok(());
        };
        let Some(block) = turn.blocks.last_mut() else {
            return Ok(());
        };
        // A paused turn of a server tool ends with its block and goes on.
        if kind(block) != Some("text") {
            return Ok(());
        }
        if !self.model.prefill {
            return Err(Failure::invalid(
                "messages: this model does not continue an assistant message; \
                 end the conversation with a user message",
            )
            .next(Next::TryAnotherModel));
        }
        let text = block.get("text").and_then(Value::as_str).unwrap_or("");
        let text = text.trim_end().to_owned();
        set(block, "text", json!(text));
        Ok(())
    }

    fn tools(&mut self) {
        let mut tools = Vec::new();
        for (index, tool) in self.request.tools.iter().enumerate() {
            let path = format!("tools[{index}]");
            match tool {
                Tool::Function {
                    name,
                    description,
                    parameters,
                    strict,
                    cache,
                } => {
                    let schema = schema::of_arguments(parameters.as_ref());
                    let mut block = json!({"name": name, "input_schema": schema});
                    if let Some(text) = description {
                        set(&mut block, "description", json!(text));
                    }
                    if *strict == Some(true) {
                        if self.model.structured {
                            set(&mut block, "strict", json!(true));
                        } else {
                            self.lose(&format!("{path}.strict"), "the model has no strict tools");
                        }
                    }
                    tools.push(cached(block, cache.as_ref()));
                }
                Tool::Opaque {
                    format: Format::Anthropic,
                    value,
                } => tools.push(value.clone()),
                Tool::Opaque { format, .. } => {
                    let reason = format!("only {format} has this tool");
                    self.losses.push(Loss::content(path, reason));
                }
            }
        }
        if tools.is_empty() {
            return;
        }
        self.set("tools", Value::Array(tools));
        self.tool_choice();
    }

    fn tool_choice(&mut self) {
        let serial = self.request.parallel_tool_calls == Some(false);
        let mut choice = match &self.request.tool_choice {
            None if serial => json!({"type": "auto"}),
            None => return,
            Some(ToolChoice::Auto) => json!({"type": "auto"}),
            Some(ToolChoice::None) => json!({"type": "none"}),
            // Opus 5.5 and Fable 5.1 refuse it (what's new in Opus 5.5, 2026).
            Some(ToolChoice::Required | ToolChoice::Named(_)) if !self.model.forced_tools => {
                self.lose(
                    "tool_choice",
                    Reason::degraded("the model cannot be forced; sent as auto"),
                );
                json!({"type": "auto"})
            }
            Some(ToolChoice::Required) => json!({"type": "any"}),
            Some(ToolChoice::Named(name)) => json!({"type": "tool", "name": name}),
        };
        if serial && kind(&choice) != Some("none") {
            set(&mut choice, "disable_parallel_tool_use", json!(true));
        }
        self.set("tool_choice", choice);
    }

    fn rest(&mut self) {
        if self.request.stream {
            self.set("stream", json!(true));
        }
        if let Some(user) = &self.request.user {
            let mut metadata = self.body.remove("metadata").unwrap_or_else(|| json!({}));
            set(&mut metadata, "user_id", json!(user));
            self.set("metadata", metadata);
        }
        if let Some(cache) = &self.request.cache {
            self.set("cache_control", cache_control(cache));
        }
        if self.request.modalities.iter().any(|kind| kind != "text") {
            self.lose("modalities", "Anthropic answers in text only");
        }
    }

    /// Takes away the earliest breakpoints beyond the limit: the later ones
    /// cover what they covered.
    fn limit_breakpoints(&mut self) {
        let automatic = usize::from(self.body.contains_key("cache_control"));
        let allowed = BREAKPOINTS_MAX - automatic;
        let mut total: usize = 0;
        for name in ["tools", "system", "messages"] {
            if let Some(value) = self.body.get_mut(name) {
                each_breakpoint(value, &mut |_| total += 1);
            }
        }
        let mut excess = total.saturating_sub(allowed);
        if excess == 0 {
            return;
        }
        self.lose(
            "cache_control",
            "Anthropic takes four breakpoints; the last were kept",
        );
        for name in ["tools", "system", "messages"] {
            if let Some(value) = self.body.get_mut(name) {
                each_breakpoint(value, &mut |block| {
                    if excess > 0 {
                        excess -= 1;
                        block.remove("cache_control");
                    }
                });
            }
        }
    }

    fn dialect(&mut self, target: &WriteTarget<'_>) {
        for name in target.dialect.rejects {
            if self.body.remove(name).is_some() {
                self.lose(name, "the provider takes no such parameter");
            }
        }
        for (ours, theirs) in target.dialect.renames {
            if let Some(value) = self.body.remove(ours) {
                self.set(theirs, value);
            }
        }
    }
}

/// Whether the conversation stands in the middle of a tool loop whose first
/// answer does not start with a thinking block.
fn is_unthought(turns: &[Turn]) -> bool {
    let has_results = |turn: &Turn| turn.blocks.iter().any(|b| kind(b) == Some("tool_result"));
    if !turns.last().is_some_and(has_results) {
        return false;
    }
    // The loop reaches back to the last thing that the user said unasked.
    let first = turns
        .iter()
        .rev()
        .take_while(|turn| turn.role != "user" || has_results(turn))
        .filter(|turn| turn.role == "assistant")
        .last();
    let start = first.and_then(|turn| turn.blocks.first()).and_then(kind);
    !matches!(start, Some("thinking" | "redacted_thinking"))
}

/// Calls `visit` on every block with a breakpoint, in the order in which
/// Anthropic reads them: blocks, and blocks within messages and results.
fn each_breakpoint(value: &mut Value, visit: &mut impl FnMut(&mut Map)) {
    let Value::Array(items) = value else {
        return;
    };
    for item in items {
        if let Value::Object(block) = item {
            if let Some(content) = block.get_mut("content") {
                each_breakpoint(content, visit);
            }
            if block.contains_key("cache_control") {
                visit(block);
            }
        }
    }
}
