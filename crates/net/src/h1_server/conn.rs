//! One connection: its socket, its buffers, its timer, and how far the
//! request and its answer have come.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::response::Parts;
use http_body::SizeHint;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::io::poll_read_buf;

use super::answer::{self, Length};
use super::head::{self, Framing, Head, Parsed};
use super::out::Out;
use super::{Answer, Waits};
use crate::deadline::{Timer, after};
use crate::h1::{Chunked, head_ends};

/// First size of the read buffer: a head with a prompt of some pages fits.
const READ_BYTES_MIN: usize = 8 * 1024;
/// Largest single read. Beyond it a system call costs nothing next to the
/// copying, and a client that stalls holds this much beside its body.
const READ_BYTES_MAX: usize = 256 * 1024;
/// A read that fills its room makes the next one so many times larger: a
/// megabyte is there in seven.
const READ_GROWTH: usize = 4;
/// What is read of a connection to see whether it is still there. More than
/// that of a next request stays in the kernel until it is its turn.
const PROBE_BYTES: usize = 64;

/// What a connection brings. Nearly always a request: a box for it would only
/// be one more allocation.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub(super) enum Next<R> {
    /// A request, and what serves it.
    Ours(R, Head),
    /// Something that is not served here.
    Other,
    /// Nothing more.
    Closed(&'static str),
}

/// What of a request's body is still to come.
#[derive(Debug)]
enum Rest {
    Nothing,
    Length(u64),
    Chunked(Chunked),
    /// Nobody knows where the next request begins.
    Lost,
}

/// What a connection between two answers waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaits {
    /// The end of a head.
    Head,
    /// The beginning of another one.
    Next,
}

/// A connection.
pub(super) struct Conn<S> {
    stream: S,
    /// Bytes read and not yet used.
    buf: BytesMut,
    /// How much the next read asks for.
    read_bytes: usize,
    /// So many bytes of the buffer were no whole head.
    tried: usize,
    rest: Rest,
    timer: Timer,
    /// What the timer is set for.
    awaits: Awaits,
    out: Out,
    /// How long the answer is that is being sent.
    length: Length,
}

impl<S> Conn<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            buf: BytesMut::new(),
            read_bytes: READ_BYTES_MIN,
            tried: 0,
            rest: Rest::Nothing,
            timer: Timer::default(),
            awaits: Awaits::Head,
            out: Out::default(),
            length: Length::Exact(0),
        }
    }

    /// The socket, and what was read from it and not used.
    pub(super) fn into_parts(self) -> (S, BytesMut) {
        (self.stream, self.buf)
    }

    /// A head that trickles in is read from its start each time its size has
    /// doubled, and at its end.
    fn may_have_head(&self) -> bool {
        !self.buf.is_empty()
            && (self.tried == 0
                || self.buf.len() >= self.tried.saturating_mul(2)
                || head_ends(&self.buf, self.tried))
    }
}

// === Reading ===

