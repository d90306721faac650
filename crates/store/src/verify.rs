//! `ledger verify`: the database, and what the journal holds beyond it; and
//! `ledger repair`.

use std::collections::BTreeMap;
use std::path::Path;

use bourse_ledger::{Entry, Fold, LedgerAccount};
use bourse_spool::{DataDirLock, Position, Reader, Repaired, SpoolError};
use bourse_vocab::Nanos;

use crate::audit::AuditReport;
use crate::journal::BATCH_RECORDS_MAX;
use crate::till::{SPOOL_DIR, TillError, check_history};
use crate::{Store, StoreError};

/// What the journal holds that the database has not taken over yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unapplied {
    /// Records.
    pub records: u64,
    /// Such as repeat what is known.
    pub repeated: u64,
    /// What customers pay in them, in nano-dollars.
    pub paid: i128,
    /// Damage to records that the database has, which costs nothing.
    pub harmless: Vec<String>,
    /// There is no journal, although the database has records of one: what it
    /// held beyond the database, if anything, is lost.
    pub is_missing: bool,
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
    let mut found = Unapplied {
        is_missing: view.applied > Position(0),
        ..Unapplied::default()
    };
    if spool_dir.is_dir() {
        let history = store.history().await?;
        let looked = bourse_spool::inspect(&spool_dir, Some(history.owner()), view.applied)?;
        found.harmless = looked.harmless;
        found.is_missing = looked.is_missing;
        let end = looked.end;
        check_history(&spool_dir, &history)?;
        found.records = read(&spool_dir, view.applied, end, &mut fold)?;
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

/// Reads records into `fold`; returns how many.
fn read(dir: &Path, from: Position, end: Position, fold: &mut Fold) -> Result<u64, TillError> {
    let mut records: u64 = 0;
    let mut reader = Reader::new(dir, from);
    loop {
        let batch = reader.read(end, BATCH_RECORDS_MAX)?;
        if batch.is_empty() {
            return Ok(records);
        }
        for bytes in batch.iter() {
            let entry = Entry::read(bytes).map_err(|source| TillError::Record {
                position: batch.end(),
                source,
            })?;
            fold.push(&entry);
            records = records.saturating_add(1);
        }
    }
}

/// What repairing a journal did, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// What was wrong and where the damaged files are.
    pub spool: Repaired,
    /// Kept records whose calls are not known any more: the holds before them
    /// are lost, so nobody pays for these calls.
    pub orphans: u64,
    /// Calls that the next start closes, by what is known of them.
    pub open_holds: u64,
    /// What is set aside for these.
    pub held: Nanos,
}

/// Makes the journal of `data_dir` usable again, while no server uses it, and
/// says what was lost: see [`bourse_spool::repair`]. `None` if nothing keeps
/// a server from starting.
///
/// # Errors
/// A server that uses the directory, a database that cannot be read, a
/// journal of another installation.
pub async fn repair(store: &dyn Store, data_dir: &Path) -> Result<Option<Mended>, TillError> {
    let _lock = DataDirLock::acquire(data_dir)?;
    let spool_dir = data_dir.join(SPOOL_DIR);
    let history = store.history().await?;
    let repaired = bourse_spool::repair(&spool_dir, history.owner(), history.applied)?;
    let Some(spool) = repaired else {
        return Ok(None);
    };
    let known = store.open_holds().await?;
    let mut open: BTreeMap<_, _> = known.iter().map(|hold| (hold.id, hold.amount)).collect();
    let mut fold = Fold::new(known);
    let end = bourse_spool::inspect(&spool_dir, Some(history.owner()), history.applied)?.end;
    read(&spool_dir, history.applied, end, &mut fold)?;
    let effects = fold.finish().map_err(StoreError::from)?;
    open.extend(effects.opened.iter().map(|hold| (hold.id, hold.amount)));
    for closed in &effects.closed {
        open.remove(closed);
    }
    let held = open.values().copied();
    Ok(Some(Mended {
        spool,
        orphans: effects.repeated,
        open_holds: open.len() as u64,
        held: held.fold(Nanos::ZERO, Nanos::saturating_add),
    }))
}
