//! In what order to try the candidates.
//!
//! Each strategy is a file; this one picks the strategy and applies what
//! holds for all of them: the caller's `order` first, resting keys left
//! out, unstable endpoints last.

use crate::candidate::Candidate;
use crate::preferences::{Partition, Preferences, Sort, SortBy};

mod latency;
mod price;
mod throughput;
mod weighted;

/// Sorts one group of equally stable candidates. `random` is uniform in
/// [0, 1) and only the weighted strategy uses it.
pub trait Strategy: Sync {
    /// The name that configuration and metadata use.
    fn name(&self) -> &'static str;
    /// Puts `group` in the order in which to try it.
    fn arrange(&self, group: &mut [Candidate], random: f64);
}

/// The strategy for a sort; load balancing where there is none.
#[must_use]
pub fn strategy(sort: Option<SortBy>) -> &'static dyn Strategy {
    match sort {
        None => &weighted::Weighted,
        Some(SortBy::Price) => &price::Price,
        Some(SortBy::Throughput) => &throughput::Throughput,
        Some(SortBy::Latency) => &latency::Latency,
    }
}

/// Puts all candidates in the order in which to try them. Candidates whose
/// key must rest are dropped; the shortest rest among them is returned, for
/// the case that no candidate is left.
///
/// `sort` is the effective sort: the caller's, or that of a variant such as
/// `:floor`. An explicit sort keeps its order even among unstable endpoints
/// of one group, but stable ones still come first.
pub fn arrange(
    candidates: &mut Vec<Candidate>,
    preferences: &Preferences,
    sort: Option<Sort>,
    random: f64,
) -> Option<u64> {
    let rest = candidates
        .iter()
        .filter_map(|candidate| candidate.cooldown_ms)
        .min();
    candidates.retain(|candidate| candidate.cooldown_ms.is_none());
    let across_models = sort.is_some_and(|sort| sort.partition == Partition::None);
    let group = |candidate: &Candidate| {
        (
            if across_models {
                0
            } else {
                candidate.model_rank
            },
            candidate.order_rank.unwrap_or(u16::MAX),
            candidate.unstable,
            candidate.deprioritised,
        )
    };
    candidates.sort_by_key(group);
    let strategy = strategy(sort.map(|sort| sort.by));
    for group in candidates.chunk_by_mut(|a, b| group(a) == group(b)) {
        strategy.arrange(group, random);
    }
    if !preferences.allow_fallbacks {
        let listed = !preferences.order.is_empty();
        let mut last_model = None;
        candidates.retain(|candidate| {
            if listed {
                return candidate.order_rank.is_some();
            }
            let first = last_model != Some(candidate.model_rank);
            last_model = Some(candidate.model_rank);
            first
        });
    }
    rest
}

#[cfg(test)]
mod tests;
