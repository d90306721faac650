//! PostgreSQL, version 15 and later: one database that several machines can
//! reach.
//!
//! All changes take turns: a transaction begins by locking the one row of
//! `serving`, so that changes are numbered in the order in which they commit
//! and nothing that this crate writes can run into a conflict of its own.
//! The same row says which server the database belongs to
//! ([`Upkeep::serve`](crate::Upkeep::serve)): the number of the present one
//! is compared with every change, so that a server that was declared dead
//! and is not cannot write any more. There are no advisory locks: poolers
//! lose them, and databases that speak PostgreSQL's language have none.

pub(crate) mod address;
mod error;
mod pool;
mod serving;
mod session;
mod target;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

pub use self::target::Target;

use self::pool::Pool;
use self::session::PgSession;
use crate::sql::schema::MIGRATIONS;
use crate::sql::value::Value;
use crate::sql::{Backend, Purpose, Session, SqlStore};
use crate::upkeep::Server;
use crate::{Reply, StoreError};

/// The first version that this crate is tested with.
const VERSION_MIN: i64 = 150_000;
/// How often, at most, all addresses are asked which of them takes changes.
const ELECT_EVERY: Duration = Duration::from_secs(1);

const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const SURVEY: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
    SET LOCAL statement_timeout = 0";
const WRITE: &str = "BEGIN";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";
/// A step may take longer than a statement of every day, and waits longer
/// for whoever else takes one.
const SCHEMA: &str = "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'; \
    SET LOCAL idle_in_transaction_session_timeout = 0";
const VERSION: &str = "SELECT CURRENT_SETTING('server_version'), \
    CAST(CURRENT_SETTING('server_version_num') AS BIGINT)";
/// `on` for a standby, and where the operator said so.
const READ_ONLY: &str = "SELECT CURRENT_SETTING('transaction_read_only')";
const HAS_TABLE: &str = "SELECT CAST(TO_REGCLASS($1) AS TEXT)";
/// What only PostgreSQL understands, for the test that reads all statements.
#[cfg(test)]
pub(crate) const OWN_TEXTS: &[(&str, &str)] = &[
    ("SNAPSHOT", SNAPSHOT),
    ("SURVEY", SURVEY),
    ("WRITE", WRITE),
    ("COMMIT", COMMIT),
    ("ROLLBACK", ROLLBACK),
    ("SCHEMA", SCHEMA),
    ("VERSION", VERSION),
    ("READ_ONLY", READ_ONLY),
    ("HAS_TABLE", HAS_TABLE),
];

#[cfg(test)]
pub(crate) use self::serving::OWN_TEXTS as SERVING_TEXTS;

/// A store in a PostgreSQL database.
pub type PostgresStore = SqlStore<Postgres>;

/// One PostgreSQL database, at whichever of its addresses takes changes.
#[derive(Debug)]
pub struct Postgres {
    targets: Vec<Target>,
    pool: Pool,
    /// The number under which this process serves; 0 if it does not.
    epoch: AtomicI64,
    /// When the addresses were last asked. Only one asks at a time.
    elected: tokio::sync::Mutex<Instant>,
}

impl SqlStore<Postgres> {
    /// Opens the database at the first of `targets` that takes changes, and
    /// brings its tables up to date.
    ///
    /// # Errors
    /// No address that answers and takes changes, a server that is too old,
    /// a migration that fails.
    pub async fn open(targets: Vec<Target>) -> Result<Self, StoreError> {
        let store = Self::connect(targets).await?;
        store.migrate(MIGRATIONS).await?;
        Ok(store)
    }

    /// Like [`Self::open`], but leaves the tables as they are.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub async fn connect(targets: Vec<Target>) -> Result<Self, StoreError> {
        let target = elect(&targets).await?;
        let backend = Postgres {
            pool: Pool::new(target),
            targets,
            epoch: AtomicI64::new(0),
            elected: tokio::sync::Mutex::new(Instant::now()),
        };
        backend.prepare().await?;
        Ok(Self::new(backend))
    }
}

/// Finds the address that takes changes.
async fn elect(targets: &[Target]) -> Result<Target, StoreError> {
    let mut last = StoreError::Unreachable {
        place: "the database".to_owned(),
        why: "it has no address".to_owned(),
    };
    let mut reasons = Vec::new();
    for target in targets {
        match look_at(target).await {
            Ok(()) => return Ok(target.clone()),
            // Whatever else is at the other addresses, this is the database
            // and it will not do.
            Err(error @ StoreError::TooOld { .. }) => return Err(error),
            Err(error) => {
                reasons.push(error.to_string());
                last = error;
            }
        }
    }
    if targets.len() < 2 {
        return Err(last);
    }
    Err(StoreError::Unreachable {
        place: format!("any of {} addresses", targets.len()),
        why: reasons.join("; "),
    })
}

/// Refuses a version that this crate is not tested with.
fn check_version(found: String, number: i64) -> Result<(), StoreError> {
    if number < VERSION_MIN {
        return Err(StoreError::TooOld {
            product: "PostgreSQL",
            found,
            wanted: "15",
        });
    }
    Ok(())
}

