//! When to stop sending to somebody, and when to find out whether it is back.
//!
//! A breaker is closed while all is well. Failures in a row, or too many among
//! successes, open it: nothing is sent for a rest. After the rest exactly one
//! real request is the probe, and decides whether it closes.
//!
//! Two things make the next probe due, whichever comes first: as many calls as
//! would have liked to use it, so that probes stay a small part of the traffic
//! and somebody with much traffic is back within two seconds; or a time that
//! doubles with each probe that failed, for those with little traffic. What
//! opens again as soon as it has closed rests for longer each time.
//!
//! Somebody who has failed too seldom to open, but so often that others come
//! first, is passed over as well, and nobody would learn that it is back. After
//! as many calls it opens for a probe.
//!
//! Everything is atomic: whoever makes a plan reads one number of a closed
//! breaker. Two at once may count one failure too few, which the next makes
//! up for; that only one of them opens it or gets the probe is certain.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Failures in a row that open (Finagle's failure accrual has as many,
/// twitter.github.io/finagle, October 2024).
pub const CONSECUTIVE_MAX: u64 = 5;
/// What a failure adds to the trouble of which a success takes one away: at
/// less than four successes for each failure, which is a success rate of 80 %,
/// trouble grows.
const TROUBLE_OF_FAILURE: u64 = 4;
/// The trouble that opens: some thirteen attempts at a rate of 50 %.
const TROUBLE_MAX: u64 = 20;
/// What a failure adds to the debt of which a success takes one away: whoever
/// serves 95 % is in debt for a moment only. That is the line between a
/// provider that is well and one that is degraded (openrouter.ai/docs, uptime
/// optimisation, August 2026).
const DEBT_OF_FAILURE: u64 = 20;
/// The most debt: five failures.
const DEBT_MAX: u64 = 100;
/// The first rest, in milliseconds, before its jitter.
pub const REST_MS: u64 = 1_000;
/// The longest rest that we choose.
pub const REST_MS_MAX: u64 = 60_000;
/// How long somebody who says itself that it cannot serve our account rests.
pub const REFUSAL_REST_MS: u64 = 30_000;
/// Calls that pass somebody over until a probe is due: at 175 a second and more
/// it is asked again within two seconds. A probe that fails at once costs its
/// caller next to nothing, and 0.3 % more attempts.
pub const PASSES_MIN: u32 = 350;
/// A probe that is not answered in time costs its caller that time, so with each
/// of them in a row it takes twice as many calls, so many times at most: 0.04 % of
/// them meet it then.
const SILENT_DOUBLINGS_MAX: u32 = 3;
/// Doublings after which a rest does not grow any more.
const DOUBLINGS_MAX: u32 = 6;
/// Whoever opens this soon after it has closed was not well. Longer after
/// longer rests.
const PROBATION_MS: u64 = 3_000;
/// But whoever has answered so often since it closed was well: at one failure
/// in four it opens after a hundred attempts, and sooner at more. Otherwise one
/// that goes down every few seconds would soon be left out while it is up.
const PROBATION_ANSWERS: u32 = 200;
/// A probe that has not ended after so long is given up for lost, in
/// milliseconds: no call takes longer to its first content.
const PROBE_MS_MAX: u64 = 600_000;

/// Whether somebody may be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// It may.
    #[default]
    Closed,
    /// One request may, to find out.
    Probe,
    /// It may not. The next probe is due by then at the latest, in
    /// milliseconds since 1970.
    Open(u64),
}

/// What came of counting an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing changed.
    None,
    /// It has opened, for so many milliseconds.
    Opened(u64),
    /// It has closed.
    Closed,
    /// It has closed, and had been open for one call to find out if it is back.
    /// That it opened was no news, so that this is none either.
    Found,
}

/// An attempt, as a breaker knows it.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// When it was sent, in milliseconds since 1970.
    pub at_ms: u64,
    /// Whether it is the probe.
    pub is_probe: bool,
}

/// See the top of the file. Times are milliseconds since 1970.
#[derive(Debug, Default)]
pub struct Breaker {
    /// [`Tally`], packed.
    tally: AtomicU64,
    /// The earliest time of the next probe; zero while it is closed.
    open_until: AtomicU64,
    /// When the next probe is due, however few calls there are.
    probe_by: AtomicU64,
    opened_at: AtomicU64,
    closed_at: AtomicU64,
    /// Somebody was told that it opened.
    is_told: AtomicBool,
    /// Until when the probe may be under way; zero if none is.
    probing_until: AtomicU64,
    /// Calls that have passed it over since it opened.
    passes: AtomicU32,
    /// Probes in a row that failed.
    failed_probes: AtomicU32,
    /// Those of them in a row, up to the last, that were not answered in time.
    silent_probes: AtomicU32,
    /// Times that it opened soon after it had closed.
    relapses: AtomicU32,
    /// Answers since it closed; not counted beyond [`PROBATION_ANSWERS`].
    answers: AtomicU32,
}

/// What a breaker counts while it is closed.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    consecutive: u64,
    trouble: u64,
    debt: u64,
}

// === impl Tally ===

