//! Fastest first (`sort: "throughput"`, `:nitro`).

use std::cmp::Reverse;

use super::Strategy;
use crate::candidate::Candidate;

/// By median tokens a second; endpoints without measurements follow, by
/// price.
pub struct Throughput;

impl Strategy for Throughput {
    fn name(&self) -> &'static str {
        "throughput"
    }

    fn arrange(&self, group: &mut [Candidate], _random: f64) {
        group.sort_by_key(|candidate| (Reverse(candidate.throughput), candidate.price));
    }
}
