//! The till: balances in memory and the journal on disk, as one.
//!
//! Every method but [`Till::open`] returns without waiting for anything but
//! a short lock and one `write(2)`. The order is always the same: first the
//! books decide, then the journal remembers. If the journal cannot, a hold is
//! undone and refused; the end of a call waits in memory until the disk takes
//! it, and when too many wait the journal stops, and the server with it.
//!
//! Memory holds a part of the database's accounts and keys: those that the
//! journal has money of, and those used of late. The others are loaded when
//! they are asked for, and what the database says of them then is all there
//! is, because of one rule: *a purse that memory does not know has neither
//! an open hold nor money in a record that the database has not seen*. It
//! holds at the start, when the journal is read to its end before a purse is
//! left out, and only a purse in memory gets new records.

mod lag;
mod left;
mod refusals;
mod start;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bourse_ledger::books::{Books, Posted, Refusal, Released};
use bourse_ledger::record::{
    self, Booked, Checkpoint, Dispatch, Extend, Hold, Record, Settlement, Voiding,
};
use bourse_ledger::recover::{self, Closing, Replay};
use bourse_ledger::{Link, OpenHold};
use bourse_spool::{Kind, Options, Position, Spool, SpoolError};
use bourse_vocab::{AccountId, Failure, FailureKind, GenerationId, KeyId, Nanos, NodeId};

use crate::account::{AccountRow, Changes};
use crate::key::KeyRow;
use crate::{Store, StoreError};
use lag::Lag;
use refusals::Refusals;
pub(crate) use start::check_history;
use start::{kept_settlement, read_journal, rows_needed, tell_damage};

/// Where the spool is, within the data directory.
pub const SPOOL_DIR: &str = "spool";

/// Why the till cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum TillError {
    /// The books refuse.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The journal cannot take more.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal and the database have different histories.
    #[error(
        "spool: its records from {from} to {to} are not those that the database has applied: one of them was restored from a backup or is another server's copy; put back the two that belong together"
    )]
    OtherHistory {
        /// From where on they were compared.
        from: Position,
        /// Up to where.
        to: Position,
    },
    /// A journal record that cannot be read.
    #[error("spool: record at {position}: {source}")]
    Record {
        /// Where it is.
        position: Position,
        /// What does not fit.
        source: record::DecodeError,
    },
}

impl TillError {
    /// As the caller is told: 402 with the reason, 503 when the journal is
    /// full or its disk refuses, and otherwise our own fault.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::Refused(refusal) => refusal.failure(),
            // What was to begin or to grow was refused, and nothing is lost.
            Self::Spool(
                SpoolError::Full { .. }
                | SpoolError::Owing
                | SpoolError::Stopped
                | SpoolError::Io { .. },
            ) => Failure::new(
                FailureKind::Overloaded,
                "No new requests can be accepted right now.",
            )
            .inside(self.to_string()),
            other => Failure::server(other.to_string()),
        }
    }
}

/// What starting found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Records that the database had not seen.
    pub replayed: u64,
    /// Of these, such as repeated what was known.
    pub repeated: u64,
    /// Running calls that were settled, by their last checkpoint or by what was
    /// kept of their end.
    pub settled: u64,
    /// Running calls that were voided.
    pub voided: u64,
    /// Bytes of a torn write that were cut off the journal.
    pub torn_bytes: usize,
    /// For the first [`crate::Accounts::changes_since`].
    pub change_seq: u64,
}

/// Balances in memory and the journal on disk.
#[derive(Debug)]
pub struct Till {
    books: Books,
    spool: Spool,
    spool_dir: PathBuf,
    node: NodeId,
    refusals: Refusals,
    /// The journal's running hash, as far as the database has it.
    applied_chain: Mutex<Link>,
    lag: Lag,
}

/// A till that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The till.
    pub till: Till,
    /// What starting found and did.
    pub recovery: Recovery,
    /// The keys whose purses are in memory.
    pub keys: Vec<KeyRow>,
}

