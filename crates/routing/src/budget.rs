//! How many more attempts than calls there may be.
//!
//! A second attempt helps the caller whose first one failed, and hurts
//! everybody when all fail: a provider in trouble is sent several times the
//! traffic. So a provider that is failing takes second attempts for at most a
//! fifth of the calls of the last ten seconds, and all of them together for a
//! twelfth: in a total outage that is what calls are multiplied by. One that is
//! well takes them for as many as there are calls: it is what is left when
//! another one is down with all its models. A few are always allowed, or a
//! server with a call a minute could not fail over.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Seconds that are looked at.
const SECONDS: usize = 10;
/// Calls for each second attempt at a provider that is well.
const CALLS_FOR_ONE_WELL: u64 = 1;
/// The same for one that is failing.
const CALLS_FOR_ONE: u64 = 5;
/// The same for all providers that are failing.
const CALLS_FOR_ONE_FAILING: u64 = 12;
/// Second attempts in ten seconds that need no calls.
pub const ALWAYS: u64 = 10;

/// What happened in the last ten seconds, by second.
#[derive(Debug, Default)]
pub struct Window([AtomicU64; SECONDS]);

/// The second in the upper half, what happened in it in the lower one.
const fn slot(second: u64, count: u64) -> u64 {
    ((second & 0xffff_ffff) << 32) | count
}

impl Window {
    /// Counts one.
    pub fn add(&self, now_ms: u64) {
        let second = now_ms / 1_000;
        let at = usize::try_from(second % SECONDS as u64).unwrap_or(0);
        let Some(cell) = self.0.get(at) else {
            return;
        };
        let before = cell.load(Relaxed);
        if before >> 32 == second & 0xffff_ffff {
            cell.fetch_add(1, Relaxed);
        } else {
            // Two at once at the turn of a second may count as one.
            let _ = cell.compare_exchange(before, slot(second, 1), Relaxed, Relaxed);
        }
    }

    /// How many there were.
    #[must_use]
    pub fn sum(&self, now_ms: u64) -> u64 {
        let second = now_ms / 1_000;
        let is_recent = |slot: u64| {
            let age = second.wrapping_sub(slot >> 32) & 0xffff_ffff;
            age < SECONDS as u64
        };
        let slots = self.0.iter().map(|cell| cell.load(Relaxed));
        slots
            .filter(|slot| is_recent(*slot))
            .map(|slot| slot & 0xffff_ffff)
            .sum()
    }
}

/// What all providers share.
#[derive(Debug, Default)]
pub struct Demand {
    /// Calls, by their first attempt.
    calls: Window,
    /// Second attempts at providers that are failing.
    at_failing: Window,
}

impl Demand {
    /// Notes the first attempt of a call.
    pub fn begins(&self, now_ms: u64) {
        self.calls.add(now_ms);
    }

    /// Whether a call may have another attempt, at a provider that has had so
    /// many `second`. Counts it if so.
    #[must_use]
    pub fn allows(&self, second: &Window, is_failing: bool, now_ms: u64) -> bool {
        let calls = self.calls.sum(now_ms);
        let fits = |window: &Window, calls_for_one: u64| {
            window.sum(now_ms) < ALWAYS.saturating_add(calls / calls_for_one)
        };
        let is_allowed = if is_failing {
            fits(second, CALLS_FOR_ONE) && fits(&self.at_failing, CALLS_FOR_ONE_FAILING)
        } else {
            fits(second, CALLS_FOR_ONE_WELL)
        };
        if !is_allowed {
            return false;
        }
        second.add(now_ms);
        if is_failing {
            self.at_failing.add(now_ms);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: u64 = 1_763_683_200_000;

    #[test]
    fn a_window_is_ten_seconds_long() {
        let window = Window::default();
        for second in 0..25 {
            window.add(T0 + second * 1_000);
            window.add(T0 + second * 1_000 + 999);
            assert_eq!(window.sum(T0 + second * 1_000), 2 * (second + 1).min(10));
        }
        assert_eq!(window.sum(T0 + 33_999), 2);
        assert_eq!(window.sum(T0 + 34_000), 0);
    }

    #[test]
    fn a_few_are_always_allowed_and_then_a_fifth_of_the_calls_or_all_of_them() {
        let demand = Demand::default();
        let (second, well) = (Window::default(), Window::default());
        let allowed = |second: &Window, is_failing| {
            (0..1_000)
                .filter(|_| demand.allows(second, is_failing, T0))
                .count()
        };
        assert_eq!(allowed(&second, true), 10);
        (0..600).for_each(|_| demand.begins(T0));
        // By then the share of all that fail is smaller than its own.
        assert_eq!(allowed(&second, true), 50);
        assert_eq!(allowed(&second, true), 0);
        assert_eq!(allowed(&well, false), 610, "one for each call");
        let elsewhere = Window::default();
        assert!(demand.allows(&elsewhere, false, T0), "by destination");
    }

    #[test]
    fn all_that_fail_share_a_twelfth() {
        let demand = Demand::default();
        let providers: [Window; 4] = Default::default();
        (0..1_200).for_each(|_| demand.begins(T0));
        let tries = (0..4_000).filter(|n| {
            let second = &providers[n % 4];
            demand.allows(second, true, T0)
        });
        assert_eq!(tries.count(), 110);
    }
}