/// Whether the server at `target` is good for us.
async fn look_at(target: &Target) -> Result<(), StoreError> {
    let pool = Pool::new(target.clone());
    let mut session = PgSession::new(pool.acquire().await?, session::READ_MAX);
    let session: &mut dyn Session = &mut session;
    let mut row = session.one(VERSION, &[]).await?;
    check_version(row.string()?, row.int()?)?;
    if session.one(READ_ONLY, &[]).await?.string()? != "off" {
        return Err(StoreError::ReadOnly(target.to_string()));
    }
    Ok(())
}

impl Postgres {
    /// A session, with its transaction begun. A connection that turns out
    /// dead here has done nothing yet, so another one is tried.
    async fn begin(&self, purpose: Purpose) -> Result<PgSession, StoreError> {
        let (script, longest) = match purpose {
            Purpose::Read => (None, session::READ_MAX),
            Purpose::Snapshot | Purpose::Lookup => (Some(SNAPSHOT), session::READ_MAX),
            Purpose::Survey => (Some(SURVEY), session::SCRIPT_MAX),
            Purpose::Write => (Some(WRITE), session::WRITE_MAX),
            Purpose::Schema => (Some(SCHEMA), session::SCRIPT_MAX),
        };
        let mut tries = 0;
        loop {
            let failed = match self.pool.acquire().await {
                Ok(lease) => {
                    let mut session = PgSession::new(lease, longest);
                    let Some(script) = script else {
                        return Ok(session);
                    };
                    match session.begin(script).await {
                        Ok(()) => return Ok(session),
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            let again =
                matches!(failed, StoreError::Unreachable { .. }) && tries < pool::CONNECTIONS_MAX;
            if !again {
                self.look_elsewhere(&failed).await;
                return Err(failed);
            }
            tries = tries.saturating_add(1);
            if tries > 1 && !self.look_elsewhere(&failed).await {
                return Err(failed);
            }
        }
    }

    /// After an error that another address could do better: asks them all.
    /// Returns whether connections now go elsewhere.
    async fn look_elsewhere(&self, error: &StoreError) -> bool {
        let moved = matches!(
            error,
            StoreError::Unreachable { .. } | StoreError::ReadOnly(_)
        );
        if !moved || self.targets.len() < 2 {
            return false;
        }
        let Ok(mut elected) = self.elected.try_lock() else {
            return false;
        };
        if elected.elapsed() < ELECT_EVERY {
            return false;
        }
        let found = elect(&self.targets).await;
        *elected = Instant::now();
        match found {
            Ok(target) => {
                if target.to_string() != self.pool.target().to_string() {
                    tracing::warn!(%target, "the database takes changes at another address now");
                }
                self.pool.move_to(target);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the database is away");
                false
            }
        }
    }
}

impl Backend for Postgres {
    fn kind(&self) -> &'static str {
        "postgres"
    }

    fn place(&self) -> String {
        self.pool.target().to_string()
    }

    fn version(&self) -> Reply<'_, String> {
        Box::pin(async move {
            let mut session = self.session(Purpose::Read).await?;
            session.one(VERSION, &[]).await?.string()
        })
    }

    fn read_only(&self) -> Reply<'_, bool> {
        Box::pin(async move {
            let mut session = self.session(Purpose::Read).await?;
            Ok(session.one(READ_ONLY, &[]).await?.string()? != "off")
        })
    }

    fn session(&self, purpose: Purpose) -> Reply<'_, Box<dyn Session>> {
        Box::pin(async move {
            let mut session = self.begin(purpose).await?;
            if matches!(purpose, Purpose::Write | Purpose::Schema) {
                let epoch = self.epoch.load(Ordering::Acquire);
                if let Err(error) = serving::take_turn(&mut session, epoch).await {
                    Box::new(session).rollback().await.ok();
                    self.look_elsewhere(&error).await;
                    return Err(error);
                }
            }
            Ok(Box::new(session) as Box<dyn Session>)
        })
    }

    fn spell(&self, migration: &str) -> String {
        spell(migration)
    }

    fn has_table<'a>(&'a self, session: &'a mut dyn Session, name: &'a str) -> Reply<'a, bool> {
        Box::pin(async move {
            let mut row = session.one(HAS_TABLE, &[Value::from(name)]).await?;
            Ok(row.maybe_string()?.is_some())
        })
    }

    fn serve<'a>(&'a self, server: &'a Server, take_over: bool) -> Reply<'a, ()> {
        Box::pin(self.take_place(server, take_over))
    }

    fn renew(&self, now_ms: u64) -> Reply<'_, ()> {
        Box::pin(self.keep_place(now_ms))
    }

    fn retire(&self) -> Reply<'_, ()> {
        Box::pin(self.leave_place())
    }

    fn close(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.pool.close())
    }
}

/// SQLite's spelling of a migration in PostgreSQL's. Texts are compared byte
/// by byte, as SQLite does, whatever language the database was made for.
fn spell(migration: &str) -> String {
    migration
        .split_inclusive(|c: char| !c.is_ascii_alphabetic())
        .map(
            |word| match word.trim_end_matches(|c: char| !c.is_ascii_alphabetic()) {
                "BLOB" => word.replace("BLOB", "BYTEA"),
                "TEXT" => word.replace("TEXT", "TEXT COLLATE \"C\""),
                _ => word.to_owned(),
            },
        )
        .collect::<String>()
        .replace(" WITHOUT ROWID", "")
}

#[cfg(test)]
mod tests;
