//! `ledger verify`: the database, and what the journal holds beyond it.

use std::path::Path;

use bourse_ledger::{Fold, LedgerAccount, record};
use bourse_spool::{DataDirLock, Reader, SpoolError};

use crate::audit::AuditReport;
use crate::journal::BATCH_RECORDS_MAX;
use crate::till::{SPOOL_DIR, TillError, check_history};
use crate::{Store, StoreError};

/// What the journal holds that the database has not taken over yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unapplied {
    /// Records.
    pub records: u64,
    /// Such as repeat what is known.
    pub repeated: u64,
    /// What customers pay in them, in nano-dollars.
    pub paid: i128,
    /// Holds open after them.
    pub open_holds: u64,
}

/// Audits the database of `data_dir`; if no server uses the directory, also
/// what its journal holds beyond the database: every record must check, its
/// bookings must balance, and no account may end below zero. Beside a
/// running server the journal is the server's, and `None` is returned for
/// it.
///
/// # Errors
/// A database or a journal that cannot be read. A torn write at the
/// journal's end is no error: it was never promised to anyone.
pub async fn verify(
    store: &dyn Store,
    data_dir: &Path,
) -> Result<(AuditReport, Option<Unapplied>), TillError> {
    let lock = match DataDirLock::acquire(data_dir) {
        Ok(lock) => Some(lock),
        Err(SpoolError::Locked { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let view = store.audit().await?;
    let mut report = view.check();
    report.rows = store.check_rows().await?;
    if lock.is_none() {
        return Ok((report, None));
    }
    let spool_dir = data_dir.join(SPOOL_DIR);
    let mut fold = Fold::new(store.open_holds().await?);
    let mut found = Unapplied::default();
    if spool_dir.is_dir() {
        let history = store.history().await?;
        let end = bourse_spool::inspect(&spool_dir, Some(history.owner()), view.applied)?;
        check_history(&spool_dir, &history)?;
        let mut reader = Reader::new(&spool_dir, view.applied);
        loop {
            let batch = reader.read(end, BATCH_RECORDS_MAX)?;
            if batch.is_empty() {
                break;
            }
            for bytes in batch.iter() {
                // The whole record, also what the books do not need of it.
                let read = record::decode(bytes).and_then(|_| fold.push(bytes));
                read.map_err(|source| TillError::Record {
                    position: batch.end(),
                    source,
                })?;
                found.records = found.records.saturating_add(1);
            }
        }
    }
    let effects = fold.finish().map_err(StoreError::from)?;
    found.repeated = effects.repeated;
    found.open_holds = effects.opened.len() as u64;
    for (account, amount) in effects.journal.entries() {
        if let LedgerAccount::CustomerAvailable(id) = account {
            let granted = view
                .accounts
                .get(id)
                .map_or(0, |(granted, spent)| granted - spent);
            let held = view.held.get(id).copied().unwrap_or(0);
            let after = granted
                .saturating_sub(held)
                .saturating_add(i128::from(amount.0));
            let what = || format!("available of account {} after the journal, at least", id.0);
            report.compare(what, after.max(0), after);
        }
    }
    for paid in effects.spent.values() {
        found.paid = found.paid.saturating_add(i128::from(paid.0));
    }
    Ok((report, Some(found)))
}
