//! Cheapest first (`sort: "price"`, `:floor`).

use super::Strategy;
use crate::candidate::Candidate;

/// Strictly by expected price.
pub struct Price;

impl Strategy for Price {
    fn name(&self) -> &'static str {
        "price"
    }

    fn arrange(&self, group: &mut [Candidate], _random: f64) {
        group.sort_by_key(|candidate| candidate.price);
    }
}