/// Finds what was kept elsewhere, before it was written here, of the ends of
/// calls: of each its settlement, as [`Till::draft`] worded it.
pub type Kept<'a> = dyn FnMut(&[GenerationId]) -> HashMap<GenerationId, Vec<u8>> + Send + 'a;

impl Till {
    /// Opens the till: balances as the database has them, then the records
    /// that it has not seen, then an end for every call that was running, but for
    /// jobs that a provider has taken ([`crate::Videos::videos_held`]).
    /// The data directory must be locked (`bourse_spool::DataDirLock`).
    ///
    /// # Errors
    /// A database that cannot be read, a damaged journal.
    pub async fn open(
        store: &dyn Store,
        data_dir: &Path,
        options: Options,
        now_ms: u64,
    ) -> Result<Opened, TillError> {
        let nothing = &mut |_: &[GenerationId]| HashMap::new();
        Self::open_with(store, data_dir, options, now_ms, nothing).await
    }

    /// The same, where the ends of some calls were kept before they were
    /// written: these are settled by that.
    ///
    /// # Errors
    /// As for [`Till::open`].
    pub async fn open_with(
        store: &dyn Store,
        data_dir: &Path,
        options: Options,
        now_ms: u64,
        kept: &mut Kept<'_>,
    ) -> Result<Opened, TillError> {
        let history = store.history().await?;
        let applied = history.applied;
        let spool_dir = data_dir.join(SPOOL_DIR);
        let known = store.consumers().await?;
        let others: Vec<_> = known
            .iter()
            .map(|(name, at)| (name.as_str(), *at))
            .collect();
        let opened = Spool::open(&spool_dir, history.owner(), applied, &others, options)?;
        let open_holds = store.open_holds().await?;
        tell_damage(&opened, &open_holds);
        check_history(&spool_dir, &history)?;
        let mut recovery = Recovery {
            torn_bytes: opened.torn_bytes,
            // Before the rows: what changes while they are read comes again.
            change_seq: store.change_seq().await?,
            ..Recovery::default()
        };
        let mut replay = Replay::default();
        for hold in open_holds {
            replay.open(hold);
        }
        recovery.replayed = read_journal(&opened.spool, applied, &mut replay)?;
        recovery.repeated = replay.repeated();
        let (accounts, keys) = rows_needed(store, &replay, now_ms).await?;
        for account in &accounts {
            replay.account(account.id, account.credit());
        }
        for key in &keys {
            replay.key(key.id, key.state());
        }
        let (books, open) = replay.finish()?;
        let till = Self {
            books,
            spool: opened.spool,
            spool_dir,
            node: history.node,
            refusals: Refusals::default(),
            applied_chain: Mutex::new(history.chain),
            lag: Lag::default(),
        };
        // What a provider has taken it goes on with, whoever serves.
        let taken: HashSet<_> = store.videos_held().await?.into_iter().collect();
        let mut left = open;
        left.retain(|hold| !taken.contains(&hold.id));
        till.close_all(&left, kept, &mut recovery, now_ms)?;
        Ok(Opened {
            till,
            recovery,
            keys,
        })
    }

    /// Ends calls that were running when the last server ended.
    fn close_all(
        &self,
        open: &[OpenHold],
        kept: &mut Kept<'_>,
        recovery: &mut Recovery,
        now_ms: u64,
    ) -> Result<(), TillError> {
        let ids: Vec<_> = open.iter().map(|hold| hold.id).collect();
        let kept = match ids.is_empty() {
            true => HashMap::new(),
            false => kept(&ids),
        };
        for hold in open {
            let whole = kept.get(&hold.id);
            let whole = whole.and_then(|bytes| kept_settlement(bytes, hold));
            let closing = match whole {
                Some(settlement) => Closing::Settle(Box::new(settlement)),
                None => recover::close(hold, now_ms),
            };
            match closing {
                Closing::Settle(settlement) => {
                    self.settle(&settlement)?;
                    recovery.settled = recovery.settled.saturating_add(1);
                }
                Closing::Void(voiding) => {
                    self.void(&voiding)?;
                    recovery.voided = recovery.voided.saturating_add(1);
                }
            }
        }
        Ok(())
    }

