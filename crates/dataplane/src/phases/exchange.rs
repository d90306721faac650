//! One try at one target: sign, send, await the first content.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bourse_net::{
    Deadlines, NetError, NetErrorKind, OutgoingRequest, Response, Upstream, UpstreamBody,
};
use bourse_vocab::failure::UpstreamError;
use bourse_vocab::service::public_name;
use bourse_vocab::trace::Parent;
use bourse_vocab::{Blame, Failure, FailureKind, Next, Reason};
use bourse_wire::{ErrorReply, Stamp};
use bytes::{Bytes, BytesMut};
use futures_util::future::poll_fn;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue};

use crate::attempts::Attempt;
use crate::bodies::{Bodies, Room};
use crate::clock::{Clock, now_ms};
use crate::endpoints::{ClientRequest, Prepared, WholeReply};
use crate::market::Target;
use crate::relay::{FRAME_BYTES_MAX, Feed};
use crate::replies::{self, Read, Unread};
use crate::rest;
use crate::way::Way;

/// Bytes of an error reply that are read: enough for any message, too few
/// to hurt.
const ERROR_BYTES_MAX: usize = 64 * 1024;
/// How long an error reply's body is waited for. The status is known already,
/// and it is the larger part of what there is to know.
const ERROR_BODY_WAIT: Duration = Duration::from_secs(5);
/// Bytes of a stream that may pass before the model says something: role
/// chunks and empty deltas, which take a few hundred, and then a first event,
/// which may be as long as any (a picture).
const PROLOGUE_BYTES_MAX: usize = 1024 * 1024 + FRAME_BYTES_MAX;
/// Bytes that tell events from other texts: the longest name of a field, and
/// some blanks.
const LOOKS_BYTES: usize = 16;

/// Where Google names the tier of service of an answer, besides its usage
/// (ai.google.dev/gemini-api/docs/priority-inference, June 2026).
const TIER_HEADER: &str = "x-gemini-service-tier";

/// The media type of whole answers. Elements of an array go by it too, so that
/// it does not tell the two apart.
const WHOLE: &str = "application/json";

/// A reply that has begun, or is whole.
pub enum Opened {
    /// A stream whose first content is in `out`.
    Stream {
        /// The rest of the upstream's answer.
        body: UpstreamBody,
        /// Turns it into the client's.
        feed: Box<dyn Feed>,
        /// What the client shall see first.
        out: Vec<u8>,
    },
    /// A whole reply, to be written once its bill is known. Boxed: a stream has
    /// nothing as large.
    Whole(Box<WholeReply>, Room),
}

impl Opened {
    /// See [`Feed::has_answered`].
    pub fn has_answered(&self) -> bool {
        match self {
            Self::Stream { feed, .. } => feed.has_answered(),
            Self::Whole(..) => true,
        }
    }
}

/// One try at one target.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    /// What the client asked, and how the answer is told.
    pub request: &'a dyn ClientRequest,
    /// Whether to stream.
    pub stream: bool,
    /// Whom to call.
    pub target: &'a Target,
    /// In which way.
    pub way: &'a Way,
    /// What the client's reply will carry.
    pub stamp: &'a Stamp<'a>,
    /// How long each stage may take.
    pub deadlines: &'a Deadlines,
    /// The most a whole reply may hold, in bytes.
    pub reply_bytes_max: usize,
    /// Where whole replies take their room.
    pub replies: &'a Arc<Bodies>,
    /// Where the time is read.
    pub clock: Clock,
    /// The span that this attempt is in its caller's trace, if there is one.
    pub trace: Option<Parent>,
    /// Features in beta that the caller asks for.
    pub betas: &'a str,
}

/// Asks the provider for those features in beta that it may be asked for.
fn ask_for_betas(request: &mut OutgoingRequest, way: &Way, asked: &str) {
    let Some(betas) = way.dialect.betas else {
        return;
    };
    let told = betas.told(asked);
    if let Ok(value) = HeaderValue::try_from(told)
        && !value.is_empty()
    {
        // As with the span: there is room for it, or it is left out.
        let _ = request.add_header(HeaderName::from_static(betas.header), value);
    }
}

/// Tells the provider of which span its work is a part.
fn tell_trace(request: &mut OutgoingRequest, span: Parent) {
    const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
    if let Ok(value) = HeaderValue::from_str(&span.to_string()) {
        // A signed head may have said all it wants to say.
        let _ = request.add_header(TRACEPARENT, value);
    }
}

