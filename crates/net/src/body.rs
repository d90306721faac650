//! A response as its reader sees it, whatever protocol it came over.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::deadline::{Timer, after};
use crate::error::{NetError, NetErrorKind};
use crate::h1::{H1Body, Progress};
use crate::h2::H2Body;
use crate::headers::ResponseHeaders;
use crate::pool::OriginPool;

/// How a response was obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timing {
    /// Microseconds spent resolving, connecting and on TLS; 0 when reused.
    pub connect_us: u64,
    /// Whether the connection had served another request before.
    pub reused: bool,
}

/// A response whose head has arrived.
#[derive(Debug)]
pub struct Response {
    /// The status of the final (non-interim) response.
    pub status: StatusCode,
    /// Its headers.
    pub headers: ResponseHeaders,
    /// Its content, still to be read.
    pub body: UpstreamBody,
    /// How it was obtained.
    pub timing: Timing,
}

enum Source {
    Done,
    /// The whole body came with the head; its connection is already free.
    Whole(Bytes),
    H1 {
        body: H1Body,
        pool: Arc<OriginPool>,
    },
    H2(Box<H2Body>),
    Other(Box<OtherBody>),
}

/// A body that comes from no connection of ours.
struct OtherBody {
    body: Pin<Box<dyn Body<Data = Bytes, Error = NetError> + Send>>,
    idle: Duration,
    timer: Timer,
}

impl OtherBody {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Progress, NetError>> {
        while let Poll::Ready(frame) = self.body.as_mut().poll_frame(cx) {
            self.timer.clear();
            match frame.map(|frame| frame.map(Frame::into_data)) {
                None => return Poll::Ready(Ok(Progress::Last(Bytes::new()))),
                Some(Err(error)) => return Poll::Ready(Err(error)),
                Some(Ok(Ok(data))) if !data.is_empty() => {
                    return Poll::Ready(Ok(Progress::More(data)));
                }
                Some(Ok(_)) => {}
            }
        }
        if !self.timer.is_set() {
            self.timer.set(after(Instant::now(), self.idle));
        }
        ready!(self.timer.poll_expired(cx));
        Poll::Ready(Err(NetError::new(NetErrorKind::IdleTimeout)))
    }
}

/// The content of a response. It is read from the socket only when polled,
/// so a slow client slows the upstream down and nothing piles up here.
///
/// Read to its end, it gives its connection back. Dropped earlier, it closes
/// the connection (HTTP/1.1) or resets the stream (HTTP/2) at once.
pub struct UpstreamBody {
    source: Source,
}

impl UpstreamBody {
    pub(crate) fn h1(mut body: H1Body, pool: Arc<OriginPool>) -> Result<Self, NetError> {
        let source = match body.read_ahead()? {
            Some(payload) => {
                give_back(body, &pool);
                if payload.is_empty() {
                    Source::Done
                } else {
                    Source::Whole(payload)
                }
            }
            None => Source::H1 { body, pool },
        };
        Ok(Self { source })
    }

    pub(crate) fn h2(body: H2Body) -> Self {
        Self {
            source: Source::H2(Box::new(body)),
        }
    }

    /// A body from elsewhere (a recording, a script), held to the same rules:
    /// `idle` is the longest silence between two pieces of it.
    pub fn from_body<B>(body: B, idle: Duration) -> Self
    where
        B: Body<Data = Bytes, Error = NetError> + Send + 'static,
    {
        let other = OtherBody {
            body: Box::pin(body),
            idle,
            timer: Timer::default(),
        };
        Self {
            source: Source::Other(Box::new(other)),
        }
    }

    /// The next piece of content; `None` at the honest end of it. Chunks that
    /// arrived together come as one piece.
    ///
    /// # Errors
    /// When the body stalls, breaks off or is malformed. Nothing follows an
    /// error.
    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, NetError>>> {
        let result = match &mut self.source {
            Source::Done => return Poll::Ready(None),
            Source::Whole(payload) => {
                let payload = std::mem::take(payload);
                self.source = Source::Done;
                return Poll::Ready(Some(Ok(payload)));
            }
            Source::H1 { body, .. } => ready!(body.poll(cx)),
            Source::H2(body) => ready!(body.poll(cx)),
            Source::Other(body) => ready!(body.poll(cx)),
        };
        match result {
            Ok(Progress::More(payload)) => Poll::Ready(Some(Ok(payload))),
            Ok(Progress::Last(payload)) => {
                if let Source::H1 { body, pool } = std::mem::replace(&mut self.source, Source::Done)
                {
                    give_back(body, &pool);
                }
                Poll::Ready((!payload.is_empty()).then_some(Ok(payload)))
            }
            Err(error) => {
                // Drops the connection with whatever it is in the middle of.
                self.source = Source::Done;
                Poll::Ready(Some(Err(error.written(true))))
            }
        }
    }

