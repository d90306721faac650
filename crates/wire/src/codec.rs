//! What every format can do.

use bourse_vocab::chat::{Efforts, Event, Loss, Reply, Request};
use bourse_vocab::json::{ParseError, Value, parse};
use bourse_vocab::{Failure, Format, TierWish};
use bytes::Bytes;

use crate::dialect::Dialect;
use crate::json::{Outline, parse_scanned};
use crate::sse::Frame;

/// Where a request is going, as far as its bytes are concerned.
#[derive(Debug, Clone, Copy)]
pub struct WriteTarget<'a> {
    /// The model as the provider names it.
    pub model: &'a str,
    /// The model's output limit in tokens, for formats that insist on one.
    pub max_output: Option<u64>,
    /// The output limit that the gateway sets where the caller sets none:
    /// what is set aside pays for no more.
    pub limit: Option<u64>,
    /// The efforts that the model accepts, where the catalog knows.
    pub efforts: Efforts,
    /// What it is told of the tier of service: what it sells, and not always
    /// what the caller asked for.
    pub tier: TierWish,
    /// How the vendor strays from the format.
    pub dialect: &'a Dialect,
}

impl WriteTarget<'_> {
    /// The limit on output tokens that is written: the caller's, which is
    /// never changed, or else the gateway's.
    #[must_use]
    pub fn limit_of(&self, asked: Option<u64>) -> Option<u64> {
        asked.or(self.limit)
    }
}

/// A written request, and what it could not say.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The body.
    pub body: Vec<u8>,
    /// What the format or the vendor cannot express.
    pub losses: Vec<Loss>,
}

/// What a reply to the client must carry besides its content.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// The generation id, printed.
    pub id: &'a str,
    /// The model's slug: the concrete one that served, never an alias.
    pub model: &'a str,
    /// The provider's display name.
    pub provider: &'a str,
    /// Unix seconds at which the call began.
    pub created: u64,
    /// `openrouter_metadata`, as JSON text, where the caller asked for it.
    pub metadata: Option<&'a str>,
}

/// An error reply by a provider.
#[derive(Debug, Clone, Copy)]
pub struct ErrorReply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The body, cut to a bounded length.
    pub body: &'a [u8],
    /// Whether the provider said to wait, and how long.
    pub retry_after: Option<std::time::Duration>,
}

/// Turns the frames of one stream into events.
///
/// A reader is a state machine without I/O; each wire event has its own
/// small method. A frame that cannot be understood is a [`Failure`] with
/// kind `Unavailable`: a broken stream is never passed off as a good one.
pub trait StreamReader: Send {
    /// Reads one frame, appending what it means to `events`.
    fn frame(&mut self, frame: &Frame<'_>, events: &mut Vec<Event>) -> Result<(), Failure>;

    /// The provider closed the stream. Appends [`Event::Done`] if the format
    /// ends its streams by closing them; fails if the stream was cut short.
    fn end(&mut self, events: &mut Vec<Event>) -> Result<(), Failure>;
}

/// Turns events into the bytes of one stream, framing included.
pub trait StreamWriter: Send {
    /// Writes one event, appending to `out`.
    fn event(&mut self, event: &Event, out: &mut Vec<u8>);

    /// Another target goes on with the answer. What is told at the end of the
    /// stream is of that one; what each chunk is stamped with stays.
    fn restamp(&mut self, _stamp: &Stamp<'_>) {}
}

/// One wire format, both ways.
pub trait Codec: Send + Sync {
    /// Which format this is.
    fn format(&self) -> Format;

    /// Reads a client's request that was parsed. Failures name the field and
    /// the remedy.
    fn read_value(&self, body: Value) -> Result<Request, Failure>;

    /// Reads a client's request.
    fn read_request(&self, body: &[u8]) -> Result<Request, Failure> {
        self.read_value(parse(body).map_err(not_json)?)
    }

    /// Reads a client's request that was scanned as it came.
    fn read_scanned(&self, outline: &Outline, segments: &[Bytes]) -> Result<Request, Failure> {
        self.read_value(parse_scanned(outline, segments).map_err(not_json)?)
    }

    /// Writes a request for a provider.
    fn write_request(
        &self,
        request: &Request,
        target: &WriteTarget<'_>,
    ) -> Result<Written, Failure>;

    /// Reads a provider's whole reply. A reply that is not in the format is
    /// a failure of kind `Unavailable`, so that another target is tried.
    fn read_reply(&self, body: &[u8]) -> Result<Reply, Failure>;

    /// Writes a whole reply for a client.
    fn write_reply(&self, reply: &Reply, stamp: &Stamp<'_>) -> Vec<u8>;

    /// Begins to read a provider's stream.
    fn stream_reader(&self) -> Box<dyn StreamReader>;

    /// Begins to write a client's stream.
    fn stream_writer(&self, stamp: &Stamp<'_>) -> Box<dyn StreamWriter>;

    /// Understands a provider's error reply: kind, blame, what may help.
    fn read_failure(&self, reply: &ErrorReply<'_>) -> Failure;

    /// Writes the body of an error reply for a client.
    fn write_failure(&self, failure: &Failure) -> Vec<u8>;
}

/// A request that no parser takes.
pub(crate) fn not_json(error: ParseError) -> Failure {
    Failure::invalid(format!("request body is not JSON: {error}"))
}
