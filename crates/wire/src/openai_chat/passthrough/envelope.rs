//! What a request asks for, without its messages.

use std::borrow::Cow;

use bourse_vocab::chat::{Loss, MODELS_MAX, ReasoningRequest};
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, PromptFacts};
use bytes::Bytes;

use super::check::{check, needs_value};
use crate::dialect::parameters::{Check, Param, Params};
use crate::dialect::{members, thinking, tools};
use crate::fields::{Fields, Path};
use crate::json::{self, Features, Kind, Member, Outline, text};

/// Pairs in `metadata`, and the lengths of their halves in characters
/// (openrouter.ai/docs, API parameters, August 2026).
const METADATA_PAIRS_MAX: usize = 16;
const METADATA_KEY_MAX: usize = 64;
const METADATA_VALUE_MAX: usize = 512;

/// A request's parameters, checked; its messages stay unread.
#[derive(Debug, Clone)]
pub struct Envelope {
    pub(super) outline: Outline,
    /// Which parameter each member of the outline is.
    pub(super) known: Vec<Option<Param>>,
    /// What the prompt contains, in numbers. Boxed, because envelopes are
    /// handed from phase to phase.
    pub facts: Box<PromptFacts>,
    /// The parameters that were sent and are not `null`.
    pub params: Params,
    /// Names of members that are no parameter; dialects say who is sent them.
    pub unknown: Vec<String>,
    /// Whole numbers that are written as if they were none, such as `256.0`:
    /// where they are in the outline, and their digits.
    pub(super) respelled: Vec<(usize, String)>,
    /// The model, as the client typed it.
    pub model: Option<String>,
    /// Models to fall back to, in order.
    pub models: Vec<String>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// The most output tokens; the larger where both spellings are there.
    pub max_tokens: Option<u64>,
    /// How many answers.
    pub n: u64,
    /// How to think, from all three spellings.
    pub reasoning: Option<ReasoningRequest>,
    /// The end user, as the caller knows them.
    pub user: Option<String>,
    /// Texts that providers are told in place of the caller's.
    told: Vec<(Param, String)>,
    /// The session, for sticky routing and grouping.
    pub session_id: Option<String>,
    /// The preset's slug.
    pub preset: Option<String>,
    /// The tier asked for.
    pub service_tier: Option<String>,
    /// `provider` as JSON text.
    pub provider: Option<Bytes>,
    /// `plugins` as JSON text.
    pub plugins: Option<Bytes>,
    /// `transforms` as JSON text.
    pub transforms: Option<Bytes>,
    /// What no provider is told, beside what each is not told.
    pub losses: Vec<Loss>,
    /// A search is asked for elsewhere than in `web_search_options`.
    pub(super) must_search: bool,
}

impl Envelope {
    /// Reads the parameters of a request that was scanned. `segments` are
    /// the scanned pieces. Failures name the parameter and the remedy.
    pub fn read(outline: Outline, segments: &[Bytes]) -> Result<Self, Failure> {
        let mut known = Vec::with_capacity(outline.members().len());
        let mut params = Params::default();
        let mut unknown = Vec::new();
        let mut respelled = Vec::new();
        let mut written = 0_usize;
        for (at, (name, member)) in outline.iter().enumerate() {
            let param = Param::by_name(name);
            known.push(param);
            if param.is_none_or(Param::is_prompt) {
                written = written.saturating_add(member.value.len());
            }
            match param {
                None => {
                    members::check(name, || {
                        json::short(segments, &member.value, members::NOTHING_BYTES_MAX)
                    })?;
                    unknown.push(name.to_owned());
                }
                Some(_) if member.kind == Kind::Null => {}
                Some(param) => {
                    let rule = param.check();
                    let value = if needs_value(rule) {
                        json::raw(segments, &member.value)
                    } else {
                        Cow::Borrowed(&[][..])
                    };
                    check(param, rule, member.kind, &value)?;
                    params.insert(param);
                    if matches!(rule, Check::Whole(..) | Check::Integer)
                        && value.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
                        && let Some(number) = text::whole(&value)
                    {
                        respelled.push((at, number.to_string()));
                    }
                }
            }
        }
        let mut envelope = Self {
            facts: Box::new(outline.facts(written as u64, segments)),
            outline,
            known,
            params,
            unknown,
            respelled,
            model: None,
            models: Vec::new(),
            stream: false,
            max_tokens: None,
            n: 1,
            reasoning: None,
            user: None,
            told: Vec::new(),
            session_id: None,
            preset: None,
            service_tier: None,
            provider: None,
            plugins: None,
            transforms: None,
            losses: Vec::new(),
            must_search: false,
        };
        envelope.check_conversation(segments)?;
        envelope.check_tools(segments)?;
        envelope.fill(segments)?;
        Ok(envelope)
    }

