//! SQLite: one file, one writer.
//!
//! WAL with `synchronous=FULL`: a committed batch is on the disk. One
//! connection writes and every writing transaction begins `IMMEDIATE`, so
//! that no transaction upgrades from reading to writing (which fails with
//! "busy" whatever the timeout). The command line opens the same file
//! beside a running server; the two take turns by SQLite's own lock.

pub(crate) mod address;
mod places;
mod session;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use self::places::Places;
use self::session::{SqliteSession, explain};
use crate::sql::schema::MIGRATIONS;
use crate::sql::value::Value;
use crate::sql::{Backend, Purpose, Session, SqlStore};
use crate::{Reply, StoreError};

/// Name of the file in the data directory.
pub const DATABASE_FILE: &str = "bourse.db";
/// The first version without the WAL-reset bug, which could corrupt a file
/// that two connections write (sqlite.org, release log, March 2026).
const VERSION_MIN: &str = "3.51.3";
/// Connections that only read.
const READERS: u32 = 4;
/// The same for calls that wait, so that no reader of reports delays them.
const LOOKUPS: u32 = 2;
/// How long to wait for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Beyond this the WAL file is cut after a checkpoint.
const WAL_BYTES: &str = "67108864";
/// Bytes of a page, for databases that are created from now on.
const PAGE_BYTES: u32 = 16 * 1024;
/// The page cache of a connection; negative means KiB.
const CACHE_KIB: &str = "-8192";

const BEGIN: &str = "BEGIN IMMEDIATE";
const VERSION: &str = "SELECT sqlite_version()";
/// At most so many of the things that it finds.
const DAMAGE: &str = "PRAGMA integrity_check(100)";
/// Rows that name others that are not there.
const ORPHANS: &str = "PRAGMA foreign_key_check";
/// The whole database as it is at one moment, in a file of its own
/// (sqlite.org/lang_vacuum.html).
const COPY: &str = "VACUUM INTO $1";
const HAS_TABLE: &str = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = $1";
/// What only SQLite understands, for the test that reads all statements.
#[cfg(test)]
pub(crate) const OWN_TEXTS: &[(&str, &str)] = &[
    ("BEGIN", BEGIN),
    ("VERSION", VERSION),
    ("DAMAGE", DAMAGE),
    ("ORPHANS", ORPHANS),
    ("COPY", COPY),
    ("HAS_TABLE", HAS_TABLE),
];

/// A store in one SQLite file.
pub type SqliteStore = SqlStore<Sqlite>;

/// One SQLite file.
#[derive(Debug)]
pub struct Sqlite {
    file: PathBuf,
    writer: SqlitePool,
    readers: SqlitePool,
    lookups: SqlitePool,
    places: Arc<Places>,
}

impl SqlStore<Sqlite> {
    /// Opens the database in `data_dir`, creating it or bringing its tables
    /// up to date.
    ///
    /// # Errors
    /// A file that cannot be opened, a library that is too old, a migration
    /// that fails.
    pub async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let store = Self::connect(data_dir).await?;
        store.migrate(MIGRATIONS).await?;
        Ok(store)
    }

    /// Like [`Self::open`], but leaves the tables as they are.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub async fn connect(data_dir: &Path) -> Result<Self, StoreError> {
        let file = data_dir.join(DATABASE_FILE);
        let unreachable = |why: String| StoreError::Unreachable {
            place: file.display().to_string(),
            why,
        };
        std::fs::create_dir_all(data_dir).map_err(|error| unreachable(error.to_string()))?;
        let options = SqliteConnectOptions::new()
            .filename(&file)
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
        let writer = connections(1)
            .connect_with(options.clone())
            .await
            .map_err(|error| explain(error, &file))?;
        let options = options.read_only(true).create_if_missing(false);
        let reading = |count| connections(count).connect_with(options.clone());
        let readers = reading(READERS).await;
        let lookups = reading(LOOKUPS).await;
        let backend = Sqlite {
            readers: readers.map_err(|error| explain(error, &file))?,
            lookups: lookups.map_err(|error| explain(error, &file))?,
            file,
            writer,
            places: Arc::default(),
        };
        let found = backend.version().await?;
        if version(&found) < version(VERSION_MIN) {
            return Err(StoreError::TooOld {
                product: "SQLite",
                found,
                wanted: VERSION_MIN,
            });
        }
        Ok(Self::new(backend))
    }
}

