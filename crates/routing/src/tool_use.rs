//! How often the tool calls of an endpoint are wrong.
//!
//! By request, as OpenRouter counts it: an answer that ends with tool calls is
//! bad if any of its calls is (openrouter.ai/docs, Auto Exacto, as of October
//! 2026). Nothing here is locked, and only answers with tool calls come by.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What is remembered of, in milliseconds: between an hour and three quarters
/// and two hours.
const SLOT_MS: u64 = 900_000;
/// How many slots the two hours have that OpenRouter looks back.
const SLOTS: usize = 8;
/// Bits of a count. A slot that is full counts no more: a million answers in a
/// quarter of an hour say what there is to say.
const COUNT_BITS: u32 = 20;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;

/// Answers with tool calls of late: in each slot its number, how many there were
/// and how many were bad.
#[derive(Debug, Default)]
pub struct ToolUse([AtomicU64; SLOTS]);

/// How many answers had tool calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ToolAnswers {
    /// In all.
    pub all: u64,
    /// Those with a bad call among them.
    pub bad: u64,
}

/// The number of the slot of a moment, as far as a slot keeps it: it comes back
/// after centuries.
const fn number(now_ms: u64) -> u64 {
    (now_ms / SLOT_MS) & ((1 << (64 - 2 * COUNT_BITS)) - 1)
}

// === impl ToolUse ===

impl ToolUse {
    /// Notes an answer with tool calls.
    pub fn note(&self, now_ms: u64, is_bad: bool) {
        let now = number(now_ms);
        let at = usize::try_from(now).unwrap_or(0) % SLOTS;
        let Some(slot) = self.0.get(at) else {
            return;
        };
        // It always has a next value, so that this never fails.
        let _ = slot.fetch_update(Relaxed, Relaxed, |packed| {
            let before = read(packed, now).unwrap_or_default();
            Some(if before.all >= COUNT_MAX {
                packed
            } else {
                pack(now, before.all + 1, before.bad + u64::from(is_bad))
            })
        });
    }

    /// What there was within the last two hours.
    #[must_use]
    pub fn of_late(&self, now_ms: u64) -> ToolAnswers {
        let now = number(now_ms);
        let mut sum = ToolAnswers::default();
        for slot in &self.0 {
            let packed = slot.load(Relaxed);
            let age = now.wrapping_sub(packed >> (2 * COUNT_BITS));
            if age < SLOTS as u64 {
                let one = counts(packed);
                sum.all += one.all;
                sum.bad += one.bad;
            }
        }
        sum
    }
}

const fn pack(number: u64, all: u64, bad: u64) -> u64 {
    (number << (2 * COUNT_BITS)) | (all << COUNT_BITS) | bad
}

const fn counts(packed: u64) -> ToolAnswers {
    ToolAnswers {
        all: (packed >> COUNT_BITS) & COUNT_MAX,
        bad: packed & COUNT_MAX,
    }
}

/// What a slot counts, if it is that of `now`.
fn read(packed: u64, now: u64) -> Option<ToolAnswers> {
    (packed >> (2 * COUNT_BITS) == now).then(|| counts(packed))
}

// === impl ToolAnswers ===

impl ToolAnswers {
    /// Bad ones among all; `None` if there are none.
    #[must_use]
    pub fn error_rate(self) -> Option<f64> {
        #[allow(clippy::cast_precision_loss)] // Below 2^24.
        (self.all > 0).then(|| self.bad as f64 / self.all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: u64 = 1_763_683_200_000;

    #[test]
    fn answers_are_counted_for_two_hours() {
        let tools = ToolUse::default();
        assert_eq!(tools.of_late(T0), ToolAnswers::default());
        for minute in 0..600 {
            tools.note(T0 + minute * 60_000, minute % 5 == 0);
        }
        let now = T0 + 599 * 60_000;
        let late = tools.of_late(now);
        assert!((105..=120).contains(&late.all), "{late:?}");
        assert_eq!(late.error_rate(), Some(0.2));
        assert_eq!(tools.of_late(now + 7_200_000), ToolAnswers::default());
    }

    #[test]
    fn a_slot_that_is_full_counts_no_more_and_stays_what_it_is() {
        let tools = ToolUse::default();
        let slot = tools.0.get(usize::try_from(number(T0)).unwrap() % SLOTS);
        let full = pack(number(T0), COUNT_MAX, COUNT_MAX / 4);
        slot.unwrap().store(full, Relaxed);
        tools.note(T0, true);
        assert_eq!(tools.of_late(T0), counts(full));
        tools.note(T0 + SLOT_MS, false);
        assert_eq!(tools.of_late(T0 + SLOT_MS).all, COUNT_MAX + 1);
    }

    #[test]
    fn answers_at_the_same_moment_are_all_counted() {
        let tools = ToolUse::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|n| tools.note(T0, n % 2 == 0)));
            }
        });
        assert_eq!(
            tools.of_late(T0),
            ToolAnswers {
                all: 4_000,
                bad: 2_000
            }
        );
    }
}