    /// What the prompt contains, as seen in passing.
    #[must_use]
    pub const fn features(&self) -> Features {
        self.outline.features()
    }

    /// Where the members are.
    #[must_use]
    pub const fn outline(&self) -> &Outline {
        &self.outline
    }

    /// Whether the request has a legacy `prompt` instead of `messages`.
    #[must_use]
    pub const fn is_prompt(&self) -> bool {
        self.params.has(Param::Prompt)
    }

    /// The position in the outline of a parameter, be it `null`.
    pub(super) fn position(&self, param: Param) -> Option<usize> {
        self.known.iter().position(|other| *other == Some(param))
    }

    pub(super) fn member(&self, param: Param) -> Option<&Member> {
        if !self.params.has(param) {
            return None;
        }
        self.outline.members().get(self.position(param)?)
    }

    /// A parameter's JSON text; `None` if it is absent or `null`.
    #[must_use]
    pub fn raw<'a>(&self, param: Param, segments: &'a [Bytes]) -> Option<Cow<'a, [u8]>> {
        Some(json::raw(segments, &self.member(param)?.value))
    }

    /// The same, to keep: shares the memory of the segment if it can.
    #[must_use]
    pub fn bytes(&self, param: Param, segments: &[Bytes]) -> Option<Bytes> {
        let mut pieces = Vec::new();
        json::slice_into(segments, &self.member(param)?.value, &mut pieces);
        match (pieces.pop(), pieces.is_empty()) {
            (Some(piece), true) => Some(piece),
            (Some(piece), false) => {
                pieces.push(piece);
                Some(Bytes::from(pieces.concat()))
            }
            (None, _) => None,
        }
    }

    /// Has providers told another text than the caller's, which must be there.
    pub fn tell(&mut self, param: Param, text: Option<String>) {
        self.told.extend(text.map(|text| (param, text)));
    }

    /// Asks the provider to search, as `web_search_options` does.
    pub fn ask_to_search(&mut self) {
        self.must_search = true;
        self.params.insert(Param::WebSearchOptions);
    }

    /// Whether [`Self::ask_to_search`] did.
    #[must_use]
    pub const fn must_search(&self) -> bool {
        self.must_search
    }

    /// Texts that providers are told in place of the caller's.
    #[must_use]
    pub fn told(&self) -> &[(Param, String)] {
        &self.told
    }

    /// A parameter that is a text; `None` if it is absent or something else.
    #[must_use]
    pub fn text(&self, param: Param, segments: &[Bytes]) -> Option<String> {
        let raw = self.raw(param, segments)?;
        text::string(&raw).map(Cow::into_owned)
    }

    fn count(&self, param: Param, segments: &[Bytes]) -> Option<u64> {
        u64::try_from(text::whole(&self.raw(param, segments)?)?).ok()
    }

    fn flag(&self, param: Param) -> Option<bool> {
        match self.member(param)?.kind {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => None,
        }
    }

    /// Reads the few members that say how to think, as the vocabulary does.
    fn read_reasoning(&self, segments: &[Bytes]) -> Result<Option<ReasoningRequest>, Failure> {
        const WAYS: [Param; 3] = [
            Param::Reasoning,
            Param::ReasoningEffort,
            Param::IncludeReasoning,
        ];
        if !WAYS.into_iter().any(|param| self.params.has(param)) {
            return Ok(None);
        }
        let mut members = Map::new();
        for param in WAYS {
            if let Some(value) = self.value(param, segments) {
                members.insert(param.name().to_owned(), value);
            }
        }
        thinking::read(&mut Fields::of(Value::Object(members), &Path::Root)?)
    }

    /// A parameter, parsed; `None` if it is absent or `null`.
    pub(super) fn value(&self, param: Param, segments: &[Bytes]) -> Option<Value> {
        bourse_vocab::json::parse(&self.raw(param, segments)?).ok()
    }

    fn check_conversation(&self, segments: &[Bytes]) -> Result<(), Failure> {
        match (self.member(Param::Messages), self.is_prompt()) {
            (Some(_), true) => Err(Failure::invalid(
                "Send either messages or prompt, not both.",
            )),
            (None, true) => Ok(()),
            (None, false) => Err(Failure::invalid(
                "messages is missing: send an array with at least one message.",
            )),
            (Some(member), false) => {
                let inside = member.value.start.saturating_add(1)..member.value.end;
                if json::first_byte(segments, &inside) == Some(b']') {
                    return Err(Failure::invalid(
                        "messages must be an array with at least one element.",
                    ));
                }
                Ok(())
            }
        }
    }

    /// Refuses tools that a provider would run. The scanner has seen whether
    /// all are functions, which nearly all are.
    fn check_tools(&self, segments: &[Bytes]) -> Result<(), Failure> {
        if self.outline.has_other_tools()
            && let Some(list) = self.raw(Param::Tools, segments)
        {
            tools::check_list(&list)?;
        }
        for param in [Param::ToolChoice, Param::FunctionCall] {
            if let Some(choice) = self.value(param, segments) {
                tools::read_choice(param.name(), &choice)?;
            }
        }
        Ok(())
    }

    fn fill(&mut self, segments: &[Bytes]) -> Result<(), Failure> {
        self.model = self.text(Param::Model, segments);
        if let Some(models) = self.raw(Param::Models, segments) {
            self.models = serde_json::from_slice(&models)
                .ok()
                .filter(|models: &Vec<String>| {
                    models.len() <= MODELS_MAX && models.iter().all(|model| !model.is_empty())
                })
                .ok_or_else(|| {
                    Failure::invalid(format!(
                        "models must be an array of at most {MODELS_MAX} model names."
                    ))
                })?;
        }
        self.stream = self.flag(Param::Stream).unwrap_or(false);
        self.max_tokens = self
            .count(Param::MaxTokens, segments)
            .max(self.count(Param::MaxCompletionTokens, segments));
        self.n = self.count(Param::N, segments).unwrap_or(1);
        self.reasoning = self.read_reasoning(segments)?;
        self.user = self.text(Param::User, segments);
        self.session_id = self.text(Param::SessionId, segments);
        self.preset = self.text(Param::Preset, segments);
        self.service_tier = self.text(Param::ServiceTier, segments);
        if let Some(metadata) = self.raw(Param::Metadata, segments) {
            check_metadata(&metadata)?;
        }
        self.provider = self.bytes(Param::Provider, segments);
        self.plugins = self.bytes(Param::Plugins, segments);
        self.transforms = self.bytes(Param::Transforms, segments);
        Ok(())
    }
}

/// The client's own labels: no provider is sent them, and none too many.
fn check_metadata(metadata: &[u8]) -> Result<(), Failure> {
    let mut count = 0_usize;
    let fits = json::walk::members(metadata).all(|entry| {
        count = count.saturating_add(1);
        let quoted = [b"\"", entry.name, b"\""].concat();
        let is_short = |text: &[u8], max: usize| {
            text::string(text).is_some_and(|text| text.chars().count() <= max)
        };
        is_short(&quoted, METADATA_KEY_MAX) && is_short(entry.value, METADATA_VALUE_MAX)
    });
    if fits && count <= METADATA_PAIRS_MAX {
        return Ok(());
    }
    Err(Failure::invalid(format!(
        "metadata must be an object of at most {METADATA_PAIRS_MAX} strings, with names \
         of at most {METADATA_KEY_MAX} and values of at most {METADATA_VALUE_MAX} \
         characters."
    )))
}
