//! What the caller asks for, read once and never changed.
//!
//! An [`Ask`] is the same whatever the client speaks; its members and the
//! headers that go with it are read here for every endpoint.

use std::borrow::Cow;

use bourse_catalog::{Modalities, Modality, Parameter, SearchSize};
use bourse_ledger::record::EXTRA_BYTES_MAX;
use bourse_policy::CallDefaults;
use bourse_routing::filter::Needs;
use bourse_routing::lengths::Form;
use bourse_routing::preferences::Preferences;
use bourse_vocab::chat::{Effort, MODELS_MAX, ReasoningRequest};
use bourse_vocab::trace::Parent;
use bourse_vocab::{Failure, PromptFacts, TierWish, Units};
use bourse_wire::dialect::betas;
use http::HeaderMap;
use http::header::HeaderName;

/// The header that names the caller's span (W3C Trace Context).
const TRACEPARENT: &str = "traceparent";

/// Longest attribution header that is kept, in characters.
const ATTRIBUTION_CHARS_MAX: usize = 256;

/// Who the caller says they are, for records. Never for permissions.
#[derive(Debug, Clone, Default)]
pub struct Attribution {
    /// `HTTP-Referer`: the app's address.
    pub referer: String,
    /// `X-OpenRouter-Title` or `X-Title`: the app's name.
    pub title: String,
    /// `User-Agent`.
    pub user_agent: String,
    /// `session_id`, or the header of that name.
    pub session_id: String,
    /// `prompt_cache_key`: what a conversation is called that has no session.
    pub prompt_cache_key: String,
    /// `user`: the caller's own user.
    pub user: String,
    /// What else the caller says of the call, as a JSON object: `metadata`,
    /// `trace`, `categories` and `traceparent`. Empty if that is nothing.
    pub labels: String,
    /// The caller's span, of which the call is a part.
    pub trace: Option<Parent>,
    /// Features in beta that the caller asks for, as the header names them.
    pub betas: String,
}

/// What callers say of a call for their own books, each as JSON text.
#[derive(Debug, Default)]
pub struct Labels<'a> {
    /// `metadata`.
    pub metadata: Option<Cow<'a, [u8]>>,
    /// `trace`.
    pub trace: Option<Cow<'a, [u8]>>,
}

impl Labels<'_> {
    /// All of them as one JSON object, with the headers
    /// `X-OpenRouter-Categories` and `traceparent`; empty if there are none.
    ///
    /// # Errors
    /// They are longer than a record holds.
    pub fn write(&self, headers: &HeaderMap) -> Result<String, Failure> {
        let [categories] = texts(headers, ["x-openrouter-categories"]);
        let categories = categories.map(|text| serde_json::Value::from(text).to_string());
        let raw = |text: &Option<Cow<'_, [u8]>>| {
            let text = text.as_deref()?;
            std::str::from_utf8(text).ok().map(str::to_owned)
        };
        let mut labels = String::new();
        for (name, text) in [
            ("metadata", raw(&self.metadata)),
            ("trace", raw(&self.trace)),
            ("categories", categories),
            (
                "traceparent",
                parent(headers).map(|parent| format!("\"{parent}\"")),
            ),
        ] {
            let Some(text) = text.filter(|text| text != "{}") else {
                continue;
            };
            labels.push(if labels.is_empty() { '{' } else { ',' });
            labels.push_str(&format!("\"{name}\":{text}"));
        }
        if !labels.is_empty() {
            labels.push('}');
        }
        if labels.len() > EXTRA_BYTES_MAX {
            return Err(Failure::invalid(format!(
                "metadata, trace: together at most {EXTRA_BYTES_MAX} bytes are recorded; send less"
            )));
        }
        Ok(labels)
    }
}

/// The caller's span, if a header says one that is understood.
fn parent(headers: &HeaderMap) -> Option<Parent> {
    Parent::read(
        headers
            .get(HeaderName::from_static(TRACEPARENT))?
            .to_str()
            .ok()?,
    )
}

/// How much the model is to think, as far as its answer's length depends on
/// it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Thinking {
    /// Not at all.
    pub is_off: bool,
    /// How hard, if it is said.
    pub effort: Option<Effort>,
    /// How many tokens that may take, if it is said.
    pub budget: Option<u64>,
}

