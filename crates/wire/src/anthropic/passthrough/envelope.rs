//! What a request asks for, without what was said.

use std::borrow::Cow;

use bourse_vocab::chat::{MODELS_MAX, ReasoningRequest};
use bourse_vocab::{Failure, PromptFacts};
use bytes::Bytes;
use memchr::memmem;

use super::super::seal;
use super::members::{self, Known};
use super::tools;
use crate::dialect::members::NOTHING_BYTES_MAX;
use crate::json::{self, Kind, Member, Outline, text, walk};

/// A request's members, checked; its messages stay unread.
#[derive(Debug, Clone)]
pub struct Envelope {
    pub(super) outline: Outline,
    /// Which member each of the outline is.
    pub(super) known: Vec<Option<&'static Known>>,
    /// What the prompt contains, in numbers.
    pub facts: Box<PromptFacts>,
    /// The model, as the client typed it.
    pub model: Option<String>,
    /// Models to fall back to, in order.
    pub models: Vec<String>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// The most output tokens.
    pub max_tokens: Option<u64>,
    /// How to think.
    pub reasoning: Option<ReasoningRequest>,
    /// The end user, as the caller knows them: `metadata.user_id`, or `user`.
    pub user: Option<String>,
    /// What providers are told instead.
    pub told_user: Option<String>,
    /// The conversation holds thoughts of others, which Anthropic refuses.
    pub has_foreign_thoughts: bool,
}

impl Envelope {
    /// Reads the members of a request that was scanned. `segments` are the
    /// scanned pieces.
    ///
    /// # Errors
    /// Names the member and the remedy.
    pub fn read(outline: Outline, segments: &[Bytes]) -> Result<Self, Failure> {
        let mut known = Vec::with_capacity(outline.members().len());
        let mut written = 0_usize;
        for (name, member) in outline.iter() {
            let found = members::known(name);
            known.push(found);
            match found {
                None => members::check_unknown(name, || {
                    json::short(segments, &member.value, NOTHING_BYTES_MAX)
                })?,
                Some(_) if member.kind == Kind::Null => {}
                Some(found) => {
                    let value = if found.needs_value() {
                        json::raw(segments, &member.value)
                    } else {
                        Cow::Borrowed(&[][..])
                    };
                    found.check(member.kind, &value)?;
                    if found.is_prompt {
                        written = written.saturating_add(member.value.len());
                    }
                }
            }
        }
        let mut envelope = Self {
            facts: Box::new(outline.facts(written as u64, segments)),
            outline,
            known,
            model: None,
            models: Vec::new(),
            stream: false,
            max_tokens: None,
            reasoning: None,
            user: None,
            told_user: None,
            has_foreign_thoughts: false,
        };
        envelope.check_inside(segments)?;
        envelope.fill(segments)?;
        Ok(envelope)
    }

    /// Where the members are.
    #[must_use]
    pub const fn outline(&self) -> &Outline {
        &self.outline
    }