impl Sqlite {
    /// Copies the file, as it is at one moment.
    async fn copy(&self, to: &Path) -> Result<(), StoreError> {
        let to = to.to_str().ok_or_else(|| StoreError::Unreachable {
            place: to.display().to_string(),
            why: "the path is no text".to_owned(),
        })?;
        let mut session = self.session(Purpose::Read).await?;
        session.rows(COPY, &[to.into()]).await?;
        Ok(())
    }
}

impl Backend for Sqlite {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    fn place(&self) -> String {
        self.file.display().to_string()
    }

    fn version(&self) -> Reply<'_, String> {
        Box::pin(async move {
            let mut session = self.session(Purpose::Read).await?;
            session.one(VERSION, &[]).await?.string()
        })
    }

    fn read_only(&self) -> Reply<'_, bool> {
        Box::pin(async move {
            let done = self.session(Purpose::Write).await?.rollback().await;
            match done {
                Err(StoreError::ReadOnly(_)) => Ok(true),
                Err(error) => Err(error),
                Ok(()) => Ok(false),
            }
        })
    }

    fn session(&self, purpose: Purpose) -> Reply<'_, Box<dyn Session>> {
        Box::pin(async move {
            let begun = match purpose {
                Purpose::Read => self.readers.acquire().await.map(SqliteSession::reading),
                Purpose::Snapshot | Purpose::Survey => {
                    self.readers.begin().await.map(SqliteSession::within)
                }
                Purpose::Lookup => self.lookups.begin().await.map(SqliteSession::within),
                Purpose::Write | Purpose::Schema => {
                    let begun = self.writer.begin_with(BEGIN).await;
                    begun.map(SqliteSession::within)
                }
            };
            let inner = begun.map_err(|error| explain(error, &self.file))?;
            let session = SqliteSession {
                inner,
                file: self.file.clone(),
                places: Arc::clone(&self.places),
            };
            Ok(Box::new(session) as Box<dyn Session>)
        })
    }

    fn spell(&self, migration: &str) -> String {
        migration.to_owned()
    }

    fn damage(&self) -> Reply<'_, Vec<String>> {
        Box::pin(async move {
            let mut session = self.session(Purpose::Read).await?;
            let mut found = Vec::new();
            for mut row in session.rows(DAMAGE, &[]).await? {
                let line = row.string()?;
                if line != "ok" {
                    found.push(line);
                }
            }
            for mut row in session.rows(ORPHANS, &[]).await? {
                found.push(format!(
                    "a row of {} names one that is not there",
                    row.string()?
                ));
            }
            Ok(found)
        })
    }

    fn has_table<'a>(&'a self, session: &'a mut dyn Session, name: &'a str) -> Reply<'a, bool> {
        Box::pin(async move {
            let name = [Value::from(name)];
            Ok(session.maybe(HAS_TABLE, &name).await?.is_some())
        })
    }

    fn close(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            self.readers.close().await;
            self.lookups.close().await;
            self.writer.close().await;
        })
    }
}

/// A pool of `count` connections. SQLite takes a transaction back by itself
/// when its disk fails or is full, and its driver then believes for ever that
/// one is under way: such a connection gives way to a new one.
fn connections(count: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(count)
        .before_acquire(|connection, _| {
            let is_sound = !connection.is_in_transaction();
            Box::pin(async move { Ok(is_sound) })
        })
}

fn version(text: &str) -> Vec<u32> {
    text.split('.')
        .map(|part| part.parse().unwrap_or(0))
        .collect()
}

#[cfg(test)]
mod tests;
