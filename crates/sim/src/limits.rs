//! What a provider lets one account do, and how it says no.
//!
//! Requests and tokens a minute are token buckets, as Anthropic documents
//! its own: they refill evenly and are full after a minute. Everything is
//! counted in whole units of a sixty-thousandth, so that a millisecond
//! refills exactly the limit. Facts:
//!
//! - OpenAI, guide "Rate limits" (read in its version of 2026-06-26):
//!   `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, resets as
//!   durations such as `1s` and `6m0s`; 429 beyond, 503 when the engine is
//!   overloaded (guide "Error codes").
//! - Anthropic, "Rate limits" and "Errors", and AWS, "Rate limits and
//!   quotas - Claude Platform on AWS" (read 2026-11):
//!   `anthropic-ratelimit-{requests,tokens}-{limit,remaining,reset}`, resets
//!   in RFC 3339, `retry-after` in seconds; 429 `rate_limit_error` beyond,
//!   529 `overloaded_error` when the API itself is overloaded.
//! - Gemini API, "Troubleshooting" (read 2026-11): 429
//!   `RESOURCE_EXHAUSTED` with `RetryInfo` in the body and no header, 503
//!   `UNAVAILABLE` when overloaded.

use crate::ask::Format;
use crate::script::{Limits, RetryAfter, Script};

/// Units of one request or token in a bucket: milliseconds of a minute.
const UNITS: u64 = 60_000;
/// How long a provider that is full says to wait: no vendor documents a
/// time, so it is the shortest that whole seconds can say.
const FULL_RETRY_MS: u64 = 1_000;

/// What has been used up. Begins with full buckets.
#[derive(Debug, Default)]
pub struct Meter {
    requests: Bucket,
    tokens: Bucket,
    in_flight: u64,
}

#[derive(Debug, Default)]
struct Bucket {
    /// Units taken and not refilled yet.
    taken: u64,
    at_ms: u64,
}

/// A limit and what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// A minute's.
    pub limit: u64,
    /// Whole ones that are left.
    pub remaining: u64,
    /// Until all of it is there again, in milliseconds.
    pub reset_ms: u64,
}

/// The levels of an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Of requests, if they are limited.
    pub requests: Option<Level>,
    /// Of tokens, if they are limited.
    pub tokens: Option<Level>,
}

/// Why a request is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Too many requests a minute.
    Requests,
    /// Too many tokens a minute.
    Tokens,
    /// Too many of the account's requests at once.
    Concurrency,
    /// The provider itself is at its end.
    Capacity,
}

/// A request that is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnedAway {
    /// Why.
    pub why: Full,
    /// When the same request would be let in, if no other came, in
    /// milliseconds; at least one.
    pub retry_ms: u64,
}

impl Bucket {
    fn refill(&mut self, limit: u64, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.at_ms);
        self.taken = self.taken.saturating_sub(passed.saturating_mul(limit));
        self.at_ms = self.at_ms.max(now_ms);
    }

    /// Milliseconds until so many fit; a request that is larger than the
    /// whole bucket fits a full one, as nobody could ever send it otherwise.
    fn wait_ms(&self, limit: u64, wanted: u64) -> u64 {
        let size = limit * UNITS;
        let wanted = wanted.saturating_mul(UNITS).min(size);
        let over = (self.taken + wanted).saturating_sub(size);
        over.div_ceil(limit.max(1))
    }

    fn take(&mut self, limit: u64, wanted: u64) {
        let size = limit * UNITS;
        self.taken = (self.taken + wanted.saturating_mul(UNITS).min(size)).min(size);
    }

    fn level(&self, limit: u64) -> Level {
        Level {
            limit,
            remaining: (limit * UNITS).saturating_sub(self.taken) / UNITS,
            reset_ms: self.taken.div_ceil(limit.max(1)),
        }
    }
}

