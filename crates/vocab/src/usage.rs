//! What a provider says that it counted, and what we make of it: tokens, and
//! [`Units`] of what is sold by something else.

mod count;
mod told;
mod units;

use serde::{Deserialize, Serialize};

use crate::json::Value;

pub use count::{Count, Counts};
pub use told::ToldCost;
pub use units::{Units, UnitsReport};

/// More tokens than any call can use: a report above it is nonsense. The
/// largest context windows are 10^7; a thousand times that is a wide margin
/// and still far below any overflow in pricing.
pub const TOKENS_MAX: u64 = 10_000_000_000;

/// Units used by one call, consistent with itself.
///
/// `prompt` counts every input token, whether read from the provider's
/// cache, written to it, or neither; the cache fields are parts of it, and so
/// are `prompt_audio` and `prompt_image`; `cache_read_audio` is a part of both
/// `cache_read` and `prompt_audio`.
/// `completion` counts every output token; `reasoning`, `completion_audio`
/// and `completion_image` are parts of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Input tokens in all.
    pub prompt: u64,
    /// Input tokens read from the provider's cache.
    pub cache_read: u64,
    /// Input tokens that were audio and read from the provider's cache, where
    /// they are counted apart.
    pub cache_read_audio: u64,
    /// Input tokens written to a cache that lives five minutes.
    pub cache_write_5m: u64,
    /// Input tokens written to a cache that lives an hour.
    pub cache_write_1h: u64,
    /// Input tokens that were audio.
    pub prompt_audio: u64,
    /// Input tokens that were pictures, where they are counted apart.
    pub prompt_image: u64,
    /// Output tokens in all.
    pub completion: u64,
    /// Output tokens spent on reasoning.
    pub reasoning: u64,
    /// Output tokens that were audio.
    pub completion_audio: u64,
    /// Output tokens that were images.
    pub completion_image: u64,
    /// Web searches that the provider ran.
    pub web_searches: u64,
    /// Output tokens that the caller had predicted.
    pub accepted_prediction: u64,
    /// Output tokens that were predicted, and not what the model said: they
    /// are part of `completion` all the same.
    pub rejected_prediction: u64,
    /// What is no token.
    pub units: Units,
}

impl Usage {
    /// Input and output tokens together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.prompt.saturating_add(self.completion)
    }

    /// Input tokens written to any cache.
    #[must_use]
    pub const fn cache_write(&self) -> u64 {
        self.cache_write_5m.saturating_add(self.cache_write_1h)
    }
}

/// What a provider reported, field by field: a reported zero is not the
/// same as no report (a gateway that mixes them up bills an estimate for a
/// call that was free).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UsageReport {
    /// See [`Usage::prompt`]; cached tokens included.
    pub prompt: Option<u64>,
    /// See [`Usage::cache_read`].
    pub cache_read: Option<u64>,
    /// See [`Usage::cache_read_audio`].
    pub cache_read_audio: Option<u64>,
    /// See [`Usage::cache_write_5m`].
    pub cache_write_5m: Option<u64>,
    /// See [`Usage::cache_write_1h`].
    pub cache_write_1h: Option<u64>,
    /// See [`Usage::prompt_audio`].
    pub prompt_audio: Option<u64>,
    /// See [`Usage::prompt_image`].
    pub prompt_image: Option<u64>,
    /// See [`Usage::completion`]; reasoning included.
    pub completion: Option<u64>,
    /// See [`Usage::reasoning`].
    pub reasoning: Option<u64>,
    /// See [`Usage::completion_audio`].
    pub completion_audio: Option<u64>,
    /// See [`Usage::completion_image`].
    pub completion_image: Option<u64>,
    /// See [`Usage::web_searches`].
    pub web_searches: Option<u64>,
    /// See [`Usage::accepted_prediction`].
    pub accepted_prediction: Option<u64>,
    /// See [`Usage::rejected_prediction`].
    pub rejected_prediction: Option<u64>,
    /// See [`Usage::units`].
    pub units: UnitsReport,
    /// What the provider says that it charges for all of it.
    pub cost: ToldCost,
    /// A number was negative, fractional or absurd, and was left out.
    pub nonsense: bool,
}

impl UsageReport {
    /// Takes over every field that `later` reports: streams repeat and
    /// refine their usage, and the last word counts. Counts only grow while an
    /// answer is made, so a zero after something is no count: servers send
    /// messages whose numbers they did not fill in (envoyproxy/ai-gateway
    /// issue 1631, 2026).
    pub fn merge(&mut self, later: &Self) {
        take(&mut self.prompt, later.prompt);
        take(&mut self.cache_read, later.cache_read);
        take(&mut self.cache_read_audio, later.cache_read_audio);
        take(&mut self.cache_write_5m, later.cache_write_5m);
        take(&mut self.cache_write_1h, later.cache_write_1h);
        take(&mut self.prompt_audio, later.prompt_audio);
        take(&mut self.prompt_image, later.prompt_image);
        take(&mut self.completion, later.completion);
        take(&mut self.reasoning, later.reasoning);
        take(&mut self.completion_audio, later.completion_audio);
        take(&mut self.completion_image, later.completion_image);
        take(&mut self.web_searches, later.web_searches);
        take(&mut self.accepted_prediction, later.accepted_prediction);
        take(&mut self.rejected_prediction, later.rejected_prediction);
        if later.units.any() {
            self.units.merge(&later.units);
        }
        self.cost = later.cost.or(self.cost);
        self.nonsense |= later.nonsense;
    }

