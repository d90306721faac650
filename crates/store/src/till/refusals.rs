//! How many refused calls leave a record.
//!
//! A client without credit that tries again and again costs nothing but what
//! it makes us write. So a second has room for so many records, and what is
//! beyond is counted and told by the next record.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Refused calls that leave a record in one second: with some 70 bytes each,
/// half a gigabyte a day at the most, which the journal gives back as it is
/// applied.
const RECORDS_A_SECOND_MAX: u64 = 100;
/// Bits for the count within the second.
const COUNT_BITS: u32 = 16;

#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// The second, and how many were recorded in it.
    window: AtomicU64,
    unrecorded: AtomicU64,
}

impl Refusals {
    /// Asks for room for one record. If there is, returns how many calls it
    /// must tell of that left none.
    pub fn admit(&self, at_ms: u64) -> Option<u64> {
        let second = (at_ms / 1000) << COUNT_BITS;
        let count = |window: u64| window & ((1 << COUNT_BITS) - 1);
        let step = |window: u64| {
            // A clock that goes back does not make room.
            let window = window.max(second);
            (count(window) < RECORDS_A_SECOND_MAX).then_some(window.saturating_add(1))
        };
        if self.window.fetch_update(Relaxed, Relaxed, step).is_err() {
            self.shed();
            return None;
        }
        Some(self.unrecorded.swap(0, Relaxed))
    }

    /// Counts a call that left no record.
    pub fn shed(&self) {
        self.give_back(1);
    }

    /// Counts calls again whose record could not be written.
    pub fn give_back(&self, calls: u64) {
        self.unrecorded.fetch_add(calls, Relaxed);
    }

    pub fn unrecorded(&self) -> u64 {
        self.unrecorded.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_room_for_so_many_and_the_next_tells_of_the_others() {
        let refusals = Refusals::default();
        for _ in 0..RECORDS_A_SECOND_MAX {
            assert_eq!(refusals.admit(5_000), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(refusals.admit(5_999), None);
        }
        assert_eq!(refusals.admit(4_000), None, "a clock that goes back");
        assert_eq!(refusals.unrecorded(), 8);
        assert_eq!(refusals.admit(6_000), Some(8));
        assert_eq!((refusals.admit(6_001), refusals.unrecorded()), (Some(0), 0));
    }
}
