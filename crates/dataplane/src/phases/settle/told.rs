//! What a provider says that it charged: its word for what our prices are a
//! guess at.
//!
//! A gateway's price moves with whom it sends a request to, and a vendor's with
//! discounts that no list has. Where its document promises that the cost it
//! tells is what it charges, that is booked as its charge. What the customer
//! pays is by our prices all the same: those are what was agreed to.

use bourse_ledger::who_pays::Row;
use bourse_vocab::{Nanos, ToldCost};

use crate::alarms::kind::Kind;
use crate::relay::Report;
use crate::running::Running;

/// How many times what our prices make is believed, and how small a part of
/// it: discounts and dearer tiers are within that, another unit is not.
const BELIEVABLE_FACTOR: i64 = 10;
const BELIEVABLE_PART: i64 = 100;
/// What is believed whatever our prices make, which may be nothing: a cent,
/// which is about what a search costs.
const BELIEVABLE_ALWAYS: Nanos = Nanos(10_000_000);

/// Whether a cost that is told can be true where our prices make so much.
fn is_believable(told: Nanos, ours: Nanos) -> bool {
    let most = Nanos(ours.0.saturating_mul(BELIEVABLE_FACTOR)).saturating_add(BELIEVABLE_ALWAYS);
    told <= most && Nanos(told.0.saturating_mul(BELIEVABLE_PART)) >= ours
}

impl Running {
    /// What the provider says that it charges, where it is one that says so,
    /// the cost of such an end is known, and it can be true beside what our
    /// prices make. What cannot is told to the operator.
    pub(super) fn told_cost(
        &self,
        report: &Report,
        row: &Row,
        ours: impl FnOnce() -> Nanos,
    ) -> Option<Nanos> {
        let told = report.usage.cost;
        // Of an answer that others went on with, a part of what the last one
        // charges is the house's, and our prices say which.
        if told == ToldCost::Unsaid || !row.provider.is_known() || self.is_continued() {
            return None;
        }
        let endpoint = self.call.endpoint;
        let way = self.target().way(|way| endpoint.rank(way))?;
        if !way.dialect.tells_cost {
            return None;
        }
        let ours = ours();
        match told {
            ToldCost::Said(nanos) if is_believable(nanos, ours) => Some(nanos),
            ToldCost::Said(_) | ToldCost::Nonsense | ToldCost::Unsaid => {
                self.note_absurd(told, ours);
                None
            }
        }
    }

    #[cold]
    fn note_absurd(&self, told: ToldCost, ours: Nanos) {
        let target = self.target();
        let said = match told {
            ToldCost::Said(nanos) => nanos.to_string(),
            ToldCost::Nonsense | ToldCost::Unsaid => "no amount".to_owned(),
        };
        let message = format!(
            "a provider says that an answer costs what cannot be true beside its prices: {said}, and {ours} by our prices ({})",
            self.call.id
        );
        let gateway = &self.call.gateway;
        let now_ms = gateway.clock.now_ms();
        let alarms = &gateway.alarms;
        alarms.raise(Kind::CostNotBelieved, &target.id, &message, now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_believed_within_reason() {
        let cent = BELIEVABLE_ALWAYS.0;
        for (told, ours, believed) in [
            (100, 100, true),
            (1, 100, true),
            (1, 101, false),
            (cent, 0, true),
            (cent + 1, 0, false),
            (cent + 1_000, 100, true),
            (cent + 1_001, 100, false),
            (i64::MAX, i64::MAX, true),
            (i64::MAX, 100, false),
        ] {
            let is = is_believable(Nanos(told), Nanos(ours));
            assert_eq!(is, believed, "{told} beside {ours}");
        }
    }
}
