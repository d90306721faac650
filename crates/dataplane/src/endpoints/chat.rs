//! `POST /chat/completions`: OpenAI's chat completions, with OpenRouter's
//! additions.

mod pass_through;

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use bourse_catalog::{Modalities, Modality, Parameter, Parameters};
use bourse_routing::filter::Needs;
use bourse_routing::lengths::Form;
use bourse_routing::preferences::Preferences;
use bourse_vocab::chat::{Event, Request};
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, Format, Operation, TierWish, Units};
use bourse_wire::framing::Framing;
use bourse_wire::json::Features;
use bourse_wire::openai_chat;
use bourse_wire::openai_chat::passthrough::{self, Envelope, Param};
use bourse_wire::{Stamp, StreamWriter, WriteTarget, codec};
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;

use super::not_offered::NotOffered;
use super::translation::{self, OwnedStamp, Parsed};
use super::{
    ClientRequest, Endpoint, Incoming, Prepared, PreparedRest, Rest, Scanned, WholeReply, tools_of,
};
use crate::ask::{self, Ask, Attribution, Labels, Thinking};
use crate::identity::Caller;
use crate::relay::{Feed, Report};
use crate::search;
use crate::way::Way;

/// What clients of this endpoint speak.
const FORMAT: Format = Format::OpenAiChat;
/// The comment that keeps a waiting stream alive; clients skip it.
pub(super) const KEEP_ALIVE: &[u8] = b": OPENROUTER PROCESSING\n\n";

/// Chat completions.
pub struct Chat;

impl Endpoint for Chat {
    fn path(&self) -> &'static str {
        "/v1/chat/completions"
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        (way.operation == Operation::Chat).then_some(u8::from(way.format != FORMAT))
    }

    fn read(&self, head: &Parts, body: Scanned, caller: Caller<'_>) -> Result<Incoming, Failure> {
        let Scanned { outline, segments } = body;
        let mut envelope = Envelope::read(outline, &segments)?;
        if envelope.is_prompt() {
            return Err(Failure::invalid(
                "prompt: send it to /api/v1/completions, or send messages here",
            ));
        }
        let search = NotOffered {
            debug: envelope.raw(Param::Debug, &segments).as_deref(),
            preset: envelope.preset.as_deref(),
            plugins: envelope.plugins.as_deref(),
            transforms: envelope.transforms.as_deref(),
        }
        .or_search()?;
        let is_online = ask::asks_online(envelope.model.as_deref(), &envelope.models)?;
        if search.is_some() || is_online {
            envelope.ask_to_search();
        }
        envelope.losses = search.unwrap_or_default().losses;
        let ask = read(&head.headers, &mut envelope, &segments)?;
        envelope.tell(Param::User, caller.user(envelope.user.as_deref()));
        let safety = envelope.text(Param::SafetyIdentifier, &segments);
        envelope.tell(Param::SafetyIdentifier, caller.user(safety.as_deref()));
        let hide_reasoning = envelope
            .reasoning
            .as_ref()
            .is_some_and(|reasoning| reasoning.exclude);
        Ok(Incoming {
            ask,
            request: Arc::new(ChatRequest {
                envelope,
                segments,
                parsed: Parsed::default(),
                hide_reasoning,
            }),
        })
    }

    fn failure(&self, failure: &Failure, _: &mut HeaderMap) -> Bytes {
        codec(FORMAT).write_failure(failure).into()
    }

    fn late_failure(&self, failure: &Failure, stamp: &Stamp<'_>) -> Bytes {
        let mut out = Vec::new();
        let event = Event::Error(Box::new(failure.clone()));
        codec(FORMAT).stream_writer(stamp).event(&event, &mut out);
        out.into()
    }

    fn keep_alive(&self) -> &'static [u8] {
        KEEP_ALIVE
    }

    fn keeps_answers(&self) -> bool {
        true
    }
}

/// A chat request: its parameters are read, its messages are not.
struct ChatRequest {
    envelope: Envelope,
    segments: Vec<Bytes>,
    parsed: Parsed,
    hide_reasoning: bool,
}

