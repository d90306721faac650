//! Orders that a caller can ask for: one file for each, and one table.
//!
//! The table is all that knows which strategies there are. The reading of
//! `provider.sort`, the suffixes of model names, the sentences that refuse
//! and the list in docs/routing.md follow from it. What holds for
//! all strategies is in [`crate::arrange`].

use std::fmt;

use bourse_vocab::ServiceTier;

use crate::candidate::Candidate;

pub(crate) mod exacto;
mod latency;
mod price;
mod throughput;
pub(crate) mod weighted;

/// Every strategy that a caller can ask for.
pub static STRATEGIES: &[&dyn Strategy] = &[
    &price::Price,
    &throughput::Throughput,
    &latency::Latency,
    &exacto::Exacto,
];

/// The order where nobody asks for one.
pub static BALANCED: &dyn Strategy = &weighted::Weighted;

/// The order of calls with tools where nobody asks for one.
pub static OF_TOOLS: &dyn Strategy = &exacto::Exacto;

/// One way to order endpoints.
pub trait Strategy: Sync {
    /// The name in `provider.sort`, which is also that of its file.
    fn name(&self) -> &'static str;

    /// The suffix of a model's name that asks for it, such as `floor` for
    /// `acme/model:floor`.
    fn suffix(&self) -> Option<&'static str> {
        None
    }

    /// The tier of service that its suffix admits besides the usual one
    /// (openrouter.ai/docs, service tiers, October 2026).
    fn admits(&self) -> Option<ServiceTier> {
        None
    }

    /// What it does, in a sentence for callers.
    fn about(&self) -> &'static str;

    /// What it looks at besides the price. Measurements cost a lock each, so
    /// a candidate has only those that somebody needs.
    fn needs(&self) -> Measurements {
        Measurements::default()
    }

    /// Whether it leaves it to us whom calls go to among equals, so that load
    /// is balanced there.
    fn balances(&self) -> bool {
        false
    }

    /// Puts equally stable candidates in the order in which to try them.
    /// `random` is uniform in [0, 1).
    fn arrange(&self, group: &mut [Candidate], random: f64);
}

/// What is measured of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measurements {
    /// Time to the first token.
    pub latency: bool,
    /// Tokens a second.
    pub throughput: bool,
    /// How good it is for calls with tools.
    pub quality: bool,
}

// === impl dyn Strategy ===

impl fmt::Debug for dyn Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Names are unique, which a test sees to.
impl PartialEq for dyn Strategy {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for dyn Strategy {}

/// The strategy that `provider.sort` calls by this name.
///
/// # Errors
/// A sentence that lists the names there are.
pub fn by_name(name: &str) -> Result<&'static dyn Strategy, String> {
    find(|strategy| strategy.name() == name).ok_or_else(|| {
        let names: Vec<_> = STRATEGIES.iter().map(|strategy| strategy.name()).collect();
        format!("`{}` is not one of {}", shortened(name), names.join(", "))
    })
}

/// The strategy that a model's name asks for by this suffix.
///
/// # Errors
/// A sentence that lists the suffixes there are.
pub fn by_suffix(suffix: &str) -> Result<&'static dyn Strategy, String> {
    find(|strategy| strategy.suffix() == Some(suffix)).ok_or_else(|| {
        let listed: Vec<_> = STRATEGIES
            .iter()
            .filter_map(|strategy| Some(format!(":{}", strategy.suffix()?)))
            .collect();
        format!(
            "`:{}` asks for no order; use {} or no suffix",
            shortened(suffix),
            listed.join(", ")
        )
    })
}

/// Every suffix of a model's name that is about its order.
pub fn suffixes() -> impl Iterator<Item = &'static str> {
    STRATEGIES.iter().filter_map(|strategy| strategy.suffix())
}

fn find(is_meant: impl Fn(&dyn Strategy) -> bool) -> Option<&'static dyn Strategy> {
    STRATEGIES.iter().copied().find(|one| is_meant(*one))
}

/// What an error repeats of a name that is none.
fn shortened(name: &str) -> String {
    const CHARS_MAX: usize = 50;
    name.chars().take(CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