impl<S: AsyncRead + Unpin> Conn<S> {
    /// Waits for the head of a request.
    pub(super) fn poll_head<R>(
        &mut self,
        cx: &mut Context<'_>,
        waits: Waits,
        route: impl Fn(&str, &dyn Fn(&str) -> bool) -> Option<R>,
        reads: impl Fn(&R, &str) -> bool,
    ) -> Poll<Next<R>> {
        loop {
            if self.may_have_head() {
                match head::parse(&mut self.buf, &route, &reads) {
                    Parsed::Ours(route, head) => {
                        self.tried = 0;
                        self.timer.clear();
                        self.awaits = Awaits::Next;
                        return Poll::Ready(Next::Ours(route, head));
                    }
                    Parsed::Other => return Poll::Ready(Next::Other),
                    Parsed::Partial => self.tried = self.buf.len(),
                }
            }
            match self.poll_fill(cx, READ_BYTES_MIN) {
                Poll::Ready(Ok(0)) if self.buf.len() > self.tried => {
                    return Poll::Ready(Next::Other);
                }
                Poll::Ready(Ok(0)) => return Poll::Ready(Next::Closed("the client has closed")),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Next::Closed("the connection broke")),
                Poll::Pending => break,
            }
        }
        let has_begun = self.awaits == Awaits::Next && !self.buf.is_empty();
        if has_begun {
            self.awaits = Awaits::Head;
        }
        if has_begun || !self.timer.is_set() {
            let wait = match self.awaits {
                Awaits::Head => waits.head,
                Awaits::Next => waits.next,
            };
            self.timer.set(after(Instant::now(), wait));
        }
        ready!(self.timer.poll_expired(cx));
        Poll::Ready(Next::Closed("no head came in time"))
    }

    /// Begins to read a body, and returns it if all of it is there.
    pub(super) fn begin_body(&mut self, framing: Framing) -> Option<Bytes> {
        self.rest = match framing {
            Framing::Chunked => Rest::Chunked(Chunked::new()),
            Framing::Length(length) => match usize::try_from(length) {
                Ok(length) if length <= self.buf.len() => {
                    self.rest = Rest::Nothing;
                    return Some(self.buf.split_to(length).freeze());
                }
                _ => Rest::Length(length),
            },
        };
        None
    }

    /// The next piece of the body; `None` at its end.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            match self.take_body() {
                Err(error) => return Poll::Ready(Some(Err(self.lose(error)))),
                Ok(piece) if !piece.is_empty() => return Poll::Ready(Some(Ok(piece))),
                Ok(_) => {}
            }
            let wanted = match &self.rest {
                Rest::Nothing | Rest::Lost => return Poll::Ready(None),
                Rest::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX),
                Rest::Chunked(_) => usize::MAX,
            };
            let read = match ready!(self.poll_fill(cx, wanted)) {
                Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                read => read,
            };
            if let Err(error) = read {
                return Poll::Ready(Some(Err(self.lose(error))));
            }
        }
    }

    fn lose(&mut self, error: io::Error) -> io::Error {
        self.rest = Rest::Lost;
        error
    }

    /// Takes what there is of the body out of the buffer.
    fn take_body(&mut self) -> io::Result<Bytes> {
        match &mut self.rest {
            Rest::Nothing | Rest::Lost => Ok(Bytes::new()),
            Rest::Length(left) => {
                let take =
                    usize::try_from(*left).map_or(self.buf.len(), |left| left.min(self.buf.len()));
                *left = left.saturating_sub(take as u64);
                if *left == 0 {
                    self.rest = Rest::Nothing;
                }
                Ok(self.buf.split_to(take).freeze())
            }
            Rest::Chunked(chunked) => {
                let decoded = chunked.decode(&mut self.buf).map_err(io::Error::other)?;
                self.buf.advance(decoded.start);
                let piece = self.buf.split_to(decoded.end - decoded.start).freeze();
                self.buf.advance(decoded.consumed - decoded.end);
                if chunked.is_done() {
                    self.rest = Rest::Nothing;
                }
                Ok(piece)
            }
        }
    }

    /// Skips what there is of a body that nobody reads on. Whether that was
    /// its end: otherwise the next request cannot be found.
    fn skip_body(&mut self, cx: &mut Context<'_>) -> bool {
        let _ = self.take_body().map_err(|error| self.lose(error));
        if matches!(self.rest, Rest::Length(_) | Rest::Chunked(_))
            && let Poll::Ready(Ok(1..)) = self.poll_fill(cx, READ_BYTES_MIN)
        {
            let _ = self.take_body().map_err(|error| self.lose(error));
        }
        matches!(self.rest, Rest::Nothing)
    }

    /// Ready when the client has closed its side, or all of it: a client that
    /// waits for nothing more is not worth a provider's answer, and one that
    /// closes only its side cannot be told from one that has left.
    ///
    /// What came of a next request hides that, as does a body that was not
    /// read to its end; writing notices it then.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.buf.is_empty() || !matches!(self.rest, Rest::Nothing) {
            return Poll::Pending;
        }
        let mut bytes = [0; PROBE_BYTES];
        let mut probe = ReadBuf::new(&mut bytes);
        match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut probe)) {
            Ok(()) if !probe.filled().is_empty() => {
                self.buf.extend_from_slice(probe.filled());
                Poll::Pending
            }
            Ok(()) | Err(_) => Poll::Ready(()),
        }
    }

    /// Reads once into the buffer, at most about `wanted` bytes; `Ok(0)` is
    /// the end of the stream.
    fn poll_fill(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        let wanted = wanted.clamp(READ_BYTES_MIN, self.read_bytes);
        // Whatever was cut from the buffer is gone between two requests: the
        // next one goes where the one before was, which is still in the cache.
        if self.buf.is_empty() {
            let _ = self.buf.try_reclaim(READ_BYTES_MIN);
        }
        // What is left of a large buffer is used up before there is a new one:
        // pieces of a body keep all of it.
        if self.buf.capacity() - self.buf.len() < READ_BYTES_MIN / 2 {
            self.buf.reserve(wanted);
        }
        let room = self.buf.capacity() - self.buf.len();
        let read = poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.buf);
        if let Poll::Ready(Ok(length)) = read
            && length >= room
        {
            let grown = self.read_bytes.saturating_mul(READ_GROWTH);
            self.read_bytes = grown.min(READ_BYTES_MAX);
        }
        read
    }
}

