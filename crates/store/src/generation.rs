//! Finished calls.

use bourse_ledger::fold::{GenerationRow, Unreconciled};
use bourse_vocab::{AccountId, GenerationId};

use crate::Reply;

/// Finished calls. The row carries its whole journal record: decode
/// [`GenerationRow::record`] with [`bourse_ledger::record::decode`] for what
/// has no column.
pub trait Generations {
    /// Finds a finished call.
    fn generation(&self, id: GenerationId) -> Reply<'_, Option<GenerationRow>>;
    /// An account's finished calls, newest first.
    fn generations(&self, account: AccountId, count_max: u64) -> Reply<'_, Vec<GenerationRow>>;
    /// Questions for reconciliation, oldest first.
    fn unreconciled(&self, count_max: u64) -> Reply<'_, Vec<Unreconciled>>;
}
