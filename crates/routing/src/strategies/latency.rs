//! Soonest first token first (`sort: "latency"`).

use super::Strategy;
use crate::candidate::Candidate;

/// By median time to the first token; endpoints without measurements
/// follow, by price.
pub struct Latency;

impl Strategy for Latency {
    fn name(&self) -> &'static str {
        "latency"
    }

    fn arrange(&self, group: &mut [Candidate], _random: f64) {
        group.sort_by_key(|candidate| (candidate.latency_ms.unwrap_or(u64::MAX), candidate.price));
    }
}
