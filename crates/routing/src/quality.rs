//! How good the endpoints of a model are for calls with tools, beside each
//! other.
//!
//! OpenRouter calls its order by this Auto Exacto (openrouter.ai/docs, Auto
//! Exacto, as of October 2026): an endpoint is good, deprioritised, or not known
//! well enough. Two of its signals are here, throughput and tool calls; its
//! benchmarks are not run here. Numbers are compared with those of the other
//! endpoints of the model, so that a slow model has no bad endpoints.
//!
//! Where the page says nothing we chose: an endpoint is good if one signal is
//! known and none is bad; a spread is at least what chance explains (of
//! rates), or a tenth of the median (of throughputs), so that among equals
//! nobody is bad for a hair's breadth.

use bourse_vocab::Quality;

use crate::tool_use::ToolAnswers;

/// So many providers must be known, or nobody is judged by a signal.
pub const PROVIDERS_MIN: usize = 4;
/// So many answers of half an hour make a throughput known.
pub const ANSWERS_MIN: u64 = 100;
/// So many answers with tool calls of two hours make their error rate known.
pub const TOOL_ANSWERS_MIN: u64 = 200;
/// How many standard deviations below the median a throughput is too low.
const THROUGHPUT_SIGMAS: f64 = 1.5;
/// How many below it the share of good tool calls is too low.
const TOOLS_SIGMAS: f64 = 2.0;
/// What a median deviation is of a standard deviation, where numbers are
/// normally distributed, as a divisor.
const SIGMA_OF_MAD: f64 = 1.4826;
/// The least spread of throughputs, as a part of their median: they are known
/// to 7 %.
const THROUGHPUT_SPREAD_MIN: f64 = 0.1;

/// What is known of an endpoint of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known<'a> {
    /// Whose it is.
    pub provider: &'a str,
    /// Median output tokens a second, and of how many answers, over the last
    /// half hour.
    pub throughput: Option<(u64, u64)>,
    /// Answers with tool calls of the last two hours.
    pub tools: ToolAnswers,
}

/// How good each of the endpoints of one model is.
#[must_use]
pub fn rate(known: &[Known<'_>]) -> Vec<Quality> {
    let throughputs = Signal::of(known, |one| {
        let (tokens, answers) = one.throughput?;
        #[allow(clippy::cast_precision_loss)] // Far below 2^52.
        (answers >= ANSWERS_MIN).then_some(tokens as f64)
    });
    let successes = Signal::of(known, |one| {
        let rate = one.tools.error_rate()?;
        (one.tools.all >= TOOL_ANSWERS_MIN).then_some(1.0 - rate)
    });
    let each = throughputs.values.iter().zip(&successes.values).zip(known);
    let rated = each.map(|((throughput, success), one)| {
        let slow = throughputs.is_bad(*throughput, THROUGHPUT_SIGMAS, |median| {
            median * THROUGHPUT_SPREAD_MIN
        });
        let careless = successes.is_bad(*success, TOOLS_SIGMAS, |median| chance(median, one.tools));
        match (slow, careless) {
            (None, None) => Quality::Unknown,
            (Some(true), Some(true)) => Quality::SlowAndCareless,
            (Some(true), _) => Quality::Slow,
            (_, Some(true)) => Quality::Careless,
            (_, _) => Quality::Good,
        }
    });
    rated.collect()
}

/// The standard deviation of a share of so many answers, where each is good
/// with the probability `share`. One good and one bad answer are added, or
/// nothing would be explained where nobody ever failed.
#[allow(clippy::cast_precision_loss)] // Below 2^24.
fn chance(share: f64, answers: ToolAnswers) -> f64 {
    let all = answers.all as f64 + 2.0;
    let share = (share * answers.all as f64 + 1.0) / all;
    (share * (1.0 - share) / all).sqrt()
}

/// One number of all endpoints.
struct Signal {
    /// That of each; `None` if too little is known.
    values: Vec<Option<f64>>,
    /// The median, and the standard deviation by the median deviation from it;
    /// `None` if too few providers are known.
    middle: Option<(f64, f64)>,
}

impl Signal {
    fn of(known: &[Known<'_>], value: impl Fn(&Known<'_>) -> Option<f64>) -> Self {
        let values: Vec<_> = known.iter().map(value).collect();
        let named = known.iter().zip(&values);
        let mut providers: Vec<_> = named
            .filter_map(|(one, value)| value.map(|_| one.provider))
            .collect();
        providers.sort_unstable();
        providers.dedup();
        let middle = (providers.len() >= PROVIDERS_MIN)
            .then(|| {
                let median = median(values.iter().flatten().copied())?;
                let off = values.iter().flatten().map(|value| (value - median).abs());
                Some((median, SIGMA_OF_MAD * self::median(off)?))
            })
            .flatten();
        Self { values, middle }
    }

    /// Whether a value is so many standard deviations below the median. The
    /// deviation is what `least` says of the median, or more.
    fn is_bad(&self, value: Option<f64>, sigmas: f64, least: impl Fn(f64) -> f64) -> Option<bool> {
        let (median, sigma) = self.middle?;
        let threshold = median - sigmas * sigma.max(least(median));
        value.map(|value| value < threshold)
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get(values.len().saturating_sub(1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests;
