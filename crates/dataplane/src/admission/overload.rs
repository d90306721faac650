//! Whether a worker has more to do than it gets done.
//!
//! What may run at once depends on the machine, on what else it does, on the
//! prompts and on the providers, so no number of calls is right. What callers
//! feel is how long a call that is ready waits for its worker. That is
//! measured, and the number of running calls follows from it: CoDel's idea
//! (RFC 8289), with thresholds used as in Facebook's variant of it (Maurer,
//! "Fail at Scale", ACM Queue 13(8), 2015). How long providers think is no
//! part of it: thousands of calls that wait for them are no overload.
//!
//! Two things follow. A call that comes while others are late, and have been for
//! a while, is refused at once: nothing that runs is touched. And the number that
//! ran then becomes a limit, which grows again: slowly as long as anybody is late
//! now and then, and fast once nobody is. Without it, a worker that has time now
//! would take in more calls than it has time for when their providers begin to
//! answer, seconds later.
//!
//! A moment is no overload: a worker that did not have its core for one, or that
//! thousands of calls came to at once, is late and needs no help. With thousands
//! of streams that wait for their providers, it would turn everybody away.
//!
//! The measure: a call that arrives sends a *probe* to the end of the worker's
//! queue of ready tasks, unless one is under way. The time until it runs is
//! what a task waits that became ready with it.
//!
//! Pure: times are arguments, in microseconds since the worker began, which
//! are above zero. One thread writes; the atomics let metrics read.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::priority::Priority;

/// A wait that nobody notices beside a model's: RFC 8289, section 4.3.
pub(super) const TARGET_US: u64 = 5_000;
/// A wait that a queue which grows reaches within moments. Until it has been
/// seen, clients may make the worker as busy as they like: they stand in line,
/// and nobody is refused. Higher, more calls would be late before the first is
/// refused: at four times the peak 25 ms make 1 % of the calls of ten seconds.
/// An operator may set another.
pub(super) const LATE: Duration = Duration::from_millis(25);
/// So many times what makes somebody late a wait must have lasted until it is more
/// than a moment: 100 ms then (RFC 8289, section 4.3). At four times the peak it
/// costs those calls some 400 ms that come in it. Where a call waits for as long as
/// that already, once is enough.
const STANDING_TIMES: u64 = 4;
/// So long after the last refusal there is neither a limit nor strictness. It
/// is also what a refused client is asked to wait.
pub(super) const CALM_US: u64 = 1_000_000;
/// A probe is sent at most so often: what one costs is a small part of a call.
const PROBE_EVERY_US: u64 = 1_000;
/// So few calls are no overload, however long they wait: they are a few
/// milliseconds of work, and so many clients that each wait for their answer
/// are ordinary.
pub(super) const FEW: u32 = 256;
/// The same while calls are being refused: enough to keep the worker busy where it
/// shares its core with others, so that everybody is late, and few enough that a
/// call is no later than usual on a slow machine. By simulation 32 leave 79 % of
/// the peak there and 48 leave 89 %; with 64 a call is later.
pub(super) const FEW_STRICT: u32 = 48;
/// The same for calls that may wait.
pub(super) const FEW_BATCH: u32 = 8;
/// The limit doubles in so long, if nobody is late: 2 % a second. The work of a
/// call comes seconds after it was let in, so faster growth would overshoot.
const LIMIT_DOUBLES_US: u64 = 50_000_000;
/// The same where nobody was late for [`CALM_US`] and a ready call waits for next
/// to nothing, [`IDLE_US`]: then it was no overload that lasts. Where more streams
/// wait for their providers than ran at the time, it must not keep others out.
const LIMIT_DOUBLES_IDLE_US: u64 = 2_000_000;
/// A ready call of a worker that has little to do waits for no longer. By
/// simulation, with twice as much short calls come to more than twice their usual
/// p99 in an overload that lasts.
const IDLE_US: u64 = TARGET_US / 4;

/// What one worker knows of its own delay.
#[derive(Debug)]
pub(super) struct Overload {
    /// Once a ready call waits for longer, others are refused.
    late_us: u64,
    /// When the probe under way was sent; 0 if none is.
    sent_us: AtomicU64,
    /// What the last one measured, and when.
    delay_us: AtomicU64,
    measured_us: AtomicU64,
    /// Since when a ready call has waited longer than it should at every look, and
    /// when the last look was; the latter is 0 if none has since.
    standing_since_us: AtomicU64,
    standing_seen_us: AtomicU64,
    /// When somebody was last refused who could not wait; 0 if nobody was.
    refused_us: AtomicU64,
    /// How many calls ran when one was last refused because of the delay, and
    /// when that was.
    limit: AtomicU32,
    limited_us: AtomicU64,
}

