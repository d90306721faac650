//! How many calls at once a provider carries, learned from what it refuses.
//!
//! Nothing is known, and nothing bounded, before a provider refuses a call for
//! its limit (429) or its load (529). Then the limit is a tenth less than what
//! was under way, it grows by one for each round of answers, and slowly from
//! where the provider last refused (additive up, multiplicative down, as TCP
//! and Netflix's concurrency-limits have it). Whoever is full comes after the
//! others, and never out: it is a guess.
//!
//! What the provider refuses although nothing else is under way is not about
//! how many there are at once, but about how many there are a minute. There the
//! limit is one, and what is learned further is a pause, which doubles.
//!
//! Atomics without a lock: two refusals at once may count as one.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// A call, in the parts that a limit is counted in.
const ONE: u64 = 1 << 20;
/// No limit is known.
const UNBOUNDED: u64 = u64::MAX;
/// What is left after a refusal, of ten.
const LEFT_OF_TEN: u64 = 9;
/// How much slower a limit grows where the provider refused before.
const ROUNDS: u64 = 16;
/// And answers there must be at least for one more, however small the limit is:
/// one call in so many finds out whether more is carried.
const ANSWERS_MIN: u64 = 256;
/// How far beyond the last refusal, as a part of it, that is history: the
/// provider carries more now. At least two calls.
const HISTORY: u64 = 8;
/// How long a limit is believed that nothing refuses any more, in milliseconds.
const BELIEVED_MS: u64 = 600_000;
/// The first pause, in milliseconds.
pub const PAUSE_MS: u64 = 1_000;
/// Doublings after which a pause does not grow any more: most limits are those
/// of a minute, and a longer pause would waste what is left of it.
const DOUBLINGS_MAX: u32 = 3;

/// An attempt, as far as its provider's limit is concerned.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// When it was sent, in milliseconds since 1970.
    pub at_ms: u64,
    /// How many others were under way then.
    pub beside: u64,
}

/// See the top of the file. Times are milliseconds since 1970.
#[derive(Debug)]
pub struct Quota {
    /// How many calls there may be, in parts of [`ONE`].
    limit: AtomicU64,
    /// How many were under way when one more was last refused.
    refused_at: AtomicU64,
    /// When the limit last went down.
    cut_at_ms: AtomicU64,
    /// How often it went down since there was an answer.
    in_a_row: AtomicU32,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            limit: AtomicU64::new(UNBOUNDED),
            refused_at: AtomicU64::new(0),
            cut_at_ms: AtomicU64::new(0),
            in_a_row: AtomicU32::new(0),
        }
    }
}

impl Quota {
    /// Whether so many calls under way are as many as it carries.
    #[inline]
    #[must_use]
    pub fn is_full(&self, in_flight: u64, now_ms: u64) -> bool {
        in_flight >= self.limit.load(Relaxed) / ONE && self.is_believed(now_ms)
    }

    #[cold]
    fn is_believed(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.cut_at_ms.load(Relaxed)) < BELIEVED_MS
    }

    fn in_force(&self, now_ms: u64) -> u64 {
        if self.is_believed(now_ms) {
            self.limit.load(Relaxed)
        } else {
            UNBOUNDED
        }
    }

    /// How many calls at once it is believed to carry; `None` while it has not
    /// refused any of late.
    #[must_use]
    pub fn calls(&self, now_ms: u64) -> Option<u64> {
        let limit = self.in_force(now_ms);
        (limit != UNBOUNDED).then_some(limit / ONE)
    }

    /// Notes that an attempt was answered.
    pub fn answered(&self, sent: Sent) {
        let limit = self.limit.load(Relaxed);
        // What was sent before the limit went down was known then.
        if limit == UNBOUNDED || sent.at_ms <= self.cut_at_ms.load(Relaxed) {
            return;
        }
        self.in_a_row.store(0, Relaxed);
        let calls = limit / ONE;
        if sent.beside.saturating_add(1) < calls {
            // It was not full, so nothing is known of more.
            return;
        }
        let refused_at = self.refused_at.load(Relaxed);
        let history = refused_at.saturating_add((refused_at / HISTORY).max(2));
        let round = ONE * ONE / limit;
        let step = if (refused_at..history).contains(&calls) {
            (round / ROUNDS).min(ONE / ANSWERS_MIN)
        } else {
            round
        };
        let more = limit.saturating_add(step.max(1));
        // Two at once count as one.
        let _ = self.limit.compare_exchange(limit, more, Relaxed, Relaxed);
    }

    /// Notes that an attempt was refused for a limit or for the load. Returns
    /// for how many milliseconds the provider is to come after others, where
    /// there being fewer calls at once does not help.
    pub fn refused(&self, sent: Sent, now_ms: u64) -> Option<u64> {
        let before = self.in_force(now_ms);
        if sent.beside > 0 && sent.beside >= before / ONE {
            // Sent although it was full. That it would be refused was known.
            return None;
        }
        let is_alone = sent.beside == 0;
        if sent.at_ms <= self.cut_at_ms.load(Relaxed) {
            // Sent before the limit went down, so it is the same news.
            return is_alone.then(|| pause_ms(0));
        }
        if before == UNBOUNDED {
            // A row of another time.
            self.in_a_row.store(0, Relaxed);
        }
        let in_a_row = self.in_a_row.fetch_add(1, Relaxed);
        let carried = before.min(sent.beside.saturating_mul(ONE));
        let after = match in_a_row {
            0 => carried / 10 * LEFT_OF_TEN,
            // A tenth less did not do.
            _ => carried / 2,
        };
        self.refused_at.store(sent.beside, Relaxed);
        self.cut_at_ms.store(now_ms, Relaxed);
        self.limit.store(after.max(ONE), Relaxed);
        is_alone.then(|| pause_ms(in_a_row))
    }
}

fn pause_ms(in_a_row: u32) -> u64 {
    PAUSE_MS << in_a_row.min(DOUBLINGS_MAX)
}

#[cfg(test)]
mod tests;