    /// Keeps a count if it is one; notes nonsense otherwise.
    pub fn count(&mut self, value: &Value) -> Option<u64> {
        match value {
            Value::Null => None,
            value => match whole(value) {
                Some(count) if count <= TOKENS_MAX => Some(count),
                _ => {
                    self.nonsense = true;
                    None
                }
            },
        }
    }

    /// Whether the provider said what the call used: both sides, sanely.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.prompt.is_some() && self.completion.is_some() && !self.nonsense
    }

    /// Makes a consistent usage of the report. What is missing comes from
    /// `estimate`; a part that exceeds its whole is cut down to it. Returns
    /// whether anything had to be estimated or mended.
    #[must_use]
    pub fn resolve(&self, estimate: &Usage) -> (Usage, bool) {
        let mut mended = self.nonsense
            || self.prompt.is_none()
            || self.completion.is_none()
            || self.units.lacks(&estimate.units);
        let prompt = self.prompt.unwrap_or(estimate.prompt);
        let completion = self.completion.unwrap_or(estimate.completion);
        let mut part = |value: Option<u64>, room: &mut u64| {
            let value = value.unwrap_or(0);
            if value > *room {
                mended = true;
            }
            let kept = value.min(*room);
            *room = room.saturating_sub(kept);
            kept
        };
        let mut room = prompt;
        let cache_read = part(self.cache_read, &mut room);
        let cache_write_5m = part(self.cache_write_5m, &mut room);
        let cache_write_1h = part(self.cache_write_1h, &mut room);
        let mut room = prompt;
        let prompt_audio = part(self.prompt_audio, &mut room);
        let prompt_image = part(self.prompt_image, &mut room);
        let mut room = cache_read.min(prompt_audio);
        let cache_read_audio = part(self.cache_read_audio, &mut room);
        let mut room = completion;
        let reasoning = part(self.reasoning, &mut room);
        let completion_audio = part(self.completion_audio, &mut room);
        let completion_image = part(self.completion_image, &mut room);
        let usage = Usage {
            prompt,
            cache_read,
            cache_read_audio,
            cache_write_5m,
            cache_write_1h,
            prompt_audio,
            prompt_image,
            completion,
            reasoning,
            completion_audio,
            completion_image,
            web_searches: self.web_searches.unwrap_or(estimate.web_searches),
            accepted_prediction: self.accepted_prediction.unwrap_or(0).min(completion),
            rejected_prediction: self.rejected_prediction.unwrap_or(0).min(completion),
            units: self.units.or(&estimate.units),
        };
        (usage, mended)
    }
}

/// Takes over a count that is told later, see [`UsageReport::merge`].
fn take(slot: &mut Option<u64>, later: Option<u64>) {
    if later.is_some_and(|later| later > 0) || slot.is_none() {
        *slot = later;
    }
}

/// A count, which some servers print as a float: `10.0`.
fn whole(value: &Value) -> Option<u64> {
    u64::try_from(value.as_number()?.as_whole()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reported_zero_is_not_replaced_by_an_estimate() {
        let report = UsageReport {
            prompt: Some(0),
            completion: Some(0),
            ..Default::default()
        };
        let estimate = Usage {
            prompt: 9,
            completion: 9,
            ..Default::default()
        };
        assert_eq!(report.resolve(&estimate), (Usage::default(), false));
    }

    #[test]
    fn parts_never_exceed_their_whole() {
        let report = UsageReport {
            prompt: Some(10),
            cache_read: Some(8),
            cache_write_5m: Some(8),
            completion: Some(6000),
            reasoning: Some(6001),
            ..Default::default()
        };
        let (usage, mended) = report.resolve(&Usage::default());
        assert!(mended);
        assert_eq!(
            (usage.cache_read, usage.cache_write_5m, usage.reasoning),
            (8, 2, 6000)
        );
    }

    #[test]
    fn nonsense_numbers_are_left_out_and_noted() {
        let mut report = UsageReport::default();
        for nonsense in ["-1", "1.5", "1e300", "18446744073709551615", "\"7\""] {
            let value = crate::json::parse(nonsense.as_bytes()).unwrap();
            assert_eq!(report.count(&value), None, "{nonsense}");
        }
        assert!(report.nonsense);
        assert_eq!(UsageReport::default().count(&Value::from(7_u64)), Some(7));
    }

    #[test]
    fn the_last_word_on_each_field_counts() {
        let mut report = UsageReport {
            prompt: Some(3),
            completion: Some(1),
            ..Default::default()
        };
        report.merge(&UsageReport {
            completion: Some(5),
            ..Default::default()
        });
        assert_eq!((report.prompt, report.completion), (Some(3), Some(5)));
        report.merge(&UsageReport {
            prompt: Some(0),
            completion: Some(4),
            reasoning: Some(0),
            ..Default::default()
        });
        assert_eq!((report.prompt, report.completion), (Some(3), Some(4)));
        assert_eq!(report.reasoning, Some(0));
    }
}
