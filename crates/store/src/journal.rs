//! What the local journal becomes: bookings, each exactly once.

use bourse_ledger::OpenHold;
use bourse_spool::Position;

use crate::Reply;
use crate::audit::AuditView;

/// Most records in one batch: one transaction of a few milliseconds.
pub const BATCH_RECORDS_MAX: usize = 2_048;

/// Consecutive records of the spool.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Where the first begins.
    pub from: Position,
    /// Where the last ends.
    pub to: Position,
    /// The records' bytes.
    pub records: &'a [&'a [u8]],
}

/// What applying a batch did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// How far the database has come.
    pub position: Position,
    /// Records that changed something or were known to.
    pub records: u64,
    /// Records that repeated what was known, and changed nothing.
    pub repeated: u64,
}

/// What the local journal becomes.
pub trait Journals {
    /// How far the spool has been applied.
    fn applied(&self) -> Reply<'_, Position>;
    /// Holds that are neither posted nor voided, as far as applied.
    fn open_holds(&self) -> Reply<'_, Vec<OpenHold>>;
    /// Applies a batch in one transaction, together with its end position. A
    /// batch that has been applied already changes nothing.
    fn apply<'a>(&'a self, batch: Batch<'a>) -> Reply<'a, Applied>;
    /// Everything that must agree, at one moment.
    fn audit(&self) -> Reply<'_, AuditView>;
}