impl Overload {
    /// A worker that nobody waited for yet.
    pub(super) fn new(late: Duration) -> Self {
        Self {
            late_us: u64::try_from(late.as_micros()).unwrap_or(u64::MAX),
            sent_us: AtomicU64::default(),
            delay_us: AtomicU64::default(),
            measured_us: AtomicU64::default(),
            standing_since_us: AtomicU64::default(),
            standing_seen_us: AtomicU64::default(),
            refused_us: AtomicU64::default(),
            limit: AtomicU32::default(),
            limited_us: AtomicU64::default(),
        }
    }

    /// How long a call that becomes ready now may have to wait.
    ///
    /// A queue that was measured is worked off as time goes by, and one that a
    /// probe still waits in is at least as long as it has waited.
    pub(super) fn delay_us(&self, now_us: u64) -> u64 {
        let since = now_us.saturating_sub(self.measured_us.load(Relaxed));
        let left = self.delay_us.load(Relaxed).saturating_sub(since);
        match self.sent_us.load(Relaxed) {
            0 => left,
            sent => left.max(now_us.saturating_sub(sent)),
        }
    }

    /// Whether a call may begin beside so many that run.
    pub(super) fn admits(&self, priority: Priority, running: u32, now_us: u64) -> bool {
        let limit = self.limit(now_us);
        let (few, most_us) = match (priority, limit) {
            (Priority::Interactive, None) => (FEW, self.late_us),
            (Priority::Interactive, Some(_)) => (FEW_STRICT, TARGET_US),
            (Priority::Batch, None) => (FEW_BATCH, TARGET_US),
            // First to go, and last to come back.
            (Priority::Batch, Some(_)) => return running < FEW_BATCH,
        };
        let delay_us = self.delay_us(now_us);
        let stands = self.stands(delay_us, now_us);
        if running < few {
            return true;
        }
        // Who may wait does so at the first sign.
        let counts = stands || limit.is_some() || priority == Priority::Batch;
        let is_late = delay_us > most_us && counts;
        let admits = !is_late && limit.is_none_or(|limit| running < limit);
        if !admits && priority == Priority::Interactive {
            if is_late {
                self.limit.store(running, Relaxed);
                self.limited_us.store(now_us, Relaxed);
            }
            self.refused_us.store(now_us, Relaxed);
        }
        admits
    }

    /// Whether ready calls have had to wait too long for more than a moment, as seen
    /// by one that has to wait so long now.
    fn stands(&self, delay_us: u64, now_us: u64) -> bool {
        let seen = self.standing_seen_us.load(Relaxed);
        if delay_us <= self.short_us() {
            if seen != 0 {
                self.standing_seen_us.store(0, Relaxed);
            }
            return false;
        }
        self.standing_seen_us.store(now_us, Relaxed);
        let standing_us = self.late_us.saturating_mul(STANDING_TIMES);
        if seen == 0 || self.unseen_us(seen, now_us) >= standing_us {
            self.standing_since_us.store(now_us, Relaxed);
        }
        let stands_us = now_us.saturating_sub(self.standing_since_us.load(Relaxed));
        let is_long = delay_us > standing_us;
        stands_us >= if is_long { self.late_us } else { standing_us }
    }

    /// For how long nobody knows whether calls had to wait: since the last look,
    /// or since the end of a wait that had begun before it.
    fn unseen_us(&self, seen_us: u64, now_us: u64) -> u64 {
        let measured = self.measured_us.load(Relaxed);
        let (began, ended) = match self.sent_us.load(Relaxed) {
            0 => (
                measured.saturating_sub(self.delay_us.load(Relaxed)),
                measured,
            ),
            sent => (sent, now_us),
        };
        let since = match began <= seen_us {
            true => ended.max(seen_us),
            false => seen_us,
        };
        now_us.saturating_sub(since)
    }

    /// What no call minds that it waits for.
    fn short_us(&self) -> u64 {
        self.late_us.min(TARGET_US)
    }

    /// Whether anybody was ever refused: without a look at the clock.
    pub(super) fn has_refused(&self) -> bool {
        self.refused_us.load(Relaxed) > 0
    }

