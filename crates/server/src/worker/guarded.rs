//! The socket of a client.

use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::framing;
use super::written::Flushed;

/// A socket whose writes may not stall for ever: a client that stops
/// reading holds a provider's connection and a customer's money.
pub(super) struct Guarded<S> {
    stream: S,
    write_timeout: Duration,
    /// Set while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S, write_timeout: Duration) -> Self {
        Self {
            stream,
            write_timeout,
            stalled: None,
        }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.stalled = None;
            return poll;
        }
        let sleep = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(self.write_timeout)));
        match sleep.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.watch(cx, poll)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.watch(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_flush(cx);
        this.watch(cx, poll)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.watch(cx, poll)
    }
}

/// A socket of which something was read already, whose bytes are looked at on
/// their way to hyper, and which notes when hyper has written all it has.
///
/// A head that has begun has `head_timeout` to end: hyper has one time for
/// both a head and the pause before it, and a client may pause for longer.
pub(super) struct Watched<S> {
    stream: S,
    head_timeout: Duration,
    /// Set while a head has begun and not ended.
    head: Option<Pin<Box<Sleep>>>,
    /// What was read already.
    read: Bytes,
    watch: framing::Watch,
    flushed: Flushed,
}

impl<S> Watched<S> {
    pub(super) fn new(
        stream: S,
        read: Bytes,
        head_timeout: Duration,
        watch: framing::Watch,
        flushed: Flushed,
    ) -> Self {
        Self {
            stream,
            head_timeout,
            head: None,
            read,
            watch,
            flushed,
        }
    }

    /// The socket, and what was read and not handed out.
    pub(super) fn into_inner(self) -> (S, Bytes) {
        (self.stream, self.read)
    }

    fn poll_head_timeout(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.watch.is_in_head() {
            self.head = None;
            return Poll::Pending;
        }
        let wait = self.head_timeout;
        self.head
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(wait)))
            .as_mut()
            .poll(cx)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let poll = if this.read.is_empty() {
            Pin::new(&mut this.stream).poll_read(cx, buf)
        } else {
            let here = this.read.len().min(buf.remaining());
            buf.put_slice(this.read.get(..here).unwrap_or_default());
            this.read.advance(here);
            Poll::Ready(Ok(()))
        };
        this.watch
            .look(buf.filled().get(before..).unwrap_or_default());
        if poll.is_pending() {
            return this.poll_head_timeout(cx);
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_flush(cx);
        if matches!(poll, Poll::Ready(Ok(()))) {
            this.flushed.store(true, Relaxed);
        }
        poll
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

    /// Reads until nothing more comes; returns what ended it, and when.
    async fn read_after(pieces: &[&[u8]], pause: Duration) -> (Option<io::ErrorKind>, Duration) {
        let (mut client, server) = duplex(1024);
        let watch = framing::Watch::default();
        let mut watched = Watched::new(
            server,
            Bytes::new(),
            HEAD_TIMEOUT,
            watch,
            Flushed::default(),
        );
        let began = Instant::now();
        let sending = async {
            for piece in pieces {
                client.write_all(piece).await.unwrap();
                tokio::time::sleep(pause).await;
            }
            drop(client);
        };
        let reading = async {
            let mut read = Vec::new();
            let ended = watched.read_to_end(&mut read).await;
            (ended.err().map(|error| error.kind()), began.elapsed())
        };
        tokio::join!(reading, sending).0
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_time_and_what_is_between_heads_has_more() {
        let whole: &[u8] = b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nok";
        // Pauses between requests, and inside a body.
        let long = HEAD_TIMEOUT * 6;
        for pieces in [
            &[whole, whole][..],
            &[&whole[..whole.len() - 1], &whole[whole.len() - 1..]],
        ] {
            assert_eq!(read_after(pieces, long).await, (None, long * 2));
        }
        // One inside a head, that comes byte by byte or not at all.
        for piece in [&whole[..4], &whole[..20]] {
            let (ended, after) = read_after(&[whole, piece], long).await;
            assert_eq!(ended, Some(io::ErrorKind::TimedOut));
            assert_eq!(after, long + HEAD_TIMEOUT);
        }
        let trickle: Vec<&[u8]> = whole.chunks(1).collect();
        let (ended, after) = read_after(&trickle, Duration::from_secs(1)).await;
        assert_eq!(
            (ended, after),
            (Some(io::ErrorKind::TimedOut), HEAD_TIMEOUT)
        );
    }
}
