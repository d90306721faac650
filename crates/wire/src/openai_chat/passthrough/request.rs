//! Writing a request for one target.

use bourse_vocab::chat::{Loss, ReasoningRequest, ToolChoice};
use bourse_vocab::json::{self, Value};
use bytes::Bytes;

use super::envelope::Envelope;
use crate::codec::WriteTarget;
use crate::dialect::parameters::{
    ASK_FOR_USAGE, Disposal, Fate, NEED_TOOLS, Param, REQUIRED, choice_of_nothing, disposal,
    disposal_of, loss,
};
use crate::dialect::{Dialect, StreamUsage, needs_vocabulary, thinking, tools};
use crate::fields::Path;
use crate::json::splice::Splice;
use crate::json::text::write_string;
use crate::json::{Features, Kind, Member, walk};

/// Whether a request must be rewritten through `vocab`, because a rule of the
/// dialect touches something that a splice cannot reach.
#[must_use]
pub const fn needs_rewrite(dialect: &Dialect, features: Features) -> bool {
    needs_vocabulary(dialect, features)
}

/// Writes a request for one target, out of slices of the client's bytes.
/// Returns the pieces of the body and what the vendor cannot be told.
#[must_use]
pub fn splice_request(
    envelope: &Envelope,
    segments: &[Bytes],
    target: &WriteTarget<'_>,
) -> (Vec<Bytes>, Vec<Loss>) {
    let mut request = Request {
        envelope,
        segments,
        dialect: target.dialect,
        splice: Splice::new(&envelope.outline),
        losses: envelope.losses.clone(),
    };
    request.members();
    request.numbers();
    request.told();
    request.searches();
    request.tools();
    request.stream_options();
    request.stop();
    request.modalities();
    request.service_tier(target);
    request.gateways_own(target);
    if let Some(reasoning) = &envelope.reasoning {
        request.reasoning(reasoning, target);
    }
    let Request {
        mut splice, losses, ..
    } = request;
    for name in target.dialect.rejects {
        splice.remove(name);
    }
    for (ours, theirs) in target.dialect.renames {
        splice.rename(ours, theirs);
    }
    (splice.write(segments), losses)
}

struct Request<'a> {
    envelope: &'a Envelope,
    segments: &'a [Bytes],
    dialect: &'a Dialect,
    splice: Splice<'a>,
    losses: Vec<Loss>,
}

