//! Finished calls.

use bourse_ledger::GenerationRow;
use bourse_ledger::fold::Unreconciled;
use bourse_vocab::{AccountId, GenerationId};

use crate::Reply;

/// A page of finished calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettledPage {
    /// Settled then or later, in milliseconds since 1970.
    pub from_ms: u64,
    /// Settled before.
    pub before_ms: u64,
    /// Ids beyond this one only.
    pub after: Option<GenerationId>,
    /// How many at most.
    pub count_max: u64,
}

/// Finished calls. The row carries its whole journal record: decode
/// [`GenerationRow::record`] with [`bourse_ledger::record::decode`] for what
/// has no column.
pub trait Generations {
    /// Finds a finished call.
    fn generation(&self, id: GenerationId) -> Reply<'_, Option<GenerationRow>>;
    /// An account's finished calls, newest first.
    fn generations(&self, account: AccountId, count_max: u64) -> Reply<'_, Vec<GenerationRow>>;
    /// Finished calls of all accounts that were settled within a span, in the
    /// order of their ids: a page of them. Later pages begin `after` the last
    /// id of the one before.
    fn generations_settled(&self, page: SettledPage) -> Reply<'_, Vec<GenerationRow>>;
    /// Questions for reconciliation, oldest first.
    fn unreconciled(&self, count_max: u64) -> Reply<'_, Vec<Unreconciled>>;
}
