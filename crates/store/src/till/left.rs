//! What callers have left, in the part of the journal that the database has
//! not taken over: what [`crate::Generations::left_since`] tells of the rest.

use bourse_ledger::record::{self, Cost, Record, VoidReason};
use bourse_spool::Reader;
use bourse_vocab::{AccountId, KeyId, Nanos};

use super::start::REPLAY_RECORDS;
use super::{Till, TillError};
use crate::generation::Left;

impl Till {
    /// What callers have left since a moment whose cost nobody knows, by the
    /// records that the database has not taken over. Asked at the start,
    /// before it goes on with that.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn left_unapplied(&self, since_ms: u64) -> Result<Vec<Left>, TillError> {
        let mut found = Vec::new();
        let mut reader: Reader = self.spool.reader(self.spool.applied());
        loop {
            let batch = reader.read(self.spool.written(), REPLAY_RECORDS)?;
            if batch.is_empty() {
                return Ok(found);
            }
            for bytes in batch.iter() {
                let position = batch.end();
                let record = record::decode(bytes)
                    .map_err(|source| TillError::Record { position, source })?;
                left(&record, since_ms, &mut found);
            }
        }
    }
}

/// What a record says was left: the questions about the provider that was
/// answering, of a call that was settled or whose caller had left it.
fn left(record: &Record<'_>, since_ms: u64, found: &mut Vec<Left>) {
    let mut add = |of: (AccountId, KeyId), provider: &str, counted, possible: &[Cost<'_>]| {
        let asked = possible.iter().filter(|cost| cost.provider == provider);
        found.extend(asked.map(|cost| Left {
            account: of.0,
            key: of.1,
            counted,
            at_most: cost.amount,
        }));
    };
    match record {
        Record::Settle(settle) if settle.settlement.at_ms >= since_ms => {
            let end = &settle.settlement;
            let costs = end.costs.iter().map(|cost| cost.amount);
            let counted = costs.fold(Nanos::ZERO, Nanos::saturating_add);
            let of = (end.account, settle.key);
            add(of, end.facts.provider, Some(counted), &end.possible);
        }
        Record::Void(void)
            if void.voiding.at_ms >= since_ms && void.voiding.reason == VoidReason::CallerLeft =>
        {
            let end = &void.voiding;
            add(
                (end.account, void.key),
                end.facts.provider,
                None,
                &end.possible,
            );
        }
        _ => {}
    }
}
