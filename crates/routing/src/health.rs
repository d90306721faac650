//! How an endpoint has been doing: failures, rests, latency, throughput and
//! uptime, over sliding windows.
//!
//! Whoever plans reads a handful of atomics. The windows sit behind a
//! mutex that is taken once at the end of a call and never across an await;
//! they are allocated on first use, so that the thousands of endpoints that
//! nobody calls cost nothing.

mod ends;
mod ticket;
mod windows;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bourse_vocab::Failure;

use ends::Ends;
pub use ticket::{Changes, Ticket};
use windows::{MINUTE_ATTEMPTS_MIN, SLOT_MS, SLOTS, Slot, Windows};

use crate::breaker::{Breaker, Standing};
use crate::bucket::Bucket;
use crate::budget::Window;
use crate::classes::{Class, Place, Sign};
use crate::gaps::Gaps;
use crate::load::Load;
use crate::patience::{self, Patience};
use crate::quota::Quota;

/// An endpoint that failed this recently, and often enough, is tried after
/// those that did not (openrouter.ai/docs, provider selection, August 2026).
pub const OUTAGE_WINDOW_MS: u64 = 30_000;
/// No provider may bench a key for longer, whatever its Retry-After says.
pub const COOLDOWN_MAX_MS: u64 = 300_000;

/// What came of one attempt, as far as health is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It answered, wholly.
    Success {
        /// Milliseconds from sending to the first content.
        first_token_ms: u64,
        /// Output tokens, for throughput.
        tokens: u64,
        /// Milliseconds from sending to the last byte.
        total_ms: u64,
    },
    /// It failed, and that says something about whoever was asked.
    Failure {
        /// What.
        class: &'static Class,
        /// For how long the provider wants to be left alone, where it said so.
        rest_ms: Option<u64>,
    },
    /// It says nothing about the endpoint: the caller's fault, or the
    /// caller left.
    Neutral,
}

