//! Fastest first (`sort: "throughput"`, `:nitro`).

use std::cmp::Reverse;

use bourse_vocab::ServiceTier;

use super::{Measurements, Strategy};
use crate::candidate::Candidate;

/// By median tokens a second; endpoints without measurements follow, by
/// price.
pub struct Throughput;

impl Strategy for Throughput {
    fn name(&self) -> &'static str {
        "throughput"
    }

    fn suffix(&self) -> Option<&'static str> {
        Some("nitro")
    }

    fn admits(&self) -> Option<ServiceTier> {
        Some(ServiceTier::Priority)
    }

    fn about(&self) -> &'static str {
        "The most output tokens a second first, by the median of late; what has not been measured follows, by price."
    }

    fn needs(&self) -> Measurements {
        Measurements {
            throughput: true,
            ..Measurements::default()
        }
    }

    fn arrange(&self, group: &mut [Candidate], _random: f64) {
        group.sort_by_key(|candidate| (Reverse(candidate.throughput), candidate.price));
    }
}
