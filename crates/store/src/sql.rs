//! What all SQL databases have in common: the statements, the rows, and
//! when a transaction is tried again.
//!
//! A backend ([`Backend`]) opens sessions and translates values; which
//! statements run, in which order and in which transaction is written once,
//! in one file for each noun, so that two databases cannot come to differ.

pub(crate) mod account;
pub(crate) mod activity;
pub(crate) mod apply;
pub(crate) mod audit;
pub(crate) mod batch;
pub(crate) mod file;
pub(crate) mod generation;
pub(crate) mod hold;
pub(crate) mod key;
#[cfg(test)]
mod portable;
mod recount;
mod retired;
pub mod schema;
pub(crate) mod text;
mod upkeep;
pub mod value;
mod video;

use std::ops::ControlFlow;
use std::time::Duration;

use bourse_vocab::{NodeId, RowId, RowIds};

use self::text::texts;
use self::value::{Row, Value};
use crate::upkeep::Server;
use crate::{Reply, StoreError};

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// One statement that only reads.
    Read,
    /// Several that read, all at one moment.
    Snapshot,
    /// The same for a call that waits: never behind whoever reads reports.
    Lookup,
    /// The same over whole tables, however long that takes.
    Survey,
    /// A transaction that changes rows. Only one at a time is under way in a
    /// database, which orders the changes that others look for; see
    /// [`Backend::session`].
    Write,
    /// A transaction that changes tables, or those who may use them.
    Schema,
}