impl Tally {
    const fn of(packed: u64) -> Self {
        Self {
            consecutive: packed & 0xffff,
            trouble: (packed >> 16) & 0xffff,
            debt: (packed >> 32) & 0xffff,
        }
    }

    const fn packed(self) -> u64 {
        self.consecutive | (self.trouble << 16) | (self.debt << 32)
    }

    const fn succeeded(self) -> Self {
        Self {
            consecutive: 0,
            trouble: self.trouble.saturating_sub(1),
            debt: self.debt.saturating_sub(1),
        }
    }

    /// A failure that counts for `weight` of them.
    fn failed(self, weight: u64) -> Self {
        Self {
            consecutive: self.consecutive + weight,
            trouble: self.trouble + weight * TROUBLE_OF_FAILURE,
            debt: (self.debt + weight * DEBT_OF_FAILURE).min(DEBT_MAX),
        }
    }

    const fn is_too_much(self) -> bool {
        self.consecutive >= CONSECUTIVE_MAX || self.trouble >= TROUBLE_MAX
    }
}

/// A rest with its jitter: servers that lost the same provider at the same
/// time do not come back to it at the same time. `random` is uniform in
/// [0, 1).
fn jittered(rest_ms: u64, random: f64) -> u64 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )] // A minute in milliseconds.
    let jittered = (rest_ms as f64 * (0.75 + random.clamp(0.0, 1.0) / 2.0)) as u64;
    jittered
}

const fn doubled(times: u32) -> u64 {
    let times = if times > DOUBLINGS_MAX {
        DOUBLINGS_MAX
    } else {
        times
    };
    let rest = REST_MS << times;
    if rest > REST_MS_MAX {
        REST_MS_MAX
    } else {
        rest
    }
}

// === impl Breaker ===

impl Breaker {
    /// Whether it may be sent to, as a call sees that would like to.
    #[inline]
    #[must_use]
    pub fn standing(&self, now_ms: u64) -> Standing {
        match self.open_until.load(Relaxed) {
            0 => Standing::Closed,
            until => self.standing_of_open(until, now_ms),
        }
    }

    #[cold]
    fn standing_of_open(&self, until: u64, now_ms: u64) -> Standing {
        let passes = self.passes.fetch_add(1, Relaxed).saturating_add(1);
        let by = self.probe_by.load(Relaxed).max(until);
        let is_due = now_ms >= by || (now_ms >= until && passes >= self.passes_min());
        if is_due && self.probing_until.load(Relaxed) <= now_ms {
            Standing::Probe
        } else {
            Standing::Open(by)
        }
    }

    /// Whether it may be sent to, as somebody sees who only looks on and is not
    /// counted. [`Standing::Probe`] also stands for a probe that is under way.
    #[must_use]
    pub fn seen(&self, now_ms: u64) -> Standing {
        let until = self.open_until.load(Relaxed);
        if until == 0 {
            return Standing::Closed;
        }
        let by = self.probe_by.load(Relaxed).max(until);
        let are_enough = || self.passes.load(Relaxed) >= self.passes_min();
        let is_due = now_ms >= by || (now_ms >= until && are_enough());
        if is_due || self.probing_until.load(Relaxed) > now_ms {
            Standing::Probe
        } else {
            Standing::Open(by)
        }
    }

    fn passes_min(&self) -> u32 {
        PASSES_MIN << self.silent_probes.load(Relaxed).min(SILENT_DOUBLINGS_MAX)
    }

