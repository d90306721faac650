//! Gathers the pieces of a request's body, within bounds of size and time.

use std::pin::Pin;
use std::time::Duration;

use bourse_vocab::{Failure, FailureKind};
use bytes::Bytes;
use futures_util::future::poll_fn;
use http_body::Body;
use tokio::time::Instant;

use crate::gateway::CallLimits;

/// Pieces below this are joined: each piece costs 32 bytes beside its
/// content and a look in every walk over the body, and a client may send
/// its bytes one by one. Larger ones stay where they are.
const PIECE_BYTES_MIN: usize = 4 * 1024;
/// The longest that a body may take, however busily it arrives. The largest
/// body, 32 MiB, takes this long at 0.9 Mbit/s.
const BODY_TIME_MAX: Duration = Duration::from_secs(300);

/// The body is larger than the limit.
pub fn too_large(limits: &CallLimits) -> Failure {
    Failure::new(
        FailureKind::PayloadTooLarge,
        format!(
            "The request body is larger than {} bytes",
            limits.body_bytes_max
        ),
    )
}

/// Gathers the pieces of a body. Each is shown to `each` as it arrives.
///
/// # Errors
/// What `each` says; a body that is too large, too slow or cut off.
pub async fn collect<B>(
    mut body: B,
    limits: &CallLimits,
    mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<Vec<Bytes>, Failure>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut pieces = Pieces::default();
    let mut length = 0_usize;
    let mut pace = None;
    loop {
        let mut frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
        // A body that came with its head is there already; only one that is
        // waited for costs a timer.
        let ready = poll_once(&mut frame).await;
        let frame = match ready {
            Some(frame) => frame,
            None => {
                let pace = pace.get_or_insert_with(|| Pace::begin(limits, length));
                pace.wait(limits, length, frame).await?
            }
        };
        let Some(frame) = frame else {
            return Ok(pieces.finish());
        };
        let frame = frame.map_err(|error| {
            Failure::invalid("The request body ended early").inside(error.to_string())
        })?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        length = length.saturating_add(piece.len());
        if length > limits.body_bytes_max {
            return Err(too_large(limits));
        }
        each(&piece)?;
        pieces.push(piece);
    }
}

/// How fast a body comes, from when it was first waited for.
struct Pace {
    /// When all of it must be there.
    end_at: Instant,
    /// When enough of it must have come since the last time that was asked,
    /// and how much that is in all.
    enough_at: Instant,
    enough: usize,
}

impl Pace {
    fn begin(limits: &CallLimits, length: usize) -> Self {
        let now = Instant::now();
        Self {
            end_at: now + BODY_TIME_MAX,
            enough_at: now + limits.body_timeout,
            enough: length.saturating_add(enough(limits)),
        }
    }

    /// Waits for a piece of a body of which `length` bytes are there. A piece
    /// that comes does not buy as much time as one likes: a client that sends
    /// a byte now and then keeps all that it has sent in memory.
    async fn wait<T>(
        &mut self,
        limits: &CallLimits,
        length: usize,
        piece: impl Future<Output = T> + Unpin,
    ) -> Result<T, Failure> {
        if length >= self.enough {
            self.enough_at = Instant::now() + limits.body_timeout;
            self.enough = length.saturating_add(enough(limits));
        }
        let until = self.end_at.min(self.enough_at);
        let until = until.min(Instant::now() + limits.body_timeout);
        let came = tokio::time::timeout_at(until, piece).await;
        came.map_err(|_| {
            Failure::new(
                FailureKind::RequestTimeout,
                "The request body did not arrive in time",
            )
        })
    }
}

/// What must come in each `body_timeout`, in bytes.
fn enough(limits: &CallLimits) -> usize {
    let ms = limits.body_timeout.as_millis();
    let bytes = ms.saturating_mul(limits.body_rate_min.into()) / 1_000;
    usize::try_from(bytes).unwrap_or(usize::MAX).max(1)
}

/// Polls a future once.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    poll_fn(|cx| match Pin::new(&mut *future).poll(cx) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

/// Pieces of a body, the small ones joined.
#[derive(Default)]
struct Pieces {
    done: Vec<Bytes>,
    /// A small piece that waits for its neighbours. A body that came in one
    /// piece is not copied.
    small: Bytes,
    /// Small pieces that were joined.
    joined: Vec<u8>,
}

impl Pieces {
    fn push(&mut self, piece: Bytes) {
        if piece.len() >= PIECE_BYTES_MIN {
            self.flush();
            self.done.push(piece);
        } else if self.small.is_empty() && self.joined.is_empty() {
            self.small = piece;
        } else {
            if self.joined.is_empty() {
                self.joined.reserve(2 * PIECE_BYTES_MIN);
                self.joined.extend_from_slice(&self.small);
                self.small = Bytes::new();
            }
            self.joined.extend_from_slice(&piece);
            if self.joined.len() >= PIECE_BYTES_MIN {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        if !self.joined.is_empty() {
            self.done.push(std::mem::take(&mut self.joined).into());
        } else if !self.small.is_empty() {
            self.done.push(std::mem::take(&mut self.small));
        }
    }

    fn finish(mut self) -> Vec<Bytes> {
        self.flush();
        self.done
    }
}

#[cfg(test)]
mod tests;