impl Thinking {
    /// What a request says.
    #[must_use]
    pub fn asked(request: Option<&ReasoningRequest>) -> Self {
        request.map_or(Self::default(), |request| Self {
            is_off: request.is_off(),
            effort: request.effort,
            budget: request.max_tokens,
        })
    }
}

/// What the caller asks for.
#[derive(Debug)]
pub struct Ask {
    /// Model names in order of preference, as typed.
    pub models: Vec<String>,
    /// The `provider` object.
    pub wishes: Preferences,
    /// What an endpoint must be able to do.
    pub needs: Needs,
    /// Whether to stream.
    pub stream: bool,
    /// How many answers.
    pub answers: u64,
    /// The most output tokens asked for.
    pub max_output: Option<u64>,
    /// The most that may be used of what is no token: what is set aside, and
    /// billed where nobody counts it.
    pub units: Units,
    /// What the answer is in.
    pub form: Form,
    /// How much is to be thought.
    pub thinking: Thinking,
    /// Which tier of service is asked for.
    pub tier: TierWish,
    /// How much searches are to read, where that is said.
    pub search: Option<SearchSize>,
    /// What the prompt contains, in numbers.
    pub facts: PromptFacts,
    /// What the headers ask of the gateway.
    pub options: Options,
    /// How the conversation begins, where nothing else says where it goes: no
    /// session, no key for the cache, no order of the caller's.
    pub opener: Option<u64>,
    /// Who the caller says they are.
    pub attribution: Attribution,
}

impl Attribution {
    /// The name of the conversation that the call belongs to; empty if it has
    /// none (openrouter.ai/docs, prompt caching, October 2026: the session
    /// counts before the key).
    #[must_use]
    pub fn conversation(&self) -> &str {
        if self.session_id.is_empty() {
            &self.prompt_cache_key
        } else {
            &self.session_id
        }
    }

    /// What the headers say.
    #[must_use]
    pub fn by_headers(headers: &HeaderMap) -> Self {
        let [
            http_referer,
            referer,
            title,
            old_title,
            user_agent,
            session,
            betas,
            trace,
        ] = texts(
            headers,
            [
                "http-referer",
                "referer",
                "x-openrouter-title",
                "x-title",
                "user-agent",
                "x-session-id",
                betas::ASKED_IN,
                TRACEPARENT,
            ],
        );
        let kept = |text: Option<&str>| {
            let text = text.unwrap_or_default().chars();
            text.take(ATTRIBUTION_CHARS_MAX).collect()
        };
        Self {
            referer: kept(http_referer.or(referer)),
            title: kept(title.or(old_title)),
            user_agent: kept(user_agent),
            session_id: kept(session),
            prompt_cache_key: String::new(),
            user: String::new(),
            labels: String::new(),
            trace: trace.and_then(Parent::read),
            betas: kept(betas),
        }
    }
}

/// Searches that are set aside for where the caller asks a provider to search:
/// models that do run one to a few for an answer.
const SEARCHES_MAX: u64 = 5;

impl Ask {
    /// Whether the provider is asked to search.
    #[must_use]
    pub const fn searches(&self) -> bool {
        let parameters = self.needs.parameters;
        parameters.contains(Parameter::WebSearchOptions)
    }

    /// The most searches that are expected of one call, to a model that
    /// searches `always` or where it is asked to.
    #[must_use]
    pub const fn searches_max(&self, always: bool) -> u64 {
        if always || self.searches() {
            SEARCHES_MAX.saturating_mul(self.answers)
        } else {
            0
        }
    }
}

/// The models of a request, `model` first, each once.
///
/// # Errors
/// There are none, or too many.
pub fn models(first: Option<String>, more: &[String]) -> Result<Vec<String>, Failure> {
    let mut models: Vec<String> = first
        .into_iter()
        .filter(|model| !model.is_empty())
        .collect();
    for model in more {
        if !models.contains(model) {
            models.push(model.clone());
        }
    }
    if models.is_empty() {
        return Err(Failure::invalid(
            "model: required; GET /api/v1/models lists them",
        ));
    }
    if models.len() > MODELS_MAX {
        return Err(Failure::invalid(format!(
            "models: at most {MODELS_MAX} entries"
        )));
    }
    Ok(models)
}

/// The suffix of a model's name that asks for a search.
const ONLINE: &str = "online";

