//! What clients speak: one file for each endpoint, and one table of them.
//!
//! An endpoint reads requests, writes them for a target, tells the answer,
//! and words every error. Nothing outside this folder knows which endpoints
//! there are or which format a client speaks; a test reads the sources and
//! holds the rest of the crate to it.
//!
//! Between what a client speaks and what a target speaks there are two ways.
//! Where both speak the same format the client's bytes are passed on, but for
//! the few members that differ, and so are the bytes of the answer: nothing
//! is lost that we do not know. Everywhere else both are translated through
//! the vocabulary ([`translation`]).

pub mod chat;
pub mod embed_content;
pub mod embeddings;
mod event_feed;
pub mod generate_content;
pub mod image_edits;
pub mod image_generations;
pub mod images;
pub mod messages;
pub mod moderations;
pub mod native;
mod not_offered;
pub mod realtime;
pub mod rerank;
pub mod responses;
pub mod speech;
pub mod stream_generate_content;
pub mod text;
pub mod transcriptions;
pub mod translation;
pub mod translations;
pub mod videos;
mod whole;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use bourse_net::Segments;
use bourse_vocab::chat::Loss;
use bourse_vocab::videos::{Shape as VideoShape, Tier};
use bourse_vocab::{Bill, Failure, Format, Usage};
use bourse_wire::json::{self, Kind, Outline};
use bourse_wire::multipart;
use bourse_wire::sse::write_data;
use bourse_wire::tool_calls::{Made, OFFERED_BYTES_MAX};
use bourse_wire::{Stamp, StreamWriter, WriteTarget};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::ask::Ask;
use crate::bodies::Room;
use crate::cache::record::Record;
use crate::identity::Caller;
use crate::relay::unstreamed::Unstreamed;
use crate::relay::{Feed, Report};
use crate::way::Way;

/// Every client endpoint.
pub static ENDPOINTS: &[&dyn Endpoint] = &[
    &chat::Chat,
    &text::Text,
    &messages::Messages,
    &responses::Responses,
    &embeddings::Embeddings,
    &image_generations::ImageGenerations,
    &image_edits::ImageEdits,
    &images::Images,
    &rerank::Rerank,
    &moderations::Moderations,
    &speech::Speech,
    &transcriptions::TRANSCRIPTIONS,
    &translations::TRANSLATIONS,
    &generate_content::GenerateContent,
    &stream_generate_content::StreamGenerateContent,
    &embed_content::EmbedContent,
    &videos::Videos,
];

/// Those whose clients ask for a connection, and for all else over that.
pub static SESSIONS: &[&dyn Endpoint] = &[&realtime::Realtime];

/// Those whose requests may be lines of a batch: a batch answers with JSON.
pub static IN_BATCHES: &[&dyn Endpoint] = &[
    &chat::Chat,
    &text::Text,
    &messages::Messages,
    &responses::Responses,
    &embeddings::Embeddings,
    &moderations::Moderations,
];

/// Every path that only counts what an endpoint would be sent.
pub static COUNTERS: &[&dyn Counter] = &[
    &messages::counting::CountTokens,
    &generate_content::counting::CountTokens,
];

/// The endpoint that serves a path, which is given without `/api`.
#[must_use]
pub fn at(path: &str) -> Option<&'static dyn Endpoint> {
    ENDPOINTS
        .iter()
        .copied()
        .find(|endpoint| endpoint.serves(path))
}

/// The endpoint at a path, given without `/api`, where a connection is asked
/// for.
#[must_use]
pub fn session_at(path: &str) -> Option<&'static dyn Endpoint> {
    SESSIONS
        .iter()
        .copied()
        .find(|endpoint| endpoint.serves(path))
}

/// The endpoint whose path, without `/api`, a batch names for its lines.
#[must_use]
pub fn in_batches(path: &str) -> Option<&'static dyn Endpoint> {
    IN_BATCHES
        .iter()
        .copied()
        .find(|endpoint| endpoint.path() == path)
}

/// The counter at a path, which is given without `/api`.
#[must_use]
pub fn counter_at(path: &str) -> Option<&'static dyn Counter> {
    COUNTERS
        .iter()
        .copied()
        .find(|counter| counter.serves(path))
}

/// An error as the last event of a stream that is OpenAI's and no chat: its
/// clients look for `error` in every event (openai-python, `Stream`, 2026).
fn write_failure(failure: &Failure, out: &mut Vec<u8>) {
    let codec = bourse_wire::codec(Format::OpenAiChat);
    write_data(&codec.write_failure(failure), out);
}

/// A request body that was scanned as it came: its members were found, its
/// prompt was neither parsed nor copied.
#[derive(Debug)]
pub struct Scanned {
    /// Where the members are.
    pub outline: Outline,
    /// The body, in the pieces in which it arrived.
    pub segments: Vec<Bytes>,
}

