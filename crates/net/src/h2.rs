//! HTTP/2 connections, with room on them accounted for.
//!
//! A stream of tokens lives for minutes, and servers allow about a hundred
//! at a time. A request beyond the limit would wait inside the connection
//! for one of them to end, unseen by every deadline (hyper issue 2197). So a
//! connection is given at most four fifths of what the peer allows, and
//! another is opened when that is used up.

use std::error::Error as _;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::Instant;

use crate::deadline::{Timer, after};
use crate::error::{NetError, NetErrorKind};
use crate::h1::Progress;
use crate::permit::Permit;
use crate::request::{OutgoingRequest, SegmentBody};
use crate::stream::Stream;

/// Streams on one connection, whatever the peer allows: one lost packet
/// stops all of them.
const STREAMS_MAX: u32 = 64;
/// What a connection may carry until the peer's settings have arrived.
const STREAMS_UNSETTLED: usize = 1;
/// When the peer's settings never differ from the above, the connection
/// counts as settled after this long.
const SETTLE_AFTER: Duration = Duration::from_secs(1);
const SETTLE_LOOK_EVERY: Duration = Duration::from_millis(2);
/// Pings, and how long their answer may take.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// What one stalled reader may hold back, and enough for all of them at
/// once, so that slow clients cannot stop the others on their connection.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = STREAM_WINDOW_BYTES * STREAMS_MAX;
/// As for HTTP/1.1 heads.
const HEADER_LIST_BYTES_MAX: u32 = 64 * 1024;

/// What the connection's task knows of the other side.
struct Peer {
    /// Whether its settings have arrived.
    settled: AtomicBool,
    /// Streams that it allows.
    streams_max: AtomicUsize,
}

/// A connection, shared by the streams on it.
pub(crate) struct H2Conn {
    sender: SendRequest<SegmentBody>,
    in_flight: AtomicUsize,
    peer: Arc<Peer>,
    pub(crate) expires: Instant,
    idle_since: Mutex<Instant>,
    _permit: Permit,
}

impl H2Conn {
    /// Speaks the preface on a new connection and starts its task, which ends
    /// when the last stream and the pool have let go of the connection.
    pub(crate) async fn open(
        stream: Stream,
        expires: Instant,
        permit: Permit,
        guard: impl Send + 'static,
    ) -> Result<Arc<Self>, NetError> {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .initial_max_send_streams(STREAMS_UNSETTLED)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_header_list_size(HEADER_LIST_BYTES_MAX)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_TIMEOUT)
            .keep_alive_while_idle(true);
        let (sender, connection) = builder
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| NetError::because(NetErrorKind::Connect, error))?;
        let peer = Arc::new(Peer {
            settled: AtomicBool::new(false),
            streams_max: AtomicUsize::new(STREAMS_UNSETTLED),
        });
        let conn = Arc::new(Self {
            sender,
            in_flight: AtomicUsize::new(0),
            peer: peer.clone(),
            expires,
            idle_since: Mutex::new(Instant::now()),
            _permit: permit,
        });
        tokio::spawn(drive(connection, peer, guard));
        Ok(conn)
    }

    /// Streams that this connection should carry at most.
    fn limit(&self) -> usize {
        if !self.peer.settled.load(Ordering::Acquire) {
            return STREAMS_UNSETTLED;
        }
        let allowed = self.peer.streams_max.load(Ordering::Relaxed);
        // Four fifths, but a peer that allows one stream gets it.
        (allowed - allowed.div_ceil(5))
            .max(allowed.min(1))
            .min(STREAMS_MAX as usize)
    }

    pub(crate) fn is_usable(&self, now: Instant) -> bool {
        !self.sender.is_closed() && now < self.expires
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// How long it has carried nothing; `None` while it carries something.
    pub(crate) fn idle_for(&self, now: Instant) -> Option<Duration> {
        let since = *self
            .idle_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        (self.in_flight() == 0).then(|| now.saturating_duration_since(since))
    }

    /// Takes a place on the connection, if there is one. Callers hold the
    /// pool's lock, so two of them cannot take the same last place.
    pub(crate) fn take_slot(self: &Arc<Self>, reused: bool) -> Option<H2Slot> {
        if self.in_flight() >= self.limit() {
            return None;
        }
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Some(H2Slot {
            conn: self.clone(),
            reused,
        })
    }
}

/// A place on a connection; given back when dropped, whatever happened.
pub(crate) struct H2Slot {
    conn: Arc<H2Conn>,
    pub(crate) reused: bool,
}

