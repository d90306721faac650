//! Daily sums.

use bourse_ledger::fold::{ActivityKey, ActivitySums, FailureOf, FailureSums};
use bourse_vocab::{AccountId, KeyId};

use crate::Reply;

/// Which daily sums are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActivityQuery {
    /// Whose.
    pub account: AccountId,
    /// Of one key only.
    pub key: Option<KeyId>,
    /// First day wanted: days since 1970-01-01, UTC.
    pub first_day: u64,
    /// Last day wanted.
    pub last_day: u64,
}

/// The sums of one day, model, endpoint and provider, over the keys asked
/// for. [`ActivityKey::key`] is the lowest of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityRow {
    /// What the sums are of.
    pub of: ActivityKey,
    /// The sums.
    pub sums: ActivitySums,
}

/// How often something went wrong on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureRow {
    /// What went wrong, where and when.
    pub of: FailureOf,
    /// How often.
    pub sums: FailureSums,
}

/// Daily sums, kept up to date with every batch of the journal.
pub trait Activity {
    /// Days in rising order, then models, endpoints, providers.
    fn activity(&self, query: ActivityQuery) -> Reply<'_, Vec<ActivityRow>>;
    /// What went wrong, key by key, in the same order.
    fn failures(&self, query: ActivityQuery) -> Reply<'_, Vec<FailureRow>>;
}
