//! How fast a model thinks out of sight.
//!
//! Some providers say nothing while their model thinks, or show a summary of
//! it, and charge for all of it. A caller that leaves in that time, or later
//! and before the usage is told, has ordered those thoughts. How many they were
//! follows from how long it took until the model answered, and from how many
//! tokens other answers of the same endpoint took that nobody saw, by the time
//! before them. Endpoints that show their thoughts are found out by the same
//! count: what they take besides is a queue.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Milliseconds before an answer in which nothing is generated: the way there and
/// back, and the prompt.
pub const WAY_MS: u64 = 500;
/// Tokens for a thousand seconds before anything was seen: the slower half of
/// models that think (openrouter.ai/rankings, throughput, October 2026).
const GUESS: u64 = 50_000;
/// How much the last answer counts, as a divisor.
const WEIGHT: u64 = 16;
/// Less time says nothing: the way is too large a part of it.
const THINKING_MS_MIN: u64 = 1_000;
/// The fastest that is believed, for a thousand seconds: several times what
/// the fastest chips do, so that no caller is charged by a broken counter.
const MAX: u64 = 10_000_000;

/// Tokens that are guessed to be generated in so long, of a model that nobody
/// knows.
#[must_use]
pub const fn guess(thinking_ms: u64) -> u64 {
    in_time(GUESS, thinking_ms)
}

const fn in_time(pace: u64, thinking_ms: u64) -> u64 {
    let working_ms = thinking_ms.saturating_sub(WAY_MS);
    working_ms.saturating_mul(pace) / 1_000_000
}

/// Tokens that nobody sees in a thousand seconds before an answer, of late; one more than that, so
/// that zero is nothing known.
#[derive(Debug, Default)]
pub struct Pace(AtomicU64);

impl Pace {
    /// Notes an answer of `tokens` that began after so long, and of whose tokens
    /// `shown` were seen, thoughts included, by a rough count.
    pub fn learn(&self, tokens: u64, shown: u64, thinking_ms: u64) {
        if thinking_ms < THINKING_MS_MIN {
            return;
        }
        // A quarter is what a count of what was shown may be off by.
        let hidden = match tokens.saturating_sub(shown) {
            few if few <= tokens / 4 => 0,
            many => many,
        };
        let now = hidden.saturating_mul(1_000_000) / (thinking_ms - WAY_MS);
        let now = now.min(MAX);
        let mixed = match self.0.load(Relaxed).checked_sub(1) {
            None => now,
            Some(before) => (before * (WEIGHT - 1) + now) / WEIGHT,
        };
        // Two at once count as one.
        self.0.store(mixed + 1, Relaxed);
    }

    /// Whether any answer has said something of it.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.0.load(Relaxed) > 0
    }

    /// Tokens that were probably thought out of sight in such a time.
    #[must_use]
    pub fn tokens_in(&self, thinking_ms: u64) -> u64 {
        match self.0.load(Relaxed).checked_sub(1) {
            None => guess(thinking_ms),
            Some(pace) => in_time(pace, thinking_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_follows_what_was_seen_of_late() {
        let pace = Pace::default();
        assert_eq!(pace.tokens_in(400), 0, "nothing is made on the way");
        assert_eq!(pace.tokens_in(10_500), 500, "fifty a second are guessed");
        pace.learn(1_000, 0, 900);
        assert_eq!(pace.tokens_in(10_500), 500, "too short to say");
        for _ in 0..100 {
            pace.learn(2_100, 100, 10_500);
        }
        assert_eq!(pace.tokens_in(10_500), 2_000);
        for _ in 0..100 {
            pace.learn(1_000, 0, 10_500);
        }
        assert!((980..1_050).contains(&pace.tokens_in(10_500)));
    }

    #[test]
    fn whoever_shows_all_that_it_thinks_is_not_taken_to_think_in_silence() {
        let pace = Pace::default();
        // It waited for ten seconds, and then said a thousand tokens, which
        // were counted as 900.
        pace.learn(1_000, 900, 10_000);
        assert_eq!(pace.tokens_in(60_000), 0);
    }

    #[test]
    fn no_counter_makes_a_pace_that_no_machine_has() {
        let pace = Pace::default();
        pace.learn(u64::MAX, 0, 1_000);
        assert_eq!(pace.tokens_in(1_500), 10_000);
    }
}