impl Meter {
    /// Lets a request of so many tokens in, or says why not. What was let in
    /// is to be let out again with [`Meter::leave`].
    ///
    /// # Errors
    /// The first limit that it would break; nothing is taken then.
    pub fn enter(&mut self, limits: &Limits, tokens: u64, now_ms: u64) -> Result<(), TurnedAway> {
        let full = |limit: Option<u64>| limit.is_some_and(|limit| self.in_flight >= limit);
        let (capacity, concurrency) = (full(limits.capacity), full(limits.concurrency));
        let turned_away = |why, retry_ms| Err(TurnedAway { why, retry_ms });
        if capacity {
            return turned_away(Full::Capacity, FULL_RETRY_MS);
        }
        if concurrency {
            return turned_away(Full::Concurrency, FULL_RETRY_MS);
        }
        let wanted = [
            (
                &mut self.requests,
                limits.requests_per_minute,
                1,
                Full::Requests,
            ),
            (
                &mut self.tokens,
                limits.tokens_per_minute,
                tokens,
                Full::Tokens,
            ),
        ];
        let mut wanted = wanted.map(|(bucket, limit, wanted, why)| {
            if let Some(limit) = limit {
                bucket.refill(limit, now_ms);
            }
            (bucket, limit, wanted, why)
        });
        for (bucket, limit, wanted, why) in &wanted {
            let wait = limit.map_or(0, |limit| bucket.wait_ms(limit, *wanted));
            if wait > 0 {
                return turned_away(*why, wait);
            }
        }
        for (bucket, limit, wanted, _) in &mut wanted {
            if let Some(limit) = limit {
                bucket.take(*limit, *wanted);
            }
        }
        self.in_flight += 1;
        Ok(())
    }

    /// Lets a request out.
    pub fn leave(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// What is left.
    #[must_use]
    pub fn standing(&self, limits: &Limits) -> Standing {
        Standing {
            requests: limits
                .requests_per_minute
                .map(|limit| self.requests.level(limit)),
            tokens: limits
                .tokens_per_minute
                .map(|limit| self.tokens.level(limit)),
        }
    }
}

impl Standing {
    /// The header lines in which the vendor says it, each with its end.
    #[must_use]
    pub fn lines(&self, format: Format, now: jiff::Timestamp) -> String {
        let both = [("requests", self.requests), ("tokens", self.tokens)];
        let known = both
            .into_iter()
            .filter_map(|(what, level)| Some((what, level?)));
        known
            .map(|(what, level)| match format {
                Format::OpenaiChat
                | Format::OpenaiText
                | Format::OpenaiResponses
                | Format::OpenaiEmbeddings
                | Format::OpenaiImages
                | Format::OpenaiImageEdits
                | Format::Rerank
                | Format::Moderations
                | Format::OpenaiSpeech
                | Format::Voices
                | Format::OpenaiTranscription
                | Format::OpenaiVideos => format!(
                    "x-ratelimit-limit-{what}: {}\r\nx-ratelimit-remaining-{what}: {}\r\nx-ratelimit-reset-{what}: {}\r\n",
                    level.limit,
                    level.remaining,
                    span(level.reset_ms),
                ),
                Format::Anthropic => format!(
                    "anthropic-ratelimit-{what}-limit: {}\r\nanthropic-ratelimit-{what}-remaining: {}\r\nanthropic-ratelimit-{what}-reset: {}\r\n",
                    level.limit,
                    level.remaining,
                    moment(now, level.reset_ms),
                ),
                // None of them says it.
                Format::Gemini
                | Format::GeminiEmbeddings
                | Format::Imagen
                | Format::Veo
                | Format::Bedrock
                | Format::Ollama
                | Format::Cohere
                | Format::OllamaEmbeddings => String::new(),
            })
            .collect()
    }
}

/// A duration as OpenAI writes it: `12ms`, `1.5s`, `6m0s`.
fn span(ms: u64) -> String {
    let seconds = |ms: u64| match ms % 1_000 {
        0 => format!("{}s", ms / 1_000),
        rest => format!("{}.{rest:03}s", ms / 1_000),
    };
    match ms {
        0 => "0s".to_owned(),
        1..1_000 => format!("{ms}ms"),
        1_000..60_000 => seconds(ms),
        _ => format!("{}m{}", ms / 60_000, seconds(ms % 60_000)),
    }
}

/// A moment so far ahead, in RFC 3339 and whole seconds, never too early.
fn moment(now: jiff::Timestamp, ahead_ms: u64) -> String {
    let ahead = i64::try_from(ahead_ms).unwrap_or(i64::MAX);
    let millis = now.as_millisecond().saturating_add(ahead);
    let seconds = millis.div_euclid(1_000) + i64::from(millis.rem_euclid(1_000) > 0);
    jiff::Timestamp::from_second(seconds)
        .unwrap_or(jiff::Timestamp::MAX)
        .to_string()
}

impl TurnedAway {
    /// The failure as a script: status, code, sentence and wait.
    #[must_use]
    pub fn script(&self, format: Format, limits: &Limits) -> Script {
        let seconds = self.retry_ms.div_ceil(1_000);
        let status = match (self.why, format) {
            (Full::Capacity, Format::Anthropic) => 529,
            (Full::Capacity, _) => 503,
            _ => 429,
        };
        Script {
            error_status: Some(status),
            error_message: self.sentence(format, limits),
            // Overload has no known end, so vendors name none.
            retry_after: (self.why != Full::Capacity).then_some(RetryAfter::Seconds(seconds)),
            ..Script::default()
        }
    }

