//! What of a record the books need.
//!
//! Most of a record is for whoever asks about the call later: it is stored as
//! it is. Bringing a batch into the books takes a dozen fields of each, and
//! reading only those takes a third of what reading everything does.

use bourse_vocab::{Count, Counts, FailureKind, GenerationId, Nanos};

use super::{
    AttemptFact, Checkpoint, Cost, Dispatch, Extend, Facts, Hold, Record, Refused, VoidReason,
};

/// A record as the books read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Booking<'a> {
    /// Money is set aside.
    Hold(Hold<'a>),
    /// More money is set aside for a running call.
    Extend(Extend),
    /// A later attempt goes to another endpoint.
    Dispatch(Dispatch<'a>),
    /// How much of a stream has been delivered so far.
    Checkpoint(Checkpoint),
    /// The same of several streams.
    Checkpoints(Vec<Checkpoint>),
    /// The call has ended, paid for or not.
    End(End<'a>),
    /// The call was refused before anything was set aside.
    Refused(Refused<'a>),
}

/// The end of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End<'a> {
    /// The call.
    pub id: GenerationId,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// What the call costs by the price list; nothing if it was voided.
    pub charge: Nanos,
    /// What the customer paid of that.
    pub paid: Nanos,
    /// Why it costs its customer nothing; `None` if it was settled.
    pub voided: Option<VoidReason>,
    /// What providers charge for it, attempt by attempt.
    pub costs: Vec<Cost<'a>>,
    /// What they may have charged besides.
    pub possible: Vec<Cost<'a>>,
    /// Slug of the model that answered, or was asked last.
    pub model: &'a str,
    /// Slug of the provider that answered, or was asked last.
    pub provider: &'a str,
    /// The endpoint's id.
    pub endpoint: &'a str,
    /// What was counted.
    pub tokens: Tokens,
    /// What providers charge for input and output, if the customer's own
    /// provider key was used.
    pub byok: Nanos,
    /// What went wrong, for the call as a whole.
    pub failure: Option<FailureKind>,
    /// Attempts that failed.
    pub failed: Vec<FailedAttempt<'a>>,
}

/// The counts of a call that have columns of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Input tokens.
    pub prompt: u64,
    /// Output tokens.
    pub completion: u64,
    /// Output tokens spent on reasoning.
    pub reasoning: u64,
    /// Input tokens read from a cache.
    pub cached: u64,
}

impl Tokens {
    /// Notes a count, if it is one of these.
    pub(super) const fn set(&mut self, kind: u64, number: u64) {
        const PROMPT: u64 = Count::Prompt as u64;
        const COMPLETION: u64 = Count::Completion as u64;
        const REASONING: u64 = Count::Reasoning as u64;
        const CACHED: u64 = Count::CacheRead as u64;
        match kind {
            PROMPT => self.prompt = number,
            COMPLETION => self.completion = number,
            REASONING => self.reasoning = number,
            CACHED => self.cached = number,
            _ => {}
        }
    }
}

impl From<&Counts> for Tokens {
    fn from(counts: &Counts) -> Self {
        Self {
            prompt: counts.get(Count::Prompt),
            completion: counts.get(Count::Completion),
            reasoning: counts.get(Count::Reasoning),
            cached: counts.get(Count::CacheRead),
        }
    }
}

/// One try at one endpoint that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedAttempt<'a> {
    /// Slug of the model.
    pub model: &'a str,
    /// Slug of the provider.
    pub provider: &'a str,
    /// The endpoint's id.
    pub endpoint: &'a str,
    /// What went wrong.
    pub failure: FailureKind,
}

impl<'a> FailedAttempt<'a> {
    fn of(attempt: &AttemptFact<'a>) -> Option<Self> {
        Some(Self {
            model: attempt.model,
            provider: attempt.provider,
            endpoint: attempt.endpoint,
            failure: attempt.failure?,
        })
    }
}

impl<'a> From<Record<'a>> for Booking<'a> {
    fn from(record: Record<'a>) -> Self {
        match record {
            Record::Hold(hold) => Self::Hold(hold),
            Record::Extend(extend) => Self::Extend(extend),
            Record::Dispatch(dispatch) => Self::Dispatch(dispatch),
            Record::Checkpoint(checkpoint) => Self::Checkpoint(checkpoint),
            Record::Checkpoints(list) => Self::Checkpoints(list),
            Record::Refused(refused) => Self::Refused(refused),
            Record::Settle(settle) => {
                let end = settle.settlement;
                let money = (end.charge, settle.paid, None);
                let costs = (end.costs, end.possible);
                Self::End(ended(end.id, end.at_ms, money, costs, &end.facts))
            }
            Record::Void(void) => {
                let end = void.voiding;
                let money = (Nanos::ZERO, Nanos::ZERO, Some(end.reason));
                let costs = (end.costs, end.possible);
                Self::End(ended(end.id, end.at_ms, money, costs, &end.facts))
            }
        }
    }
}

fn ended<'a>(
    id: GenerationId,
    at_ms: u64,
    (charge, paid, voided): (Nanos, Nanos, Option<VoidReason>),
    (costs, possible): (Vec<Cost<'a>>, Vec<Cost<'a>>),
    facts: &Facts<'a>,
) -> End<'a> {
    let upstream = facts
        .upstream_prompt
        .saturating_add(facts.upstream_completion);
    let failed = facts.attempts.iter().filter_map(FailedAttempt::of);
    End {
        id,
        at_ms,
        charge,
        paid,
        voided,
        costs,
        possible,
        model: facts.model,
        provider: facts.provider,
        endpoint: facts.endpoint,
        tokens: Tokens::from(&facts.counts),
        byok: if facts.flags.byok {
            upstream
        } else {
            Nanos::ZERO
        },
        failure: facts.failure,
        failed: failed.collect(),
    }
}