/// One database product.
pub trait Backend: Send + Sync + std::fmt::Debug + 'static {
    /// What the configuration calls it.
    fn kind(&self) -> &'static str;
    /// Where it is, without secrets.
    fn place(&self) -> String;
    /// Its version, as it says itself.
    fn version(&self) -> Reply<'_, String>;
    /// Whether it takes no changes: a standby, or a file without rights.
    fn read_only(&self) -> Reply<'_, bool>;
    /// Begins what `purpose` needs. A [`Purpose::Write`] waits until no
    /// other is under way, also of another process, and for a bounded time.
    fn session(&self, purpose: Purpose) -> Reply<'_, Box<dyn Session>>;
    /// Its spelling of a migration that is written in SQLite's.
    fn spell(&self, migration: &str) -> String;
    /// What the database says of its own soundness: what is broken, a
    /// sentence each. Nothing where its server looks after that.
    fn damage(&self) -> Reply<'_, Vec<String>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    /// Whether `name` is a table.
    fn has_table<'a>(&'a self, session: &'a mut dyn Session, name: &'a str) -> Reply<'a, bool>;
    /// See [`crate::Upkeep::serve`]. Nothing to do where a lock on the data
    /// directory keeps a second server away.
    fn serve<'a>(&'a self, server: &'a Server, take_over: bool) -> Reply<'a, ()> {
        let _ = (server, take_over);
        Box::pin(async { Ok(()) })
    }
    /// See [`crate::Upkeep::renew`].
    fn renew(&self, now_ms: u64) -> Reply<'_, ()> {
        let _ = now_ms;
        Box::pin(async { Ok(()) })
    }
    /// See [`crate::Upkeep::retire`].
    fn retire(&self) -> Reply<'_, ()> {
        Box::pin(async { Ok(()) })
    }
    /// Closes all connections, after what they are doing.
    fn close(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// A connection, and the transaction on it if there is one. Dropping it
/// takes back whatever was not committed.
pub trait Session: Send {
    /// Runs one statement and returns its rows.
    fn rows<'a>(&'a mut self, text: &'static str, values: &'a [Value<'a>]) -> Reply<'a, Vec<Row>>;
    /// Runs one statement and returns how many rows it changed.
    fn change<'a>(&'a mut self, text: &'static str, values: &'a [Value<'a>]) -> Reply<'a, u64>;
    /// Runs the statements of a migration.
    fn script<'a>(&'a mut self, text: &'a str) -> Reply<'a, ()>;
    /// Makes the changes last. [`StoreError::Unsure`] if that is not known.
    fn commit(self: Box<Self>) -> Reply<'static, ()>;
    /// Takes the changes back.
    fn rollback(self: Box<Self>) -> Reply<'static, ()>;
}

impl dyn Session + '_ {
    /// The first row, if there is one.
    pub(crate) async fn maybe(
        &mut self,
        text: &'static str,
        values: &[Value<'_>],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(text, values).await?.into_iter().next())
    }

    /// The first row.
    pub(crate) async fn one(
        &mut self,
        text: &'static str,
        values: &[Value<'_>],
    ) -> Result<Row, StoreError> {
        let row = self.maybe(text, values).await?;
        row.ok_or_else(|| value::damaged("answer", "no row"))
    }
}

/// A store in a SQL database.
#[derive(Debug)]
pub struct SqlStore<B> {
    pub(crate) backend: B,
    /// Whose slices this process writes. One server at a time has the
    /// database, so all are the first node's.
    pub(crate) node: NodeId,
    pub(crate) ids: RowIds,
}

/// Ids that are tried for one row. The command line makes ids of the same
/// node beside a running server, so the first may be taken; both rise, so
/// the next few are not.
const ID_TRIES: usize = 16;

impl<B: Backend> SqlStore<B> {
    /// A store behind `backend`.
    pub(crate) const fn new(backend: B) -> Self {
        let node = NodeId::FIRST;
        Self {
            backend,
            node,
            ids: RowIds::after(node, RowId(0)),
        }
    }

    pub(crate) async fn lookup(&self) -> Result<Box<dyn Session>, StoreError> {
        self.backend.session(Purpose::Lookup).await
    }

    pub(crate) async fn read(&self) -> Result<Box<dyn Session>, StoreError> {
        self.backend.session(Purpose::Read).await
    }

    pub(crate) async fn survey(&self) -> Result<Box<dyn Session>, StoreError> {
        self.backend.session(Purpose::Survey).await
    }

    pub(crate) async fn snapshot(&self) -> Result<Box<dyn Session>, StoreError> {
        self.backend.session(Purpose::Snapshot).await
    }
}

texts! {
    /// The number of the next change; everything written in this
    /// transaction carries it.
    NEXT_CHANGE = "UPDATE change_counter SET seq = seq + 1 WHERE id = 1 RETURNING seq";
    BOOK = "INSERT INTO journals (node_id, seq, at_ms, source) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (node_id, seq) DO NOTHING RETURNING seq";
    POST = "INSERT INTO postings (node_id, seq, account, amount) VALUES ($1, $2, $3, $4)";
    BALANCE = "INSERT INTO balances (account, node_id, amount) VALUES ($1, $2, $3) \
        ON CONFLICT (account, node_id) DO UPDATE SET \
        amount = balances.amount + excluded.amount RETURNING amount";
}

pub(crate) async fn next_change(session: &mut dyn Session) -> Result<i64, StoreError> {
    session.one(NEXT_CHANGE, &[]).await?.int()
}

/// Who writes, in a transaction: its node, and where its ids come from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writer<'s> {
    pub(crate) node: NodeId,
    ids: &'s RowIds,
}

impl<B> SqlStore<B> {
    pub(crate) const fn writer(&self) -> Writer<'_> {
        Writer {
            node: self.node,
            ids: &self.ids,
        }
    }
}

impl Writer<'_> {
    /// Ids for one row, to be tried one after the other.
    pub(crate) fn fresh_ids(&self, at_ms: u64) -> impl Iterator<Item = u64> {
        std::iter::repeat_with(move || self.ids.next(at_ms).0).take(ID_TRIES)
    }
}

/// Writes a journal and brings the stored balances up to date.
pub(crate) async fn book(
    session: &mut dyn Session,
    writer: Writer<'_>,
    journal: &bourse_ledger::Journal,
    source: &str,
    at_ms: u64,
) -> Result<(), StoreError> {
    let node = Value::from(writer.node);
    let mut booked = None;
    for seq in writer.fresh_ids(at_ms) {
        let values = [node.clone(), seq.into(), at_ms.into(), source.into()];
        booked = session.maybe(BOOK, &values).await?;
        if booked.is_some() {
            break;
        }
    }
    let seq = booked.ok_or(StoreError::Exists("journal"))?.int()?;
    for (account, amount) in journal.entries() {
        let account = account.to_string();
        let account = account.as_str();
        session
            .change(
                POST,
                &[node.clone(), seq.into(), account.into(), (*amount).into()],
            )
            .await?;
        // Read back, because SQLite answers with a float where a sum is out
        // of range.
        session
            .one(BALANCE, &[account.into(), node.clone(), (*amount).into()])
            .await?
            .int()?;
    }
    Ok(())
}

/// How often a transaction that another one got in the way of is tried
/// again.
const RETRIES: u32 = 5;
/// The first wait before that; each later one is twice as long, and each is
/// cut at random so that two do not meet again.
const RETRY_WAIT: Duration = Duration::from_millis(5);

/// Tries of one transaction.
#[derive(Debug, Default)]
pub(crate) struct Tries(u32);

impl Tries {
    /// Whether `done` is the end of it. If another transaction got in the
    /// way, and not too often, waits a little and says no.
    pub(crate) async fn judge<T>(
        &mut self,
        done: Result<T, StoreError>,
    ) -> ControlFlow<Result<T, StoreError>> {
        if self.0 < RETRIES && matches!(done, Err(StoreError::Conflict)) {
            let wait = RETRY_WAIT.saturating_mul(1 << self.0);
            self.0 = self.0.saturating_add(1);
            tokio::time::sleep(jittered(wait)).await;
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(done)
    }
}

/// Ends a transaction: commits what `done` says, takes back what failed.
pub(crate) async fn finish<T>(
    session: Box<dyn Session>,
    done: Result<T, StoreError>,
) -> Result<T, StoreError> {
    match done {
        Ok(value) => session.commit().await.map(|()| value),
        Err(error) => {
            // What cannot be taken back now is when the connection ends.
            let _ = session.rollback().await;
            Err(error)
        }
    }
}

/// Between a half of `wait` and all of it. Two processes must not wait
/// equally long; that their hash seeds differ is enough.
fn jittered(wait: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let half = wait / 2;
    let micros = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_micros(RandomState::new().hash_one(0_u8) % micros)
}

/// Runs one async function in a transaction, again if another transaction
/// got in its way: `in_transaction!(store, session => grant(session, &wanted))`.
/// With a purpose of its own: `in_transaction!(store, Purpose::Schema, session
/// => …)`.
macro_rules! in_transaction {
    ($store:expr, $session:ident => $work:expr) => {
        $crate::sql::in_transaction!($store, $crate::sql::Purpose::Write, $session => $work)
    };
    ($store:expr, $purpose:expr, $session:ident => $work:expr) => {{
        let mut tries = $crate::sql::Tries::default();
        loop {
            let done = match $store.backend.session($purpose).await {
                Ok(mut session) => {
                    let done = {
                        let $session = &mut *session;
                        $work.await
                    };
                    $crate::sql::finish(session, done).await
                }
                Err(error) => Err(error),
            };
            if let std::ops::ControlFlow::Break(done) = tries.judge(done).await {
                break done;
            }
        }
    }};
}
pub(crate) use in_transaction;
