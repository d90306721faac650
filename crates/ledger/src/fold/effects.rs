//! What a batch of the journal changes in a database, row by row.

use std::collections::BTreeMap;
use std::sync::Arc;

use bourse_vocab::{AccountId, FailureKind, GenerationId, KeyId, Nanos};

use crate::generation::GenerationRow;
use crate::journal::Journal;
use crate::open_hold::OpenHold;

/// One row of the daily sums.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActivityKey {
    /// Days since 1970-01-01, UTC, of the hold: a payment counts in the
    /// period in which its money was set aside.
    pub day: u64,
    /// Who paid.
    pub account: AccountId,
    /// With which key.
    pub key: KeyId,
    /// Slug of the model.
    pub model: Arc<str>,
    /// The endpoint's id.
    pub endpoint: Arc<str>,
    /// Slug of the provider.
    pub provider: Arc<str>,
}

impl ActivityKey {
    /// The row of the daily counts of what went wrong that a call of these
    /// belongs to which did not get paid for.
    pub(super) fn failed_by(self, failure: Option<FailureKind>) -> FailureOf {
        FailureOf {
            day: self.day,
            account: self.account,
            key: self.key,
            model: self.model,
            endpoint: self.endpoint,
            provider: self.provider,
            failure: failure.map_or(0, FailureKind::number),
        }
    }
}

/// What is summed up in a row of the daily sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ActivitySums {
    /// Calls.
    pub requests: u64,
    /// What customers paid.
    pub paid: Nanos,
    /// What calls cost upstream that were made with the customer's own
    /// provider key.
    pub byok: Nanos,
    /// Input tokens.
    pub prompt: u64,
    /// Output tokens.
    pub completion: u64,
    /// Output tokens spent on reasoning.
    pub reasoning: u64,
    /// Input tokens read from a cache.
    pub cached: u64,
}

/// One row of the daily counts of what went wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FailureOf {
    /// Days since 1970-01-01, UTC.
    pub day: u64,
    /// Whose call; 0 for refused calls of whomever that left no record.
    pub account: AccountId,
    /// With which key.
    pub key: KeyId,
    /// Slug of the model; empty where none was found.
    pub model: Arc<str>,
    /// The endpoint's id; empty where none was asked.
    pub endpoint: Arc<str>,
    /// Slug of the provider; empty where none was asked.
    pub provider: Arc<str>,
    /// The number of the kind of failure; 0 where no failure explains it: the
    /// caller left, or nothing was delivered.
    pub failure: u64,
}

/// How often it went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FailureSums {
    /// Calls that ended so, by the model, endpoint and provider asked last.
    pub calls: u64,
    /// Attempts that ended so, whatever became of their calls.
    pub attempts: u64,
}

/// A provider's charge that may or may not have been made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreconciled {
    /// The call.
    pub id: GenerationId,
    /// Slug of the provider.
    pub provider: Arc<str>,
    /// The most it can be.
    pub at_most: Nanos,
    /// When the question arose.
    pub at_ms: u64,
}

/// What a key did in one day of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyUse {
    /// What was paid.
    pub paid: Nanos,
    /// When the last of these calls was settled.
    pub at_ms: u64,
}

/// What a batch changes.
#[derive(Debug, Default)]
pub struct Effects {
    /// All its movements, one entry for an account.
    pub journal: Journal,
    /// Holds open after the batch that were unknown or different before.
    pub opened: Vec<OpenHold>,
    /// Holds open before the batch that are closed after it.
    pub closed: Vec<GenerationId>,
    /// Calls that have ended: all that are in the books, and of the others
    /// at most [`super::FREE_ROWS_MAX`] for each account.
    pub generations: Vec<GenerationRow>,
    /// What each account paid.
    pub spent: BTreeMap<AccountId, Nanos>,
    /// What each key paid, by the day of the hold: days since 1970-01-01.
    pub keys: BTreeMap<(KeyId, u64), KeyUse>,
    /// Additions to the daily sums.
    pub activity: BTreeMap<ActivityKey, ActivitySums>,
    /// Additions to the daily counts of what went wrong.
    pub failures: BTreeMap<FailureOf, FailureSums>,
    /// New questions for reconciliation.
    pub unreconciled: Vec<Unreconciled>,
    /// Records that repeat what was already known.
    pub repeated: u64,
    /// The moment of the last record that has one.
    pub at_ms: u64,
}
