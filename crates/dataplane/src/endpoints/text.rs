//! `POST /completions`: text completions, OpenAI's interface before chat.
//!
//! They are served by chat models, so every request is translated. Until the
//! money is held only the members that the gateway needs are read; what
//! else is wrong with a request, its one parse says before it is sent.

use std::sync::Arc;

use bourse_catalog::{Modalities, Modality, Parameter};
use bourse_routing::filter::Needs;
use bourse_routing::lengths::Form;
use bourse_routing::preferences::Preferences;
use bourse_vocab::chat::{Event, Request};
use bourse_vocab::{Failure, Format, Operation, PromptFacts, TierWish, Units};
use bourse_wire::dialect::members;
use bourse_wire::json::{self, Kind, Member};
use bourse_wire::openai_chat::passthrough::Param;
use bourse_wire::openai_chat::{self, completions};
use bourse_wire::{Stamp, StreamWriter, WriteTarget, codec};
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;

use super::not_offered::NotOffered;
use super::translation::{self, OwnedStamp, Parsed};
use super::{ClientRequest, Endpoint, Incoming, Prepared, PreparedRest, Rest, Scanned, WholeReply};
use crate::ask::{self, Ask, Attribution, Labels, Thinking};
use crate::identity::Caller;
use crate::relay::Feed;
use crate::search;
use crate::way::Way;

/// Above this a float no longer says which whole number was meant.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// What JSON writes around the one message that a prompt becomes.
const MESSAGE_BYTES: usize = 64;

/// Text completions.
pub struct Text;

impl Endpoint for Text {
    fn path(&self) -> &'static str {
        "/v1/completions"
    }

    fn prompt(&self) -> &'static str {
        "prompt"
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        (way.operation == Operation::Chat).then_some(0)
    }

    fn read(&self, head: &Parts, body: Scanned, caller: Caller<'_>) -> Result<Incoming, Failure> {
        let ask = read(&head.headers, &body)?;
        let user = caller.user(Some(&ask.attribution.user));
        let safety = Members(&body).text(Param::SafetyIdentifier.name());
        Ok(Incoming {
            ask,
            request: Arc::new(TextRequest {
                user,
                safety: caller.user(safety.as_deref()),
                body,
                parsed: Parsed::default(),
            }),
        })
    }

    /// As chat completions do.
    fn failure(&self, failure: &Failure, _: &mut HeaderMap) -> Bytes {
        codec(Format::OpenAiChat).write_failure(failure).into()
    }

    fn late_failure(&self, failure: &Failure, stamp: &Stamp<'_>) -> Bytes {
        let mut out = Vec::new();
        let event = Event::Error(Box::new(failure.clone()));
        completions::completion_stream_writer(stamp).event(&event, &mut out);
        out.into()
    }

    fn keep_alive(&self) -> &'static [u8] {
        super::chat::KEEP_ALIVE
    }

    fn keeps_answers(&self) -> bool {
        true
    }
}

/// A text completion request that was not parsed yet.
struct TextRequest {
    body: Scanned,
    /// The name under which providers are told of the user.
    user: Option<String>,
    /// The same of whom `safety_identifier` names.
    safety: Option<String>,
    parsed: Parsed,
}

impl TextRequest {
    fn parse(&self) -> Result<Request, Failure> {
        let Scanned { outline, segments } = &self.body;
        let mut request = completions::read_completion_request(outline, segments)?;
        request.user.clone_from(&self.user);
        let name = Param::SafetyIdentifier.name();
        if let (Some(told), Some(value)) = (&self.safety, request.extras.members.get_mut(name)) {
            *value = told.as_str().into();
        }
        Ok(request)
    }
}

impl ClientRequest for TextRequest {
    fn bytes(&self) -> usize {
        self.body.outline.len()
    }

    fn translates(&self, _: &Way) -> bool {
        true
    }

    fn write(&self, way: &Way, target: &WriteTarget<'_>) -> Result<Prepared, Failure> {
        let parse = || self.parse();
        let Scanned { outline, segments } = &self.body;
        let written = self.parsed.write(segments, parse, way, target);
        translation::placed(written, |losses| {
            openai_chat::locate(losses, outline, segments);
        })
    }

    fn writer(&self, stamp: &Stamp<'_>) -> Option<(Box<dyn StreamWriter>, bool)> {
        Some((completions::completion_stream_writer(stamp), false))
    }

    fn write_rest(
        &self,
        way: &Way,
        target: &WriteTarget<'_>,
        rest: &Rest<'_>,
    ) -> Result<PreparedRest, Failure> {
        let parse = || self.parse();
        let segments = &self.body.segments;
        self.parsed.write_rest(segments, parse, (way, target), rest)
    }

    fn feed(&self, way: &Way, stamp: &Stamp<'_>) -> Box<dyn Feed> {
        translation::feed(way, completions::completion_stream_writer(stamp), false)
    }

    fn whole(&self, way: &Way, stamp: &Stamp<'_>, body: &Bytes) -> Result<WholeReply, Failure> {
        let stamp = OwnedStamp::of(stamp);
        let write = move |reply: &_| completions::write_completion_reply(reply, &stamp.get());
        translation::whole(way, body, false, write)
    }
}