    /// Words a settlement that is about to be made, for whoever keeps it until
    /// it is written: a server that starts finds it by [`Till::open_with`].
    /// What the books will say of it is left out.
    #[must_use]
    pub fn draft(&self, settlement: &Settlement<'_>) -> Vec<u8> {
        let booked = Booked {
            node: self.node,
            key: KeyId(0),
            held: Nanos::ZERO,
            paid: Nanos::ZERO,
        };
        let mut draft = Vec::new();
        record::encode_settle(&booked, settlement, &mut draft);
        draft
    }

    /// Sets money aside for a call, before its first dispatch.
    ///
    /// # Errors
    /// Too little money, an unknown price's caller, a full or broken spool.
    pub fn hold(&self, hold: &Hold<'_>) -> Result<Position, TillError> {
        self.hold_leaving(hold, Nanos::ZERO)
    }

    /// The same, if at least `leaving` is left for other calls.
    ///
    /// # Errors
    /// As for [`Till::hold`].
    pub fn hold_leaving(&self, hold: &Hold<'_>, leaving: Nanos) -> Result<Position, TillError> {
        // A full spool is found before any money moves.
        self.spool.check_room()?;
        let amounts = (hold.amount, leaving);
        self.books
            .hold_leaving(hold.account, hold.key, hold.id, amounts, hold.at_ms)?;
        self.append(Kind::Begin, &Record::Hold(*hold))
            .map_err(|error| {
                // Undone: the call does not begin. It was open a moment ago.
                let _ = self.books.void(hold.account, hold.id);
                error.into()
            })
    }

    /// Sets more money aside for a running call; returns the new sum. While the
    /// disk is full that is remembered in memory: the answer goes on, and a
    /// crash settles it by the hold that the disk has, at the house's cost.
    ///
    /// # Errors
    /// Too little money, or a broken spool; the hold stays as it was.
    pub fn extend(
        &self,
        account: AccountId,
        id: GenerationId,
        extra: Nanos,
    ) -> Result<Nanos, TillError> {
        let amount = self.books.extend(account, id, extra)?;
        if let Err(error) = self.append(Kind::Grow, &Record::Extend(Extend { id, extra })) {
            self.books.retract(account, id, extra);
            return Err(error.into());
        }
        Ok(amount)
    }

    /// Remembers that a later attempt goes to another endpoint.
    ///
    /// # Errors
    /// A broken spool.
    pub fn dispatch(&self, dispatch: &Dispatch<'_>) -> Result<(), TillError> {
        self.append(Kind::Go, &Record::Dispatch(*dispatch))?;
        Ok(())
    }

