//! A call that has ended, whatever its record says of the money.

use bourse_ledger::record::{ApiType, Facts, Record, VoidReason};
use bourse_vocab::{FailureKind, GenerationId, Nanos};

/// A call that has ended after money was set aside for it.
pub(crate) struct Ended<'r> {
    pub(crate) id: GenerationId,
    pub(crate) account: u64,
    pub(crate) key: u64,
    pub(crate) at_ms: u64,
    pub(crate) paid: Nanos,
    pub(crate) upstream: Nanos,
    pub(crate) failure: Option<FailureKind>,
    pub(crate) facts: &'r Facts<'r>,
}

impl<'r> Ended<'r> {
    /// The call whose end a record is, if it is one.
    pub(crate) fn of(record: &'r Record<'r>) -> Option<Self> {
        match record {
            Record::Settle(settle) => {
                let settlement = &settle.settlement;
                let facts = &settlement.facts;
                Some(Self {
                    id: settlement.id,
                    account: settlement.account.0,
                    key: settle.key.0,
                    at_ms: settlement.at_ms,
                    paid: settle.paid,
                    upstream: sum(settlement.costs.iter().map(|cost| cost.amount)),
                    failure: facts.failure,
                    facts,
                })
            }
            Record::Void(void) => {
                let voiding = &void.voiding;
                let facts = &voiding.facts;
                Some(Self {
                    id: voiding.id,
                    account: voiding.account.0,
                    key: void.key.0,
                    at_ms: voiding.at_ms,
                    paid: Nanos::ZERO,
                    upstream: sum(voiding.costs.iter().map(|cost| cost.amount)),
                    failure: facts.failure.or_else(|| without_failure(voiding.reason)),
                    facts,
                })
            }
            _ => None,
        }
    }

    /// When the call began: its phases, counted back from its end, where the
    /// record has them, else the second that is in its id.
    pub(crate) fn began_ms(&self) -> u64 {
        let facts = self.facts;
        let tried = facts
            .attempts
            .iter()
            .map(|attempt| u64::from(attempt.dispatch_ms).saturating_add(u64::from(attempt.end_ms)))
            .max()
            .unwrap_or(0);
        let answered = u64::from(facts.latency_ms).saturating_add(u64::from(facts.generation_ms));
        let took = u64::from(facts.queue_ms).saturating_add(tried.max(answered));
        let by_phases = self.at_ms.saturating_sub(took);
        by_phases.max(self.id.unix_seconds().saturating_mul(1000))
    }

    /// The model that was asked for.
    pub(crate) fn requested(&self) -> &'r str {
        let facts = self.facts;
        if facts.requested.is_empty() {
            facts.model
        } else {
            facts.requested
        }
    }
}

/// What was done, in the words of the conventions for generative AI.
pub(crate) fn operation(facts: &Facts<'_>) -> &'static str {
    match facts.api_type {
        ApiType::Embeddings => "embeddings",
        // The conventions have no words for these, and let one make them.
        ApiType::Rerank => "rerank",
        ApiType::Speech => "speech",
        ApiType::Transcription => "transcription",
        ApiType::Image => "image",
        ApiType::Moderation => "moderation",
        ApiType::Realtime => "realtime",
        ApiType::Video => "video",
        ApiType::Completions => "chat",
    }
}

/// What a call failed with that has no failure of its own.
fn without_failure(reason: VoidReason) -> Option<FailureKind> {
    match reason {
        VoidReason::CallerLeft | VoidReason::NothingDelivered => None,
        VoidReason::AttemptsFailed => Some(FailureKind::Unavailable),
        VoidReason::Restart | VoidReason::NotDispatched => Some(FailureKind::Server),
    }
}

fn sum(amounts: impl Iterator<Item = Nanos>) -> Nanos {
    Nanos(amounts.fold(0_i64, |sum, amount| sum.saturating_add(amount.0)))
}
