//! How long a stream is silent in its middle, and from when on that is a stall.
//!
//! Twenty times what 99 of 100 gaps between two pieces are: a slow model sends
//! slowly all the time, and one that has stopped is told apart from it. Whatever
//! comes ends a gap, comments that keep a connection alive included. Only where
//! something had to be waited for there was a gap: what is there already when
//! somebody looks says nothing of its provider.
//!
//! What was given up is counted as well, with the time for which it was waited
//! for. Otherwise a model that has become slower would be cut for ever: gaps that
//! are too long would never be seen.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::quantiles::Quantiles;

/// Gaps that must be known: the 99th of a hundred of fewer would be the longest
/// of one answer. A stream counts one in sixteen, so these are some thousands of
/// pieces.
pub const GAPS_MIN: u32 = 512;
/// Gaps after which the share is computed anew.
const EVERY: u32 = 64;
/// Times the 99th of a hundred: a stall.
const FACTOR: u64 = 20;
/// No silence is a stall sooner, in milliseconds: networks and schedulers hang
/// for seconds.
pub const STALL_MS_MIN: u64 = 10_000;

/// Gaps of an endpoint. Made when first needed: most are never called.
#[derive(Debug, Default)]
pub struct Gaps(OnceLock<Box<Cell>>);

#[derive(Debug, Default)]
struct Cell {
    counted: Quantiles,
    /// The 99th of a hundred; zero until enough were counted.
    p99_ms: AtomicU64,
}

impl Gaps {
    /// Counts a gap.
    pub fn learn(&self, gap_ms: u64) {
        let cell = self.0.get_or_init(Box::default);
        let count = cell.counted.add(gap_ms);
        if count >= GAPS_MIN
            && count.is_multiple_of(EVERY)
            && let Some(p99) = cell.counted.at(99)
        {
            cell.p99_ms.store(p99, Relaxed);
        }
    }

    /// How long a silence is a stall, in milliseconds, and `most_ms` at most;
    /// `None` where too little is known.
    #[must_use]
    pub fn stall_ms(&self, most_ms: u64) -> Option<u64> {
        let p99 = self.0.get()?.p99_ms.load(Relaxed);
        let stall = p99.saturating_mul(FACTOR).max(STALL_MS_MIN);
        (p99 > 0).then_some(stall.min(most_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE_MS: u64 = 120_000;

    fn learned(gaps: impl IntoIterator<Item = u64>) -> Option<u64> {
        let known = Gaps::default();
        gaps.into_iter().for_each(|ms| known.learn(ms));
        known.stall_ms(IDLE_MS)
    }

    fn times(ms: u64, count: u32) -> impl Iterator<Item = u64> {
        (0..count).map(move |_| ms)
    }

    #[test]
    fn nothing_is_a_stall_while_too_little_is_known() {
        assert_eq!(learned([]), None);
        assert_eq!(learned(times(40, GAPS_MIN - 1)), None);
        assert_eq!(learned(times(40, GAPS_MIN)), Some(STALL_MS_MIN));
    }

    #[test]
    fn a_stall_is_twenty_of_the_longer_gaps_and_no_longer_than_configured() {
        assert_eq!(learned(times(2_000, GAPS_MIN)), Some(20 * 2_047));
        assert_eq!(learned(times(60_000, GAPS_MIN)), Some(IDLE_MS));
        let two_in_a_hundred = (0..1_024).map(|n| if n % 50 == 0 { 3_000 } else { 20 });
        assert_eq!(learned(two_in_a_hundred), Some(20 * 3_071));
    }

    #[test]
    fn what_was_given_up_makes_the_next_wait_longer_once_it_is_more_than_one_in_a_hundred() {
        let known = Gaps::default();
        times(40, GAPS_MIN).for_each(|ms| known.learn(ms));
        times(STALL_MS_MIN, 12).for_each(|ms| known.learn(ms));
        times(40, EVERY).for_each(|ms| known.learn(ms));
        assert!(known.stall_ms(IDLE_MS) > Some(STALL_MS_MIN));
    }

    /// The 99th of a hundred of all that was ever counted would never come down.
    #[test]
    fn older_gaps_are_forgotten() {
        let known = Gaps::default();
        times(5_000, 4_000).for_each(|ms| known.learn(ms));
        assert!(known.stall_ms(IDLE_MS) > Some(90_000));
        times(20, 40_000).for_each(|ms| known.learn(ms));
        assert_eq!(known.stall_ms(IDLE_MS), Some(STALL_MS_MIN));
    }
}