    /// Whether a member is there and not `null`.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.member(name).is_some()
    }

    fn member(&self, name: &str) -> Option<&Member> {
        let member = self.outline.get(name)?;
        (member.kind != Kind::Null).then_some(member)
    }

    /// A member's JSON text; `None` if it is absent or `null`.
    #[must_use]
    pub fn raw<'a>(&self, name: &str, segments: &'a [Bytes]) -> Option<Cow<'a, [u8]>> {
        Some(json::raw(segments, &self.member(name)?.value))
    }

    /// A member that is a text; `None` if it is absent or something else.
    #[must_use]
    pub fn text(&self, name: &str, segments: &[Bytes]) -> Option<String> {
        text::string(&self.raw(name, segments)?).map(Cow::into_owned)
    }

    /// Whether `output_config`, or `output_format` in its place, asks for an
    /// answer by a schema.
    #[must_use]
    pub fn asks_for_schema(&self, segments: &[Bytes]) -> bool {
        let config = self.raw("output_config", segments);
        let has_format = config.is_some_and(|config| {
            walk::members(&config)
                .any(|member| member.name == b"format" && member.kind == Kind::Object)
        });
        has_format || self.has("output_format")
    }

    /// What `metadata` says besides the user.
    #[must_use]
    pub fn other_metadata<'a>(&self, segments: &'a [Bytes]) -> Option<Cow<'a, [u8]>> {
        let metadata = self.raw("metadata", segments)?;
        let has_more = walk::members(&metadata).any(|member| member.name != b"user_id");
        has_more.then_some(metadata)
    }

    fn check_inside(&self, segments: &[Bytes]) -> Result<(), Failure> {
        let Some(messages) = self.member("messages") else {
            return Err(Failure::invalid("messages: field required"));
        };
        let inside = messages.value.start.saturating_add(1)..messages.value.end;
        if json::first_byte(segments, &inside) == Some(b']') {
            return Err(Failure::invalid(
                "messages: at least one message is required",
            ));
        }
        if let Some(list) = self.raw("tools", segments) {
            tools::check_list(&list)?;
        }
        if let Some(edits) = self.raw("context_management", segments) {
            tools::check_context_management(&edits)?;
        }
        if let Some(choice) = self.raw("tool_choice", segments) {
            let choice = bourse_vocab::json::parse(&choice).unwrap_or_default();
            crate::anthropic::request::read_tool_choice(&choice)?;
        }
        Ok(())
    }

    fn fill(&mut self, segments: &[Bytes]) -> Result<(), Failure> {
        let said = self.raw("messages", segments).unwrap_or_default();
        self.has_foreign_thoughts = memmem::find(&said, seal::BEGINNING).is_some();
        self.model = self.text("model", segments);
        self.models = self.named_models(segments)?;
        self.stream = self
            .member("stream")
            .is_some_and(|member| member.kind == Kind::True);
        let max_tokens = self.raw("max_tokens", segments);
        let max_tokens = max_tokens.as_deref().and_then(text::whole);
        self.max_tokens = max_tokens.and_then(|count| u64::try_from(count).ok());
        if let Some(thinking) = self.raw("thinking", segments) {
            let thinking = bourse_vocab::json::parse(&thinking).unwrap_or_default();
            self.reasoning = Some(crate::anthropic::request::read_thinking(&thinking)?);
        }
        self.user = match self.raw("metadata", segments) {
            Some(metadata) => user_id(&metadata)?,
            None => None,
        }
        .or_else(|| self.text("user", segments));
        Ok(())
    }

    /// `models`, or OpenRouter's `fallbacks`, whose entries have a model and
    /// nothing else.
    fn named_models(&self, segments: &[Bytes]) -> Result<Vec<String>, Failure> {
        if let Some(models) = self.raw("models", segments) {
            if self.has("fallbacks") {
                return Err(Failure::invalid("fallbacks: goes without models"));
            }
            return serde_json::from_slice(&models)
                .ok()
                .filter(|models: &Vec<String>| {
                    models.len() <= MODELS_MAX && models.iter().all(|model| !model.is_empty())
                })
                .ok_or_else(|| {
                    Failure::invalid(format!(
                        "models: must be an array of at most {MODELS_MAX} model names"
                    ))
                });
        }
        let Some(fallbacks) = self.raw("fallbacks", segments) else {
            return Ok(Vec::new());
        };
        let fallbacks: Option<Vec<Fallback>> = serde_json::from_slice(&fallbacks).ok();
        let fallbacks = fallbacks.filter(|fallbacks| fallbacks.len() <= FALLBACKS_MAX);
        let fallbacks = fallbacks.ok_or_else(|| {
            Failure::invalid(format!(
                "fallbacks: must be an array of at most {FALLBACKS_MAX} objects with a model and \
                 nothing else"
            ))
        })?;
        Ok(fallbacks
            .into_iter()
            .map(|fallback| fallback.model)
            .collect())
    }
}

/// Entries of `fallbacks` (OpenRouter's document, October 2026).
const FALLBACKS_MAX: usize = 3;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Fallback {
    model: String,
}

fn user_id(metadata: &[u8]) -> Result<Option<String>, Failure> {
    let Some(member) = walk::members(metadata).find(|member| member.name == b"user_id") else {
        return Ok(None);
    };
    if member.kind == Kind::Null {
        return Ok(None);
    }
    let id = text::string(member.value).map(Cow::into_owned);
    id.map(Some)
        .ok_or_else(|| Failure::invalid("metadata.user_id: must be a string"))
}
