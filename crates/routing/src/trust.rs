//! Whether an endpoint keeps the limits that it is told.
//!
//! One answer that is longer than was allowed loses the trust, because the
//! house pays for it. Many answers in a row that kept to their limits win it
//! back, and each time it is lost it takes twice as many: a provider that has
//! mended its fault is not held to all that its model may say for ever, and
//! one that has not costs the house one answer in thousands.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Answers that win back a trust that was lost once.
const GOOD_ANSWERS: u32 = 64;
/// How often the number doubles: 4,096 answers at the most.
const DOUBLINGS_MAX: u32 = 6;

/// What is thought of one endpoint.
#[derive(Debug, Default)]
pub struct Trust {
    /// Good answers that are missing.
    missing: AtomicU32,
    /// How often it was lost.
    lost: AtomicU32,
}

impl Trust {
    /// Notes an answer that was longer than it was allowed to be.
    pub fn lose(&self) {
        let before = self.lost.load(Relaxed);
        self.lost.store(before.saturating_add(1), Relaxed);
        let missing = GOOD_ANSWERS << before.min(DOUBLINGS_MAX);
        // Two at once count as one, here and below.
        self.missing.store(missing, Relaxed);
    }

    /// Notes an answer that kept to its limit.
    pub fn regain(&self) {
        let missing = self.missing.load(Relaxed);
        if missing > 0 {
            self.missing.store(missing - 1, Relaxed);
        }
    }

    /// Whether a limit is not believed.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.missing.load(Relaxed) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers_until_trusted(trust: &Trust) -> u32 {
        let mut answers = 0;
        while trust.is_lost() {
            trust.regain();
            answers += 1;
        }
        answers
    }

    #[test]
    fn trust_is_lost_at_once_won_back_by_many_answers_and_by_more_each_time() {
        let trust = Trust::default();
        assert!(!trust.is_lost());
        let mut needed = Vec::new();
        for _ in 0..9 {
            trust.lose();
            needed.push(answers_until_trusted(&trust));
        }
        assert_eq!(
            needed,
            [64, 128, 256, 512, 1_024, 2_048, 4_096, 4_096, 4_096]
        );
    }

    #[test]
    fn what_was_won_back_is_lost_with_the_next_answer_that_is_too_long() {
        let trust = Trust::default();
        trust.lose();
        for _ in 1..GOOD_ANSWERS {
            trust.regain();
        }
        trust.lose();
        assert_eq!(answers_until_trusted(&trust), 2 * GOOD_ANSWERS);
    }
}
