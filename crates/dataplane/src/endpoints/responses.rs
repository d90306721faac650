//! `POST /responses`: OpenAI's Responses, with OpenRouter's additions.
//!
//! Nothing is stored: a conversation comes whole with each call. Every request
//! is translated, also for targets that speak the same format, because what a
//! client replays may have been thought by somebody else, and a provider
//! refuses seals that it did not make. Until the money is held only the
//! members that the gateway needs are read; what else is wrong with a request,
//! its one parse says before it is sent.

mod ask;

use std::borrow::Cow;
use std::sync::Arc;

use bourse_vocab::chat::{Event, Request};
use bourse_vocab::{Failure, Format, Operation};
use bourse_wire::openai_responses::{self, Echo, members};
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
use crate::way::Way;

/// What clients of this endpoint speak.
const FORMAT: Format = Format::OpenAiResponses;
/// Whom providers may ask about what a user does (openrouter.ai/docs, user
/// tracking, August 2026).
const SAFETY: &str = "safety_identifier";

/// OpenAI's Responses.
pub struct Responses;

impl Endpoint for Responses {
    fn path(&self) -> &'static str {
        "/v1/responses"
    }

    fn prompt(&self) -> &'static str {
        "input"
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        (way.operation == Operation::Chat).then_some(u8::from(way.format != FORMAT))
    }

    fn read(&self, head: &Parts, body: Scanned, caller: Caller<'_>) -> Result<Incoming, Failure> {
        members::check_scanned(&body.outline, &body.segments)?;
        let members = ask::Members(&body);
        let ask = ask::read(&head.headers, &members)?;
        let user = caller.user(members.text("user").as_deref());
        let safety = caller.user(members.text(SAFETY).as_deref());
        Ok(Incoming {
            ask,
            request: Arc::new(ResponsesRequest {
                user,
                safety,
                echo: Arc::new(Echo::of(&body.outline, &body.segments)),
                body,
                parsed: Parsed::default(),
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
        super::chat::KEEP_ALIVE
    }

    fn keeps_answers(&self) -> bool {
        true
    }
}

/// A request that was not parsed yet.
struct ResponsesRequest {
    body: Scanned,
    /// The name under which providers are told of the user.
    user: Option<String>,
    /// The same of whom `safety_identifier` names.
    safety: Option<String>,
    /// What every response repeats.
    echo: Arc<Echo>,
    parsed: Parsed,
}

impl ResponsesRequest {
    fn parse(&self) -> Result<Request, Failure> {
        let Scanned { outline, segments } = &self.body;
        let mut request = codec(FORMAT).read_scanned(outline, segments)?;
        request.user.clone_from(&self.user);
        if let (Some(told), Some(value)) = (&self.safety, request.extras.members.get_mut(SAFETY)) {
            *value = told.as_str().into();
        }
        Ok(request)
    }
}

impl ClientRequest for ResponsesRequest {
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
            openai_responses::locate(losses, outline, segments);
        })
    }

    fn feed(&self, way: &Way, stamp: &Stamp<'_>) -> Box<dyn Feed> {
        let writer = openai_responses::stream_writer(stamp, Arc::clone(&self.echo));
        translation::feed(way, writer, false)
    }

    fn writer(&self, stamp: &Stamp<'_>) -> Option<(Box<dyn StreamWriter>, bool)> {
        let writer = openai_responses::stream_writer(stamp, Arc::clone(&self.echo));
        Some((writer, false))
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

    fn tools(&self) -> Option<Cow<'_, [u8]>> {
        tools_of(&self.body.outline, &self.body.segments)
    }

    fn whole(&self, way: &Way, stamp: &Stamp<'_>, body: &Bytes) -> Result<WholeReply, Failure> {
        let (stamp, echo) = (OwnedStamp::of(stamp), Arc::clone(&self.echo));
        let write = move |reply: &_| openai_responses::write_reply(reply, &stamp.get(), &echo);
        translation::whole(way, body, false, write)
    }
}