impl Exchange<'_> {
    /// Adds what a body is, where that differs from call to call, and the span.
    fn describe(&self, request: &mut OutgoingRequest) -> Result<(), Failure> {
        if let Some(content_type) = self.request.content_type(self.way) {
            let added = request.add_header(CONTENT_TYPE, content_type);
            added.map_err(|error| Failure::server(format!("a body has no type: {error}")))?;
        }
        if let Some(span) = self.trace {
            tell_trace(request, span);
        }
        Ok(())
    }

    /// Sends a prepared request and awaits the first output of the model,
    /// shown or hidden, or the whole reply. How far it came is noted in
    /// `tried`.
    ///
    /// # Errors
    /// The target did not answer, or not with an answer.
    pub async fn run<U: Upstream>(
        &self,
        upstream: &U,
        prepared: Prepared,
        tried: &mut Attempt,
    ) -> Result<Opened, Failure> {
        let tail = self.request.tail(self.way);
        let request = self
            .way
            .request(self.stream, prepared.body, tail.as_deref());
        let request = request.await;
        let mut request = request.inspect_err(|_| tried.is_sent = false)?;
        self.describe(&mut request)?;
        if !self.betas.is_empty() {
            ask_for_betas(&mut request, self.way, self.betas);
        }
        let origin = &self.target.provider.origin;
        let sent = upstream.send(origin, &request, self.deadlines).await;
        let response = sent.map_err(|error| {
            tried.is_sent = error.wrote_request;
            unreachable(&error)
        })?;
        let head_ms = self.clock.now_ms();
        tried.head_ms = Some(head_ms);
        tried.status = response.status.as_u16();
        if !(200..300).contains(&tried.status) {
            // Boxed, as all that is cold here: every call would carry it.
            return Err(Box::pin(self.refused(response)).await);
        }
        if let Some(left) = rest::used_up(&response.headers, head_ms) {
            let health = &self.target.health;
            health.note_used_up(head_ms, left.first_ms, left.whole_ms);
        }
        if !self.target.tiers.is_empty() {
            let told = response.headers.get_str(TIER_HEADER);
            tried.tier = told.map(|word| public_name(word.trim()).into_owned());
        }
        let kind = response.headers.get_str("content-type");
        let is_stream = kind.is_some_and(|kind| self.request.is_announced_by(self.way, kind));
        if !self.stream {
            if is_stream && self.way.framing.media_type() != WHOLE {
                return Err(Failure::unavailable(
                    "The provider answered with a stream to a request for a whole answer",
                ));
            }
            let read = self.read_whole(response.body, self.reply_bytes_max).await?;
            let whole = self.request.whole(self.way, self.stamp, &read.text)?;
            // As for a stream: without content and without a finish it is
            // no answer, and another target may have one.
            let report = &whole.report;
            let is_silent = report.content_bytes == 0 && report.content_pieces == 0;
            if is_silent && report.finish.is_none() {
                return Err(Failure::unavailable(
                    "The provider's answer has no content and does not say why",
                ));
            }
            return Ok(Opened::Whole(Box::new(whole), read.understood()));
        }
        if is_stream {
            let mut feed = self.request.feed(self.way, self.stamp);
            feed.announced(kind.unwrap_or_default());
            return begin(response.body, feed, Bytes::new()).await;
        }
        // Boxed: streams have their type, all but always.
        Box::pin(self.unannounced(response.body)).await
    }

    /// An answer to a request for a stream that is not labelled as one. SDKs
    /// do not look at the label, so that servers get away without it (OpenAI's
    /// Python and Node.js libraries, November 2026); some vendors, on the other
    /// hand, answer with a plain error object and status 200.
    async fn unannounced(&self, mut body: UpstreamBody) -> Result<Opened, Failure> {
        let mut begun = BytesMut::new();
        while begun.len() < LOOKS_BYTES
            && let Some(piece) = poll_fn(|cx| body.poll_data(cx)).await
        {
            begun.extend_from_slice(&piece.map_err(|error| unreachable(&error))?);
        }
        if self.way.framing.looks_like(&begun) {
            let feed = self.request.feed(self.way, self.stamp);
            return begin(body, feed, begun.freeze()).await;
        }
        let max = self.reply_bytes_max;
        let read = self.read_whole(body, max.saturating_sub(begun.len()));
        let rest = read.await?;
        begun.extend_from_slice(&rest.text);
        let text = begun.freeze();
        if self.request.whole(self.way, self.stamp, &text).is_ok() {
            return Err(Failure::unavailable(
                "The provider answered with a whole answer to a request for a stream",
            ));
        }
        let text = text.get(..ERROR_BYTES_MAX).unwrap_or(&text);
        Err(self.read_failure(502, text, None))
    }

    /// Reads a whole reply of at most `max` bytes.
    async fn read_whole(&self, body: UpstreamBody, max: usize) -> Result<Read, Failure> {
        let read = replies::read(body, max, self.replies).await;
        read.map_err(|unread| match unread {
            Unread::NoRoom => replies::full(),
            Unread::Net(error) if error.kind == NetErrorKind::TooLarge => {
                Failure::unavailable(format!("The provider's reply is larger than {max} bytes"))
            }
            Unread::Net(error) => unreachable(&error),
        })
    }

    /// Understands a reply that is not a success.
    async fn refused(&self, response: Response) -> Failure {
        refused(self.target, self.way, response, self.clock).await
    }

    fn read_failure(&self, status: u16, body: &[u8], retry_after: Option<Duration>) -> Failure {
        read_failure(self.target, self.way, (status, body), retry_after)
    }
}

