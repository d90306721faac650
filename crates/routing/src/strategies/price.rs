//! Cheapest first (`sort: "price"`, `:floor`).

use bourse_vocab::ServiceTier;

use super::Strategy;
use crate::candidate::Candidate;

/// Strictly by expected price.
pub struct Price;

impl Strategy for Price {
    fn name(&self) -> &'static str {
        "price"
    }

    fn suffix(&self) -> Option<&'static str> {
        Some("floor")
    }

    fn admits(&self) -> Option<ServiceTier> {
        Some(ServiceTier::Flex)
    }

    fn about(&self) -> &'static str {
        "The cheapest endpoint first."
    }

    fn arrange(&self, group: &mut [Candidate], _random: f64) {
        group.sort_by_key(|candidate| candidate.price);
    }
}
