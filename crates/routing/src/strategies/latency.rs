//! Soonest first token first (`sort: "latency"`).

use super::{Measurements, Strategy};
use crate::candidate::Candidate;

/// By median time to the first token; endpoints without measurements
/// follow, by price.
pub struct Latency;

impl Strategy for Latency {
    fn name(&self) -> &'static str {
        "latency"
    }

    fn about(&self) -> &'static str {
        "The shortest time to the first token first, by the median of late; what has not been measured follows, by price."
    }

    fn needs(&self) -> Measurements {
        Measurements {
            latency: true,
            ..Measurements::default()
        }
    }

    fn arrange(&self, group: &mut [Candidate], _random: f64) {
        group.sort_by_key(|candidate| (candidate.latency_ms.unwrap_or(u64::MAX), candidate.price));
    }
}