/// Understands a reply of a target that is not a success.
pub async fn refused(target: &Target, way: &Way, response: Response, clock: Clock) -> Failure {
    let status = response.status.as_u16();
    let header = |name: &str| response.headers.get_str(name);
    let retry_after = rest::announced(header, clock.now_ms());
    let request_id = request_id(&response);
    // A body that cannot be read tells less, but the status still counts.
    let body = read_prefix(response.body, ERROR_BYTES_MAX).await;
    let mut failure = read_failure(target, way, (status, &body), retry_after);
    if (300..400).contains(&status) {
        failure =
            Failure::unavailable("The provider answered with a redirect, which is never followed");
    }
    let upstream = failure
        .upstream
        .get_or_insert_with(Box::<UpstreamError>::default);
    upstream.provider = Some(target.provider.name.to_string().into());
    upstream.status = Some(status);
    upstream.request_id = request_id;
    if upstream.refused_us {
        way.refused();
    }
    if failure.retry_after.is_none() {
        failure.retry_after = retry_after;
    }
    failure
}

fn read_failure(
    target: &Target,
    way: &Way,
    (status, body): (u16, &[u8]),
    retry_after: Option<Duration>,
) -> Failure {
    let reply = ErrorReply {
        status,
        body,
        retry_after,
    };
    let provider = &target.provider.provider;
    provider.read_failure(way.format, &reply)
}

/// Reads a stream, which has `begun` to come, up to the first output of the
/// model.
async fn begin(
    mut body: UpstreamBody,
    mut feed: Box<dyn Feed>,
    begun: Bytes,
) -> Result<Opened, Failure> {
    let mut out = Vec::with_capacity(1024);
    let mut silent_bytes = begun.len();
    if !begun.is_empty() {
        feed.feed(&begun, &mut out)?;
    }
    while feed.content_pieces() == 0 {
        let more = read_on(&mut body, &mut *feed, &mut out, &mut silent_bytes).await?;
        if !more || (feed.is_complete() && feed.report().finish.is_some()) {
            break;
        }
    }
    Ok(Opened::Stream { body, feed, out })
}

/// Reads a piece of a stream whose client has not seen anything yet; `false`
/// at its end. `silent_bytes` counts what came since the model last said
/// something.
///
/// # Errors
/// The stream broke, ended without an answer, or brings nothing of use.
pub async fn read_on(
    body: &mut UpstreamBody,
    feed: &mut dyn Feed,
    out: &mut Vec<u8>,
    silent_bytes: &mut usize,
) -> Result<bool, Failure> {
    let before = feed.content_pieces();
    match poll_fn(|cx| body.poll_data(cx)).await {
        Some(Ok(piece)) => {
            *silent_bytes = silent_bytes.saturating_add(piece.len());
            feed.feed(&piece, out)?;
            if feed.content_pieces() > before {
                *silent_bytes = 0;
            } else if *silent_bytes > PROLOGUE_BYTES_MAX {
                return Err(Failure::unavailable(
                    "The provider sent a stream without content",
                ));
            }
            Ok(true)
        }
        Some(Err(error)) => Err(unreachable(&error)),
        None => {
            feed.end(out).map_err(cut_short)?;
            // A finished answer without content is an answer (a filter may
            // have emptied it); one without a finish is none.
            if feed.report().finish.is_none() {
                return Err(cut_short(Failure::unavailable(
                    "The provider ended its stream without content",
                )));
            }
            Ok(false)
        }
    }
}

/// Headers in which providers name a request: the first of them that is
/// there (platform.openai.com and docs.claude.com, API references, October
/// 2026).
const REQUEST_ID_HEADERS: [&str; 2] = ["x-request-id", "request-id"];
/// Longest id that is kept; known ones have some 40 bytes.
const REQUEST_ID_BYTES_MAX: usize = 128;