/// Whether the models of a request are asked for by names that ask for a
/// search.
///
/// # Errors
/// Some do, and others do not: all of them are sent the same request.
pub fn asks_online(first: Option<&str>, more: &[String]) -> Result<bool, Failure> {
    let names = || first.into_iter().chain(more.iter().map(String::as_str));
    let is_online = |name: &str| name.split(':').skip(1).any(|suffix| suffix == ONLINE);
    if !names().any(is_online) {
        return Ok(false);
    }
    match names().find(|name| !name.is_empty() && !is_online(name)) {
        None => Ok(true),
        Some(other) => Err(Failure::invalid(format!(
            "models: some ask for a web search by `:{ONLINE}`, and `{other}` does not; say it of all, or of none"
        ))),
    }
}

/// What the headers ask of the gateway itself. They are no members of the
/// request: readers of OpenAI's format refuse members that they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// `X-OpenRouter-Metadata`: how the call was routed is told.
    pub metadata: bool,
    /// `X-Bourse-Continue`: a stream that breaks after its first content is
    /// gone on with elsewhere.
    pub continues: bool,
    /// `X-Bourse-Hedge`: where the first content of a stream is late, another
    /// target is asked beside the first.
    pub hedges: bool,
    /// Which of the last two a header decides, so that neither key nor model
    /// does.
    decided: [bool; 2],
}

/// What calls have that say nothing of it: by their key, or else by their
/// model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Defaults {
    /// See [`Options::continues`]; only for calls with one answer.
    pub continues: bool,
    /// See [`Options::hedges`].
    pub hedges: bool,
}

impl Defaults {
    /// With what a key says of its calls, which stands above what their model
    /// says.
    #[must_use]
    pub fn below(self, key: CallDefaults) -> Self {
        Self {
            continues: key.continues.unwrap_or(self.continues),
            hedges: key.hedges.unwrap_or(self.hedges),
        }
    }
}

impl Options {
    /// Takes what calls have by themselves, where no header decides.
    pub const fn default_to(&mut self, defaults: Defaults, answers: u64) {
        let [continues, hedges] = self.decided;
        self.continues |= !continues && defaults.continues && answers <= 1;
        self.hedges |= !hedges && defaults.hedges;
    }

    /// Reads the headers of a request for so many `answers`.
    ///
    /// # Errors
    /// Names the header and the remedy.
    pub fn by_headers(headers: &HeaderMap, answers: u64) -> Result<Self, Failure> {
        let names = [
            "x-openrouter-metadata",
            "x-openrouter-experimental-metadata",
            "x-bourse-continue",
            "x-bourse-hedge",
        ];
        let [metadata, experimental, continues, hedges] = texts(headers, names);
        let is_wanted = |text: &str| text.eq_ignore_ascii_case("enabled") || text == "true";
        let decided = [continues.is_some(), hedges.is_some()];
        let continues = switch("X-Bourse-Continue", continues)?;
        if continues && answers > 1 {
            return Err(Failure::invalid(
                "X-Bourse-Continue: goes with one answer; leave out n, or the header",
            ));
        }
        Ok(Self {
            metadata: [metadata, experimental]
                .into_iter()
                .flatten()
                .any(is_wanted),
            continues,
            hedges: switch("X-Bourse-Hedge", hedges)?,
            decided,
        })
    }
}

fn switch(name: &str, text: Option<&str>) -> Result<bool, Failure> {
    match text.map(str::trim) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Failure::invalid(format!(
            "{name}: must be `true` or `false`"
        ))),
    }
}

/// The first value of each of these headers (lower case), where it is there and is text.
///
/// In one pass: a call has a handful of headers, and to look up ten names of
/// which hardly one is there costs more.
fn texts<'a, const N: usize>(headers: &'a HeaderMap, names: [&str; N]) -> [Option<&'a str>; N] {
    let mut first = [None; N];
    for (name, value) in headers {
        for (slot, wanted) in first.iter_mut().zip(names) {
            if slot.is_none() && name.as_str() == wanted {
                *slot = Some(value);
            }
        }
    }
    first.map(|value| value.and_then(|value| value.to_str().ok()))
}

/// What a model must be able to read, by what is in a prompt.
#[must_use]
pub fn input_modalities(facts: &PromptFacts) -> Modalities {
    [
        (true, Modality::Text),
        (facts.images.count() > 0, Modality::Image),
        (facts.files.any(), Modality::File),
        (facts.audio.media.any(), Modality::Audio),
        (facts.video.any(), Modality::Video),
    ]
    .into_iter()
    .filter_map(|(present, modality)| present.then_some(modality))
    .collect()
}
