//! How good the endpoints of a model are for calls with tools.
//!
//! They are compared with each other, which takes a lock for each: so it is done
//! anew by one call in ten seconds, and what came of it is read by all.

use std::sync::Arc;

use bourse_catalog::ModelIx;
use bourse_routing::preferences::{Partition, Sort};
use bourse_routing::quality::{Known, rate};
use bourse_routing::strategies::OF_TOOLS;

use crate::market::{Market, Target};

/// The order of a call with tools whose caller asks for none.
pub const AUTO: Sort = Sort {
    by: OF_TOOLS,
    partition: Partition::Model,
};

/// Rates the endpoints of a model, unless that was done of late.
pub fn rate_of_late(market: &Market, model: ModelIx, now_ms: u64) {
    if market.is_due_for_rating(model, now_ms) {
        rate_anew(market, model, now_ms);
    }
}

/// Rates every endpoint of a model, those included that a call may not use: how
/// good one is does not depend on who asks.
#[cold]
fn rate_anew(market: &Market, model: ModelIx, now_ms: u64) {
    let mut endpoints: Vec<(&Arc<Target>, Known<'_>)> = Vec::new();
    for target in market.targets_of(model) {
        let throughput = target.health.throughput_of_answers(now_ms);
        let is_it = |(other, _): &&mut (&Arc<Target>, Known<'_>)| {
            Arc::ptr_eq(&other.metrics, &target.metrics)
        };
        // Of several credentials, the one that is asked most speaks.
        if let Some((_, known)) = endpoints.iter_mut().find(is_it) {
            let answers = |throughput: Option<(u64, u64)>| throughput.map(|(_, answers)| answers);
            if answers(throughput) > answers(known.throughput) {
                known.throughput = throughput;
            }
            continue;
        }
        let known = Known {
            provider: &target.provider.slug,
            throughput,
            tools: target.metrics.tools.of_late(now_ms),
        };
        endpoints.push((target, known));
    }
    let known: Vec<_> = endpoints.iter().map(|(_, known)| *known).collect();
    for ((target, _), quality) in endpoints.iter().zip(rate(&known)) {
        target.metrics.is_rated(quality);
    }
}
