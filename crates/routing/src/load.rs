//! How long a caller would wait at an endpoint, from what was seen of late.
//!
//! A moving average of the time to the first content that jumps to whatever
//! was longer than it and comes down slowly (peak EWMA, as Finagle and Linkerd
//! have it). Only answers count. A failure is no time: measured by its own
//! speed, an endpoint that refuses at once would look like the fastest of all, and
//! measured by any other (Linkerd has 5 s) one that answers within milliseconds
//! would get nothing for minutes after a single one. Who fails is kept out by its
//! [`crate::breaker`], and who is at its limit by [`crate::quota`].

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::bucket::{BUCKETS, Bucket};

/// The time in which an average that nobody adds to halves.
const HALF_LIFE_MS: u64 = 10_000;
/// How much a shorter time counts, as a divisor.
const WEIGHT: u64 = 16;
/// The longest time that counts, in milliseconds.
const MS_MAX: u64 = 300_000;

/// Expected times to the first content, by sort of call.
#[derive(Debug)]
pub struct Load([AtomicU64; BUCKETS]);

impl Default for Load {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

/// The average in the upper half, when it was true in the lower one: both in
/// milliseconds, and the time without its upper bits.
const fn packed(ms: u64, at_ms: u64) -> u64 {
    (ms << 32) | (at_ms & 0xffff_ffff)
}

/// What is left of an average at `now_ms`.
fn decayed(packed: u64, now_ms: u64) -> u64 {
    let (ms, at) = (packed >> 32, packed & 0xffff_ffff);
    let age = (now_ms & 0xffff_ffff).wrapping_sub(at) & 0xffff_ffff;
    if age > 1 << 31 {
        // Of a worker whose clock was read a little later.
        return ms;
    }
    let halves = age / HALF_LIFE_MS;
    let left = ms.checked_shr(u32::try_from(halves).unwrap_or(u32::MAX));
    let left = left.unwrap_or(0);
    // A straight line between two halvings.
    left - left / 2 * (age % HALF_LIFE_MS) / HALF_LIFE_MS
}

impl Load {
    /// Notes a time to the first content.
    pub fn learn(&self, bucket: Bucket, ms: u64, now_ms: u64) {
        let Some(cell) = self.0.get(bucket.index()) else {
            return;
        };
        // One that is nothing is one that nobody knows.
        let ms = ms.clamp(1, MS_MAX);
        let before = decayed(cell.load(Relaxed), now_ms);
        let after = if ms >= before {
            ms
        } else {
            (before * (WEIGHT - 1) + ms) / WEIGHT
        };
        // Two at once count as one.
        cell.store(packed(after.max(1), now_ms), Relaxed);
    }

    /// Forgets everything: what was before an outage says nothing of now.
    pub fn forget(&self) {
        self.0.iter().for_each(|cell| cell.store(0, Relaxed));
    }

    /// The time that a call of this sort would wait, in milliseconds; zero if
    /// nothing is known of late.
    #[inline]
    #[must_use]
    pub fn expected_ms(&self, bucket: Bucket, now_ms: u64) -> u64 {
        match self.0.get(bucket.index()).map(|cell| cell.load(Relaxed)) {
            None | Some(0) => 0,
            Some(packed) => decayed(packed, now_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: u64 = 1_763_683_200_000;

    fn any() -> Bucket {
        Bucket::default()
    }

    #[test]
    fn a_longer_time_counts_at_once_and_shorter_ones_slowly() {
        let load = Load::default();
        assert_eq!(load.expected_ms(any(), T0), 0);
        load.learn(any(), 300, T0);
        assert_eq!(load.expected_ms(any(), T0), 300);
        load.learn(any(), 5_000, T0);
        assert_eq!(load.expected_ms(any(), T0), 5_000);
        load.learn(any(), 300, T0);
        assert_eq!(load.expected_ms(any(), T0), (5_000 * 15 + 300) / 16);
    }

    #[test]
    fn what_nobody_adds_to_is_forgotten() {
        let load = Load::default();
        load.learn(any(), 4_000, T0);
        let at = |ms| load.expected_ms(any(), T0 + ms);
        assert_eq!(
            [at(0), at(5_000), at(10_000), at(20_000)],
            [4_000, 3_000, 2_000, 1_000]
        );
        assert_eq!(at(1_000_000), 0);
        // Also over the end of the time that is kept.
        let late = (1 << 32) - 1;
        load.learn(any(), 4_000, late);
        assert_eq!(load.expected_ms(any(), late + HALF_LIFE_MS), 2_000);
        assert_eq!(load.expected_ms(any(), late - 5), 4_000);
    }

    #[test]
    fn what_is_forgotten_is_not_known() {
        let load = Load::default();
        load.learn(any(), 4_000, T0);
        load.forget();
        assert_eq!(load.expected_ms(any(), T0), 0);
    }

    #[test]
    fn nothing_makes_an_average_that_no_number_holds() {
        let load = Load::default();
        load.learn(any(), u64::MAX, T0);
        assert_eq!(load.expected_ms(any(), T0), MS_MAX);
        load.learn(any(), 0, T0);
        assert!(load.expected_ms(any(), T0) < MS_MAX);
    }
}
