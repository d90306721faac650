//! SQLite: one file, one writer.
//!
//! WAL with `synchronous=FULL`: a committed batch is on the disk. One
//! connection writes and every writing transaction begins `IMMEDIATE`, so
//! that no transaction upgrades from reading to writing (which fails with
//! "busy" whatever the timeout). The command line opens the same file
//! beside a running server; the two take turns by SQLite's own lock.
//!
//! The SQL keeps to what PostgreSQL understands as well: `$1` parameters,
//! `BIGINT`, ids made here, `ON CONFLICT`; no triggers, no JSON operators,
//! no `now()`.

mod account;
mod apply;
mod audit;
mod generation;
mod key;

use std::path::Path;
use std::time::Duration;

use bourse_vocab::{GenerationId, Nanos};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Row, SqlSafeStr, Sqlite, SqliteConnection, Transaction};

use crate::StoreError;

/// Name of the file in the data directory.
pub const DATABASE_FILE: &str = "bourse.db";
/// The first version without the WAL-reset bug, which could corrupt a file
/// that two connections write (sqlite.org, release log, March 2026).
const VERSION_MIN: &str = "3.51.3";
/// Connections that only read.
const READERS: u32 = 4;
/// How long to wait for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Beyond this the WAL file is cut after a checkpoint.
const WAL_BYTES: &str = "67108864";

static MIGRATIONS: &[(i64, &str, &str)] = &[(
    1,
    "money",
    include_str!("../migrations/sqlite/0001_money.sql"),
)];

/// A store in one SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// Bytes of a page, for databases that are created from now on.
const PAGE_BYTES: u32 = 16 * 1024;
/// The page cache of a connection; negative means KiB.
const CACHE_KIB: &str = "-8192";

impl SqliteStore {
    /// Opens the database in `data_dir`, creating it or bringing its tables
    /// up to date.
    ///
    /// # Errors
    /// A file that cannot be opened, a library that is too old, a migration
    /// that fails.
    pub async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(data_dir).map_err(sqlx::Error::Io)?;
        let options = SqliteConnectOptions::new()
            .filename(data_dir.join(DATABASE_FILE))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            // A batch touches hundreds of neighbouring rows: large pages mean
            // fewer system calls for them (the WAL takes two a page), and a
            // cache that holds a batch means that none is read back.
            .page_size(PAGE_BYTES)
            .pragma("cache_size", CACHE_KIB)
            .pragma("mmap_size", "0")
            .pragma("journal_size_limit", WAL_BYTES);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await?;
        let found: String = sqlx::query_scalar("SELECT sqlite_version()")
            .fetch_one(&writer)
            .await?;
        if version(&found) < version(VERSION_MIN) {
            return Err(StoreError::TooOld {
                found,
                wanted: VERSION_MIN,
            });
        }
        let migrations = MIGRATIONS.iter().map(|&(version, name, sql)| {
            let simple = MigrationType::Simple;
            Migration::new(version, name.into(), simple, sql.into_sql_str(), false)
        });
        Migrator::with_migrations(migrations.collect())
            .run(&writer)
            .await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .min_connections(0)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await?;
        Ok(Self { writer, readers })
    }

    /// Closes all connections, after what they are doing.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }
}

fn version(text: &str) -> Vec<u32> {
    text.split('.')
        .map(|part| part.parse().unwrap_or(0))
        .collect()
}

/// The number of the next change; everything written in this transaction
/// carries it.
async fn next_change(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    let sql = "UPDATE progress SET change_seq = change_seq + 1 WHERE id = 1 RETURNING change_seq";
    Ok(sqlx::query_scalar(sql).fetch_one(connection).await?)
}

/// Writes a journal and brings the stored balances up to date.
async fn book(
    connection: &mut SqliteConnection,
    journal: &bourse_ledger::Journal,
    source: &str,
    at_ms: u64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO journals (id, at_ms, source) \
               SELECT COALESCE(MAX(id), 0) + 1, $1, $2 FROM journals RETURNING id";
    let id: i64 = sqlx::query_scalar(sql)
        .bind(signed(at_ms))
        .bind(source)
        .fetch_one(&mut *connection)
        .await?;
    for (account, amount) in journal.entries() {
        let account = account.to_string();
        sqlx::query("INSERT INTO postings (journal_id, account, amount) VALUES ($1, $2, $3)")
            .bind(id)
            .bind(&account)
            .bind(amount.0)
            .execute(&mut *connection)
            .await?;
        let sql = "INSERT INTO balances (account, amount) VALUES ($1, $2) \
                   ON CONFLICT (account) DO UPDATE SET amount = balances.amount + excluded.amount";
        sqlx::query(sql)
            .bind(&account)
            .bind(amount.0)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Reads columns in order, in our types.
struct Columns<'r> {
    row: &'r SqliteRow,
    next: usize,
}

impl<'r> Columns<'r> {
    const fn new(row: &'r SqliteRow) -> Self {
        Self { row, next: 0 }
    }

    fn get<T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>>(&mut self) -> Result<T, StoreError> {
        let value = self.row.try_get(self.next)?;
        self.next = self.next.saturating_add(1);
        Ok(value)
    }

    fn unsigned(&mut self) -> Result<u64, StoreError> {
        unsigned(self.get()?)
    }

    fn maybe_unsigned(&mut self) -> Result<Option<u64>, StoreError> {
        self.get::<Option<i64>>()?.map(unsigned).transpose()
    }

    fn nanos(&mut self) -> Result<Nanos, StoreError> {
        Ok(Nanos(self.get()?))
    }

    fn flag(&mut self) -> Result<bool, StoreError> {
        Ok(self.get::<i64>()? != 0)
    }

    fn text(&mut self) -> Result<Box<str>, StoreError> {
        Ok(self.get::<String>()?.into())
    }

    fn id(&mut self) -> Result<GenerationId, StoreError> {
        let bytes: &[u8] = self.get()?;
        let bytes = bytes
            .try_into()
            .map_err(|_| damaged("generation id", bytes.len()))?;
        Ok(GenerationId::from_bits(u128::from_be_bytes(bytes)))
    }
}

fn damaged(what: &str, found: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("impossible {what}: {found}"))
}

fn unsigned(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| damaged("number", value))
}

/// Databases have no unsigned integers. Ours are counts, moments and ids
/// made here, all far below the limit.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Ids are stored with the most significant byte first, so that they sort by
/// time.
fn id_bytes(id: GenerationId) -> Vec<u8> {
    id.to_bits().to_be_bytes().to_vec()
}

/// Cuts rows into pieces of few different sizes, so that the statements
/// for them are few and stay prepared.
fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = [64, 8, 1].into_iter().find(|size| rows.len() >= *size)?;
        let (piece, rest) = rows.split_at_checked(size)?;
        rows = rest;
        Some(piece)
    })
}

#[cfg(test)]
mod tests;
