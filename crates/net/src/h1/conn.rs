//! One HTTP/1.1 connection: its socket, its buffer and its timer.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use crate::deadline::Timer;
use crate::permit::Permit;
use crate::stream::Stream;

/// First size of the read buffer; a response head and a short answer fit.
const READ_BYTES_MIN: usize = 4 * 1024;
/// Largest single read. Beyond it a system call costs nothing next to the
/// copying.
const READ_BYTES_MAX: usize = 64 * 1024;
/// What an idle connection may keep, so that a thousand of them stay cheap.
const IDLE_BYTES_MAX: usize = 16 * 1024;

pub(crate) struct Conn {
    pub(crate) stream: Stream,
    /// Bytes read and not yet used.
    pub(crate) buf: BytesMut,
    read_bytes: usize,
    /// Scratch for the request head.
    pub(crate) head: Vec<u8>,
    pub(crate) timer: Timer,
    /// Whether it has served a request before.
    pub(crate) reused: bool,
    /// When it is too old to be used again.
    pub(crate) expires: Instant,
    pub(crate) idle_since: Instant,
    /// Counts the connection as open for as long as it exists.
    _permit: Permit,
}

impl Conn {
    pub(crate) fn new(stream: Stream, expires: Instant, now: Instant, permit: Permit) -> Self {
        Self {
            stream,
            buf: BytesMut::new(),
            read_bytes: READ_BYTES_MIN,
            head: Vec::with_capacity(1024),
            timer: Timer::default(),
            reused: false,
            expires,
            idle_since: now,
            _permit: permit,
        }
    }

    /// Reads once into the buffer; `Ok(0)` is the end of the stream.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // Half of the wanted size is still worth a read; reserving takes the
        // whole buffer back when the frames cut from it are gone. Where all are,
        // an answer goes where the one before was, which is still in the cache.
        if self.buf.is_empty() {
            let _ = self.buf.try_reclaim(READ_BYTES_MIN);
        }
        if self.buf.capacity() - self.buf.len() < self.read_bytes / 2 {
            self.buf.reserve(self.read_bytes);
        }
        let room = self.buf.capacity() - self.buf.len();
        let read = pin!(self.stream.read_buf(&mut self.buf)).poll(cx);
        if let Poll::Ready(Ok(n)) = read
            && n == room
            && self.read_bytes < READ_BYTES_MAX
        {
            self.read_bytes *= 2;
        }
        read
    }

    /// Whether an idle connection can take another request: nothing has
    /// arrived on it, and it is not closed.
    ///
    /// On plain TCP this asks the runtime's readiness flag and makes no
    /// system call unless something did arrive. A close that is still on its
    /// way cannot be seen by anyone; see `exchange.rs` for that case.
    pub(crate) fn is_alive(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.buf.is_empty() && self.poll_fill(&mut cx).is_pending()
    }

    /// Makes the connection fit to wait in the pool.
    pub(crate) fn rest(&mut self, now: Instant) {
        self.reused = true;
        self.idle_since = now;
        self.timer.clear();
        self.head.clear();
        if self.buf.capacity() > IDLE_BYTES_MAX || self.read_bytes > READ_BYTES_MIN {
            self.buf = BytesMut::new();
            self.read_bytes = READ_BYTES_MIN;
        }
    }

    pub(crate) fn stream(&mut self) -> Pin<&mut Stream> {
        Pin::new(&mut self.stream)
    }
}
