//! One attempt, from the leave to send it to what came of it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::{COOLDOWN_MAX_MS, Health, Outcome};
use crate::breaker::{Breaker, Change, REFUSAL_REST_MS, REST_MS, Sent, Standing};
use crate::bucket::Bucket;
use crate::classes::{Class, Sign};
use crate::quota;

/// What opened or closed because of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changes {
    /// The endpoint with this credential.
    pub endpoint: Change,
    /// The credential.
    pub credential: Change,
    /// The provider.
    pub provider: Change,
}

impl Changes {
    /// That nothing did.
    pub const NONE: Self = Self {
        endpoint: Change::None,
        credential: Change::None,
        provider: Change::None,
    };
}

/// Leave to send one attempt. Let go of without an outcome, it says nothing
/// about anybody.
#[derive(Debug)]
pub struct Ticket {
    health: Arc<Health>,
    bucket: Bucket,
    at_ms: u64,
    /// How many others were under way when it was sent.
    beside: u64,
    /// Whether it is the probe of the endpoint, the credential, the provider.
    probes: [bool; 3],
    /// Whether the answer has begun.
    has_begun: bool,
}

// === impl Ticket ===

impl Ticket {
    /// Whether it is to find out if somebody is back.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.probes.contains(&true)
    }

    fn sent(&self, place: usize) -> Sent {
        Sent {
            at_ms: self.at_ms,
            is_probe: self.probes.get(place).copied().unwrap_or(false),
        }
    }

    const fn sent_beside(&self) -> quota::Sent {
        quota::Sent {
            at_ms: self.at_ms,
            beside: self.beside,
        }
    }

    /// Notes that the answer has begun, or is there: that is when a provider
    /// has shown that it serves. The end of an answer may be minutes later. Of
    /// one that stopped in the middle of its answers, the end is waited for.
    pub fn answered(&mut self, now_ms: u64) -> Changes {
        let health = &self.health;
        let first_ms = now_ms.saturating_sub(self.at_ms);
        self.has_begun = true;
        let changes = match health.ends.stalls() {
            true => Changes::NONE,
            false => self.succeeded(now_ms),
        };
        let health = &self.health;
        health.load.learn(self.bucket, first_ms, now_ms);
        health.quota.answered(self.sent_beside());
        health.patience.learn(self.bucket, first_ms);
        health.model.learn(self.bucket, first_ms);
        changes
    }

    fn succeeded(&mut self, now_ms: u64) -> Changes {
        let health = &self.health;
        let changes = Changes {
            endpoint: health.breaker.succeeded(self.sent(0), now_ms),
            credential: health.credential.succeeded(self.sent(1), now_ms),
            provider: health.provider.breaker.succeeded(self.sent(2), now_ms),
        };
        if matches!(changes.endpoint, Change::Closed | Change::Found) {
            health.load.forget();
        }
        self.probes = [false; 3];
        changes
    }

    /// Notes that it is let go of because another one, beside it, has begun to
    /// answer.
    pub fn let_go(&self, now_ms: u64) {
        let after_ms = now_ms.saturating_sub(self.at_ms);
        self.health.patience.let_go(self.bucket, after_ms);
        self.health.model.let_go(self.bucket, after_ms);
    }

    /// Notes what came of the attempt. `random` is uniform in [0, 1).
    pub fn end(mut self, now_ms: u64, outcome: Outcome, random: f64) -> Changes {
        let health = Arc::clone(&self.health);
        match outcome {
            Outcome::Success {
                first_token_ms,
                tokens,
                total_ms,
            } => {
                health.succeeded(now_ms, first_token_ms, tokens, total_ms);
                if !health.ends.stalls() {
                    health.ends.finished();
                    return Changes::NONE;
                }
                health.ends.finished();
                let changes = self.succeeded(now_ms);
                health.load.learn(self.bucket, first_token_ms, now_ms);
                return changes;
            }
            Outcome::Failure { class, rest_ms } => {
                let changes = self.failed(class, rest_ms, now_ms, random);
                self.probes = [false; 3];
                return changes;
            }
            Outcome::Neutral => {}
        }
        Changes::NONE
    }

    fn failed(&self, class: &Class, rest_ms: Option<u64>, now_ms: u64, random: f64) -> Changes {
        let health = &self.health;
        let rest_ms = rest_ms.map(|rest| rest.min(COOLDOWN_MAX_MS));
        if self.has_begun && class.endpoint == Sign::Silence {
            health.ends.stalled();
        }
        if let Some(rest_ms) = rest_ms {
            let until = now_ms.saturating_add(rest_ms);
            health.cooldown_until_ms.fetch_max(until, Relaxed);
        }
        if class.is_of_load() {
            let pause_ms = health.quota.refused(self.sent_beside(), now_ms);
            if let Some(pause_ms) = pause_ms
                && rest_ms.is_none()
                && class.endpoint == Sign::Rest
            {
                let until = now_ms.saturating_add(pause_ms);
                health.last_until_ms.fetch_max(until, Relaxed);
            }
        }
        if matches!(class.endpoint, Sign::Failure | Sign::Silence) {
            health.last_failure_ms.fetch_max(now_ms, Relaxed);
            health.with(|windows| windows.attempt_failed(now_ms));
        }
        let apply = |breaker: &Breaker, sign, place, ejected_ms| {
            let sent = self.sent(place);
            match sign {
                // Whoever is asked for itself decides for itself, and what is
                // only on the way learns nothing.
                Sign::None | Sign::Rest if sent.is_probe => {
                    breaker.returns_probe();
                    Change::None
                }
                Sign::None | Sign::Rest => Change::None,
                Sign::Failure => breaker.failed(sent, 1, now_ms, random),
                Sign::Silence => breaker.failed(sent, 2, now_ms, random),
                Sign::Ejected => breaker.eject(sent, rest_ms.unwrap_or(ejected_ms), now_ms),
            }
        };
        Changes {
            endpoint: apply(&health.breaker, class.endpoint, 0, REFUSAL_REST_MS),
            credential: apply(&health.credential, class.credential, 1, REFUSAL_REST_MS),
            provider: apply(&health.provider.breaker, class.provider, 2, REST_MS),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let health = &self.health;
        health.in_flight.fetch_sub(1, Relaxed);
        for (is_probe, breaker) in self.probes.iter().zip(health.breakers()) {
            if *is_probe {
                breaker.returns_probe();
            }
        }
    }
}

impl Health {
    /// Leave to send an attempt; `None` if somebody else is just finding out
    /// whether it is back. The last target of a call is sent to in any case.
    pub fn enter(self: &Arc<Self>, bucket: Bucket, now_ms: u64, is_last: bool) -> Option<Ticket> {
        let beside = self.in_flight.fetch_add(1, Relaxed);
        self.breaker.note_used();
        // From here on it is given back if it is not handed out.
        let mut ticket = Ticket {
            health: Arc::clone(self),
            bucket,
            at_ms: now_ms,
            beside,
            probes: [false; 3],
            has_begun: false,
        };
        for (probe, breaker) in ticket.probes.iter_mut().zip(self.breakers()) {
            *probe = match breaker.standing(now_ms) {
                Standing::Closed => false,
                Standing::Probe => breaker.takes_probe(now_ms),
                Standing::Open(_) => false,
            };
            if !*probe && !is_last && breaker.is_open() {
                return None;
            }
        }
        Some(ticket)
    }
}
