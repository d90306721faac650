//! The limit on how long an answer may be, and who says so.

use bourse_catalog::Endpoint;

use crate::endpoints::Endpoint as ClientEndpoint;
use crate::market::{Market, Target, context_length};

/// Output tokens of a model whose limit is unknown.
pub const OUTPUT_UNKNOWN: u64 = 65_536;

/// The limit on the output tokens of one answer, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The caller's own. It is never lowered.
    Asked(u64),
    /// The model's: nobody tells the provider anything.
    Model,
    /// Ours: what is set aside pays for no more, so the provider is told.
    Set(u64),
}

impl Limit {
    /// Ours, where the model could say more.
    #[must_use]
    pub fn set_for(self, endpoint: &Endpoint) -> Option<u64> {
        match self {
            Self::Set(tokens) if tokens < whole(endpoint) => Some(tokens),
            _ => None,
        }
    }
}

/// All that a model may say in one answer.
#[must_use]
pub fn whole(endpoint: &Endpoint) -> u64 {
    endpoint
        .max_output
        .or(context_length(endpoint))
        .unwrap_or(OUTPUT_UNKNOWN)
}

/// The most output tokens of one answer of a target.
#[must_use]
pub fn output_max(
    limit: Limit,
    (market, target): (&Market, &Target),
    client: &dyn ClientEndpoint,
) -> u64 {
    let endpoint = market.endpoint(target);
    match limit {
        // Nothing is said beyond the window.
        Limit::Asked(tokens) if takes_limit(target, client) => {
            tokens.min(context_length(endpoint).unwrap_or(u64::MAX))
        }
        Limit::Set(tokens) if takes_limit(target, client) => tokens.min(whole(endpoint)),
        // So is a list that says too little of a model.
        Limit::Asked(_) | Limit::Set(_) | Limit::Model if target.metrics.trust.is_lost() => {
            context_length(endpoint).map_or(whole(endpoint), |window| window.max(whole(endpoint)))
        }
        Limit::Asked(_) | Limit::Set(_) | Limit::Model => whole(endpoint),
    }
}

/// Whether a target can be told a limit, and keeps it.
#[must_use]
pub fn takes_limit(target: &Target, client: &dyn ClientEndpoint) -> bool {
    let way = target.way(|way| client.rank(way));
    way.is_some_and(|way| way.dialect.takes_limit()) && !target.metrics.trust.is_lost()
}

/// Output tokens by which counts of one answer may differ: ends of turns, and
/// what a template puts before the answer.
const COUNTS_DIFFER_BY: u64 = 16;

/// Whether so many output tokens are more than a limit of so many allows.
#[must_use]
pub const fn is_overrun(told: u64, limit: u64) -> bool {
    told > limit.saturating_add(COUNTS_DIFFER_BY)
}

/// Whether so many output tokens are no more than a target may give that is
/// trusted: what the caller asked for, or what is listed of its model.
#[must_use]
pub fn is_kept(limit: Limit, endpoint: &Endpoint, answers: u64, told: u64) -> bool {
    let one = match limit {
        Limit::Asked(tokens) => tokens,
        Limit::Set(_) | Limit::Model => whole(endpoint),
    };
    !is_overrun(told, one.saturating_mul(answers))
}