    /// Awaits the next piece of content, see [`Self::poll_data`].
    ///
    /// # Errors
    /// As [`Self::poll_data`].
    pub async fn next(&mut self) -> Option<Result<Bytes, NetError>> {
        std::future::poll_fn(|cx| self.poll_data(cx)).await
    }

    /// Reads the rest of the body, up to `limit` bytes. A body that came in
    /// one piece is not copied.
    ///
    /// # Errors
    /// `NetErrorKind::TooLarge` above the limit (the connection is closed),
    /// and as [`Self::poll_data`].
    pub async fn read_to_end(self, limit: usize) -> Result<Bytes, NetError> {
        self.read_with(limit, |_| Ok(())).await
    }

    /// The same, where `take` is told how long each piece is before it is kept,
    /// and may refuse it.
    ///
    /// # Errors
    /// What `take` refuses with, and as [`Self::read_to_end`].
    pub async fn read_with<E: From<NetError>>(
        mut self,
        limit: usize,
        mut take: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<Bytes, E> {
        if self
            .exact_length()
            .is_some_and(|length| length > limit as u64)
        {
            return Err(too_large(limit).into());
        }
        let Some(first) = self.next().await.transpose()? else {
            return Ok(Bytes::new());
        };
        if first.len() > limit {
            return Err(too_large(limit).into());
        }
        take(first.len())?;
        let Some(second) = self.next().await.transpose()? else {
            return Ok(first);
        };
        let known = self
            .exact_length()
            .and_then(|left| usize::try_from(left).ok())
            .unwrap_or(0);
        let known = first.len() + second.len() + known;
        let mut whole = Vec::with_capacity(known.min(limit));
        whole.extend_from_slice(&first);
        let mut next = Some(second);
        while let Some(piece) = next {
            if whole.len() + piece.len() > limit {
                return Err(too_large(limit).into());
            }
            take(piece.len())?;
            if whole.capacity() - whole.len() < piece.len() {
                // Twice as much, but never beyond what may come.
                let room = whole.len().max(piece.len()).min(limit - whole.len());
                whole.reserve_exact(room);
            }
            whole.extend_from_slice(&piece);
            next = self.next().await.transpose()?;
        }
        Ok(whole.into())
    }

    /// Lets go of a body of which all that matters was read. What follows is
    /// the end of the response, if anything: it is waited for in the
    /// background, for at most `wait`, so that the connection can be used
    /// again. Anything else closes it.
    pub fn finish(mut self, wait: Duration) {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let at_once = self.poll_data(&mut cx);
        if at_once.is_pending()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                let _ = tokio::time::timeout(wait, self.next()).await;
            });
        }
    }

    /// Bytes still to come, when the upstream said so.
    #[must_use]
    pub fn exact_length(&self) -> Option<u64> {
        match &self.source {
            Source::Done => Some(0),
            Source::Whole(payload) => Some(payload.len() as u64),
            Source::H1 { body, .. } => body.exact_length(),
            Source::H2(body) => body.exact_length(),
            Source::Other(other) => other.body.size_hint().exact(),
        }
    }

    /// Changes the longest silence between two reads from here on.
    pub fn set_idle_timeout(&mut self, idle: Duration) {
        match &mut self.source {
            Source::Done | Source::Whole(_) => {}
            Source::H1 { body, .. } => body.set_idle(idle),
            Source::H2(body) => body.set_idle(idle),
            Source::Other(other) => {
                other.idle = idle;
                other.timer.clear();
            }
        }
    }
}

fn too_large(limit: usize) -> NetError {
    NetError::because(NetErrorKind::TooLarge, format!("body above {limit} bytes")).written(true)
}

fn give_back(body: H1Body, pool: &OriginPool) {
    if body.is_reusable() {
        pool.check_in(body.conn, Instant::now());
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = NetError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NetError>>> {
        self.get_mut()
            .poll_data(cx)
            .map(|data| data.map(|result| result.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.source, Source::Done)
    }

    fn size_hint(&self) -> SizeHint {
        self.exact_length()
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl std::fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let source = match &self.source {
            Source::Done => "done",
            Source::Whole(_) => "whole",
            Source::H1 { .. } => "h1",
            Source::H2(_) => "h2",
            Source::Other(_) => "other",
        };
        write!(f, "UpstreamBody({source})")
    }
}