    /// Whether a probe is to be sent now. It is under way then, until
    /// [`Self::probed`].
    pub(super) fn sends_probe(&self, now_us: u64) -> bool {
        let since = now_us.saturating_sub(self.measured_us.load(Relaxed));
        let sends = self.sent_us.load(Relaxed) == 0 && since >= PROBE_EVERY_US;
        if sends {
            self.sent_us.store(now_us, Relaxed);
        }
        sends
    }

    /// The probe that was under way has run.
    pub(super) fn probed(&self, now_us: u64) {
        let sent = self.sent_us.load(Relaxed);
        let delay_us = now_us.saturating_sub(sent);
        self.delay_us.store(delay_us, Relaxed);
        if delay_us <= self.short_us() {
            self.standing_seen_us.store(0, Relaxed);
        }
        self.measured_us.store(now_us, Relaxed);
        self.sent_us.store(0, Relaxed);
    }

    /// How many calls may run; `None`: nobody was refused for a while, and any
    /// number may.
    pub(super) fn limit(&self, now_us: u64) -> Option<u32> {
        let refused_us = self.refused_us.load(Relaxed);
        if !self.has_refused() || now_us.saturating_sub(refused_us) >= CALM_US {
            return None;
        }
        let limit = u64::from(self.limit.load(Relaxed));
        let since = now_us.saturating_sub(self.limited_us.load(Relaxed));
        let idle = match self.delay_us(now_us) > IDLE_US {
            true => 0,
            false => since.saturating_sub(CALM_US),
        };
        let grown = limit
            .saturating_add(limit.saturating_mul(since) / LIMIT_DOUBLES_US)
            .saturating_add(limit.saturating_mul(idle) / LIMIT_DOUBLES_IDLE_US);
        Some(u32::try_from(grown).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: u64 = 10_000_000;
    const LATE_US: u64 = 25_000;
    const STANDING_US: u64 = STANDING_TIMES * LATE_US;

    /// A worker whose last probe waited so long, as others did before it.
    fn late_by(delay_us: u64) -> Overload {
        let overload = late_at_last_by(delay_us);
        overload.standing_since_us.store(T0 - STANDING_US, Relaxed);
        overload.standing_seen_us.store(T0, Relaxed);
        overload
    }

    /// The same, but the others did not wait.
    fn late_at_last_by(delay_us: u64) -> Overload {
        let overload = Overload::new(LATE);
        assert!(overload.sends_probe(T0 - delay_us));
        overload.probed(T0);
        overload
    }

    #[test]
    fn who_is_late_for_a_moment_refuses_nobody() {
        let interactive = Priority::Interactive;
        let overload = late_at_last_by(90_000);
        for ms in (0..84).step_by(12) {
            assert!(
                overload.admits(interactive, 5_000, T0 + ms * 1_000),
                "{ms} ms"
            );
        }
        // Late at every look for as long as makes it more than a moment.
        let overload = late_at_last_by(300_000);
        assert!(overload.admits(interactive, 5_000, T0));
        assert!(overload.admits(interactive, 5_000, T0 + LATE_US - 1));
        assert!(!overload.admits(interactive, 5_000, T0 + LATE_US));
        // Late at two looks, and nobody knows what was in between.
        let overload = late_at_last_by(300_000);
        assert!(overload.admits(interactive, 5_000, T0));
        assert!(overload.admits(interactive, 5_000, T0 + 150_000));
        // Late, well, and late.
        let overload = late_at_last_by(40_000);
        assert!(overload.admits(interactive, 5_000, T0));
        assert!(overload.sends_probe(T0 + 30_000));
        overload.probed(T0 + 31_000);
        assert!(overload.sends_probe(T0 + 60_000));
        assert!(overload.admits(interactive, 5_000, T0 + 90_000));
        assert!(overload.admits(interactive, 5_000, T0 + 110_000));
    }

    #[test]
    fn a_probe_is_sent_when_none_is_under_way_and_not_at_every_call() {
        let overload = Overload::new(LATE);
        assert!(overload.sends_probe(T0));
        assert!(!overload.sends_probe(T0 + 5_000), "one is under way");
        overload.probed(T0 + 6_000);
        assert!(!overload.sends_probe(T0 + 6_999));
        assert!(overload.sends_probe(T0 + 7_000));
    }

    #[test]
    fn a_measured_queue_is_worked_off_and_a_waiting_probe_says_how_long_it_has_waited() {
        let overload = late_by(30_000);
        assert_eq!(overload.delay_us(T0), 30_000);
        assert_eq!(overload.delay_us(T0 + 20_000), 10_000);
        assert_eq!(overload.delay_us(T0 + 60_000), 0);
        assert!(overload.sends_probe(T0 + 60_000));
        assert_eq!(overload.delay_us(T0 + 200_000), 140_000);
    }

    #[test]
    fn a_busy_worker_refuses_nobody_until_somebody_is_late_and_then_until_it_is_calm() {
        let interactive = Priority::Interactive;
        let overload = late_by(24_000);
        assert!(overload.admits(interactive, 5_000, T0));
        assert_eq!(overload.limit(T0), None);

        let overload = late_by(26_000);
        assert!(!overload.admits(interactive, 5_000, T0));
        // Seven milliseconds of it are left, then four.
        assert!(!overload.admits(interactive, 300, T0 + 19_000));
        assert!(overload.admits(interactive, 299, T0 + 22_000));
        assert_eq!(overload.limit(T0 + 22_000 + CALM_US), None);
        assert!(overload.sends_probe(T0 + 1_050_000));
        let later = T0 + 1_070_000;
        assert!(overload.admits(interactive, 5_000, later), "twenty again");
    }

    /// A ready call waits for so long just now.
    fn waits(overload: &Overload, delay_us: u64, now_us: u64) {
        assert!(overload.sends_probe(now_us - delay_us));
        overload.probed(now_us);
    }

    #[test]
    fn what_ran_when_somebody_was_late_is_a_limit_that_grows_and_ends_when_nobody_is_refused() {
        let interactive = Priority::Interactive;
        let overload = late_by(60_000);
        assert!(!overload.admits(interactive, 1_000, T0));
        let mut now = T0;
        for second in 1..=10 {
            now = T0 + second * 900_000;
            waits(&overload, 2 * IDLE_US, now);
            let limit = 1_000 + 18 * u32::try_from(second).unwrap();
            assert_eq!(overload.limit(now), Some(limit));
            assert!(overload.admits(interactive, limit - 1, now));
            assert!(!overload.admits(interactive, limit, now));
        }
        assert_eq!(overload.limit(now + CALM_US), None);
        assert!(overload.admits(interactive, 50_000, now + CALM_US));
    }

    #[test]
    fn the_limit_of_a_worker_with_little_to_do_grows_fast() {
        let interactive = Priority::Interactive;
        let overload = late_by(60_000);
        assert!(!overload.admits(interactive, 1_000, T0));
        for (ms, limit) in [(900, 1_018), (1_800, 1_436), (2_700, 1_904)] {
            let now = T0 + ms * 1_000;
            assert_eq!(overload.limit(now), Some(limit));
            assert!(!overload.admits(interactive, limit, now));
        }
        // It has more to do again.
        waits(&overload, 2 * IDLE_US, T0 + 3_600_000);
        assert_eq!(overload.limit(T0 + 3_600_000), Some(1_072));
    }

    #[test]
    fn few_calls_are_no_overload() {
        let overload = late_by(9_000_000);
        assert!(overload.admits(Priority::Batch, FEW_BATCH - 1, T0));
        assert!(overload.admits(Priority::Interactive, FEW - 1, T0));
        assert!(!overload.admits(Priority::Interactive, FEW, T0));
        // From now on others are refused.
        assert!(overload.admits(Priority::Interactive, FEW_STRICT - 1, T0));
        assert!(!overload.admits(Priority::Interactive, FEW_STRICT, T0));
        assert!(overload.admits(Priority::Batch, FEW_BATCH - 1, T0));
    }

    #[test]
    fn batch_yields_before_anybody_is_late_and_while_anybody_is_refused() {
        let overload = late_by(6_000);
        assert!(overload.admits(Priority::Interactive, 100, T0));
        assert!(!overload.admits(Priority::Batch, 100, T0));
        assert!(overload.admits(Priority::Batch, 100, T0 + 2_000));
        assert_eq!(overload.limit(T0), None, "it refuses nobody else for that");

        let overload = late_by(60_000);
        assert!(!overload.admits(Priority::Interactive, 300, T0));
        let later = T0 + 500_000;
        assert_eq!(overload.delay_us(later), 0);
        assert!(overload.admits(Priority::Interactive, 299, later));
        assert!(!overload.admits(Priority::Batch, 99, later));
        assert!(overload.admits(Priority::Batch, 99, T0 + CALM_US));
    }
}