impl ChatRequest {
    fn parse(&self) -> Result<Request, Failure> {
        let scanned = self.envelope.outline();
        let mut request = codec(FORMAT).read_scanned(scanned, &self.segments)?;
        tell(&self.envelope, &mut request);
        Ok(request)
    }
}

impl ClientRequest for ChatRequest {
    fn bytes(&self) -> usize {
        self.envelope.outline().len()
    }

    fn translates(&self, way: &Way) -> bool {
        way.format != FORMAT
            || way.framing != Framing::Sse
            || passthrough::needs_rewrite(&way.dialect, self.envelope.features())
    }

    fn write(&self, way: &Way, target: &WriteTarget<'_>) -> Result<Prepared, Failure> {
        if self.translates(way) {
            let parse = || self.parse();
            let written = self.parsed.write(&self.segments, parse, way, target);
            let written = written.map(|mut prepared| {
                prepared.losses.extend(self.envelope.losses.iter().cloned());
                prepared
            });
            let outline = self.envelope.outline();
            return translation::placed(written, |losses| {
                openai_chat::locate(losses, outline, &self.segments);
            });
        }
        let (body, mut losses) =
            passthrough::splice_request(&self.envelope, &self.segments, target);
        openai_chat::locate(&mut losses, self.envelope.outline(), &self.segments);
        Ok(Prepared {
            body: body.into_iter().collect(),
            losses,
        })
    }

    fn feed(&self, way: &Way, stamp: &Stamp<'_>) -> Box<dyn Feed> {
        if self.translates(way) {
            let writer = codec(FORMAT).stream_writer(stamp);
            return translation::feed(way, writer, self.hide_reasoning);
        }
        Box::new(pass_through::PassThrough::new(stamp, self.hide_reasoning))
    }

    fn writer(&self, stamp: &Stamp<'_>) -> Option<(Box<dyn StreamWriter>, bool)> {
        Some((codec(FORMAT).stream_writer(stamp), self.hide_reasoning))
    }

    fn write_rest(
        &self,
        way: &Way,
        target: &WriteTarget<'_>,
        rest: &Rest<'_>,
    ) -> Result<PreparedRest, Failure> {
        let parse = || self.parse();
        self.parsed
            .write_rest(&self.segments, parse, (way, target), rest)
    }

    fn tools(&self) -> Option<Cow<'_, [u8]>> {
        tools_of(self.envelope.outline(), &self.segments)
    }

    fn whole(&self, way: &Way, stamp: &Stamp<'_>, body: &Bytes) -> Result<WholeReply, Failure> {
        if self.translates(way) {
            let stamp = OwnedStamp::of(stamp);
            let write = move |reply: &_| codec(FORMAT).write_reply(reply, &stamp.get());
            return translation::whole(way, body, self.hide_reasoning, write);
        }
        let mut parts = passthrough::splice_reply(body, stamp, self.hide_reasoning)?;
        let finish = parts.finishes.first();
        let report = Report {
            usage: parts.usage.unwrap_or_default(),
            upstream_id: parts.upstream_id.clone(),
            finish: finish.map(|finish| finish.reason.name()),
            native_finish: finish.map(|finish| finish.native.clone()),
            service_tier: parts.service_tier.clone(),
            content_bytes: parts.content_bytes,
            content_pieces: 0,
        };
        let calls = parts.calls.take();
        Ok(WholeReply {
            report,
            render: Box::new(move |usage, bill| parts.render(usage, bill).into()),
            record: None,
            calls,
        })
    }
}

/// Tells of users under the names that providers know.
fn tell(envelope: &Envelope, request: &mut Request) {
    for (param, told) in envelope.told() {
        if *param == Param::User {
            request.user = Some(told.clone());
        } else if let Some(value) = request.extras.members.get_mut(param.name()) {
            *value = told.as_str().into();
        }
    }
    if envelope.must_search() {
        let name = Param::WebSearchOptions.name();
        let members = &mut request.extras.members;
        if members.get(name).is_none_or(Value::is_null) {
            members.insert(name.to_owned(), Value::Object(Map::new()));
        }
    }
}

