//! How an endpoint has been doing: failures, cool-downs, latency,
//! throughput and uptime, over sliding windows.
//!
//! Readers on the hot path touch two atomics. The windows sit behind a
//! mutex that is taken once at the end of a call and never across an await;
//! they are allocated on first use, so that the thousands of endpoints that
//! nobody calls cost nothing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};

use bourse_vocab::{Blame, Failure, FailureKind};

/// An endpoint that failed this recently is tried after those that did not
/// (openrouter.ai/docs, provider selection, August 2026).
pub const OUTAGE_WINDOW_MS: u64 = 30_000;
/// No provider may bench a key for longer, whatever its Retry-After says.
pub const COOLDOWN_MAX_MS: u64 = 300_000;
/// How long a rate-limited key rests when the provider names no time.
pub const COOLDOWN_DEFAULT_MS: u64 = 1_000;

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
    /// It failed, and that says something about the endpoint.
    Failure,
    /// It is fine, but this key must rest.
    RateLimited {
        /// How long, where the provider said so.
        retry_after_ms: Option<u64>,
    },
    /// It says nothing about the endpoint: the caller's fault, or the
    /// caller left.
    Neutral,
}

impl Outcome {
    /// What a failure says about the endpoint. Uptime leaves out 400, 413,
    /// 429 and 403 (openrouter.ai/docs, uptime optimisation, August 2026).
    #[must_use]
    pub fn of(failure: &Failure) -> Self {
        match failure.kind {
            FailureKind::RateLimited => Self::RateLimited {
                retry_after_ms: failure
                    .retry_after
                    .map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            },
            _ if failure.blame == Blame::Upstream => Self::Failure,
            _ => Self::Neutral,
        }
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

/// The health of one endpoint with one credential.
#[derive(Debug, Default)]
pub struct Health {
    last_failure_ms: AtomicU64,
    cooldown_until_ms: AtomicU64,
    in_flight: AtomicU64,
    windows: OnceLock<Box<Mutex<Windows>>>,
}

const SLOT_MS: u64 = 300_000;
const SLOTS: usize = 7;
const MINUTES: usize = 1_440;
/// A minute counts towards uptime once it has seen this many attempts.
const MINUTE_ATTEMPTS_MIN: u32 = 10;

#[derive(Debug)]
struct Slot {
    number: u64,
    latency_ms: histogram::Histogram,
    tokens_per_second: histogram::Histogram,
}

#[derive(Debug, Clone, Copy, Default)]
struct Minute {
    number: u64,
    attempts: u32,
    successes: u32,
}

#[derive(Debug)]
struct Windows {
    slots: Vec<Slot>,
    minutes: Vec<Minute>,
}

impl Windows {
    fn new() -> Self {
        Self {
            slots: Vec::new(),
            minutes: Vec::new(),
        }
    }

    fn slot(&mut self, now_ms: u64) -> Option<&mut Slot> {
        let number = now_ms / SLOT_MS;
        self.slots
            .retain(|slot| slot.number + SLOTS as u64 > number);
        if !self.slots.iter().any(|slot| slot.number == number) {
            // Seven significant steps a doubling, up to 2^22 ms (over an
            // hour): at most 7 % off, 1 KiB.
            let fresh = || histogram::Histogram::new(4, 22).ok();
            self.slots.push(Slot {
                number,
                latency_ms: fresh()?,
                tokens_per_second: fresh()?,
            });
        }
        self.slots.iter_mut().find(|slot| slot.number == number)
    }

    fn minute(&mut self, now_ms: u64) -> Option<&mut Minute> {
        let number = now_ms / 60_000;
        let at = usize::try_from(number % MINUTES as u64).ok()?;
        if self.minutes.len() <= at {
            self.minutes.resize(at + 1, Minute::default());
        }
        let minute = self.minutes.get_mut(at)?;
        if minute.number != number {
            *minute = Minute {
                number,
                attempts: 0,
                successes: 0,
            };
        }
        Some(minute)
    }
}

impl Health {
    /// Notes that an attempt begins.
    pub fn begin(&self) {
        self.in_flight.fetch_add(1, Relaxed);
    }

    /// Notes what came of an attempt that began earlier.
    pub fn end(&self, now_ms: u64, outcome: Outcome) {
        self.in_flight.fetch_sub(1, Relaxed);
        match outcome {
            Outcome::Success {
                first_token_ms,
                tokens,
                total_ms,
            } => {
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
            Outcome::Failure => {
                self.last_failure_ms.fetch_max(now_ms, Relaxed);
                self.with(|windows| {
                    if let Some(minute) = windows.minute(now_ms) {
                        minute.attempts = minute.attempts.saturating_add(1);
                    }
                });
            }
            Outcome::RateLimited { retry_after_ms } => {
                let rest = retry_after_ms
                    .unwrap_or(COOLDOWN_DEFAULT_MS)
                    .min(COOLDOWN_MAX_MS);
                self.cooldown_until_ms
                    .fetch_max(now_ms.saturating_add(rest), Relaxed);
            }
            Outcome::Neutral => {}
        }
    }

    fn with<T>(&self, f: impl FnOnce(&mut Windows) -> T) -> T {
        let windows = self
            .windows
            .get_or_init(|| Box::new(Mutex::new(Windows::new())));
        f(&mut windows.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether it failed within the outage window.
    #[must_use]
    pub fn is_unstable(&self, now_ms: u64) -> bool {
        let last = self.last_failure_ms.load(Relaxed);
        last != 0 && now_ms < last.saturating_add(OUTAGE_WINDOW_MS)
    }

    /// Milliseconds for which this key must still rest, if any.
    #[must_use]
    pub fn cooldown_ms(&self, now_ms: u64) -> Option<u64> {
        self.cooldown_until_ms
            .load(Relaxed)
            .checked_sub(now_ms)
            .filter(|rest| *rest > 0)
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
mod tests {
    use super::*;

    const T0: u64 = 1_763_683_200_000;

    fn success(first_token_ms: u64) -> Outcome {
        Outcome::Success {
            first_token_ms,
            tokens: 100,
            total_ms: 1_000,
        }
    }

    #[test]
    fn a_failure_makes_an_endpoint_unstable_for_thirty_seconds() {
        let health = Health::default();
        assert!(!health.is_unstable(T0));
        health.begin();
        health.end(T0, Outcome::Failure);
        assert!(health.is_unstable(T0 + 29_999));
        assert!(!health.is_unstable(T0 + 30_000));
    }

    #[test]
    fn retry_after_is_obeyed_and_capped() {
        let health = Health::default();
        health.begin();
        health.end(
            T0,
            Outcome::RateLimited {
                retry_after_ms: Some(7_000),
            },
        );
        assert_eq!(health.cooldown_ms(T0 + 6_999), Some(1));
        assert_eq!(health.cooldown_ms(T0 + 7_000), None);
        health.begin();
        health.end(
            T0,
            Outcome::RateLimited {
                retry_after_ms: Some(u64::MAX),
            },
        );
        assert_eq!(health.cooldown_ms(T0), Some(COOLDOWN_MAX_MS));
    }

    #[test]
    fn a_rate_limit_is_not_an_outage_and_a_bad_request_is_nothing() {
        let limited = Failure::new(FailureKind::RateLimited, "slow down");
        assert_eq!(
            Outcome::of(&limited),
            Outcome::RateLimited {
                retry_after_ms: None
            }
        );
        assert_eq!(
            Outcome::of(&Failure::invalid("temperature")),
            Outcome::Neutral
        );
        assert_eq!(
            Outcome::of(&Failure::unavailable("reset")),
            Outcome::Failure
        );
    }

    #[test]
    fn percentiles_forget_what_is_older_than_their_window() {
        let health = Health::default();
        for ms in 1..=100 {
            health.begin();
            health.end(T0, success(ms));
        }
        let recent = health.recent_latency_ms(T0).unwrap();
        assert!((47..=53).contains(&recent.p50), "{recent:?}");
        assert!((95..=107).contains(&recent.p99), "{recent:?}");
        assert_eq!(health.recent_throughput(T0).unwrap().p50 / 10, 10);
        assert_eq!(health.recent_latency_ms(T0 + 2 * SLOT_MS), None);
        assert!(health.latency_ms_last_30m(T0 + 2 * SLOT_MS).is_some());
        assert_eq!(health.latency_ms_last_30m(T0 + 8 * SLOT_MS), None);
    }

    #[test]
    fn uptime_counts_minutes_in_which_most_attempts_succeeded() {
        let health = Health::default();
        assert_eq!(health.uptime_percent(T0, 5), None);
        for minute in 0..4_u64 {
            for attempt in 0..10 {
                health.begin();
                let bad = minute == 0 && attempt < 3;
                let outcome = if bad { Outcome::Failure } else { success(10) };
                health.end(T0 + minute * 60_000, outcome);
            }
        }
        assert_eq!(health.uptime_percent(T0 + 3 * 60_000, 5), Some(75.0));
        assert_eq!(health.uptime_percent(T0 + 3 * 60_000, 3), Some(100.0));
        assert_eq!(health.in_flight(), 0);
    }
}
