//! How long calls take, as Prometheus reads it: counted into buckets.
//!
//! A call writes twice when it ends, and only then: a search in a short list,
//! and two additions that need no lock. Nobody waits for anybody who reads.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Up to where each bucket goes, in milliseconds: from an answer that a cache
/// nearby gave to one that thinks for ten minutes. What is longer has the last
/// bucket. There are few, because each is a series for every label.
pub const BOUNDS_MS: [u64; 14] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000,
    600_000,
];

/// Buckets: the bounds, and what is beyond.
const BUCKETS: usize = BOUNDS_MS.len() + 1;

/// Times of one sort.
#[derive(Debug, Default)]
pub struct Span {
    counts: [AtomicU64; BUCKETS],
    sum_ms: AtomicU64,
}

/// What was counted, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// How many there are in each bucket alone.
    pub counts: [u64; BUCKETS],
    /// All of them together.
    pub sum: Duration,
}

impl Span {
    /// Counts one.
    pub fn note(&self, ms: u64) {
        let bucket = BOUNDS_MS.partition_point(|bound| *bound < ms);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Relaxed);
        }
        self.sum_ms.fetch_add(ms, Relaxed);
    }

    /// What was counted so far.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            counts: self.counts.each_ref().map(|count| count.load(Relaxed)),
            sum: Duration::from_millis(self.sum_ms.load(Relaxed)),
        }
    }
}

/// Times of all calls: first of whole answers, then of streams.
#[derive(Debug, Default)]
pub struct Spans {
    /// From arrival to end.
    pub durations: [Span; 2],
    /// From arrival to the first content.
    pub first_tokens: [Span; 2],
}

impl Spans {
    /// Counts a call that has ended.
    pub fn note(&self, is_stream: bool, duration_ms: u64, first_token_ms: Option<u64>) {
        let of = |[whole, stream]: &'_ [Span; 2], ms| {
            if is_stream { stream } else { whole }.note(ms);
        };
        of(&self.durations, duration_ms);
        if let Some(ms) = first_token_ms {
            of(&self.first_tokens, ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket_and_what_is_beyond_all_has_the_last() {
        let span = Span::default();
        for ms in [0, 50, 51, 600_000, 600_001, 9_000_000] {
            span.note(ms);
        }
        let snapshot = span.snapshot();
        assert_eq!(snapshot.counts[0], 2);
        assert_eq!(snapshot.counts[1], 1);
        assert_eq!(snapshot.counts[13], 1);
        assert_eq!(snapshot.counts[14], 2);
        assert_eq!(snapshot.sum, Duration::from_millis(10_200_102));
    }

    #[test]
    fn streams_are_apart_and_who_said_nothing_has_no_first_token() {
        let spans = Spans::default();
        spans.note(true, 700, Some(80));
        spans.note(false, 90, None);
        let count = |span: &Span| span.snapshot().counts.iter().sum::<u64>();
        assert_eq!(spans.durations.each_ref().map(count), [1, 1]);
        assert_eq!(spans.first_tokens.each_ref().map(count), [0, 1]);
        assert_eq!(spans.first_tokens[1].snapshot().counts[1], 1);
    }
}
