//! What a start reads: the journal beyond the database, and the rows that
//! memory begins with.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use bourse_ledger::chain::FormerChain;
use bourse_ledger::record::Settlement;
use bourse_ledger::recover::Replay;
use bourse_ledger::{Chain, OpenHold, Record, record};
use bourse_spool::{Opened, Position, Reader, Spool, SpoolError};
use bourse_vocab::{AccountId, KeyId, Nanos};

use super::TillError;
use crate::account::AccountRow;
use crate::key::KeyRow;
use crate::{History, Store, StoreError};

/// Records read at once while starting.
pub(super) const REPLAY_RECORDS: usize = 8_192;
/// Keys used within this time are loaded at the start, with their accounts.
const WARM_MS: u64 = 7 * 86_400_000;
/// How many of them at most; some hundred bytes each. The others are loaded
/// by their first call.
const WARM_KEYS_MAX: u64 = 65_536;

/// Says what is wrong with the journal and does not keep a server from
/// starting. `open` are the calls that ran as far as the database knows.
pub(super) fn tell_damage(opened: &Opened, open: &[OpenHold]) {
    for damage in &opened.harmless {
        tracing::warn!("{damage}: the database has those records, so nothing is lost");
    }
    if opened.is_missing {
        // No error: whoever takes a database over from a disk that is lost
        // has said so.
        let held = open.iter().map(|hold| hold.amount);
        let held = held.fold(Nanos::ZERO, Nanos::saturating_add);
        tracing::warn!(
            calls = open.len(),
            %held,
            "the journal is missing: whatever it held beyond the database is lost; of that the \
             database knows the calls that ran, with so many USD set aside, and they are closed now"
        );
    }
}

/// Looks whether the journal in `spool_dir` is the one that the database has
/// applied: its last batch, if it is still there, must lead from the hash
/// before it to the one after it, by today's rule or by the former one.
///
/// # Errors
/// [`TillError::OtherHistory`], or a journal that cannot be read.
pub(crate) fn check_history(spool_dir: &Path, history: &History) -> Result<(), TillError> {
    let (from, to) = (history.batch_from, history.applied);
    let mut reader = Reader::new(spool_dir, from);
    let mut chain = Chain::from(history.chain_before);
    let mut former = FormerChain::from(history.chain_before);
    while reader.position() < to {
        let batch = match reader.read(to, REPLAY_RECORDS) {
            // Deleted, because the database has it, or damaged, which costs
            // nothing for the same reason.
            Err(SpoolError::Gone { .. } | SpoolError::Corrupt { .. }) => return Ok(()),
            batch => batch?,
        };
        if batch.is_empty() {
            return Ok(());
        }
        for record in batch.iter() {
            chain.push(record);
            former.push(record);
        }
    }
    if [chain.link(), former.link()].contains(&history.chain) {
        Ok(())
    } else {
        Err(TillError::OtherHistory { from, to })
    }
}

/// Reads what the database has not seen; returns how many records.
pub(super) fn read_journal(
    spool: &Spool,
    applied: Position,
    replay: &mut Replay,
) -> Result<u64, TillError> {
    let mut records: u64 = 0;
    let mut reader = spool.reader(applied);
    loop {
        let batch = reader.read(spool.written(), REPLAY_RECORDS)?;
        if batch.is_empty() {
            return Ok(records);
        }
        for bytes in batch.iter() {
            let position = batch.end();
            let record =
                record::decode(bytes).map_err(|source| TillError::Record { position, source })?;
            replay.push(&record);
            records = records.saturating_add(1);
        }
    }
}

/// The settlement of a call as it was kept, if it is of this call.
pub(super) fn kept_settlement<'a>(bytes: &'a [u8], hold: &OpenHold) -> Option<Settlement<'a>> {
    match record::decode(bytes) {
        Ok(Record::Settle(settle))
            if (settle.settlement.id, settle.settlement.account) == (hold.id, hold.account) =>
        {
            Some(settle.settlement)
        }
        other => {
            tracing::error!(id = %hold.id, ?other, "what was kept of the end of a call cannot be used");
            None
        }
    }
}

/// The rows that memory begins with: those that the journal has money of,
/// and those used of late.
pub(super) async fn rows_needed(
    store: &dyn Store,
    replay: &Replay,
    now_ms: u64,
) -> Result<(Vec<AccountRow>, Vec<KeyRow>), StoreError> {
    let since_ms = now_ms.saturating_sub(WARM_MS);
    let mut keys = store.keys_used_since(since_ms, WARM_KEYS_MAX).await?;
    let mut known: HashSet<KeyId> = keys.iter().map(|key| key.id).collect();
    let needed = replay.keys_needed().into_iter();
    let missing: Vec<KeyId> = needed.filter(|id| known.insert(*id)).collect();
    keys.extend(store.keys_by_id(&missing).await?);
    let mut accounts: BTreeSet<AccountId> = keys.iter().map(|key| key.key.account).collect();
    accounts.extend(replay.accounts_needed());
    let accounts: Vec<AccountId> = accounts.into_iter().collect();
    Ok((store.accounts_by_id(&accounts).await?, keys))
}