/// The members of a request that the gateway needs.
struct Members<'a>(&'a Scanned);

impl Members<'_> {
    /// A member that is there and not `null`.
    fn get(&self, name: &str) -> Option<&Member> {
        let member = self.0.outline.get(name)?;
        (member.kind != Kind::Null).then_some(member)
    }

    fn text(&self, name: &str) -> Option<String> {
        let raw = json::raw(&self.0.segments, &self.get(name)?.value);
        json::text::string(&raw).map(std::borrow::Cow::into_owned)
    }

    /// A whole number, which may be written with a fraction of zero. Of
    /// anything else the parser complains.
    fn count(&self, name: &str) -> Option<u64> {
        let raw = json::raw(&self.0.segments, &self.get(name)?.value);
        json::text::u64(&raw).or_else(|| {
            let number = json::text::f64(&raw)?;
            let whole = number.fract() == 0.0 && (0.0..=EXACT_MAX).contains(&number);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Just checked.
            whole.then_some(number as u64)
        })
    }

    fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<Result<T, Failure>> {
        let raw = json::raw(&self.0.segments, &self.get(name)?.value);
        let read = serde_json::from_slice(&raw);
        Some(read.map_err(|error| Failure::invalid(format!("{name}: {error}"))))
    }
}

fn refuse_debug(members: &Members<'_>) -> Result<(), Failure> {
    let debug = members.get("debug");
    let debug = debug.map(|member| json::raw(&members.0.segments, &member.value));
    let asked = NotOffered {
        debug: debug.as_deref(),
        ..NotOffered::default()
    };
    asked.refuse()
}

fn read(headers: &HeaderMap, body: &Scanned) -> Result<Box<Ask>, Failure> {
    let members = Members(body);
    refuse_unknown(body)?;
    refuse_debug(&members)?;
    match members.get("prompt").map(|member| member.kind) {
        Some(Kind::String | Kind::Array) => {}
        Some(_) => return Err(Failure::invalid("prompt: must be a string")),
        None => return Err(Failure::invalid("prompt: is required")),
    }
    let wishes = match members.get("provider") {
        Some(member) => {
            let raw = json::raw(&body.segments, &member.value);
            Preferences::read(std::str::from_utf8(&raw).unwrap_or(""))?
        }
        None => Preferences::default(),
    };
    let more: Vec<String> = members.json("models").transpose()?.unwrap_or_default();
    let mut attribution = Attribution::by_headers(headers);
    if let Some(session) = members.text("session_id") {
        attribution.session_id = session;
    }
    attribution.prompt_cache_key = members.text("prompt_cache_key").unwrap_or_default();
    attribution.user = members.text("user").unwrap_or_default();
    let raw = |name: &str| {
        let member = members.get(name)?;
        (member.kind == Kind::Object).then(|| json::raw(&body.segments, &member.value))
    };
    let labels = Labels {
        metadata: raw("metadata"),
        trace: raw("trace"),
    };
    attribution.labels = labels.write(headers)?;
    let max_output = members
        .count("max_tokens")
        .max(members.count("max_completion_tokens"));
    let tier = members.text(Param::ServiceTier.name());
    let tier = tier.as_deref().map(TierWish::read);
    let text = Modalities::of(&[Modality::Text]);
    let facts = facts(body);
    let answers = members.count("n").unwrap_or(1);
    Ok(Box::new(Ask {
        needs: Needs {
            input: text,
            output: text,
            parameters: body
                .outline
                .iter()
                .filter(|(_, member)| member.kind != Kind::Null)
                .filter_map(|(name, _)| Parameter::by_name(name))
                .collect(),
            text_bytes: facts.text_bytes,
            max_output,
        },
        models: ask::models(members.text("model"), &more)?,
        wishes,
        stream: members.get("stream").is_some_and(|m| m.kind == Kind::True),
        answers,
        max_output,
        form: Form::Text,
        units: Units::default(),
        thinking: Thinking::default(),
        tier: tier.transpose()?.unwrap_or_default(),
        search: search::read(raw(Param::WebSearchOptions.name()).as_deref())?,
        facts,
        options: ask::Options::by_headers(headers, answers)?,
        opener: None,
        attribution,
    }))
}

/// Members of this endpoint that chat does not have, and that its parser
/// reads itself.
const OWN: [&str; 3] = ["suffix", "echo", "best_of"];

/// Refuses what costs money unseen, and names that some parser would take for
/// a known one.
fn refuse_unknown(body: &Scanned) -> Result<(), Failure> {
    for (name, member) in body.outline.iter() {
        if Param::by_name(name).is_none() && !OWN.contains(&name) {
            members::check(name, || {
                json::short(&body.segments, &member.value, members::NOTHING_BYTES_MAX)
            })?;
        }
    }
    Ok(())
}

/// What a model may read of the request: text, and never media.
fn facts(body: &Scanned) -> PromptFacts {
    let written: usize = body
        .outline
        .iter()
        .filter(|(name, _)| Param::by_name(name).is_none_or(Param::is_prompt))
        .map(|(_, member)| member.value.len())
        .sum();
    let written = written.saturating_add(MESSAGE_BYTES) as u64;
    body.outline.facts(written, &body.segments)
}