    /// Remembers how much of a stream has been delivered.
    ///
    /// # Errors
    /// A broken spool.
    pub fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), TillError> {
        self.append(Kind::Note, &Record::Checkpoint(*checkpoint))?;
        Ok(())
    }

    /// Remembers how much of several streams has been delivered: at most
    /// [`record::CHECKPOINTS_MAX`] of them, in one record.
    ///
    /// # Errors
    /// A broken spool.
    pub fn checkpoints(&self, list: &[Checkpoint]) -> Result<(), TillError> {
        self.spool.append_with(Kind::Note, |out| {
            record::encode_checkpoints(self.node, list, out);
        })?;
        Ok(())
    }

    /// Pays for a call. The second time changes nothing.
    ///
    /// # Errors
    /// [`Refusal::NotOpen`] the second time; a broken spool.
    pub fn settle(&self, settlement: &Settlement<'_>) -> Result<Posted, TillError> {
        let Settlement {
            id,
            account,
            charge,
            ..
        } = *settlement;
        let posted = self.books.post(account, id, charge)?;
        let booked = Booked {
            node: self.node,
            key: posted.key,
            held: posted.held,
            paid: posted.paid,
        };
        self.spool.append_with(Kind::End, |out| {
            record::encode_settle(&booked, settlement, out);
        })?;
        Ok(posted)
    }

    /// Ends a call that costs its customer nothing. The second time changes
    /// nothing.
    ///
    /// # Errors
    /// [`Refusal::NotOpen`] the second time; a broken spool.
    pub fn void(&self, voiding: &Voiding<'_>) -> Result<Released, TillError> {
        let released = self.books.void(voiding.account, voiding.id)?;
        let booked = Booked {
            node: self.node,
            key: released.key,
            held: released.held,
            paid: Nanos::ZERO,
        };
        self.spool.append_with(Kind::End, |out| {
            record::encode_void(&booked, voiding, out);
        })?;
        Ok(released)
    }

    /// Remembers a call that was refused before anything was set aside, or
    /// only counts it if there are too many of them, or no room. Returns
    /// whether it left a record.
    pub fn refuse(&self, refused: &record::Refused<'_>) -> bool {
        if self.spool.check_room().is_err() {
            self.refusals.shed();
            return false;
        }
        let Some(unrecorded) = self.refusals.admit(refused.at_ms) else {
            return false;
        };
        let refused = record::Refused {
            unrecorded,
            ..*refused
        };
        let written = self.append(Kind::Note, &Record::Refused(refused)).is_ok();
        if !written {
            self.refusals.give_back(unrecorded.saturating_add(1));
        }
        written
    }

    /// Refused calls that left no record so far and are in none as a number.
    #[must_use]
    pub fn unrecorded_refusals(&self) -> u64 {
        self.refusals.unrecorded()
    }

    /// Takes over what administrators have changed: credit and limits of
    /// purses in memory. Others are loaded when they are asked for.
    pub fn absorb(&self, changes: &Changes) {
        for account in &changes.accounts {
            self.books.change_account(account.id, &account.credit());
        }
        for key in &changes.keys {
            self.books.change_key(key.id, &key.state());
        }
    }

    /// Opens the purses of accounts and keys that were just read from the
    /// database. Of those that are open already only credit and limits are
    /// taken over.
    pub fn load(&self, accounts: &[AccountRow], keys: &[KeyRow]) {
        for account in accounts {
            self.books.set_account(account.id, &account.credit());
        }
        for key in keys {
            // A key whose account is not among them stays unknown, and its
            // calls are refused by name.
            let _ = self.books.set_key(key.id, &key.state());
        }
    }

    /// The balances.
    #[must_use]
    pub const fn books(&self) -> &Books {
        &self.books
    }

    /// The journal.
    #[must_use]
    pub const fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Where the journal is.
    #[must_use]
    pub fn spool_dir(&self) -> &Path {
        &self.spool_dir
    }

    fn append(&self, kind: Kind, record: &Record<'_>) -> Result<Position, SpoolError> {
        self.spool
            .append_with(kind, |out| record::encode_as(self.node, record, out))
    }

    /// The journal's running hash, as far as the database has it.
    pub(crate) fn applied_chain(&self) -> Link {
        *self
            .applied_chain
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// For how long the journal could not be brought into the database, if
    /// it cannot be now.
    #[must_use]
    pub fn database_behind(&self) -> Option<Duration> {
        self.lag.since()
    }

    /// Why not, the last time that it was tried.
    #[must_use]
    pub fn why_behind(&self) -> Option<String> {
        self.lag.why()
    }

    /// Notes that the journal cannot be brought into the database.
    pub(crate) fn note_behind(&self, why: &TillError) {
        self.lag.begin(why);
    }

    /// Notes that the database has taken over a batch.
    pub(crate) fn note_applied(&self, chain: Link) {
        self.lag.end();
        *self
            .applied_chain
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = chain;
    }
}

#[cfg(test)]
mod history;
#[cfg(test)]
mod tests;
