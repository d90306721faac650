//! How long the first content of an answer is waited for, learned from how
//! long it took before.
//!
//! The time within which 99 of 100 answers of a sort have begun, times three:
//! late enough that hardly an answer is given up which would have come, early
//! enough that a provider which accepts and says nothing costs its callers a
//! moment. An endpoint of which too little is known is measured by the model:
//! whoever else serves it is about as fast.
//!
//! Only answers are counted, and not the times after which somebody was given
//! up: a silent endpoint would teach us to wait. Where all have become slower,
//! the last target of each call, which is given all the time there is, says so.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::bucket::{BUCKETS, Bucket};
use crate::quantiles::{ENOUGH, Quantiles};

/// Times the 99th of a hundred: the deadline. Times the usual: late.
const FACTOR: u64 = 3;
/// No deadline is shorter, in milliseconds: a network may hang for so long.
pub const DEADLINE_MS_MIN: u64 = 1_000;
/// Answers by which the 99th of a hundred can be told: of fewer it is the
/// slowest.
pub const SURE: u32 = 100;
/// Answers after which the share is computed anew.
const EVERY: u32 = 16;

/// Times to the first content, by sort.
#[derive(Debug)]
pub struct Patience {
    /// Made when first needed: most endpoints are never called.
    cells: [OnceLock<Box<Cell>>; BUCKETS],
}

#[derive(Debug, Default)]
struct Cell {
    counted: Quantiles,
    /// The 99th of a hundred; zero until enough were counted.
    p99_ms: AtomicU64,
    /// What is late: the 95th, of these and of those that were late and let go
    /// of, or [`FACTOR`] times the usual if that is less. A moment in which
    /// everything hangs must not make nothing late for thousands of answers.
    late_ms: AtomicU64,
    /// How many were, of late.
    let_go: AtomicU32,
    /// Answers that were counted when the shares were last computed.
    seen: AtomicU32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            cells: std::array::from_fn(|_| OnceLock::new()),
        }
    }
}

impl Patience {
    /// Notes that an answer had begun after so many milliseconds.
    pub fn learn(&self, bucket: Bucket, first_content_ms: u64) {
        let Some(cell) = self.cells.get(bucket.index()) else {
            return;
        };
        let cell = cell.get_or_init(Box::default);
        let count = cell.counted.add(first_content_ms);
        if (count == ENOUGH || count % EVERY == 0)
            && let Some(p99) = cell.counted.at(99)
        {
            cell.p99_ms.store(p99, Relaxed);
            let let_go = cell.let_go.load(Relaxed);
            let p95 = cell.counted.at_with(95, let_go);
            let usual = cell.counted.at(50).unwrap_or(p99);
            let late = p95.unwrap_or(p99).min(usual.saturating_mul(FACTOR));
            cell.late_ms.store(late, Relaxed);
            // Older answers were halved meanwhile, and so are these.
            if count < cell.seen.swap(count, Relaxed) {
                cell.let_go.fetch_sub(let_go.div_ceil(2), Relaxed);
            }
        }
    }

    /// Notes that one was let go of after so many milliseconds, because another
    /// one had begun. If it was late, it counts as later than 95 of 100: if
    /// late ones were left out, what is late would come down and down.
    pub fn let_go(&self, bucket: Bucket, after_ms: u64) {
        if self.late_ms(bucket).is_some_and(|late| after_ms >= late)
            && let Some(cell) = self.cells.get(bucket.index()).and_then(OnceLock::get)
        {
            cell.let_go.fetch_add(1, Relaxed);
        }
    }

    fn late_ms(&self, bucket: Bucket) -> Option<u64> {
        let cell = self.cells.get(bucket.index())?.get()?;
        Some(cell.late_ms.load(Relaxed)).filter(|ms| *ms > 0)
    }

    /// How many answers that time follows from; older ones count less.
    fn answers(&self, bucket: Bucket) -> Option<u32> {
        let cell = self.cells.get(bucket.index())?.get()?;
        (cell.p99_ms.load(Relaxed) > 0).then(|| cell.seen.load(Relaxed))
    }

    /// The time within which 99 of 100 answers have begun, in milliseconds,
    /// where enough is known.
    #[must_use]
    pub fn p99_ms(&self, bucket: Bucket) -> Option<u64> {
        let cell = self.cells.get(bucket.index())?.get()?;
        Some(cell.p99_ms.load(Relaxed)).filter(|ms| *ms > 0)
    }
}

/// After how many milliseconds another target may be asked beside one that
/// has not begun to answer: when 95 of 100 answers have begun, or after three
/// times the usual, by what is known of the endpoint, or else of the model.
/// `None` where nothing is known.
#[must_use]
pub fn hedge_after_ms(endpoint: &Patience, model: &Patience, bucket: Bucket) -> Option<u64> {
    endpoint.late_ms(bucket).or_else(|| model.late_ms(bucket))
}

/// For how many milliseconds the first content is waited for: by what is
/// known of the endpoint, or else of the model, and no longer than `most`.
/// `None` where nothing is known.
#[must_use]
pub fn deadline_ms(
    endpoint: &Patience,
    model: &Patience,
    bucket: Bucket,
    most_ms: u64,
) -> Option<u64> {
    let p99 = endpoint.p99_ms(bucket).or_else(|| model.p99_ms(bucket))?;
    let deadline = p99.saturating_mul(FACTOR).max(DEADLINE_MS_MIN);
    Some(deadline.min(most_ms))
}

