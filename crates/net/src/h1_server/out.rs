//! What waits to be written.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::AsyncWrite;

/// A piece below this is copied behind what waits: cheaper than another place
/// for the kernel to look at.
const COPY_BYTES_MAX: usize = 2 * 1024;
/// So much is gathered before it is written: what a provider sends at full
/// speed should not be a system call a chunk.
const GATHER_BYTES_MAX: usize = 16 * 1024;
/// What a stream that waits may keep of its buffer.
const IDLE_BYTES_MAX: usize = 1024;

/// Heads, framing and short pieces, then one long piece and what is behind
/// it: one `writev`.
#[derive(Debug, Default)]
pub(super) struct Out {
    bytes: Vec<u8>,
    long: Bytes,
    behind: &'static [u8],
    written: usize,
}

impl Out {
    /// Where what comes before a long piece is written.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Whether more may be put in. Nothing may while something is half
    /// written.
    pub(super) fn has_room(&self) -> bool {
        self.written == 0 && self.long.is_empty() && self.bytes.len() < GATHER_BYTES_MAX
    }

    /// Puts a piece in, and what is to be behind it.
    pub(super) fn push(&mut self, piece: Bytes, behind: &'static [u8]) {
        if piece.len() < COPY_BYTES_MAX {
            self.bytes.extend_from_slice(&piece);
            self.bytes.extend_from_slice(behind);
        } else {
            self.long = piece;
            self.behind = behind;
        }
    }

    /// Puts the end of chunks behind everything.
    pub(super) fn end_chunks(&mut self) {
        if self.long.is_empty() {
            self.bytes.extend_from_slice(b"0\r\n\r\n");
        } else {
            self.behind = b"\r\n0\r\n\r\n";
        }
    }

    /// Writes all of it, and what a layer below keeps back: TLS takes more than
    /// its socket does. On a bare socket the flush is nothing.
    pub(super) fn poll_write<S: AsyncWrite>(
        &mut self,
        mut stream: Pin<&mut S>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let all = self.bytes.len() + self.long.len() + self.behind.len();
        while self.written < all {
            let mut skip = self.written;
            let mut slices = [IoSlice::new(&[]); 3];
            let mut count = 0;
            for part in [&self.bytes, self.long.as_ref(), self.behind] {
                let left = part.get(skip..).unwrap_or_default();
                skip = skip.saturating_sub(part.len());
                if let Some(slot) = slices.get_mut(count)
                    && !left.is_empty()
                {
                    *slot = IoSlice::new(left);
                    count += 1;
                }
            }
            let slices = slices.get(..count).unwrap_or_default();
            let written = match slices {
                [one] => ready!(stream.as_mut().poll_write(cx, one))?,
                _ => ready!(stream.as_mut().poll_write_vectored(cx, slices))?,
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        if all == 0 {
            return Poll::Ready(Ok(()));
        }
        ready!(stream.as_mut().poll_flush(cx))?;
        self.bytes.clear();
        self.long = Bytes::new();
        self.behind = &[];
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    /// Lets go of what is only needed while something is written.
    pub(super) fn rest(&mut self) {
        if self.bytes.capacity() > IDLE_BYTES_MAX {
            self.bytes = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes everything at once, as TLS does, and has it sent later.
    #[derive(Default)]
    struct Keeping {
        taken: usize,
        is_sent: bool,
    }

    impl AsyncWrite for Keeping {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.taken += bytes.len();
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            if self.is_sent {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn what_a_layer_below_keeps_back_is_not_written_yet_and_not_written_twice() {
        let mut cx = Context::from_waker(Waker::noop());
        let (mut out, mut below) = (Out::default(), Keeping::default());
        out.push(Bytes::from_static(b"hello"), b"\r\n");
        for _ in 0..2 {
            assert!(out.poll_write(Pin::new(&mut below), &mut cx).is_pending());
            assert!(!out.has_room());
            assert_eq!(below.taken, 7);
        }
        below.is_sent = true;
        assert!(out.poll_write(Pin::new(&mut below), &mut cx).is_ready());
        assert!(out.has_room());
        assert_eq!(below.taken, 7);
    }
}