fn request_id(response: &Response) -> Option<String> {
    let mut names = REQUEST_ID_HEADERS.iter();
    let id = names
        .find_map(|name| response.headers.get_str(name))?
        .trim();
    let is_id = !id.is_empty() && id.len() <= REQUEST_ID_BYTES_MAX;
    is_id.then(|| id.to_owned())
}

/// Reads at most `max` bytes, for at most [`ERROR_BODY_WAIT`].
async fn read_prefix(mut body: UpstreamBody, max: usize) -> Bytes {
    let mut all = BytesMut::new();
    let reading = async {
        while let Some(Ok(piece)) = poll_fn(|cx| body.poll_data(cx)).await {
            let room = max.saturating_sub(all.len());
            all.extend_from_slice(piece.get(..room).unwrap_or(&piece));
            if all.len() >= max {
                break;
            }
        }
    };
    // What came until then is what there is.
    let _ = tokio::time::timeout(ERROR_BODY_WAIT, reading).await;
    all.freeze()
}

/// How often an operator is told at most of a proxy that is in the way: every
/// call meets it.
const TELL_OF_PROXY_EVERY_MS: u64 = 10_000;

/// Says what a proxy needs, which is the operator's to give and no caller's to
/// know.
#[cold]
fn tell_of_proxy(error: &NetError) {
    static TOLD_MS: AtomicU64 = AtomicU64::new(0);
    let now = now_ms();
    let told = TOLD_MS.load(Relaxed);
    let is_due = now.saturating_sub(told) >= TELL_OF_PROXY_EVERY_MS;
    if is_due
        && TOLD_MS
            .compare_exchange(told, now, Relaxed, Relaxed)
            .is_ok()
    {
        tracing::warn!(why = %error, "a provider is not reached through its proxy");
    }
}

/// What a stream fails with that ended before its answer did.
pub const fn cut_short(failure: Failure) -> Failure {
    failure.reason(Reason::Cut)
}

/// Why an exchange failed, for whoever mends it.
const fn reason(kind: NetErrorKind) -> Reason {
    match kind {
        NetErrorKind::Resolve => Reason::Dns,
        NetErrorKind::Connect => Reason::Connect,
        NetErrorKind::Tls => Reason::Tls,
        NetErrorKind::ConnectTimeout | NetErrorKind::HeadTimeout | NetErrorKind::IdleTimeout => {
            Reason::Timeout
        }
        NetErrorKind::ClosedBeforeResponse | NetErrorKind::Reset | NetErrorKind::Truncated => {
            Reason::Cut
        }
        NetErrorKind::Malformed | NetErrorKind::TooLarge => Reason::Malformed,
        NetErrorKind::Egress | NetErrorKind::Exhausted | NetErrorKind::Proxy => Reason::NotCalled,
    }
}

/// A failed exchange in the words of a call.
pub fn unreachable(error: &NetError) -> Failure {
    if error.kind == NetErrorKind::Proxy {
        tell_of_proxy(error);
    }
    let (kind, message) = match error.kind {
        NetErrorKind::ConnectTimeout | NetErrorKind::HeadTimeout => {
            (FailureKind::Timeout, "The provider did not answer in time")
        }
        NetErrorKind::IdleTimeout => (FailureKind::Timeout, "The provider stopped sending"),
        NetErrorKind::Truncated | NetErrorKind::Reset => (
            FailureKind::Unavailable,
            "The provider closed the connection in the middle of its answer",
        ),
        NetErrorKind::Malformed | NetErrorKind::TooLarge => (
            FailureKind::Unavailable,
            "The provider's answer is not valid HTTP",
        ),
        NetErrorKind::Egress => (
            FailureKind::Unavailable,
            "The provider's address may not be called",
        ),
        NetErrorKind::Proxy => (
            FailureKind::Unavailable,
            "The proxy on the way to the provider lets nothing through",
        ),
        _ => (
            FailureKind::Unavailable,
            "The provider could not be reached",
        ),
    };
    let mut failure = Failure::new(kind, message)
        .next(Next::TryAnother)
        .reason(reason(error.kind))
        .inside(error.to_string());
    let is_ours = matches!(
        error.kind,
        NetErrorKind::Exhausted | NetErrorKind::Egress | NetErrorKind::Proxy
    );
    if is_ours {
        // Nobody was asked: it says nothing of the provider.
        failure.blame = Blame::Us;
    }
    failure
}
