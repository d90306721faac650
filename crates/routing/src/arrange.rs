//! In what order to try the candidates.
//!
//! A strategy decides within a group; this is what holds for all of them:
//! the caller's `order` first, then the tier of service that was asked for,
//! resting keys and broken endpoints left out, unstable endpoints last. What is
//! broken is never all there is.

use crate::breaker::Standing;
use crate::candidate::Candidate;
use crate::preferences::{Partition, Preferences, Sort};
use crate::relief;
use crate::strategies::{BALANCED, Strategy, exacto};

/// The lot of a call.
#[derive(Debug, Clone, Copy)]
pub struct Lot {
    /// Uniform in [0, 1).
    pub random: f64,
    /// Whether it is that of a conversation, whose calls go where the others
    /// went: prompts are cached there. It does not give way to load, and finds
    /// out nothing for others.
    pub is_shared: bool,
}

impl Lot {
    /// The lot of a single call.
    #[must_use]
    pub const fn single(random: f64) -> Self {
        Self {
            random,
            is_shared: false,
        }
    }
}

/// Puts all candidates in the order in which to try them. Candidates whose
/// key must rest are dropped; the shortest rest among them is returned, for
/// the case that no candidate is left. So are those that are broken, but for a
/// third of each model's.
///
/// `sort` is the effective sort: the caller's, or that of a suffix such as
/// `:floor`. An explicit sort keeps its order even among unstable endpoints
/// of one group, but stable ones still come first.
pub fn arrange(
    candidates: &mut Vec<Candidate>,
    preferences: &Preferences,
    sort: Option<Sort>,
    lot: Lot,
) -> Option<u64> {
    let rest = candidates
        .iter()
        .filter_map(|candidate| candidate.cooldown_ms)
        .min();
    candidates.retain(|candidate| candidate.cooldown_ms.is_none());
    if candidates
        .iter()
        .any(|candidate| matches!(candidate.standing, Standing::Open(_)))
    {
        leave_out_broken(candidates);
    }
    let across_models = sort.is_some_and(|sort| sort.partition == Partition::None);
    let is_balanced = sort.is_none_or(|sort| sort.by.balances()) && !lot.is_shared;
    if is_balanced {
        relief::defer_unproven(candidates);
    }
    let group = |candidate: &Candidate| {
        (
            if across_models {
                0
            } else {
                candidate.model_rank
            },
            candidate.order_rank.unwrap_or(u16::MAX),
            candidate.service_rank,
            match candidate.standing {
                // Where the load is ours to balance, whoever may be back is
                // asked first, or it would not be asked while others serve.
                Standing::Probe if is_balanced => 0_u8,
                Standing::Closed | Standing::Probe => 1 + u8::from(candidate.unstable),
                Standing::Open(_) => 3,
            },
            candidate.deprioritised,
        )
    };
    candidates.sort_by_key(group);
    let within = Within {
        strategy: sort.map_or(BALANCED, |sort| sort.by),
        random: lot.random,
        is_balanced,
        is_any_stuck: candidates.iter().any(|candidate| candidate.is_stuck),
    };
    let has_tiers = sort.is_some_and(|sort| sort.by.needs().quality);
    let finds_out = has_tiers && is_balanced && exacto::finds_out(lot.random);
    for group in candidates.chunk_by_mut(|a, b| group(a) == group(b)) {
        if has_tiers {
            // A conversation leaves whoever has become worse, prompt or not,
            // and nobody of another tier is asked for the sake of load.
            exacto::tiers(group, finds_out).for_each(|tier| within.order(tier));
        } else {
            within.order(group);
        }
    }
    if !preferences.allow_fallbacks {
        keep_first(candidates, preferences);
    }
    rest
}

/// How candidates are put in order that are equal in everything that comes
/// before.
struct Within {
    strategy: &'static dyn Strategy,
    random: f64,
    is_balanced: bool,
    is_any_stuck: bool,
}

impl Within {
    #[inline]
    fn order(&self, group: &mut [Candidate]) {
        if !self.is_any_stuck {
            return self.arrange(group);
        }
        // Few calls have one: the others do not compare by it.
        group.sort_by_key(|candidate| !candidate.is_stuck);
        let count = group.partition_point(|candidate| candidate.is_stuck);
        let (stuck, others) = group.split_at_mut(count);
        self.arrange(stuck);
        self.arrange(others);
    }

    #[inline]
    fn arrange(&self, part: &mut [Candidate]) {
        self.strategy.arrange(part, self.random);
        if self.is_balanced {
            relief::relieve(part, self.random);
        }
    }
}

/// Without fallbacks: those that the caller listed, or else the first of each
/// model.
fn keep_first(candidates: &mut Vec<Candidate>, preferences: &Preferences) {
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

/// Drops what is broken, but no more than two thirds of the candidates of a
/// model: with more gone the others would be overrun, and if all are down it
/// is as likely we who are wrong. Those that may be back soonest stay.
#[cold]
fn leave_out_broken(candidates: &mut Vec<Candidate>) {
    candidates.sort_by_key(|candidate| {
        let until = match candidate.standing {
            Standing::Closed | Standing::Probe => 0,
            Standing::Open(until) => until,
        };
        (candidate.model_rank, until)
    });
    let mut kept = Vec::with_capacity(candidates.len());
    for of_model in candidates.chunk_by(|a, b| a.model_rank == b.model_rank) {
        let least = of_model.len() - of_model.len() * 2 / 3;
        let is_broken = |candidate: &Candidate| matches!(candidate.standing, Standing::Open(_));
        let stay = of_model
            .iter()
            .enumerate()
            .filter(|(place, candidate)| *place < least || !is_broken(candidate));
        kept.extend(stay.map(|(_, candidate)| *candidate));
    }
    *candidates = kept;
}

#[cfg(test)]
mod tests;
