//! `POST /messages`: Anthropic's Messages, with OpenRouter's additions.
//!
//! Any model answers here. To targets that speak Anthropic's format the bytes
//! pass, but for what the gateway has to say itself; for all others request and
//! answer are translated. Either way the answer carries the call's id, the
//! model that gave it, the provider, and what it cost.

pub mod counting;
mod pass_through;

use std::borrow::Cow;
use std::sync::Arc;

use bourse_catalog::{Modalities, Modality, Parameter, Parameters};
use bourse_routing::filter::Needs;
use bourse_routing::lengths::Form;
use bourse_routing::preferences::Preferences;
use bourse_vocab::chat::{Event, Request};
use bourse_vocab::{Failure, Format, Operation, TierWish, Units};
use bourse_wire::anthropic::passthrough::{self, Envelope};
use bourse_wire::anthropic::write_with_id;
use bourse_wire::tool_calls::Made;
use bourse_wire::{Stamp, StreamWriter, WriteTarget, codec};
use bytes::Bytes;
use http::header::HeaderName;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::not_offered::NotOffered;
use super::translation::{self, OwnedStamp, Parsed};
use super::{
    ClientRequest, Endpoint, Incoming, Prepared, PreparedRest, Rest, Scanned, WholeReply, tools_of,
};
use crate::ask::{self, Ask, Attribution, Labels, Thinking};
use crate::identity::Caller;
use crate::relay::Feed;
use crate::relay::meter::report_of;
use crate::respond::GENERATION_ID;
use crate::way::Way;

/// What clients of this endpoint speak.
const FORMAT: Format = Format::Anthropic;
/// The event that keeps a waiting stream alive; clients skip it.
const KEEP_ALIVE: &[u8] = b"event: ping\ndata: {\"type\": \"ping\"}\n\n";
/// Where SDKs of this format look for the id of a call.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// Where they name the features in beta that they ask for.
const BETAS: HeaderName = HeaderName::from_static("anthropic-beta");
/// How much of that is looked at: coding agents name a dozen, of some 30
/// letters each.
const BETAS_BYTES_MAX: usize = 1_024;

/// Messages.
pub struct Messages;

impl Endpoint for Messages {
    fn path(&self) -> &'static str {
        "/v1/messages"
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        (way.operation == Operation::Chat).then_some(u8::from(way.format != FORMAT))
    }

    fn read(&self, head: &Parts, body: Scanned, caller: Caller<'_>) -> Result<Incoming, Failure> {
        let Scanned { outline, segments } = body;
        let mut envelope = Envelope::read(outline, &segments)?;
        NotOffered {
            debug: envelope.raw("debug", &segments).as_deref(),
            preset: envelope.text("preset", &segments).as_deref(),
            plugins: envelope.raw("plugins", &segments).as_deref(),
            transforms: envelope.raw("transforms", &segments).as_deref(),
        }
        .refuse()?;
        let ask = read(&head.headers, &mut envelope, &segments)?;
        envelope.told_user = caller.user(envelope.user.as_deref());
        Ok(Incoming {
            ask,
            request: Arc::new(MessagesRequest {
                envelope,
                segments,
                parsed: Parsed::default(),
            }),
        })
    }

    fn failure(&self, failure: &Failure, headers: &mut HeaderMap) -> Bytes {
        let id = headers.get(GENERATION_ID).and_then(|id| id.to_str().ok());
        write_with_id(failure, id).into()
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

    fn head(&self, headers: &mut HeaderMap) {
        if let Some(id) = headers.get(GENERATION_ID).cloned() {
            headers.insert(REQUEST_ID, id);
        }
    }
}

/// A request whose members are read and whose conversation is not.
struct MessagesRequest {
    envelope: Envelope,
    segments: Vec<Bytes>,
    parsed: Parsed,
}

impl MessagesRequest {
    fn parse(&self) -> Result<Request, Failure> {
        let mut request = codec(FORMAT).read_scanned(self.envelope.outline(), &self.segments)?;
        request.user.clone_from(&self.envelope.told_user);
        // It went where it was meant to go.
        request.extras.members.remove("metadata");
        Ok(request)
    }

    /// Whether the client is not to see what the model thought. Anthropic leaves
    /// out the words of a thought by itself (`thinking.display`), others do not.
    fn hides_thoughts(&self) -> bool {
        let asked = self.envelope.reasoning.as_ref();
        asked.is_some_and(|reasoning| reasoning.exclude)
    }
}

impl ClientRequest for MessagesRequest {
    fn bytes(&self) -> usize {
        self.envelope.outline().len()
    }

    /// Anthropic refuses a conversation with signatures that it did not make.
    fn translates(&self, way: &Way) -> bool {
        way.format != FORMAT || self.envelope.has_foreign_thoughts
    }

    fn write(&self, way: &Way, target: &WriteTarget<'_>) -> Result<Prepared, Failure> {
        if self.translates(way) {
            let parse = || self.parse();
            let written = self.parsed.write(&self.segments, parse, way, target);
            return translation::placed(written, |losses| {
                self.envelope.locate(losses, &self.segments);
            });
        }
        let (body, losses) = passthrough::splice_request(&self.envelope, &self.segments, target);
        Ok(Prepared {
            body: body.into_iter().collect(),
            losses,
        })
    }

