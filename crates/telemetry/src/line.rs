//! A finished call as one line of a log: what somebody looks for who has its
//! id, or wonders what just happened. Prompts, answers and keys are in no
//! record, and so in no line.

use bourse_ledger::record::{AttemptFact, Record};
use bourse_vocab::{Blame, Count, FailureKind, GenerationId, Nanos};

use crate::ended::Ended;

/// See the top of the file. Empty texts and zeros mean "there was none".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'r> {
    /// The call.
    pub id: GenerationId,
    /// The number of the account that pays.
    pub account: u64,
    /// The number of the key that called.
    pub key: u64,
    /// The model that was asked for, as typed.
    pub requested: &'r str,
    /// The model that answered, or was asked last.
    pub model: &'r str,
    /// The endpoint that answered, or was asked last.
    pub endpoint: &'r str,
    /// The status that the call was answered with; of a stream that broke, the
    /// one in its error event.
    pub status: u16,
    /// What went wrong, if anything did.
    pub failure: Option<FailureKind>,
    /// Whether the caller left before the end.
    pub is_cancelled: bool,
    /// Whether the answer was another call's, given once more.
    pub is_cached: bool,
    /// Why the answer ended.
    pub finish: &'r str,
    /// How many targets were tried.
    pub attempts: usize,
    /// Milliseconds from the call's beginning to the first dispatch.
    pub queue_ms: u32,
    /// Milliseconds from the first dispatch to the first content.
    pub first_content_ms: u32,
    /// Milliseconds from the call's beginning to its end.
    pub total_ms: u64,
    /// Input tokens.
    pub prompt_tokens: u64,
    /// Output tokens.
    pub completion_tokens: u64,
    /// What the customer paid.
    pub cost: Nanos,
    /// What providers charge.
    pub upstream_cost: Nanos,
}

impl<'r> Line<'r> {
    /// The line of a record; `None` if it is no end of a call.
    #[must_use]
    pub fn of(record: &'r Record<'r>) -> Option<Self> {
        if let Record::Refused(refused) = record {
            return Some(Self {
                id: refused.id,
                account: refused.account.0,
                key: refused.key.0,
                requested: refused.requested,
                model: "",
                endpoint: "",
                status: refused.failure.status(),
                failure: Some(refused.failure),
                is_cancelled: false,
                is_cached: false,
                finish: "",
                attempts: 0,
                queue_ms: 0,
                first_content_ms: 0,
                total_ms: 0,
                prompt_tokens: 0,
                completion_tokens: 0,
                cost: Nanos::ZERO,
                upstream_cost: Nanos::ZERO,
            });
        }
        let call = Ended::of(record)?;
        let facts = call.facts;
        Some(Self {
            id: call.id,
            account: call.account,
            key: call.key,
            requested: call.requested(),
            model: facts.model,
            endpoint: facts.endpoint,
            status: call.failure.map_or(200, FailureKind::status),
            failure: call.failure,
            is_cancelled: facts.flags.cancelled,
            is_cached: facts.cache_source.is_some(),
            finish: facts.finish,
            attempts: facts.attempts.len(),
            queue_ms: facts.queue_ms,
            first_content_ms: facts.latency_ms,
            total_ms: call.at_ms.saturating_sub(call.began_ms()),
            prompt_tokens: facts.counts.get(Count::Prompt),
            completion_tokens: facts.counts.get(Count::Completion),
            cost: call.paid,
            upstream_cost: call.upstream,
        })
    }
}

/// What endpoints did wrong in a call, as far as that is their doing: what a
/// caller is to blame for would have gone wrong elsewhere.
pub fn faults<'r>(
    record: &'r Record<'r>,
) -> impl Iterator<Item = (&'r AttemptFact<'r>, FailureKind)> {
    let attempts = Ended::of(record).map_or(&[][..], |call| &call.facts.attempts);
    attempts.iter().filter_map(|attempt| {
        let failure = attempt.failure?;
        let is_theirs = match failure {
            // What the catalog says of the endpoint is not so.
            FailureKind::NotFound => attempt.status > 0,
            other => other.usual().0 == Blame::Upstream,
        };
        is_theirs.then_some((attempt, failure))
    })
}

#[cfg(test)]
mod tests;