impl Outcome {
    /// What a failure says about whoever was asked. Uptime leaves out 400,
    /// 413, 429 and 403 (openrouter.ai/docs, uptime optimisation, August 2026).
    #[must_use]
    pub fn of(failure: &Failure, place: Place) -> Self {
        let class = Class::of(failure, place);
        if class.is_no_sign() {
            return Self::Neutral;
        }
        let rest = failure.retry_after;
        Self::Failure {
            class,
            rest_ms: rest.map(|rest| u64::try_from(rest.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    /// Whether it is fine and wants to be left alone for a time.
    #[must_use]
    pub fn is_rate_limit(&self) -> bool {
        matches!(self, Self::Failure { class, .. } if class.endpoint == Sign::Rest)
    }
}

/// The value that a given share of the samples does not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Percentiles {
    /// Half of the samples.
    pub p50: u64,
    /// Three quarters.
    pub p75: u64,
    /// Nine tenths.
    pub p90: u64,
    /// All but one in a hundred.
    pub p99: u64,
}

/// A provider, as far as all of its endpoints share it.
#[derive(Debug, Default)]
pub struct Destination {
    /// Whether it may be sent to.
    pub breaker: Breaker,
    /// Second attempts of calls that were sent to it.
    pub second: Window,
}

/// The health of one endpoint with one credential.
#[derive(Debug, Default)]
pub struct Health {
    breaker: Breaker,
    credential: Arc<Breaker>,
    provider: Arc<Destination>,
    model: Arc<Patience>,
    patience: Patience,
    gaps: Gaps,
    load: Load,
    quota: Quota,
    last_failure_ms: AtomicU64,
    cooldown_until_ms: AtomicU64,
    /// Until when its provider has said that nothing is left of a limit.
    used_up_until_ms: AtomicU64,
    /// Until when it comes last, because it is at its limit and did not say
    /// for how long.
    last_until_ms: AtomicU64,
    in_flight: AtomicU64,
    ends: Ends,
    windows: OnceLock<Box<Mutex<Windows>>>,
}

/// Nobody may be sent to through a breaker that is open; one that is due for a
/// probe may.
#[cold]
fn worst((endpoint, credential, provider): (Standing, Standing, Standing)) -> Standing {
    let mut worst = Standing::Closed;
    for standing in [endpoint, credential, provider] {
        worst = match (worst, standing) {
            (Standing::Open(one), Standing::Open(other)) => Standing::Open(one.max(other)),
            (open @ Standing::Open(_), _) | (_, open @ Standing::Open(_)) => open,
            (Standing::Probe, _) | (_, Standing::Probe) => Standing::Probe,
            (Standing::Closed, Standing::Closed) => Standing::Closed,
        };
    }
    worst
}

// === impl Health ===

impl Health {
    /// That of an endpoint with a credential of a provider. `model` is how
    /// soon the model answers, wherever it is served.
    #[must_use]
    pub fn of(
        provider: &Arc<Destination>,
        credential: &Arc<Breaker>,
        model: &Arc<Patience>,
    ) -> Self {
        Self {
            provider: Arc::clone(provider),
            credential: Arc::clone(credential),
            model: Arc::clone(model),
            ..Self::default()
        }
    }

    fn breakers(&self) -> [&Breaker; 3] {
        [&self.breaker, &self.credential, &self.provider.breaker]
    }

    /// Whether it may be sent to, as a call sees that would like to: if the
    /// endpoint, its credential and its provider all may.
    #[inline]
    #[must_use]
    pub fn standing(&self, now_ms: u64) -> Standing {
        let [endpoint, credential, provider] =
            self.breakers().map(|breaker| breaker.standing(now_ms));
        match (endpoint, credential, provider) {
            (Standing::Closed, Standing::Closed, Standing::Closed) => Standing::Closed,
            all => worst(all),
        }
    }

    /// The breakers of the endpoint, of its credential and of its provider, as
    /// somebody sees who only looks on: no call would like to use it.
    #[must_use]
    pub fn seen(&self, now_ms: u64) -> [Standing; 3] {
        self.breakers().map(|breaker| breaker.seen(now_ms))
    }

    /// Whether it is failing, so that further attempts at it are the first to
    /// be left.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.breakers().iter().any(|breaker| breaker.is_open())
    }

    /// Whether it has mostly been answering such calls.
    #[must_use]
    pub fn is_well(&self, bucket: Bucket) -> bool {
        !self.is_failing() && self.patience.p99_ms(bucket).is_some()
    }

    /// Second attempts at its provider.
    #[must_use]
    pub fn second_attempts(&self) -> &Window {
        &self.provider.second
    }

    fn succeeded(&self, now_ms: u64, first_token_ms: u64, tokens: u64, total_ms: u64) {
        self.with(|windows| {
            if let Some(minute) = windows.minute(now_ms) {
                minute.attempts = minute.attempts.saturating_add(1);
                minute.successes = minute.successes.saturating_add(1);
            }
            if let Some(slot) = windows.slot(now_ms) {
                // Out of range only beyond an hour: not a sample.
                let _ = slot.latency_ms.increment(first_token_ms);
                if let Some(speed) = tokens.saturating_mul(1000).checked_div(total_ms)
                    && tokens > 0
                {
                    let _ = slot.tokens_per_second.increment(speed);
                }
            }
        });
    }

    /// The time to the first content that a call of this sort must expect, in
    /// milliseconds; zero if nothing is known of late.
    #[inline]
    #[must_use]
    pub fn expected_ms(&self, bucket: Bucket, now_ms: u64) -> u64 {
        self.load.expected_ms(bucket, now_ms)
    }

    /// For how long its first content is waited for while another target is
    /// left, and `most_ms` at most; `None` where nothing is known.
    #[must_use]
    pub fn deadline_ms(&self, bucket: Bucket, most_ms: u64) -> Option<u64> {
        patience::deadline_ms(&self.patience, &self.model, bucket, most_ms)
    }

    /// How many answers have taught that; `None` where nothing is known.
    #[must_use]
    pub fn deadline_answers(&self, bucket: Bucket) -> Option<u32> {
        patience::deadline_answers(&self.patience, &self.model, bucket)
    }

    /// After how long another target may be asked beside it; `None` where
    /// nothing is known.
    #[must_use]
    pub fn hedge_after_ms(&self, bucket: Bucket) -> Option<u64> {
        patience::hedge_after_ms(&self.patience, &self.model, bucket)
    }

    fn with<T>(&self, f: impl FnOnce(&mut Windows) -> T) -> T {
        let windows = self
            .windows
            .get_or_init(|| Box::new(Mutex::new(Windows::new())));
        f(&mut windows.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether it comes after others: it failed within the outage window, and
    /// has not been answering well since; or it is at its limit.
    #[must_use]
    pub fn is_unstable(&self, now_ms: u64) -> bool {
        let last = self.last_failure_ms.load(Relaxed);
        let has_failed = last != 0 && now_ms < last.saturating_add(OUTAGE_WINDOW_MS);
        (has_failed && self.breaker.is_in_debt(now_ms)) || now_ms < self.last_until_ms.load(Relaxed)
    }

    /// Milliseconds for which this key must still rest, if any.
    #[must_use]
    pub fn cooldown_ms(&self, now_ms: u64) -> Option<u64> {
        self.cooldown_until_ms
            .load(Relaxed)
            .checked_sub(now_ms)
            .filter(|rest| *rest > 0)
    }

    /// Whether as many calls are under way as it is believed to carry.
    #[inline]
    #[must_use]
    pub fn is_full(&self, now_ms: u64) -> bool {
        self.quota.is_full(self.in_flight(), now_ms)
    }

    /// How many calls at once it is believed to carry; `None` while it has not
    /// refused any of late.
    #[must_use]
    pub fn calls_max(&self, now_ms: u64) -> Option<u64> {
        self.quota.calls(now_ms)
    }

    /// Notes that its provider has said that nothing is left of a limit: until
    /// `first_ms` from now no request is taken for certain, and it is whole
    /// again `whole_ms` from now. In between it may be either, so that others
    /// come first.
    pub fn note_used_up(&self, now_ms: u64, first_ms: u64, whole_ms: u64) {
        let until = |ms: u64| now_ms.saturating_add(ms.min(COOLDOWN_MAX_MS));
        self.cooldown_until_ms.fetch_max(until(first_ms), Relaxed);
        self.used_up_until_ms.fetch_max(until(first_ms), Relaxed);
        self.last_until_ms.fetch_max(until(whole_ms), Relaxed);
    }

    /// Whether it rests because its provider has said that nothing is left of
    /// a limit, and not because it refused a call.
    #[must_use]
    pub fn rests_unrefused(&self, now_ms: u64) -> bool {
        let until = self.used_up_until_ms.load(Relaxed);
        now_ms < until && self.cooldown_until_ms.load(Relaxed) == until
    }

    /// Notes for how many milliseconds nothing came in the middle of a stream.
    pub fn note_gap(&self, gap_ms: u64) {
        self.gaps.learn(gap_ms);
    }

    /// After how many milliseconds of silence a stream that has begun is given
    /// up, `most_ms` at most; `None` where too little is known.
    #[must_use]
    pub fn stall_ms(&self, most_ms: u64) -> Option<u64> {
        self.gaps.stall_ms(most_ms)
    }

    /// Whether its answers come to an end, as far as is known.
    #[inline]
    #[must_use]
    pub fn has_finished(&self) -> bool {
        self.ends.has_finished()
    }

    /// Attempts under way.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Relaxed)
    }

    fn percentiles(
        &self,
        now_ms: u64,
        slots: u64,
        pick: impl Fn(&Slot) -> &histogram::Histogram,
    ) -> Option<Percentiles> {
        let windows = self.windows.get()?;
        let windows = windows.lock().unwrap_or_else(PoisonError::into_inner);
        let current = now_ms / SLOT_MS;
        let mut sum: Option<histogram::Histogram> = None;
        for slot in windows
            .slots
            .iter()
            .filter(|slot| slot.number + slots > current)
        {
            let one = pick(slot);
            sum = Some(match sum {
                None => one.clone(),
                Some(sum) => sum.checked_add(one).ok()?,
            });
        }
        let sum = sum?;
        let at = |share: f64| Some(sum.quantile_bucket(share).ok()??.end());
        Some(Percentiles {
            p50: at(0.50)?,
            p75: at(0.75)?,
            p90: at(0.90)?,
            p99: at(0.99)?,
        })
    }

    /// Time to the first content in milliseconds, over the last five to ten
    /// minutes: what routing sorts by.
    #[must_use]
    pub fn recent_latency_ms(&self, now_ms: u64) -> Option<Percentiles> {
        self.percentiles(now_ms, 2, |slot| &slot.latency_ms)
    }

    /// Output tokens a second, over the last five to ten minutes.
    #[must_use]
    pub fn recent_throughput(&self, now_ms: u64) -> Option<Percentiles> {
        self.percentiles(now_ms, 2, |slot| &slot.tokens_per_second)
    }

    /// The median of output tokens a second over half an hour, and of how many
    /// answers it is.
    #[must_use]
    pub fn throughput_of_answers(&self, now_ms: u64) -> Option<(u64, u64)> {
        let median = self.throughput_last_30m(now_ms)?.p50;
        let windows = self.windows.get()?;
        let windows = windows.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = (now_ms / SLOT_MS).saturating_sub(SLOTS as u64);
        let slots = windows.slots.iter().filter(|slot| slot.number > oldest);
        let answers = slots
            .flat_map(|slot| slot.tokens_per_second.as_slice())
            .sum();
        Some((median, answers))
    }

    /// Time to the first content in milliseconds, over half an hour.
    #[must_use]
    pub fn latency_ms_last_30m(&self, now_ms: u64) -> Option<Percentiles> {
        self.percentiles(now_ms, SLOTS as u64, |slot| &slot.latency_ms)
    }

    /// Output tokens a second, over half an hour.
    #[must_use]
    pub fn throughput_last_30m(&self, now_ms: u64) -> Option<Percentiles> {
        self.percentiles(now_ms, SLOTS as u64, |slot| &slot.tokens_per_second)
    }

    /// Share of the last `minutes` minutes in which at least four fifths of
    /// the attempts succeeded, in percent; `None` until one minute has seen
    /// enough attempts (openrouter.ai/docs, uptime optimisation).
    #[must_use]
    pub fn uptime_percent(&self, now_ms: u64, minutes: u64) -> Option<f64> {
        let windows = self.windows.get()?;
        let windows = windows.lock().unwrap_or_else(PoisonError::into_inner);
        let current = now_ms / 60_000;
        let (mut counted, mut good) = (0_u32, 0_u32);
        for minute in &windows.minutes {
            if minute.attempts < MINUTE_ATTEMPTS_MIN || minute.number + minutes <= current {
                continue;
            }
            counted += 1;
            if u64::from(minute.successes) * 5 >= u64::from(minute.attempts) * 4 {
                good += 1;
            }
        }
        (counted > 0).then(|| f64::from(good) * 100.0 / f64::from(counted))
    }
}

#[cfg(test)]
mod tests;