/// The member in which every chat format offers tools, if it can be kept.
fn tools_of<'a>(outline: &Outline, segments: &'a [Bytes]) -> Option<Cow<'a, [u8]>> {
    let member = outline.get("tools")?;
    let list = json::short(segments, &member.value, OFFERED_BYTES_MAX)?;
    (member.kind == Kind::Array).then_some(list)
}

/// A form whose parts were found as it came: its values, files too, were
/// neither parsed nor copied.
#[derive(Debug)]
pub struct ScannedForm {
    /// Where the parts are.
    pub form: multipart::Form,
    /// The body, in the pieces in which it arrived.
    pub segments: Vec<Bytes>,
}

/// A request as its endpoint read it: what all phases must know, and what
/// only the endpoint knows.
pub struct Incoming {
    /// What the caller asks for. Boxed: it is handed from phase to phase, and
    /// is most of a kilobyte.
    pub ask: Box<Ask>,
    /// How it was said. Let go when an answer has begun: a stream of minutes
    /// should not keep its prompt in memory.
    pub request: Arc<dyn ClientRequest>,
}

/// A request with the room that its body takes: both are let go of together.
pub struct Kept {
    /// How the request was said.
    pub request: Arc<dyn ClientRequest>,
    /// What it takes.
    pub room: Room,
}

/// One client endpoint.
pub trait Endpoint: Send + Sync {
    /// The path, without `/api`.
    fn path(&self) -> &'static str;

    /// Whether a path, given without `/api`, is this endpoint's.
    fn serves(&self, path: &str) -> bool {
        path == self.path()
    }

    /// Who serves a path with this query, if somebody else does: where a client
    /// says there how its stream is to be cut into frames.
    fn with_query(&self, _query: &str) -> Option<&'static dyn Endpoint> {
        None
    }

    /// Over which interface the models are sold that it asks.
    fn interface(&self) -> bourse_catalog::Interface {
        bourse_catalog::Interface::Chat
    }

    /// How well a way suits what the client speaks: the lowest is taken, and
    /// its own format comes first, because there the bytes pass. `None` if
    /// the endpoint cannot be served by it.
    fn rank(&self, way: &Way) -> Option<u8>;

    /// Reads a request of `caller`.
    ///
    /// # Errors
    /// Names the member and the remedy.
    fn read(&self, head: &Parts, body: Scanned, caller: Caller<'_>) -> Result<Incoming, Failure>;

    /// What reads a form with files (`multipart/form-data`), where the endpoint
    /// takes one beside JSON. By default none does.
    fn forms(&self) -> Option<&dyn TakesForms> {
        None
    }

    /// The body of an error reply. Its status and the headers that all
    /// replies have are set already; an endpoint whose clients look for more
    /// adds them.
    fn failure(&self, failure: &Failure, headers: &mut HeaderMap) -> Bytes;

    /// An error after the status has been sent, with the end of the stream.
    /// An endpoint whose answers all come whole has no such moment.
    fn late_failure(&self, failure: &Failure, _stamp: &Stamp<'_>) -> Bytes {
        self.failure(failure, &mut HeaderMap::new())
    }

    /// Bytes that keep a waiting stream alive, and that clients skip. Nothing
    /// keeps an answer alive that comes whole, or that is a sound: its client
    /// waits for the first of it, and a failure is a status until then.
    fn keep_alive(&self) -> &'static [u8] {
        b""
    }

    /// The member of its requests that has the prompt, for errors about it.
    fn prompt(&self) -> &'static str {
        "messages"
    }

    /// Adds to an answer, good or bad, the headers that its clients look for.
    fn head(&self, _headers: &mut HeaderMap) {}

    /// The status of an answer that is good.
    fn success(&self) -> StatusCode {
        StatusCode::OK
    }

    /// Whether its answers may be kept and told once more: only where their
    /// usage is told by us, so that it can be told to be none.
    fn keeps_answers(&self) -> bool {
        false
    }
}

/// An endpoint that takes forms with files beside JSON.
pub trait TakesForms: Send + Sync {
    /// The most that a file may have, in bytes.
    fn file_bytes_max(&self) -> usize;

    /// Reads a form of `caller`.
    ///
    /// # Errors
    /// Names the member and the remedy.
    fn read_form(
        &self,
        head: &Parts,
        form: ScannedForm,
        caller: Caller<'_>,
    ) -> Result<Incoming, Failure>;
}

/// A path that reads what an endpoint reads and tells how many tokens that is.
pub trait Counter: Endpoint {
    /// The body of an answer.
    fn tell(&self, tokens: u64) -> Bytes;
}

/// A client's request, able to say itself to a target and to have the answer
/// told in the client's words.
pub trait ClientRequest: Send + Sync {
    /// Length of the body in bytes.
    fn bytes(&self) -> usize;

