//! `POST /v1beta/models/{model}:generateContent`: Google's API, with
//! OpenRouter's additions.
//!
//! Any model answers here. To targets that speak Google's format what was said
//! passes as bytes, and what decides the bill is written anew from a list; for
//! all others request and answer are translated. Either way the answer carries
//! the call's id, the model that gave it, the provider, and what it cost.
//!
//! The model is named in the address, and so is whether the answer is streamed
//! ([`super::stream_generate_content`]).

pub(super) mod address;
mod ask;
pub mod counting;
mod telling;

use std::borrow::Cow;
use std::sync::Arc;

use bourse_vocab::chat::{Event, Request};
use bourse_vocab::{Failure, Format, Operation};
use bourse_wire::dialect::service;
use bourse_wire::gemini::passthrough::{self, Envelope};
use bourse_wire::gemini::{self, Manner};
use bourse_wire::tool_calls::Made;
use bourse_wire::{Stamp, StreamWriter, WriteTarget, codec};
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;

use super::translation::{self, OwnedStamp, Parsed};
use super::{
    ClientRequest, Endpoint, Incoming, Prepared, PreparedRest, Rest, Scanned, WholeReply, tools_of,
};
use crate::identity::Caller;
use crate::relay::Feed;
use crate::relay::meter::report_of;
use crate::relay::reading::Reading;
use crate::way::Way;

/// What clients of this endpoint speak.
pub(super) const FORMAT: Format = Format::Gemini;
/// What keeps a waiting stream alive: blank lines. Google's SDK for Python
/// takes every other line that is not data for JSON (google-genai 3.6.1), and
/// in an array they are white space.
pub(super) const KEEP_ALIVE: &[u8] = b"\n\n";
/// The member that has the prompt.
pub(super) const PROMPT: &str = "contents";
/// What the address ends with.
const VERB: &str = "generateContent";

/// Whole answers.
pub struct GenerateContent;

impl Endpoint for GenerateContent {
    fn path(&self) -> &'static str {
        "/v1/models/{model}:generateContent"
    }

    fn serves(&self, path: &str) -> bool {
        address::serves(path, VERB)
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        rank(way)
    }

    fn read(&self, head: &Parts, body: Scanned, caller: Caller<'_>) -> Result<Incoming, Failure> {
        read(head, body, caller, None)
    }

    fn failure(&self, failure: &Failure, _: &mut HeaderMap) -> Bytes {
        codec(FORMAT).write_failure(failure).into()
    }

    fn late_failure(&self, failure: &Failure, stamp: &Stamp<'_>) -> Bytes {
        late_failure(failure, stamp, Manner::default())
    }

    fn keep_alive(&self) -> &'static [u8] {
        KEEP_ALIVE
    }

    fn prompt(&self) -> &'static str {
        PROMPT
    }
}

/// How well a way suits clients of Google's format.
pub(super) fn rank(way: &Way) -> Option<u8> {
    (way.operation == Operation::Chat).then_some(u8::from(way.format != FORMAT))
}

/// An error after the status, and the end of the stream.
pub(super) fn late_failure(failure: &Failure, stamp: &Stamp<'_>, manner: Manner) -> Bytes {
    let mut out = Vec::new();
    let event = Event::Error(Box::new(failure.clone()));
    gemini::stream_writer(stamp, manner).event(&event, &mut out);
    out.into()
}

/// Reads a request; `stream` says whether the answer is streamed, and whether
/// as one array.
pub(super) fn read(
    head: &Parts,
    body: Scanned,
    caller: Caller<'_>,
    stream: Option<Manner>,
) -> Result<Incoming, Failure> {
    let Scanned { outline, segments } = body;
    let mut envelope = Envelope::read(outline, &segments)?;
    let ask = ask::read(head, &mut envelope, &segments, stream.is_some())?;
    // Google is told of no users; other vendors are.
    let user = caller.user(envelope.text("user", &segments).as_deref());
    let manner = Manner {
        shows_thoughts: envelope.config.shows_thoughts(),
        ..stream.unwrap_or_default()
    };
    Ok(Incoming {
        ask,
        request: Arc::new(GenerateRequest {
            envelope,
            segments,
            user,
            stream: stream.is_some(),
            manner,
            parsed: Parsed::default(),
        }),
    })
}

