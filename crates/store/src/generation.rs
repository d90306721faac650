//! Finished calls.

use bourse_ledger::GenerationRow;
use bourse_ledger::fold::Unreconciled;
use bourse_vocab::{AccountId, GenerationId, KeyId, Nanos};

use crate::Reply;

/// A page of finished calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettledPage {
    /// Settled then or later, in milliseconds since 1970.
    pub from_ms: u64,
    /// Settled before.
    pub before_ms: u64,
    /// Beyond this moment and this id only: the last row of the page before.
    pub after: Option<(u64, GenerationId)>,
    /// How many at most.
    pub count_max: u64,
}

/// A call that was left, or may have been, before its cost was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Who paid.
    pub account: AccountId,
    /// With which key.
    pub key: KeyId,
    /// What the provider charges as far as it was counted; `None` if nothing
    /// was, because the call was left before any content.
    pub counted: Option<Nanos>,
    /// The most that the provider may charge beside that.
    pub at_most: Nanos,
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
    /// order of their settlement: a page of them. Later pages begin `after` the
    /// last row of the one before. No more rows are read than there are.
    fn generations_settled(&self, page: SettledPage) -> Reply<'_, Vec<GenerationRow>>;
    /// Questions for reconciliation, oldest first.
    fn unreconciled(&self, count_max: u64) -> Reply<'_, Vec<Unreconciled>>;
    /// What callers have left since a moment whose cost nobody knows, newest
    /// first: of the questions those about the provider that was answering,
    /// where the call was settled or its caller had left it.
    fn left_since(&self, at_ms: u64, count_max: u64) -> Reply<'_, Vec<Left>>;
}