    /// Whether the request must be translated for a way, and the answer back.
    /// Otherwise the bytes pass.
    fn translates(&self, way: &Way) -> bool;

    /// Writes the request for a target. What a translation has to parse is
    /// parsed once and kept for later targets.
    ///
    /// # Errors
    /// The request cannot be understood, or not be written for this target.
    fn write(&self, way: &Way, target: &WriteTarget<'_>) -> Result<Prepared, Failure>;

    /// What the client calls a member that the vocabulary calls `name`, where a
    /// loss is not the writer's.
    fn name_of(&self, name: &'static str) -> &'static str {
        name
    }

    /// What a written body is, where that differs from call to call: a form has
    /// a boundary. Otherwise the way's head says it.
    fn content_type(&self, _way: &Way) -> Option<HeaderValue> {
        None
    }

    /// What comes behind a way's path in this call: a vendor's voice is a part
    /// of its address. Called once the request was written, which has refused
    /// what cannot stand there.
    fn tail(&self, _way: &Way) -> Option<String> {
        None
    }

    /// Whether an answer of this `Content-Type` is the stream that was asked
    /// for.
    fn is_announced_by(&self, way: &Way, content_type: &str) -> bool {
        way.framing.is_announced_by(content_type)
    }

    /// The media type of a whole answer, where it is not JSON.
    fn media_type(&self) -> Option<&'static str> {
        None
    }

    /// Begins to tell a stream. An operation whose answers all come whole is
    /// never asked: its endpoint reads no wish for a stream.
    fn feed(&self, _way: &Way, _stamp: &Stamp<'_>) -> Box<dyn Feed> {
        Box::new(Unstreamed)
    }

    /// What tells a stream that another target may have to go on with, and
    /// whether the client is not shown what the model thought. `None` where
    /// the endpoint cannot have it gone on with.
    fn writer(&self, _stamp: &Stamp<'_>) -> Option<(Box<dyn StreamWriter>, bool)> {
        None
    }

    /// Writes the request for a target that goes on with an answer.
    ///
    /// # Errors
    /// It cannot be asked to.
    fn write_rest(
        &self,
        _way: &Way,
        _target: &WriteTarget<'_>,
        _rest: &Rest<'_>,
    ) -> Result<PreparedRest, Failure> {
        Err(Failure::server(
            "an endpoint is asked for what it cannot do",
        ))
    }

    /// The `tools` that the model is offered, as they were sent; `None` if there
    /// are none, or more than calls of them are judged by.
    fn tools(&self) -> Option<Cow<'_, [u8]>> {
        None
    }

    /// The request as that of a job, if it is one: its answer says only that
    /// somebody has taken it, under the name that [`Report::upstream_id`] has.
    fn job(&self) -> Option<&dyn JobRequest> {
        None
    }

    /// Reads a whole reply.
    ///
    /// # Errors
    /// It is not one, or it is an error: another target may answer.
    fn whole(&self, way: &Way, stamp: &Stamp<'_>, body: &Bytes) -> Result<WholeReply, Failure>;
}

/// A client's request for a job.
pub trait JobRequest: Send + Sync {
    /// Who is told when it has ended.
    fn callback(&self) -> Option<&str>;

    /// The answer that somebody has taken the job.
    fn taken(&self, id: &str) -> Bytes;

    /// What a model, as its vendor names it, is asked for in this way: for so
    /// many milliseconds, of which size, in which shape.
    ///
    /// # Errors
    /// It is not asked for that.
    fn order(&self, way: &Way, model: &str) -> Result<(u64, Tier, VideoShape), Failure>;
}

/// A request in a target's format.
#[derive(Debug)]
pub struct Prepared {
    /// The body.
    pub body: Segments,
    /// What could not be said.
    pub losses: Vec<Loss>,
}

/// What is to be gone on with.
#[derive(Debug, Clone, Copy)]
pub struct Rest<'a> {
    /// What was said.
    pub said: &'a str,
    /// How many tokens may follow, where the caller set a limit.
    pub max_tokens: Option<u64>,
}

/// A request to go on with an answer, in a target's format.
#[derive(Debug)]
pub struct PreparedRest {
    /// The request.
    pub prepared: Prepared,
    /// What the target says again before it goes on.
    pub repeats: String,
}

/// Writes a whole reply, once its usage is known and priced.
pub type Render = Box<dyn FnOnce(&Usage, &Bill) -> Bytes + Send>;

/// A whole reply in the client's words, except for its bill.
pub struct WholeReply {
    /// What was learned from it.
    pub report: Report,
    /// Writes it.
    pub render: Render,
    /// What the provider sent, where that is taken down.
    pub record: Option<Record>,
    /// Its tool calls, if it has any.
    pub calls: Option<Box<Made>>,
}
