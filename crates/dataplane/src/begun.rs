//! The part of an answer that was there when its provider broke off, where
//! another one goes on with it.
//!
//! The two are one answer and one bill: the input of the first, and the output
//! of both. That the input was sent again, with what had been said, is none of
//! the customer's doing, so the house pays for it.

use bourse_ledger::price::{Charge, Priced};
use bourse_vocab::{Nanos, Usage};

use crate::limit::Limit;
use crate::relay::Report;

/// What was there.
#[derive(Debug)]
pub struct Begun {
    /// How many attempts there were by then: the last of them broke.
    pub attempts: usize,
    /// What is known of it.
    pub report: Report,
    /// What it used, by our own count.
    pub usage: Usage,
    /// What that costs.
    pub charge: Charge,
    /// How long the whole answer may be.
    pub limit: Limit,
    /// What caching saved or cost.
    pub cache_discount: Nanos,
}

impl Begun {
    /// The answer as a whole, with what another attempt adds.
    #[must_use]
    pub fn with(&self, rest: &Usage, charge: &Charge) -> (Usage, Charge) {
        let sum = u64::saturating_add;
        let usage = Usage {
            completion: sum(self.usage.completion, rest.completion),
            reasoning: sum(self.usage.reasoning, rest.reasoning),
            completion_audio: sum(self.usage.completion_audio, rest.completion_audio),
            completion_image: sum(self.usage.completion_image, rest.completion_image),
            ..self.usage
        };
        // A sum out of range is no price: what was there is.
        let whole = self.charge.continued(charge);
        (usage, whole.unwrap_or_else(|_| self.charge.clone()))
    }

    /// What another attempt adds to the customer's bill, and what of its cost
    /// is the house's.
    #[must_use]
    pub fn adds(&self, rest: &Usage, charge: &Charge) -> Priced {
        let (_, whole) = self.with(rest, charge);
        let added = whole
            .upstream_total
            .saturating_sub(self.charge.upstream_total);
        Priced {
            charge: whole.total.saturating_sub(self.charge.total),
            upstream: charge.upstream_total,
            repeated: charge.upstream_total.saturating_sub(added),
        }
    }
}
