//! A response body, read from the socket as the caller asks for it.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::time::Instant;

use crate::deadline::after;
use crate::error::{NetError, NetErrorKind};
use crate::h1::chunked::Chunked;
use crate::h1::conn::Conn;
use crate::h1::head::Framing;

#[derive(Debug)]
enum Decoder {
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

/// What a poll brought.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Payload, with more to come.
    More(Bytes),
    /// The last of the payload, which may be empty. The connection is at the
    /// end of the message.
    Last(Bytes),
}

/// A body that is still on its connection. Dropping it closes the
/// connection, which tells the upstream to stop.
pub(crate) struct H1Body {
    pub(crate) conn: Box<Conn>,
    decoder: Decoder,
    idle: Duration,
    keep_alive: bool,
    /// Set when something was decoded ahead of the first poll.
    ahead: Option<Bytes>,
}

impl H1Body {
    pub(crate) fn new(conn: Box<Conn>, framing: Framing, keep_alive: bool, idle: Duration) -> Self {
        let decoder = match framing {
            Framing::Length(length) => Decoder::Length(length),
            Framing::Chunked => Decoder::Chunked(Chunked::new()),
            Framing::UntilClose => Decoder::UntilClose,
        };
        let mut body = Self {
            conn,
            decoder,
            idle,
            keep_alive,
            ahead: None,
        };
        // The deadline for the head has been met.
        body.conn.timer.clear();
        body
    }

    /// Decodes what came with the head. `Some` when that is the whole body.
    pub(crate) fn read_ahead(&mut self) -> Result<Option<Bytes>, NetError> {
        match self.decode()? {
            Some(Progress::Last(payload)) => Ok(Some(payload)),
            Some(Progress::More(payload)) => {
                self.ahead = Some(payload);
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// Whether the connection may serve another request, once the body is
    /// complete. Bytes beyond its end would be taken for the next response.
    pub(crate) fn is_reusable(&self) -> bool {
        self.keep_alive && !matches!(self.decoder, Decoder::UntilClose) && self.conn.buf.is_empty()
    }

    /// Bytes of payload to come, when known.
    pub(crate) fn exact_length(&self) -> Option<u64> {
        match &self.decoder {
            Decoder::Length(left) => {
                Some(left + self.ahead.as_ref().map_or(0, |ahead| ahead.len() as u64))
            }
            Decoder::Chunked(_) | Decoder::UntilClose => None,
        }
    }

    pub(crate) fn set_idle(&mut self, idle: Duration) {
        self.idle = idle;
        self.conn.timer.clear();
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Progress, NetError>> {
        if let Some(ahead) = self.ahead.take() {
            return Poll::Ready(Ok(Progress::More(ahead)));
        }
        loop {
            match self.conn.poll_fill(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(self.ended()),
                Poll::Ready(Ok(_)) => {
                    self.conn.timer.clear();
                    if let Some(progress) = self.decode()? {
                        return Poll::Ready(Ok(progress));
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(broken(error))),
                Poll::Pending => break,
            }
        }
        // Silence begins here, not at the last read: the clock is read once a
        // wait, and the caller's own slowness is not held against the upstream.
        if !self.conn.timer.is_set() {
            self.conn.timer.set(after(Instant::now(), self.idle));
        }
        ready!(self.conn.timer.poll_expired(cx));
        Poll::Ready(Err(NetError::new(NetErrorKind::IdleTimeout)))
    }

    fn ended(&self) -> Result<Progress, NetError> {
        match self.decoder {
            Decoder::UntilClose => Ok(Progress::Last(Bytes::new())),
            Decoder::Length(_) | Decoder::Chunked(_) => Err(NetError::because(
                NetErrorKind::Truncated,
                "closed inside the body",
            )),
        }
    }

    /// Takes payload out of the buffer; `None` when it held framing only.
    fn decode(&mut self) -> Result<Option<Progress>, NetError> {
        let buf = &mut self.conn.buf;
        match &mut self.decoder {
            Decoder::Length(left) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(buf.len());
                let payload = buf.split_to(take).freeze();
                *left -= take as u64;
                Ok(progress(payload, *left == 0))
            }
            Decoder::Chunked(chunked) => {
                let decoded = chunked.decode(buf)?;
                buf.advance(decoded.start);
                let payload = buf.split_to(decoded.end - decoded.start).freeze();
                buf.advance(decoded.consumed - decoded.end);
                Ok(progress(payload, chunked.is_done()))
            }
            Decoder::UntilClose => Ok(progress(buf.split().freeze(), false)),
        }
    }
}

fn progress(payload: Bytes, is_last: bool) -> Option<Progress> {
    match (payload.is_empty(), is_last) {
        (_, true) => Some(Progress::Last(payload)),
        (false, false) => Some(Progress::More(payload)),
        (true, false) => None,
    }
}

fn broken(error: io::Error) -> NetError {
    let kind = match error.kind() {
        // TLS closed without a close_notify: the end may be an attacker's.
        io::ErrorKind::UnexpectedEof => NetErrorKind::Truncated,
        _ => NetErrorKind::Reset,
    };
    NetError::because(kind, error)
}
