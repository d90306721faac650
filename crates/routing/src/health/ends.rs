//! Whether answers that begin also come to an end.
//!
//! A provider that begins to answer and then says nothing looks well: its first
//! content is there at once. Nothing but an end shows that it is.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// None has ended.
const UNKNOWN: u8 = 0;
/// The last of which that is known has ended.
const FINISHES: u8 = 1;
/// One has stopped in the middle, and none has ended since.
const STALLS: u8 = 2;

/// See the top of the file.
#[derive(Debug)]
pub(super) struct Ends(AtomicU8);

impl Default for Ends {
    fn default() -> Self {
        Self(AtomicU8::new(UNKNOWN))
    }
}

impl Ends {
    /// Notes that an answer has come to its end.
    pub(super) fn finished(&self) {
        // Read first: whoever plans reads it, on any core.
        if self.0.load(Relaxed) != FINISHES {
            self.0.store(FINISHES, Relaxed);
        }
    }

    /// Notes that nothing more came of an answer that had begun.
    pub(super) fn stalled(&self) {
        self.0.store(STALLS, Relaxed);
    }

    /// Whether answers come to an end, as far as is known.
    #[inline]
    pub(super) fn has_finished(&self) -> bool {
        self.0.load(Relaxed) == FINISHES
    }

    /// Whether an answer that has begun proves nothing.
    pub(super) fn stalls(&self) -> bool {
        self.0.load(Relaxed) == STALLS
    }
}
