//! The default: spread the load, and favour the cheap.

use super::Strategy;
use crate::candidate::{Candidate, WHOLE};

/// The first is drawn with weight 1/price² (a third of the price makes it
/// nine times as likely), the rest follow by price as fallbacks
/// (openrouter.ai/docs, provider selection, August 2026).
pub struct Weighted;

impl Strategy for Weighted {
    fn name(&self) -> &'static str {
        "weighted"
    }

    fn about(&self) -> &'static str {
        "The first is drawn by price, a third of the price nine times as likely; the others follow by price."
    }

    fn arrange(&self, group: &mut [Candidate], random: f64) {
        group.sort_by_key(|candidate| candidate.price);
        // Relative to the cheapest, so that no price is too small or too
        // large for the arithmetic. Free ones only compete with each other.
        let Some(cheapest) = group.first().map(|candidate| candidate.price) else {
            return;
        };
        let chosen = draw(group, cheapest, random);
        if let Some(chosen) = chosen
            && let Some(head) = group.get_mut(..=chosen)
        {
            head.rotate_right(1);
        }
    }
}

/// How likely an endpoint is drawn, to the cheapest one.
#[allow(clippy::cast_precision_loss)] // A weight, not money.
fn weight(candidate: &Candidate, cheapest: u128) -> f64 {
    let share = f64::from(candidate.share) / f64::from(WHOLE);
    if cheapest == 0 {
        return if candidate.price == 0 { share } else { 0.0 };
    }
    let ratio = cheapest as f64 / candidate.price as f64;
    ratio * ratio * share
}

/// Draws one of a group by its price. `random` is uniform in [0, 1).
pub(crate) fn draw(group: &[Candidate], cheapest: u128, random: f64) -> Option<usize> {
    let sum: f64 = group
        .iter()
        .map(|candidate| weight(candidate, cheapest))
        .sum();
    let mut draw = random * sum;
    group.iter().position(|candidate| {
        draw -= weight(candidate, cheapest);
        draw < 0.0
    })
}
