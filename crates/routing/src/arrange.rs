//! In what order to try the candidates.
//!
//! A strategy decides within a group; this is what holds for all of them:
//! the caller's `order` first, then the tier of service that was asked for,
//! resting keys left out, unstable endpoints last.

use crate::candidate::Candidate;
use crate::preferences::{Partition, Preferences, Sort};
use crate::strategies::BALANCED;

/// Puts all candidates in the order in which to try them. Candidates whose
/// key must rest are dropped; the shortest rest among them is returned, for
/// the case that no candidate is left.
///
/// `sort` is the effective sort: the caller's, or that of a suffix such as
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
            candidate.service_rank,
            candidate.unstable,
            candidate.deprioritised,
        )
    };
    candidates.sort_by_key(group);
    let strategy = sort.map_or(BALANCED, |sort| sort.by);
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