// === Answering ===

impl<S: AsyncRead + AsyncWrite + Unpin> Conn<S> {
    /// Begins an answer: its head waits for the beginning of its body.
    /// Returns whether another request may follow.
    pub(super) fn begin_answer(
        &mut self,
        cx: &mut Context<'_>,
        parts: &Parts,
        body: &SizeHint,
        may_keep: bool,
    ) -> bool {
        let is_at_end = self.skip_body(cx);
        self.length = Length::of(parts.status, body);
        let keeps = may_keep && is_at_end && !answer::says_close(&parts.headers);
        answer::append_head(parts, self.length, keeps, self.out.bytes());
        self.read_bytes = READ_BYTES_MIN;
        keeps
    }

    /// Sends the answer, as fast as the client takes it.
    pub(super) fn poll_send<B>(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut B,
    ) -> Poll<Result<(), &'static str>>
    where
        B: Answer + Unpin,
    {
        loop {
            // What waits goes first: only a client that takes it is worth
            // asking the provider for more.
            let mut is_waiting = false;
            while self.out.has_room() && !self.length.is_reached() {
                match Pin::new(&mut *body).poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => {
                        if let Ok(data) = frame.into_data() {
                            self.length.push(data, &mut self.out)?;
                        }
                        if !self.length.is_reached() && body.is_end_stream() {
                            self.length.end(&mut self.out)?;
                        }
                    }
                    Poll::Ready(None) => self.length.end(&mut self.out)?,
                    Poll::Ready(Some(Err(_))) => return Poll::Ready(Err("the answer broke off")),
                    Poll::Pending => {
                        is_waiting = true;
                        break;
                    }
                }
            }
            match self.out.poll_write(Pin::new(&mut self.stream), cx) {
                Poll::Ready(Ok(())) if self.length.is_reached() => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) => {
                    body.written();
                    if !is_waiting {
                        continue;
                    }
                    self.rest();
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Err("the client takes no more")),
                Poll::Pending => {}
            }
            return self.poll_gone(cx).map(|()| Err("the client has left"));
        }
    }

    /// Lets go of what a stream does not need between two chunks.
    fn rest(&mut self) {
        if self.buf.is_empty() && self.buf.capacity() > 0 {
            self.buf = BytesMut::new();
        }
        self.out.rest();
    }

    /// Tells the client that nothing more comes.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // A client that does not hear it is gone.
        Pin::new(&mut self.stream).poll_shutdown(cx).map(drop)
    }
}