/// A request whose members are read and whose conversation is not.
struct GenerateRequest {
    envelope: Envelope,
    segments: Vec<Bytes>,
    user: Option<String>,
    stream: bool,
    manner: Manner,
    parsed: Parsed,
}

impl GenerateRequest {
    fn parse(&self) -> Result<Request, Failure> {
        let mut request = codec(FORMAT).read_scanned(self.envelope.outline(), &self.segments)?;
        // Other formats are told in the request, and not by the address.
        request.stream = self.stream;
        request.user.clone_from(&self.user);
        self.envelope.prune(&mut request);
        Ok(request)
    }
}

impl ClientRequest for GenerateRequest {
    fn bytes(&self) -> usize {
        self.envelope.outline().len()
    }

    /// Google refuses a conversation with signatures that it did not make.
    fn translates(&self, way: &Way) -> bool {
        way.format != FORMAT || self.envelope.has_foreign_thoughts
    }

    fn write(&self, way: &Way, target: &WriteTarget<'_>) -> Result<Prepared, Failure> {
        if self.translates(way) {
            let parse = || self.parse();
            let written = self.parsed.write(&self.segments, parse, way, target);
            let mut prepared = translation::placed(written, |losses| {
                self.envelope.locate(losses, &self.segments);
            })?;
            prepared.losses.extend(self.envelope.losses.iter().cloned());
            return Ok(prepared);
        }
        let (body, losses) = passthrough::splice_request(&self.envelope, &self.segments, target);
        Ok(Prepared {
            body: body.into_iter().collect(),
            losses,
        })
    }

    fn name_of(&self, name: &'static str) -> &'static str {
        match name {
            service::MEMBER if self.envelope.has("serviceTier") => "serviceTier",
            name => name,
        }
    }

    fn feed(&self, way: &Way, stamp: &Stamp<'_>) -> Box<dyn Feed> {
        let manner = self.manner;
        if self.translates(way) {
            let told = telling::Translated::new(gemini::stream_writer(stamp, manner), manner);
            return Box::new(Reading::new(way.format, way.framing, told));
        }
        let told = telling::PassedOn::new(stamp, manner);
        Box::new(Reading::new(FORMAT, way.framing, told))
    }

    fn tools(&self) -> Option<Cow<'_, [u8]>> {
        tools_of(self.envelope.outline(), &self.segments)
    }

    fn writer(&self, stamp: &Stamp<'_>) -> Option<(Box<dyn StreamWriter>, bool)> {
        Some((gemini::stream_writer(stamp, self.manner), false))
    }

    fn write_rest(
        &self,
        way: &Way,
        target: &WriteTarget<'_>,
        rest: &Rest<'_>,
    ) -> Result<PreparedRest, Failure> {
        let parse = || self.parse();
        let segments = &self.segments;
        let written = self.parsed.write_rest(segments, parse, (way, target), rest);
        written.map(|mut written| {
            self.envelope.locate(&mut written.prepared.losses, segments);
            let losses = self.envelope.losses.iter().cloned();
            written.prepared.losses.extend(losses);
            written
        })
    }

    fn whole(&self, way: &Way, stamp: &Stamp<'_>, body: &Bytes) -> Result<WholeReply, Failure> {
        if self.translates(way) {
            let (stamp, manner) = (OwnedStamp::of(stamp), self.manner);
            let write = move |reply: &_| gemini::write_reply(reply, &stamp.get(), manner);
            return translation::whole(way, body, false, write);
        }
        let reply = codec(FORMAT).read_reply(body)?;
        let edits = passthrough::splice_reply(body, stamp)?;
        Ok(WholeReply {
            report: report_of(&reply),
            calls: Made::of_reply(&reply),
            render: Box::new(move |usage, bill| edits.render(usage, bill).into()),
            record: None,
        })
    }
}