    /// Whether it is open, whatever is due.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open_until.load(Relaxed) != 0
    }

    /// Whether it has failed so much of late that others come first, as a call
    /// sees that would like to use it. Where calls are many, it opens for a
    /// probe after as many of them as make one due: one of them finds out whether
    /// it is back, and has all of its traffic come back.
    #[must_use]
    pub fn is_in_debt(&self, now_ms: u64) -> bool {
        if Tally::of(self.tally.load(Relaxed)).debt == 0 {
            return false;
        }
        if !self.is_open() && self.passes.fetch_add(1, Relaxed) >= PASSES_MIN {
            let rest_ms = match self.relapses_at(now_ms) {
                0 => 0,
                relapses => doubled(relapses),
            };
            // Calls that pass it over have nobody to tell. If the probe fails,
            // that is told.
            self.open(rest_ms, now_ms, false);
        }
        true
    }

    /// Notes that a call that was counted has not passed it over.
    pub fn note_used(&self) {
        if self.tally.load(Relaxed) != 0 {
            let less = |passes: u32| passes.checked_sub(1);
            let _ = self.passes.fetch_update(Relaxed, Relaxed, less);
        }
    }

    /// Takes the probe that is due; `false` if somebody else has it.
    #[must_use]
    pub fn takes_probe(&self, now_ms: u64) -> bool {
        let before = self.probing_until.load(Relaxed);
        let until = now_ms.saturating_add(PROBE_MS_MAX);
        before <= now_ms
            && self
                .probing_until
                .compare_exchange(before, until, Relaxed, Relaxed)
                .is_ok()
    }

    /// Gives the probe back: it said nothing.
    pub fn returns_probe(&self) {
        self.probing_until.store(0, Relaxed);
    }

    /// Notes that an attempt was answered.
    pub fn succeeded(&self, sent: Sent, now_ms: u64) -> Change {
        if self.open_until.load(Relaxed) != 0 {
            // What was sent before it opened says nothing of now.
            let is_news = sent.is_probe || sent.at_ms >= self.opened_at.load(Relaxed);
            return if is_news {
                self.close(now_ms)
            } else {
                Change::None
            };
        }
        let tally = self.tally.load(Relaxed);
        if tally != 0 {
            let after = Tally::of(tally).succeeded().packed();
            let _ = self.tally.compare_exchange(tally, after, Relaxed, Relaxed);
        }
        let answers = self.answers.load(Relaxed);
        if answers < PROBATION_ANSWERS {
            self.answers.store(answers + 1, Relaxed);
        }
        Change::None
    }

    fn close(&self, now_ms: u64) -> Change {
        self.closed_at.store(now_ms, Relaxed);
        self.answers.store(0, Relaxed);
        self.tally.store(0, Relaxed);
        self.failed_probes.store(0, Relaxed);
        self.silent_probes.store(0, Relaxed);
        self.probing_until.store(0, Relaxed);
        match self.open_until.swap(0, Relaxed) {
            0 => Change::None,
            _ if self.is_told.load(Relaxed) => Change::Closed,
            _ => Change::Found,
        }
    }

    /// Notes that an attempt failed, which counts for `weight` failures.
    pub fn failed(&self, sent: Sent, weight: u64, now_ms: u64, random: f64) -> Change {
        if sent.is_probe {
            return self.probe_failed(weight, now_ms, random);
        }
        // What was sent before it closed, or opened, was known then.
        if self.is_open() || sent.at_ms < self.closed_at.load(Relaxed) {
            return Change::None;
        }
        self.passes.store(0, Relaxed);
        let counted = self
            .tally
            .fetch_update(Relaxed, Relaxed, |tally| {
                Some(Tally::of(tally).failed(weight).packed())
            })
            .unwrap_or_default();
        if Tally::of(counted).failed(weight).is_too_much() {
            let rest_ms = jittered(doubled(self.relapses_at(now_ms)), random);
            return self.open(rest_ms, now_ms, true);
        }
        Change::None
    }

    /// Opens it for so long, whatever it has done before.
    pub fn eject(&self, sent: Sent, rest_ms: u64, now_ms: u64) -> Change {
        if self.is_open() {
            if !sent.is_probe {
                return Change::None;
            }
            self.rests(rest_ms, rest_ms, now_ms);
            self.is_told.store(true, Relaxed);
            return Change::Opened(rest_ms);
        }
        if sent.at_ms < self.closed_at.load(Relaxed) {
            return Change::None;
        }
        self.open(rest_ms, now_ms, true)
    }

    /// How often it has relapsed, if it opens now.
    fn relapses_at(&self, now_ms: u64) -> u32 {
        let before = self.relapses.load(Relaxed);
        let closed_for = now_ms.saturating_sub(self.closed_at.load(Relaxed));
        let probation_ms = PROBATION_MS.max(3 * doubled(before));
        let was_well =
            closed_for >= probation_ms || self.answers.load(Relaxed) >= PROBATION_ANSWERS;
        let has_opened = self.opened_at.load(Relaxed) != 0;
        let relapses = match has_opened && !was_well {
            true => (before + 1).min(DOUBLINGS_MAX),
            false => 0,
        };
        self.relapses.store(relapses, Relaxed);
        relapses
    }

    fn open(&self, rest_ms: u64, now_ms: u64, is_told: bool) -> Change {
        let until = now_ms.saturating_add(rest_ms).max(1);
        if self
            .open_until
            .compare_exchange(0, until, Relaxed, Relaxed)
            .is_err()
        {
            return Change::None;
        }
        self.opened_at.store(now_ms, Relaxed);
        self.is_told.store(is_told, Relaxed);
        self.failed_probes.store(0, Relaxed);
        self.rests(rest_ms, rest_ms, now_ms);
        Change::Opened(rest_ms)
    }

    fn probe_failed(&self, weight: u64, now_ms: u64, random: f64) -> Change {
        if weight > 1 {
            self.silent_probes.fetch_add(1, Relaxed);
        } else {
            self.silent_probes.store(0, Relaxed);
        }
        let failed = self.failed_probes.fetch_add(1, Relaxed).saturating_add(1);
        let relapses = self.relapses.load(Relaxed);
        let least = jittered(doubled(relapses), random);
        let most = jittered(doubled(relapses.saturating_add(failed)), random);
        self.rests(least, most, now_ms);
        self.is_told.store(true, Relaxed);
        Change::Opened(most)
    }

    fn rests(&self, least_ms: u64, most_ms: u64, now_ms: u64) {
        let until = |rest| now_ms.saturating_add(rest).max(1);
        self.passes.store(0, Relaxed);
        self.probe_by.store(until(most_ms), Relaxed);
        self.open_until.store(until(least_ms), Relaxed);
        self.probing_until.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests;
