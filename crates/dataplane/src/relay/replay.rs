//! A stream that is told once more: no provider is asked, and nobody pays.

use bourse_vocab::{Bill, Failure, Usage};
use bytes::Bytes;

use super::Feed;
use crate::admission::InFlight;
use crate::bodies::Room;

/// What is told at once: as much as a provider's connection is read at a time.
const PIECE_BYTES: usize = 16 * 1024;

/// A stream that is told once more.
pub struct Replay {
    /// What is left of what the provider sent.
    text: Bytes,
    feed: Box<dyn Feed>,
    is_over: bool,
    /// What it takes, and that the call is under way, until its client has it.
    _held: (Room, InFlight),
}

impl Replay {
    /// Begins to tell it.
    #[must_use]
    pub const fn begin(text: Bytes, feed: Box<dyn Feed>, held: (Room, InFlight)) -> Self {
        Self {
            text,
            feed,
            is_over: false,
            _held: held,
        }
    }

    /// Whether nothing more comes.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    /// The next bytes for the client; `None` when there are no more.
    pub fn next_bytes(&mut self) -> Option<Bytes> {
        let mut out = Vec::new();
        while out.is_empty() && !self.is_over {
            if let Err(failure) = self.step(&mut out) {
                // It was good the first time.
                self.feed.fail(&failure, &mut out);
                self.is_over = true;
            }
        }
        (!out.is_empty()).then(|| out.into())
    }

    fn step(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        if !self.feed.is_complete() && !self.text.is_empty() {
            let length = self.text.len().min(PIECE_BYTES);
            return self.feed.feed(&self.text.split_to(length), out);
        }
        if !self.feed.is_complete() {
            self.feed.end(out)?;
        }
        // Nobody is charged for what nobody did.
        self.feed.finish(&Usage::default(), &Bill::default(), out);
        self.is_over = true;
        Ok(())
    }
}
