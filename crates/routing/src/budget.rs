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

/// Calls that may be hedged for each hedge: 5 % more.
const CALLS_FOR_ONE_HEDGE: u64 = 20;
/// Hedges in ten seconds that need fewer calls, if the last ten minutes had
/// enough: at a call a second there would never be one.
const HEDGES_ALWAYS: u64 = 1;
/// How many times longer than ten seconds the longer window is.
const LONGER: u64 = 60;

/// How many calls may have a second attempt beside their first: at most one
/// in twenty of those that ask for it, in ten seconds and in ten minutes. The
/// longer window is for servers with few calls, the shorter one keeps what
/// was saved in minutes from being spent in a second.
#[derive(Debug, Default)]
pub struct Hedges {
    short: Beside,
    long: Beside,
}

#[derive(Debug, Default)]
struct Beside {
    calls: Window,
    hedges: Window,
}

impl Beside {
    fn has_room(&self, parts: u64, always: u64, now_ms: u64) -> bool {
        let share = self.calls.sum(now_ms) / (CALLS_FOR_ONE_HEDGE * parts);
        self.hedges.sum(now_ms) < share.max(always)
    }
}

impl Hedges {
    /// Notes a call that may be hedged.
    pub fn begins(&self, now_ms: u64) {
        self.short.calls.add(now_ms);
        self.long.calls.add(now_ms / LONGER);
    }

    /// Whether there may be one more hedge. Counts it if so. Half of them are
    /// for calls that are `very_late`: where nearly all take about as long,
    /// those that are a little late would leave nothing for the others.
    #[must_use]
    pub fn allows(&self, very_late: bool, now_ms: u64) -> bool {
        let parts = if very_late { 1 } else { 2 };
        let has_room = self.short.has_room(parts, HEDGES_ALWAYS, now_ms)
            && self.long.has_room(parts, 0, now_ms / LONGER);
        if has_room {
            self.short.hedges.add(now_ms);
            self.long.hedges.add(now_ms / LONGER);
        }
        has_room
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
    fn one_call_in_twenty_is_hedged_and_what_was_saved_is_not_spent_at_once() {
        let hedges = Hedges::default();
        let allowed = |now_ms| {
            let tries = (0..1_000).filter(|_| hedges.allows(true, now_ms));
            tries.count()
        };
        assert_eq!(allowed(T0), 0, "nobody asked for any");
        (0..19).for_each(|_| hedges.begins(T0));
        assert_eq!(allowed(T0), 0);
        (0..581).for_each(|_| hedges.begins(T0));
        assert_eq!(allowed(T0), 30);
        // Ten seconds later there is room for none, but in the long run.
        assert_eq!(allowed(T0 + 10_000), 0);
        let rare = Hedges::default();
        let mut hedged = 0;
        for second in 0..600 {
            rare.begins(T0 + second * 1_000);
            hedged += u64::from(rare.allows(true, T0 + second * 1_000));
            assert!(hedged * 20 <= second + 1);
        }
        assert_eq!(hedged, 30);
        // Minutes of calls do not pay for a second of hedges.
        let saved = Hedges::default();
        (0..540).for_each(|second| saved.begins(T0 + second * 1_000));
        let burst = (0..1_000).filter(|_| saved.allows(true, T0 + 540_000));
        assert_eq!(burst.count(), 1);
        // Half is for those that are very late.
        let both = Hedges::default();
        (0..400).for_each(|_| both.begins(T0));
        let of = |very_late| (0..100).filter(|_| both.allows(very_late, T0)).count();
        assert_eq!([of(false), of(true), of(false)], [10, 10, 0]);
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