fn read(
    headers: &HeaderMap,
    envelope: &mut Envelope,
    segments: &[Bytes],
) -> Result<Box<Ask>, Failure> {
    let wishes = match &envelope.provider {
        Some(json) => Preferences::read(std::str::from_utf8(json).unwrap_or(""))?,
        None => Preferences::default(),
    };
    let features = envelope.features();
    let tier = envelope.service_tier.as_deref().map(TierWish::read);
    let models = ask::models(envelope.model.clone(), &envelope.models)?;
    let mut attribution = Attribution::by_headers(headers);
    if let Some(session) = &envelope.session_id {
        attribution.session_id.clone_from(session);
    }
    let cache_key = envelope.text(Param::PromptCacheKey, segments);
    attribution.prompt_cache_key = cache_key.unwrap_or_default();
    attribution.user = envelope.user.clone().unwrap_or_default();
    let labels = Labels {
        metadata: envelope.raw(Param::Metadata, segments),
        trace: envelope.raw(Param::Trace, segments),
    };
    attribution.labels = labels.write(headers)?;
    let is_named = !attribution.conversation().is_empty() || !wishes.order.is_empty();
    let search = envelope.raw(Param::WebSearchOptions, segments);
    let opener = (!is_named).then(|| envelope.opener(segments)).flatten();
    Ok(Box::new(Ask {
        needs: Needs {
            input: input_modalities(features),
            output: output_modalities(envelope, segments)?,
            parameters: parameters(envelope),
            text_bytes: envelope.facts.text_bytes,
            max_output: envelope.max_tokens,
        },
        models,
        wishes,
        stream: envelope.stream,
        answers: envelope.n,
        max_output: envelope.max_tokens,
        form: form(envelope),
        units: Units::default(),
        thinking: Thinking::asked(envelope.reasoning.as_ref()),
        tier: tier.transpose()?.unwrap_or_default(),
        search: search::read(search.as_deref())?,
        facts: std::mem::take(&mut envelope.facts),
        options: ask::Options::by_headers(headers, envelope.n)?,
        opener,
        attribution,
    }))
}

/// What the answer is in, as far as its length depends on it.
const fn form(envelope: &Envelope) -> Form {
    if envelope.params.has(Param::Tools) || envelope.params.has(Param::Functions) {
        Form::Tools
    } else if envelope.params.has(Param::ResponseFormat) {
        Form::Structured
    } else {
        Form::Text
    }
}

fn input_modalities(features: Features) -> Modalities {
    [
        (true, Modality::Text),
        (features.image, Modality::Image),
        (features.audio, Modality::Audio),
        (features.file, Modality::File),
        (features.video, Modality::Video),
    ]
    .into_iter()
    .filter_map(|(present, modality)| present.then_some(modality))
    .collect()
}

fn output_modalities(envelope: &Envelope, segments: &[Bytes]) -> Result<Modalities, Failure> {
    let Some(raw) = envelope.raw(Param::Modalities, segments) else {
        return Ok(Modalities::of(&[Modality::Text]));
    };
    let names: Vec<String> = serde_json::from_slice(&raw)
        .map_err(|_| Failure::invalid("modalities: an array such as [\"text\", \"image\"]"))?;
    names
        .iter()
        .map(|name| match name.as_str() {
            "text" => Ok(Modality::Text),
            "image" => Ok(Modality::Image),
            "audio" => Ok(Modality::Audio),
            other => Err(Failure::invalid(format!(
                "modalities: `{other}` is not one of text, image, audio"
            ))),
        })
        .collect()
}

/// What each parameter is called in the catalog, in the order of
/// [`Param::ALL`]: names are compared once, and not for each call.
static KNOWN: LazyLock<Vec<Option<Parameter>>> = LazyLock::new(|| {
    let names = Param::ALL.iter().map(|param| param.name());
    names.map(Parameter::by_name).collect()
});

fn parameters(envelope: &Envelope) -> Parameters {
    let known = |param: Param| KNOWN.get(param as usize).copied().flatten();
    envelope.params.iter().filter_map(known).collect()
}
