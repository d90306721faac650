//! Room for the request bodies of all callers.
//!
//! A body is kept until an answer has begun, and before its end nobody knows
//! whether it can be paid for. So all of them share a bound: whoever would
//! go beyond it is told to come back, and nobody's memory grows with the
//! number of callers. A few long bodies must not lock the many short ones
//! out, so that a part of the room is for those.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bourse_vocab::{Failure, FailureKind};

/// Room for all bodies unless configuration says otherwise: seven of the
/// longest beside the short ones, of which tens of thousands fit.
pub const BODIES_BYTES_MAX: usize = 256 << 20;
/// A body up to this length is a short one: a prompt of many pages, and no
/// picture.
pub const SHORT_BYTES_MAX: usize = 64 * 1024;
/// One part of so many is for short bodies only.
const SHORT_PARTS: usize = 8;
/// When to come back: bodies that arrive as they should make room within a
/// second or two.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The room for all bodies.
#[derive(Debug)]
pub struct Bodies {
    most: usize,
    used: AtomicUsize,
}

impl Bodies {
    /// Room for `most` bytes.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self {
            most,
            used: AtomicUsize::new(0),
        }
    }

    /// Bytes of the bodies that are kept.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Relaxed)
    }
}

impl Default for Bodies {
    fn default() -> Self {
        Self::new(BODIES_BYTES_MAX)
    }
}

/// The room of one body, given back when dropped.
#[derive(Debug)]
pub struct Room {
    bodies: Arc<Bodies>,
    bytes: usize,
}

impl Room {
    /// The room of a body of which nothing has come.
    #[must_use]
    pub fn begin(bodies: &Arc<Bodies>) -> Self {
        Self {
            bodies: Arc::clone(bodies),
            bytes: 0,
        }
    }

    /// Takes room for more bytes of the body.
    ///
    /// # Errors
    /// There is none. 503: it is nothing that the caller did.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Failure> {
        let Bodies { most, used } = &*self.bodies;
        let grown = self.bytes.saturating_add(bytes);
        let most = if grown <= SHORT_BYTES_MAX {
            *most
        } else {
            most.saturating_sub(most / SHORT_PARTS)
        };
        let before = used.fetch_add(bytes, Relaxed);
        // Counted before it is refused: dropping gives all of it back.
        self.bytes = grown;
        if before.saturating_add(bytes) > most {
            return Err(full());
        }
        Ok(())
    }

    /// Gives back what is beyond so many bytes.
    pub fn shrink(&mut self, bytes: usize) {
        let beyond = self.bytes.saturating_sub(bytes);
        self.bodies.used.fetch_sub(beyond, Relaxed);
        self.bytes = self.bytes.saturating_sub(beyond);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.bodies.used.fetch_sub(self.bytes, Relaxed);
    }
}

fn full() -> Failure {
    Failure::new(
        FailureKind::Overloaded,
        "Too many large requests are being received; try again",
    )
    .retry_after(RETRY_AFTER)
    .inside("the room for request bodies is used up (server.bodies_bytes_max)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_given_back_and_never_taken_from_short_bodies_by_long_ones() {
        let bodies = Arc::new(Bodies::new(8 << 20));
        let mut long: Vec<Room> = Vec::new();
        let refused = loop {
            let mut room = Room::begin(&bodies);
            if let Err(failure) = room.grow(1 << 20) {
                break failure;
            }
            long.push(room);
        };
        assert_eq!(
            (refused.status(), refused.retry_after_seconds()),
            (503, Some(2))
        );
        assert_eq!(long.len(), 7);
        assert_eq!(bodies.used(), 7 << 20, "a refused body holds nothing");

        let mut short: Vec<Room> = Vec::new();
        loop {
            let mut room = Room::begin(&bodies);
            if room.grow(SHORT_BYTES_MAX).is_err() {
                break;
            }
            short.push(room);
        }
        assert_eq!(short.len(), 16);
        assert_eq!(bodies.used(), 8 << 20);
        // One that grows becomes a long one.
        let mut one = short.pop().unwrap();
        assert_eq!(one.grow(1).unwrap_err().status(), 503);
        drop((one, short, long));
        assert_eq!(bodies.used(), 0);
    }
}
