//! How long a stream is waited for between two of its pieces, by samples.
//!
//! A clock costs more than passing a piece on, so one wait in sixteen is
//! measured. It begins when there is nothing to read, as silence does for its
//! deadline, and not with the last piece: a client that reads slowly says
//! nothing of the provider. A wait that ends with the stream given up counts like
//! any other, so that what is learned is neither too short nor too long.

use std::task::Poll;

use tokio::time::Instant;

/// Pieces for each wait that is measured.
const EVERY: u32 = 16;

/// Measures the waits of one stream.
#[derive(Debug, Default)]
pub struct Waits {
    pieces: u32,
    since: Option<Instant>,
}

impl Waits {
    /// Takes in that the stream was asked for more; returns how many
    /// milliseconds it took, if that was measured and it has come.
    pub fn see<T>(&mut self, polled: &Poll<T>) -> Option<u64> {
        if polled.is_ready() {
            self.pieces = self.pieces.wrapping_add(1);
            let waited = self.since.take()?.elapsed();
            return u64::try_from(waited.as_millis()).ok();
        }
        if self.pieces.is_multiple_of(EVERY) && self.since.is_none() {
            self.since = Some(Instant::now());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PIECE: Poll<()> = Poll::Ready(());
    const NOTHING: Poll<()> = Poll::Pending;

    async fn wait(ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn one_wait_in_sixteen_is_measured_from_when_there_was_nothing() {
        let mut waits = Waits::default();
        let mut measured = Vec::new();
        for piece in 0..48 {
            wait(1_000).await; // The client reads slowly.
            assert_eq!(waits.see(&NOTHING), None);
            wait(20).await;
            // Woken for something else.
            assert_eq!(waits.see(&NOTHING), None);
            wait(piece).await;
            measured.extend(waits.see(&PIECE));
        }
        assert_eq!(measured, [20, 36, 52]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_there_already_is_no_wait() {
        let mut waits = Waits::default();
        for _ in 0..100 {
            wait(500).await;
            assert_eq!(waits.see(&PIECE), None);
        }
    }
}
