//! What the local journal becomes: bookings, each exactly once.

use bourse_ledger::{Link, OpenHold, RowSum};
use bourse_spool::{Owner, Position};
use bourse_vocab::{AccountId, KeyId, NodeId, StoreId};

use crate::account::AccountRow;
use crate::audit::{AuditView, RowReport};
use crate::key::KeyRow;
use crate::retired::Dropped;
use crate::{Reply, StoreError};

/// Most records in one batch: one transaction of a few milliseconds.
pub const BATCH_RECORDS_MAX: usize = 2_048;

/// Consecutive records of the spool.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Where the first begins.
    pub from: Position,
    /// Where the last ends.
    pub to: Position,
    /// What the journal's running hash is at `from`, for whoever has read it.
    pub chain: Option<Link>,
    /// The records' bytes.
    pub records: &'a [&'a [u8]],
}

/// What applying a batch did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// How far the database has come.
    pub position: Position,
    /// The journal's running hash there.
    pub chain: Link,
    /// Records that changed something or were known to.
    pub records: u64,
    /// Records that repeated what was known, and changed nothing.
    pub repeated: u64,
}

/// What a database knows of a node's journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Which installation the database is.
    pub store: StoreId,
    /// Whose journal it is.
    pub node: NodeId,
    /// How far it has been applied.
    pub applied: Position,
    /// Its running hash there.
    pub chain: Link,
    /// Where the last batch began.
    pub batch_from: Position,
    /// Its running hash there.
    pub chain_before: Link,
    /// The sum of the links of all rows of finished calls.
    pub rows: RowSum,
}

impl History {
    /// Of a journal of which nothing has been applied.
    #[must_use]
    pub fn new(store: StoreId, node: NodeId) -> Self {
        let start = Link::start(store, node);
        Self {
            store,
            node,
            applied: Position::default(),
            chain: start,
            batch_from: Position::default(),
            chain_before: start,
            rows: RowSum::default(),
        }
    }

    /// Whose the journal is, as its segments say it.
    #[must_use]
    pub const fn owner(&self) -> Owner {
        Owner {
            store: self.store.0,
            node: self.node.0,
        }
    }

    /// Refuses a batch that continues another history.
    ///
    /// # Errors
    /// [`StoreError::OtherHistory`].
    pub(crate) fn expect(&self, chain: Option<Link>) -> Result<(), StoreError> {
        match chain {
            Some(found) if found != self.chain => Err(StoreError::OtherHistory {
                position: self.applied.0,
                applied: self.chain,
                found,
            }),
            _ => Ok(()),
        }
    }
}

/// What a database says of some purses, at one moment.
#[derive(Debug, Clone, Default)]
pub struct StoredPurses {
    /// How far the journal had been applied.
    pub applied: Position,
    /// Those of the accounts that there are.
    pub accounts: Vec<AccountRow>,
    /// Those of the keys that there are.
    pub keys: Vec<KeyRow>,
    /// All calls that ran.
    pub open: Vec<OpenHold>,
}

/// What the local journal becomes.
pub trait Journals {
    /// How far this node's journal has been applied, and what it was.
    fn history(&self) -> Reply<'_, History>;
    /// How far this node's journal has been applied.
    fn applied(&self) -> Reply<'_, Position> {
        let history = self.history();
        Box::pin(async move { Ok(history.await?.applied) })
    }
    /// Holds that are neither posted nor voided, as far as applied.
    fn open_holds(&self) -> Reply<'_, Vec<OpenHold>>;
    /// Some accounts and keys, and all open holds, at one moment together with
    /// how far the journal had been applied.
    fn stored_purses<'a>(
        &'a self,
        accounts: &'a [AccountId],
        keys: &'a [KeyId],
    ) -> Reply<'a, StoredPurses>;
    /// Applies a batch in one transaction, together with its end position. A
    /// batch that has been applied already changes nothing, and one of
    /// another history is refused.
    fn apply<'a>(&'a self, batch: Batch<'a>) -> Reply<'a, Applied>;
    /// How far whoever else reads this node's journal has come, by name.
    fn consumers(&self) -> Reply<'_, Vec<(String, Position)>>;
    /// Notes how far a consumer has come; `None` forgets it.
    fn note_consumer<'a>(&'a self, name: &'a str, position: Option<Position>) -> Reply<'a, ()>;
    /// Drops the oldest finished calls that were settled before a moment, at
    /// most so many, with their questions for reconciliation, and keeps what
    /// they add up to, so that all sums still agree. Fewer than so many: there
    /// are no more.
    ///
    /// Limits, balances and daily sums do not need the calls, and who else
    /// reads the journal reads the journal.
    fn drop_calls(&self, before_ms: u64, count_max: u64) -> Reply<'_, Dropped>;
    /// Everything that must agree, at one moment.
    fn audit(&self) -> Reply<'_, AuditView>;
    /// Holds every row of a finished call to its record, at one moment.
    fn check_rows(&self) -> Reply<'_, RowReport>;
}
