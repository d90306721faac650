//! Which line of a batch is called next, and when.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::{Run, lock};

/// How often it is looked whether there is time for batches: it costs nothing
/// to speak of, and nobody is in a hurry.
const LOOKS_EVERY: Duration = Duration::from_millis(50);
/// How often a line is tried that failed for a reason that passes.
const TRIES_MAX: u8 = 5;
/// The first wait of a line that failed; each later one is four times as long.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// The longest, also where a provider asks for more: within the day that a
/// batch has, an outage of half an hour is outlasted.
const WAIT_MAX: Duration = Duration::from_secs(600);

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// A line may be called now.
    Now,
    /// None before this moment.
    At(Instant),
    /// None until another has ended.
    Nothing,
}

/// Waits for the moment, if there is one.
pub(super) async fn until(due: Due) {
    match due {
        Due::At(at) => tokio::time::sleep_until(at).await,
        Due::Now | Due::Nothing => std::future::pending().await,
    }
}

/// Which lines are left.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Lines before this one were taken up.
    next: u32,
    lines: u32,
    /// Lines that are tried again, and when.
    later: BTreeSet<(Instant, u32)>,
    /// How often lines have failed that may pass.
    failed: HashMap<u32, u8>,
    paused_until: Option<Instant>,
}

impl Schedule {
    /// Of a batch with so many lines.
    pub(super) fn new(lines: usize) -> Self {
        Self {
            next: 0,
            lines: u32::try_from(lines).unwrap_or(u32::MAX),
            later: BTreeSet::new(),
            failed: HashMap::new(),
            paused_until: None,
        }
    }

    /// Whether every line was taken up, and none is to be tried again.
    pub(super) fn is_exhausted(&self) -> bool {
        self.next >= self.lines && self.later.is_empty()
    }

    /// Whether a line may be called now, beside so many.
    pub(super) fn due(&mut self, run: &Run, under_way: usize) -> Due {
        self.skip(run);
        let now = Instant::now();
        if let Some(until) = self.paused_until {
            // One finds out whether it goes on, and not all at once.
            if under_way > 0 {
                return Due::Nothing;
            }
            if until > now {
                return Due::At(until);
            }
        }
        if !run.is_leased() || !run.jobs.caller.is_calm() {
            return Due::At(now + LOOKS_EVERY);
        }
        match self.later.first() {
            Some((at, _)) if *at <= now => Due::Now,
            _ if self.next < self.lines => Due::Now,
            Some((at, _)) => Due::At(*at),
            None => Due::Nothing,
        }
    }

    /// Passes over lines that cannot be called or have ended.
    fn skip(&mut self, run: &Run) {
        let log = lock(&run.log);
        while self.next < self.lines {
            let at = usize::try_from(self.next).unwrap_or(usize::MAX);
            let is_bad = run
                .entries
                .get(at)
                .is_none_or(|entry| entry.fault.is_some());
            if !is_bad && log.line(self.next).place.is_none() {
                return;
            }
            self.next = self.next.saturating_add(1);
        }
    }

    /// Takes up the line that is to be called.
    pub(super) fn take(&mut self, run: &Run) -> Option<u32> {
        let now = Instant::now();
        if let Some(first) = self.later.first().copied()
            && first.0 <= now
        {
            self.later.remove(&first);
            return Some(first.1);
        }
        self.skip(run);
        let line = (self.next < self.lines).then_some(self.next)?;
        self.next = self.next.saturating_add(1);
        Some(line)
    }

    /// Nobody is called before this moment, and then one line alone.
    pub(super) const fn pause_until(&mut self, at: Instant) {
        self.paused_until = Some(at);
    }

    /// A line was answered: whatever was waited for is there.
    pub(super) const fn go_on(&mut self) {
        self.paused_until = None;
    }

    /// Tries a line again after a while.
    pub(super) fn later(&mut self, line: u32, wait: Duration) {
        self.later.insert((Instant::now() + wait, line));
    }

    /// Tries a line again that failed for a reason that may pass, unless that
    /// was often enough; `false` then.
    pub(super) fn again(&mut self, line: u32, asked: Option<Duration>) -> bool {
        let failed = self.failed.entry(line).or_default();
        *failed = failed.saturating_add(1);
        if *failed >= TRIES_MAX {
            return false;
        }
        let factor = 4_u32.saturating_pow(u32::from(*failed).saturating_sub(1));
        let wait = WAIT_MIN
            .saturating_mul(factor)
            .max(asked.unwrap_or_default());
        self.later(line, wait.min(WAIT_MAX));
        true
    }
}