    fn feed(&self, way: &Way, stamp: &Stamp<'_>) -> Box<dyn Feed> {
        if self.translates(way) {
            let writer = codec(FORMAT).stream_writer(stamp);
            return translation::feed(way, writer, self.hides_thoughts());
        }
        Box::new(pass_through::begin(way, stamp))
    }

    fn writer(&self, stamp: &Stamp<'_>) -> Option<(Box<dyn StreamWriter>, bool)> {
        Some((codec(FORMAT).stream_writer(stamp), self.hides_thoughts()))
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
            return translation::whole(way, body, self.hides_thoughts(), write);
        }
        let reply = codec(FORMAT).read_reply(body)?;
        let report = report_of(&reply);
        let edits = passthrough::splice_reply(body, stamp)?;
        Ok(WholeReply {
            report,
            render: Box::new(move |usage, bill| edits.render(usage, bill).into()),
            record: None,
            calls: Made::of_reply(&reply),
        })
    }
}

fn read(
    headers: &HeaderMap,
    envelope: &mut Envelope,
    segments: &[Bytes],
) -> Result<Box<Ask>, Failure> {
    let wishes = match envelope.raw("provider", segments) {
        Some(json) => Preferences::read(std::str::from_utf8(&json).unwrap_or(""))?,
        None => Preferences::default(),
    };
    let tier = envelope.text("service_tier", segments);
    let tier = tier.as_deref().map(TierWish::read);
    let attribution = attribution(headers, envelope, segments)?;
    let is_named = !attribution.conversation().is_empty() || !wishes.order.is_empty();
    let opener = (!is_named).then(|| envelope.opener(segments)).flatten();
    Ok(Box::new(Ask {
        needs: Needs {
            input: ask::input_modalities(&envelope.facts),
            output: Modalities::of(&[Modality::Text]),
            parameters: parameters(envelope, segments),
            text_bytes: envelope.facts.text_bytes,
            max_output: envelope.max_tokens,
        },
        models: ask::models(envelope.model.clone(), &envelope.models)?,
        wishes,
        stream: envelope.stream,
        answers: 1,
        max_output: paid_output(envelope),
        form: form(envelope, segments),
        units: Units::default(),
        thinking: Thinking::asked(envelope.reasoning.as_ref()),
        tier: tier.transpose()?.unwrap_or_default(),
        search: None,
        facts: std::mem::take(&mut envelope.facts),
        options: ask::Options::by_headers(headers, 1)?,
        opener,
        attribution,
    }))
}

/// The most output that is paid for. Thoughts between calls of tools may take
/// their budget beyond the limit (platform.claude.com, extended thinking,
/// interleaved thinking, November 2026).
fn paid_output(envelope: &Envelope) -> Option<u64> {
    let budget = envelope
        .reasoning
        .as_ref()
        .and_then(|asked| asked.max_tokens);
    let limit = envelope.max_tokens?;
    Some(limit.max(budget.unwrap_or(0)))
}

fn attribution(
    headers: &HeaderMap,
    envelope: &Envelope,
    segments: &[Bytes],
) -> Result<Attribution, Failure> {
    let mut attribution = Attribution::by_headers(headers);
    if let Some(session) = envelope.text("session_id", segments) {
        attribution.session_id = session;
    }
    attribution.user = envelope.user.clone().unwrap_or_default();
    let labels = Labels {
        metadata: envelope.other_metadata(segments),
        trace: envelope.raw("trace", segments),
    };
    attribution.labels = labels.write(headers)?;
    // Clients of this format name them where the vendor reads them.
    for asked in headers.get_all(BETAS).iter().map(HeaderValue::to_str) {
        let asked = asked.unwrap_or_default();
        let room = BETAS_BYTES_MAX.saturating_sub(attribution.betas.len());
        if asked.len() < room {
            attribution.betas.push(',');
            attribution.betas.push_str(asked);
        }
    }
    Ok(attribution)
}

fn form(envelope: &Envelope, segments: &[Bytes]) -> Form {
    if envelope.has("tools") {
        Form::Tools
    } else if envelope.asks_for_schema(segments) {
        Form::Structured
    } else {
        Form::Text
    }
}

/// What an endpoint of the catalogue must take, in the words in which it says
/// what it takes.
fn parameters(envelope: &Envelope, segments: &[Bytes]) -> Parameters {
    const SAME: [(&str, Parameter); 8] = [
        ("max_tokens", Parameter::MaxTokens),
        ("temperature", Parameter::Temperature),
        ("top_p", Parameter::TopP),
        ("top_k", Parameter::TopK),
        ("stop_sequences", Parameter::Stop),
        ("tools", Parameter::Tools),
        ("tool_choice", Parameter::ToolChoice),
        ("thinking", Parameter::Reasoning),
    ];
    let sent = SAME
        .into_iter()
        .filter_map(|(name, parameter)| envelope.has(name).then_some(parameter));
    let schema = envelope
        .asks_for_schema(segments)
        .then_some(Parameter::StructuredOutputs);
    sent.chain(schema).collect()
}