/// How many answers have taught [`deadline_ms`]; `None` where nothing is known.
#[must_use]
pub fn deadline_answers(endpoint: &Patience, model: &Patience, bucket: Bucket) -> Option<u32> {
    endpoint.answers(bucket).or_else(|| model.answers(bucket))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lengths::Thought;

    fn short() -> Bucket {
        Bucket::of(100, Thought::None, true)
    }

    #[test]
    fn nothing_is_learned_from_too_little() {
        let (endpoint, model) = (Patience::default(), Patience::default());
        let deadline = || deadline_ms(&endpoint, &model, short(), 30_000);
        for _ in 1..ENOUGH {
            endpoint.learn(short(), 500);
            assert_eq!(deadline(), None);
        }
        endpoint.learn(short(), 500);
        assert_eq!(deadline(), Some(3 * 511));
    }

    #[test]
    fn how_many_answers_a_deadline_follows_from_is_known() {
        let (endpoint, model) = (Patience::default(), Patience::default());
        let answers = || deadline_answers(&endpoint, &model, short());
        assert_eq!(answers(), None);
        (0..ENOUGH).for_each(|_| model.learn(short(), 500));
        assert_eq!(answers(), Some(ENOUGH));
        (0..100).for_each(|_| model.learn(short(), 500));
        assert_eq!(answers(), Some(128), "the last time that it was computed");
        // What the endpoint itself has taught goes before.
        (0..ENOUGH).for_each(|_| endpoint.learn(short(), 500));
        assert_eq!(answers(), Some(ENOUGH));
    }

    #[test]
    fn an_endpoint_that_nobody_knows_is_measured_by_the_model() {
        let (endpoint, model) = (Patience::default(), Patience::default());
        for _ in 0..ENOUGH {
            model.learn(short(), 1_000);
        }
        let deadline = || deadline_ms(&endpoint, &model, short(), 30_000);
        assert_eq!(deadline(), Some(3 * 1_023));
        for _ in 0..ENOUGH {
            endpoint.learn(short(), 4_000);
        }
        assert_eq!(deadline(), Some(3 * 4_095));
    }

    #[test]
    fn a_deadline_is_a_second_at_least_and_never_longer_than_configured() {
        let (fast, slow) = (Patience::default(), Patience::default());
        for _ in 0..ENOUGH {
            fast.learn(short(), 20);
            slow.learn(short(), 60_000);
        }
        let of = |patience, most| deadline_ms(patience, patience, short(), most);
        assert_eq!(of(&fast, 30_000), Some(DEADLINE_MS_MIN));
        assert_eq!(of(&slow, 30_000), Some(30_000));
        assert_eq!(of(&fast, 250), Some(250));
    }

    #[test]
    fn another_may_be_asked_when_95_of_100_have_begun() {
        let (endpoint, model) = (Patience::default(), Patience::default());
        let after = || hedge_after_ms(&endpoint, &model, short());
        assert_eq!(after(), None, "nothing is known");
        (0..ENOUGH).for_each(|_| model.learn(short(), 1_000));
        assert_eq!(after(), Some(1_023));
        // Four of a hundred are late.
        for n in 0..3_200 {
            endpoint.learn(short(), if n % 25 == 0 { 5_000 } else { 300 });
        }
        assert_eq!(after(), Some(319));
        // One in ten hangs for a while: late is what is late otherwise.
        let hanging = Patience::default();
        for n in 0..320 {
            hanging.learn(short(), if n % 10 == 0 { 5_000 } else { 300 });
        }
        let after = hedge_after_ms(&hanging, &model, short());
        assert_eq!(after, Some(3 * 319));
    }

    #[test]
    fn what_is_late_does_not_come_down_because_the_late_are_let_go_of() {
        let patience = Patience::default();
        let after = || hedge_after_ms(&patience, &patience, short());
        let mut late = 0;
        // Four of a hundred take a little longer, two are very late. Whoever is
        // later than is waited for is let go of, and not counted.
        for n in 0..20_000_u64 {
            let takes = match n % 100 {
                0 | 1 => 5_000,
                2..=5 => 70,
                _ => 60,
            };
            match after() {
                Some(wait) if takes > wait => {
                    late += 1;
                    patience.let_go(short(), wait + 60);
                }
                _ => patience.learn(short(), takes),
            }
        }
        let in_time = Some(79);
        assert_eq!(after(), in_time, "those that take a little longer are");
        assert!(late <= 20_000 / 20, "{late}");
        // Who was let go of early says nothing.
        (0..200).for_each(|_| patience.let_go(short(), 10));
        (0..EVERY).for_each(|_| patience.learn(short(), 60));
        assert_eq!(after(), in_time);
    }

    #[test]
    fn sorts_of_calls_do_not_teach_each_other() {
        let patience = Patience::default();
        for _ in 0..ENOUGH {
            patience.learn(short(), 300);
        }
        let long = Bucket::of(100_000, Thought::None, true);
        assert_eq!(deadline_ms(&patience, &patience, long, 30_000), None);
    }

    #[test]
    fn one_late_answer_of_a_hundred_is_still_waited_for() {
        let patience = Patience::default();
        for n in 0..1_024 {
            patience.learn(short(), if n % 50 == 0 { 5_000 } else { 300 });
        }
        let deadline = deadline_ms(&patience, &patience, short(), 60_000);
        assert!(deadline.is_some_and(|ms| ms >= 15_000), "{deadline:?}");
    }
}
