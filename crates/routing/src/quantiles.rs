//! Shares of what was counted of late, without a lock.
//!
//! Four buckets to a doubling, from 16 to a million, so that a share is at
//! most a quarter too high. Old counts are halved now and then: a new version
//! of a model behaves otherwise.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Samples after which a share is believed.
pub const ENOUGH: u32 = 32;
/// Samples after which older ones count half.
pub const WINDOW: u32 = 4_096;
/// Buckets: four to a doubling, from 16 to a million.
const BUCKETS: usize = 4 * 16;
const FIRST_BUCKET_LOG2: u32 = 4;

/// How often which value came.
#[derive(Debug)]
pub struct Quantiles {
    counts: [AtomicU32; BUCKETS],
    all: AtomicU32,
}

impl Default for Quantiles {
    fn default() -> Self {
        Self {
            counts: std::array::from_fn(|_| AtomicU32::new(0)),
            all: AtomicU32::new(0),
        }
    }
}

/// Where a value is counted.
fn bucket(value: u64) -> usize {
    let value = value.max(1 << FIRST_BUCKET_LOG2);
    let log2 = value.ilog2();
    // The two bits below the highest one say which quarter.
    let quarter = (value >> (log2 - 2)) & 3;
    let at = u64::from(4 * (log2 - FIRST_BUCKET_LOG2)) + quarter;
    usize::try_from(at).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The most that is counted there.
fn upper_edge(bucket: usize) -> u64 {
    let (octave, quarter) = (bucket / 4, bucket % 4);
    ((5 + quarter as u64) << (octave + 2)) - 1
}

impl Quantiles {
    /// Counts a value; returns how many there are. Several workers may count
    /// at once; one of them too many or too few changes no share by more than
    /// that.
    pub fn add(&self, value: u64) -> u32 {
        if let Some(count) = self.counts.get(bucket(value)) {
            count.fetch_add(1, Relaxed);
        }
        let all = self.all.fetch_add(1, Relaxed).saturating_add(1);
        if all < WINDOW {
            return all;
        }
        let mut all = 0;
        for count in &self.counts {
            let half = count.load(Relaxed) / 2;
            count.store(half, Relaxed);
            all += half;
        }
        self.all.store(all, Relaxed);
        all
    }

    /// The value that so many of a hundred do not exceed; `None` until
    /// [`ENOUGH`] were counted.
    #[must_use]
    pub fn at(&self, of_hundred: u64) -> Option<u64> {
        self.at_with(of_hundred, 0)
    }

    /// The same, where so many more were `beyond` all that can be asked for.
    #[must_use]
    pub fn at_with(&self, of_hundred: u64, beyond: u32) -> Option<u64> {
        let all = self.all.load(Relaxed);
        if all < ENOUGH {
            return None;
        }
        let wanted = (u64::from(all) + u64::from(beyond))
            .saturating_mul(of_hundred)
            .div_ceil(100);
        let mut seen = 0;
        let edge = (0..BUCKETS).find(|at| {
            let count = self.counts.get(*at).map_or(0, |count| count.load(Relaxed));
            seen += u64::from(count);
            seen >= wanted
        });
        Some(upper_edge(edge.unwrap_or(BUCKETS - 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_below_the_edge_of_its_bucket() {
        for value in (1..200_000).chain([1 << 20, u64::MAX]) {
            let at = bucket(value);
            assert!(at < BUCKETS, "{value}");
            if at + 1 < BUCKETS {
                assert!(value <= upper_edge(at), "{value}");
            }
            if at > 0 {
                assert!(value > upper_edge(at - 1), "{value}");
            }
        }
    }
}