    /// What differs from the vendor's usual sentence for the status.
    fn sentence(&self, format: Format, limits: &Limits) -> Option<String> {
        let openai = format.is_openais();
        let (what, limit) = match self.why {
            Full::Requests => ("requests per min (RPM)", limits.requests_per_minute),
            Full::Tokens => ("tokens per min (TPM)", limits.tokens_per_minute),
            Full::Concurrency => ("concurrent requests", limits.concurrency),
            Full::Capacity => return None,
        };
        openai.then(|| {
            format!(
                "Rate limit reached in organization org-sim on {what}: Limit {}. Please try again in {}.",
                limit.unwrap_or_default(),
                span(self.retry_ms)
            )
        })
    }

    /// OpenAI's `error.type` names which limit it was.
    #[must_use]
    pub const fn openai_type(&self) -> &'static str {
        match self.why {
            Full::Tokens => "tokens",
            Full::Requests | Full::Concurrency => "requests",
            Full::Capacity => "server_error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::LIMIT_MAX;

    fn per_minute(requests: u64, tokens: u64) -> Limits {
        Limits {
            requests_per_minute: Some(requests),
            tokens_per_minute: Some(tokens),
            ..Limits::default()
        }
    }

    #[test]
    fn who_waits_as_long_as_told_is_let_in_and_a_millisecond_earlier_is_not() {
        for (requests, tokens, wanted) in [(60, 10_000, 7), (7, 900, 301), (1_000, 13, 5)] {
            let limits = per_minute(requests, tokens);
            let mut meter = Meter::default();
            let mut now = 0;
            let mut told = 0;
            for _ in 0..2_000 {
                match meter.enter(&limits, wanted, now) {
                    Ok(()) => meter.leave(),
                    Err(away) => {
                        let early = meter.enter(&limits, wanted, now + away.retry_ms - 1);
                        assert!(early.is_err(), "{away:?} was too long");
                        now += away.retry_ms;
                        assert_eq!(meter.enter(&limits, wanted, now), Ok(()), "{away:?}");
                        meter.leave();
                        told += 1;
                    }
                }
            }
            assert!(told > 100, "{told}");
        }
    }

    #[test]
    fn a_minute_lets_in_what_it_says_and_the_full_bucket() {
        let limits = per_minute(120, LIMIT_MAX);
        let mut meter = Meter::default();
        let let_in = (0..60_000)
            .filter(|now| meter.enter(&limits, 1, *now).is_ok())
            .count();
        // A full bucket, and what one minute refills.
        assert!((239..=240).contains(&let_in), "{let_in}");
    }

    #[test]
    fn a_request_that_is_turned_away_takes_nothing() {
        let limits = per_minute(100, 10);
        let mut meter = Meter::default();
        assert_eq!(meter.enter(&limits, 10, 0), Ok(()));
        let before = meter.standing(&limits);
        let away = meter.enter(&limits, 10, 0).unwrap_err();
        assert_eq!((away.why, away.retry_ms), (Full::Tokens, 60_000));
        assert_eq!(meter.standing(&limits), before);
    }

    #[test]
    fn what_is_at_once_is_counted_until_it_leaves() {
        let limits = Limits {
            concurrency: Some(2),
            capacity: Some(3),
            ..Limits::default()
        };
        let mut meter = Meter::default();
        assert!(meter.enter(&limits, 1, 0).is_ok() && meter.enter(&limits, 1, 0).is_ok());
        assert_eq!(
            meter.enter(&limits, 1, 0).unwrap_err().why,
            Full::Concurrency
        );
        meter.leave();
        assert!(meter.enter(&limits, 1, 0).is_ok());
    }

    #[test]
    fn durations_and_moments_are_written_as_each_vendor_does() {
        for (ms, text) in [
            (0, "0s"),
            (12, "12ms"),
            (1_000, "1s"),
            (1_500, "1.500s"),
            (360_000, "6m0s"),
            (61_250, "1m1.250s"),
        ] {
            assert_eq!(span(ms), text);
        }
        let now = jiff::Timestamp::from_millisecond(1_790_000_000_001).unwrap();
        assert_eq!(moment(now, 999), "2026-09-21T14:13:21Z");
        assert_eq!(moment(now, 1_000), "2026-09-21T14:13:22Z");
    }
}