impl<'a> Request<'a> {
    /// A parameter that was sent and is not `null`.
    fn member(&self, param: Param) -> Option<&'a Member> {
        if !self.envelope.params.has(param) {
            return None;
        }
        let at = self.envelope.position(param)?;
        self.envelope.outline.members().get(at)
    }

    /// Leaves out what is not for this vendor.
    fn members(&mut self) {
        let outline = &self.envelope.outline;
        let members = outline.members().iter().zip(&self.envelope.known);
        // Most vendors object to nothing that others take: nothing to look up.
        let is_plain = self.dialect.rejects.is_empty() && self.dialect.renames.is_empty();
        for (at, (member, param)) in members.enumerate() {
            let fate = param.map(Param::fate);
            if is_plain && fate == Some(Fate::Forward) {
                continue;
            }
            // Written anew below, if at all.
            let rewritten = fate == Some(Fate::Rewritten);
            let name = match param {
                Some(param) => param.name(),
                None => outline.name(member),
            };
            match disposal_of(self.dialect, *param, name) {
                Disposal::Send(_) if !rewritten => {}
                Disposal::Send(_) | Disposal::Leave => self.splice.remove_at(at),
                Disposal::Lose(reason) => {
                    self.splice.remove_at(at);
                    if member.kind != Kind::Null {
                        self.losses.push(loss(name, reason));
                    }
                }
            }
        }
    }

    /// Writes whole numbers as such.
    fn numbers(&mut self) {
        for (at, digits) in &self.envelope.respelled {
            let outline = &self.envelope.outline;
            let name = outline
                .members()
                .get(*at)
                .map(|member| outline.name(member));
            if let Some(name) = name.filter(|name| is_forwarded(self.dialect, name)) {
                self.splice.set(name, digits.clone());
            }
        }
    }

    /// Tells what the provider is to be told in place of the caller's text.
    fn told(&mut self) {
        for (param, text) in self.envelope.told() {
            if is_forwarded(self.dialect, param.name()) {
                let mut value = Vec::with_capacity(text.len().saturating_add(2));
                write_string(text, &mut value);
                self.splice.set(param.name(), value);
            }
        }
    }

    /// Asks for a search that is asked for elsewhere.
    fn searches(&mut self) {
        let param = Param::WebSearchOptions;
        let is_said = || self.member(param).is_some_and(|m| m.kind != Kind::Null);
        if !self.envelope.must_search || is_said() {
            return;
        }
        match disposal(self.dialect, param.name()) {
            Disposal::Send(_) => self.splice.set(param.name(), "{}"),
            Disposal::Lose(reason) => self.losses.push(loss(param.name(), reason)),
            Disposal::Leave => {}
        }
    }

    fn tools(&mut self) {
        const ABOUT_TOOLS: [Param; 3] = [Param::Tools, Param::ToolChoice, Param::ParallelToolCalls];
        let params = self.envelope.params;
        if !ABOUT_TOOLS.into_iter().any(|param| params.has(param)) {
            return;
        }
        let has_tools = [Param::Tools, Param::Functions]
            .into_iter()
            .filter_map(|param| self.member(param))
            .any(|member| !self.is_empty_array(member));
        let choice = self.member(Param::ToolChoice);
        if has_tools {
            if choice.is_some() && is_forwarded(self.dialect, Param::ToolChoice.name()) {
                self.tool_choice();
            }
            return;
        }
        for name in NEED_TOOLS {
            self.splice.remove(name);
        }
        let forces = choice.is_some_and(|choice| {
            choice.kind == Kind::Object
                || self.is(choice, REQUIRED.0)
                || self.is(choice, REQUIRED.1)
        });
        self.losses.extend(choice_of_nothing(forces));
    }

    /// Writes a choice in the words that everybody understands, and an object
    /// as it was read: bytes might say a member twice.
    fn tool_choice(&mut self) {
        let name = Param::ToolChoice.name();
        let Some(value) = self.envelope.value(Param::ToolChoice, self.segments) else {
            return;
        };
        match tools::read_choice(name, &value) {
            Ok(Some(ToolChoice::Required)) => {
                self.splice.set(name, format!("\"{}\"", REQUIRED.1));
            }
            Ok(Some(ToolChoice::Named(function))) => {
                let mut named = Vec::new();
                tools::write_named(&mut named, &function);
                self.splice.set(name, named);
            }
            Ok(None) => self.splice.set(name, value.to_string()),
            // What was refused does not come here.
            Ok(Some(ToolChoice::Auto | ToolChoice::None)) | Err(_) => {}
        }
    }

    /// No text to stop at is not told: vendors refuse a list of none.
    fn stop(&mut self) {
        let stop = self.member(Param::Stop);
        if stop.is_some_and(|stop| stop.kind == Kind::Array && self.is_empty_array(stop)) {
            self.splice.remove(Param::Stop.name());
            self.losses.retain(|loss| loss.field != Param::Stop.name());
        }
    }

    /// Reports what was asked for beside the usage, which is always told.
    fn stream_options(&mut self) {
        let param = Param::StreamOptions;
        let Some(raw) = self.envelope.raw(param, self.segments) else {
            return;
        };
        if walk::members(&raw).all(|member| member.name == b"include_usage") {
            return;
        }
        let Ok(Value::Object(members)) = json::parse(&raw) else {
            return;
        };
        let unknown = members
            .iter()
            .filter(|(name, value)| name.as_str() != "include_usage" && !value.is_null());
        self.losses.extend(unknown.map(|(name, _)| {
            let field = Path::Member(&Path::Member(&Path::Root, param.name()), name);
            loss(&field.to_string(), "no provider is told it")
        }));
    }

    /// Whether a member is this text.
    fn is(&self, member: &Member, word: &str) -> bool {
        member.kind == Kind::String
            && member.value.len() == word.len().saturating_add(2)
            && json::parse(&crate::json::raw(self.segments, &member.value))
                .is_ok_and(|value| value == *word)
    }

    fn is_empty_array(&self, member: &Member) -> bool {
        let inside = member.value.start.saturating_add(1)..member.value.end;
        crate::json::first_byte(self.segments, &inside) == Some(b']')
    }

    /// Text alone is what everybody answers with without being told.
    fn modalities(&mut self) {
        let text_only = self
            .member(Param::Modalities)
            .and_then(|_| self.envelope.value(Param::Modalities, self.segments))
            .is_some_and(|value| value == json::Value::Array(vec![Value::from("text")]));
        if text_only {
            self.splice.remove(Param::Modalities.name());
            self.losses
                .retain(|loss| loss.field != Param::Modalities.name());
        }
    }

    fn service_tier(&mut self, target: &WriteTarget<'_>) {
        if let Some(word) = self.dialect.tier_word(target.tier) {
            self.splice
                .set(Param::ServiceTier.name(), format!("\"{word}\""));
        }
    }

    /// Sets what the gateway writes anew for each target.
    fn gateways_own(&mut self, target: &WriteTarget<'_>) {
        let mut model = Vec::with_capacity(target.model.len().saturating_add(2));
        write_string(target.model, &mut model);
        self.splice.set("model", model);
        if self.envelope.stream && self.dialect.stream_usage == StreamUsage::OnRequest {
            self.splice.set("stream_options", ASK_FOR_USAGE.as_bytes());
        }
        if let Some(max_tokens) = target.limit_of(self.envelope.max_tokens) {
            let name = self.dialect.max_tokens.name();
            self.splice.set(name, max_tokens.to_string());
        }
    }

    fn reasoning(&mut self, request: &ReasoningRequest, target: &WriteTarget<'_>) {
        let envelope = self.envelope;
        let segments = self.segments;
        let own = |name: &str| {
            envelope.unknown.iter().find(|sent| *sent == name)?;
            let member = envelope.outline.get(name)?;
            json::parse(&crate::json::raw(segments, &member.value)).ok()
        };
        let given = thinking::Given {
            limit: target.limit_of(envelope.max_tokens).or(target.max_output),
            efforts: target.efforts,
            own: &own,
        };
        let (members, losses) = thinking::members(self.dialect.reasoning, request, given);
        for (name, value) in members {
            self.splice.set(name, value);
        }
        self.losses.extend(losses);
    }
}

/// Whether a member goes to the provider as the client sent it.
fn is_forwarded(dialect: &Dialect, name: &str) -> bool {
    Param::by_name(name).is_none_or(|param| param.fate() != Fate::Rewritten)
        && matches!(disposal(dialect, name), Disposal::Send(_))
}