impl Drop for H2Slot {
    fn drop(&mut self) {
        if self.conn.in_flight.fetch_sub(1, Ordering::Relaxed) == 1 {
            let mut since = self
                .conn
                .idle_since
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *since = Instant::now();
        }
    }
}

/// Runs a connection. Holds the dial's guard until the peer's settings are
/// known, so that others wait for the true limit and not beyond.
///
/// hyper reads settings in a task of its own and does not report them, so a new
/// connection looks for them every few milliseconds. A later change is seen
/// with the next request.
async fn drive(
    mut connection: Connection<TokioIo<Stream>, SegmentBody, TokioExecutor>,
    peer: Arc<Peer>,
    guard: impl Send + 'static,
) {
    let mut guard = Some(guard);
    let give_up_at = Instant::now() + SETTLE_AFTER;
    let mut look_again = pin!(tokio::time::sleep(Duration::ZERO));
    std::future::poll_fn(|cx| {
        let ended = Pin::new(&mut connection).poll(cx).is_ready();
        let streams_max = connection.current_max_send_streams();
        peer.streams_max.store(streams_max, Ordering::Relaxed);
        while guard.is_some() {
            let now = Instant::now();
            if streams_max != STREAMS_UNSETTLED || now >= give_up_at {
                peer.settled.store(true, Ordering::Release);
                guard = None;
            } else if look_again.as_mut().poll(cx).is_ready() {
                look_again.as_mut().reset(now + SETTLE_LOOK_EVERY);
            } else {
                break;
            }
        }
        if ended {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Sends a request and awaits the response head.
pub(crate) async fn exchange(
    slot: H2Slot,
    request: &OutgoingRequest,
    head_by: Instant,
    idle: Duration,
) -> Result<http::Response<H2Body>, NetError> {
    let reused = slot.reused;
    let mut sender = slot.conn.sender.clone();
    let sending = sender.try_send_request(request.to_h2());
    let outcome = match tokio::time::timeout_at(head_by, sending).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let error = NetError::new(NetErrorKind::HeadTimeout);
            return Err(error.written(true).on_reused(reused));
        }
    };
    match outcome {
        Ok(response) => Ok(response.map(|incoming| H2Body {
            incoming,
            slot,
            idle,
            timer: Timer::default(),
        })),
        Err(mut refused) => {
            let unsent = refused.take_message().is_some();
            let error = refused.into_error();
            let untouched = unsent || is_unprocessed(&error);
            let kind = if untouched || error.is_closed() || error.is_canceled() {
                NetErrorKind::ClosedBeforeResponse
            } else {
                NetErrorKind::Reset
            };
            Err(NetError::because(kind, error)
                .written(!untouched)
                .on_reused(reused))
        }
    }
}

/// Whether the peer says that it did nothing with the request: a refused
/// stream, or one above the last that a GOAWAY announces (RFC 9113 section
/// 8.7).
fn is_unprocessed(error: &hyper::Error) -> bool {
    let Some(cause) = error
        .source()
        .and_then(|source| source.downcast_ref::<h2::Error>())
    else {
        return false;
    };
    let graceful = cause.is_go_away() && cause.is_remote();
    match cause.reason() {
        Some(h2::Reason::REFUSED_STREAM) => true,
        Some(h2::Reason::NO_ERROR) => graceful,
        _ => false,
    }
}

/// A response body on a stream. Dropping it resets the stream.
pub(crate) struct H2Body {
    incoming: Incoming,
    slot: H2Slot,
    idle: Duration,
    timer: Timer,
}

impl H2Body {
    pub(crate) fn was_reused(&self) -> bool {
        self.slot.reused
    }

    pub(crate) fn exact_length(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    pub(crate) fn set_idle(&mut self, idle: Duration) {
        self.idle = idle;
        self.timer.clear();
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Progress, NetError>> {
        while let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            self.timer.clear();
            match frame {
                None => return Poll::Ready(Ok(Progress::Last(Bytes::new()))),
                Some(Err(error)) => {
                    return Poll::Ready(Err(NetError::because(NetErrorKind::Reset, error)));
                }
                Some(Ok(frame)) => {
                    // Trailers carry nothing for us.
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    if self.incoming.is_end_stream() {
                        return Poll::Ready(Ok(Progress::Last(data)));
                    }
                    if !data.is_empty() {
                        return Poll::Ready(Ok(Progress::More(data)));
                    }
                }
            }
        }
        if !self.timer.is_set() {
            self.timer.set(after(Instant::now(), self.idle));
        }
        ready!(self.timer.poll_expired(cx));
        Poll::Ready(Err(NetError::new(NetErrorKind::IdleTimeout)))
    }
}
