//! Tables, step by step: forward, and back.
//!
//! A migration is written once, in SQLite's spelling, and has a way back. It
//! runs in one transaction together with the note that it was run, so that a
//! power cut, a full disk or a lost connection leaves either all of it or
//! nothing, and the next start goes on from there. Two processes that bring
//! the same database up to date take turns, because each step begins by
//! taking the lock of [`Purpose::Schema`] and looks again at what is there.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::MigrationType;

use super::text::texts;
use super::value::Value;
use super::{Backend, Purpose, Session, SqlStore, in_transaction};
use crate::StoreError;
use crate::upkeep::Step;

/// One step.
#[derive(Debug)]
pub struct Migration {
    /// Steps are taken in this order.
    pub version: i64,
    /// What it brings.
    pub name: &'static str,
    /// The way there.
    pub up: &'static str,
    /// The way back.
    pub down: &'static str,
    /// What the way back loses, in words.
    pub loses: &'static str,
}

/// All steps that this program knows. A step that has been released is
/// never edited: its checksum is in every database.
pub static MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "money",
        up: include_str!("../../migrations/0001_money.sql"),
        down: include_str!("../../migrations/0001_money.down.sql"),
        loses: "every account, key, call and booking",
    },
    Migration {
        version: RECORDS,
        name: "records",
        up: include_str!("../../migrations/0002_records.sql"),
        down: include_str!("../../migrations/0002_records.down.sql"),
        loses: "what is known of failed calls, and the hashes that show whether rows were changed",
    },
    Migration {
        version: 3,
        name: "purses",
        up: include_str!("../../migrations/0003_purses.sql"),
        down: include_str!("../../migrations/0003_purses.down.sql"),
        loses: "",
    },
    Migration {
        version: 4,
        name: "settings",
        up: include_str!("../../migrations/0004_settings.sql"),
        down: include_str!("../../migrations/0004_settings.down.sql"),
        loses: "whose users keys belong to, and what calls with a key have by themselves",
    },
    Migration {
        version: 5,
        name: "retention",
        up: include_str!("../../migrations/0005_retention.sql"),
        down: include_str!("../../migrations/0005_retention.down.sql"),
        loses: "what calls add up to that are not kept, without which the books do not balance",
    },
    Migration {
        version: 6,
        name: "batches",
        up: include_str!("../../migrations/0006_batches.sql"),
        down: include_str!("../../migrations/0006_batches.down.sql"),
        loses: "which files callers keep here, and every batch",
    },
    Migration {
        version: 7,
        name: "strict",
        up: include_str!("../../migrations/0007_strict.sql"),
        down: include_str!("../../migrations/0007_strict.down.sql"),
        loses: "which keys are strict",
    },
    Migration {
        version: 8,
        name: "at_vendor",
        up: include_str!("../../migrations/0008_at_vendor.sql"),
        down: include_str!("../../migrations/0008_at_vendor.down.sql"),
        loses: "which batches may go to vendors, and how many lines did",
    },
    Migration {
        version: 9,
        name: "videos",
        up: include_str!("../../migrations/0009_videos.sql"),
        down: include_str!("../../migrations/0009_videos.down.sql"),
        loses: "every job of a film, and what callbacks are signed with",
    },
];

/// The step that gives the installation its number.
const RECORDS: i64 = 2;

/// The table's name and columns are those of sqlx's own migrator, with which
/// the first databases were made.
pub(crate) const BOOKKEEPING: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (\
    version BIGINT PRIMARY KEY, description TEXT NOT NULL, success BOOLEAN NOT NULL, \
    checksum BLOB NOT NULL, execution_time BIGINT NOT NULL);";

texts! {
    KNOWN = "SELECT version, description, checksum FROM _sqlx_migrations ORDER BY version";
    NOTE = "INSERT INTO _sqlx_migrations (version, description, success, checksum, \
        execution_time) VALUES ($1, $2, TRUE, $3, 0)";
    IDENTIFY = "INSERT INTO installation (id, store_id) VALUES (1, $1)";
    FORGET = "DELETE FROM _sqlx_migrations WHERE version = $1";
    ANY_ACCOUNT = "SELECT id FROM accounts LIMIT 1";
}

impl Migration {
    fn checksum(&self) -> Vec<u8> {
        let (kind, text) = (MigrationType::Simple, self.up.into_sql_str());
        let same = sqlx::migrate::Migration::new(self.version, self.name.into(), kind, text, false);
        same.checksum.into_owned()
    }

    fn step(&self, applied: bool) -> Step {
        Step {
            version: self.version,
            name: self.name,
            applied,
            loses: self.loses,
        }
    }
}

/// A step that the database has taken.
struct Taken {
    version: i64,
    name: String,
    checksum: Vec<u8>,
}

async fn taken(session: &mut dyn Session) -> Result<Vec<Taken>, StoreError> {
    let rows = session.rows(KNOWN, &[]).await?;
    let taken = rows.into_iter().map(|mut row| {
        Ok(Taken {
            version: row.int()?,
            name: row.string()?,
            checksum: row.bytes()?,
        })
    });
    taken.collect()
}

/// Compares what the database has taken with what this program knows, in
/// order; returns how many steps were taken.
fn compare(taken: &[Taken], known: &[Migration]) -> Result<usize, StoreError> {
    for (at, step) in taken.iter().enumerate() {
        let Some(expected) = known.get(at) else {
            return Err(StoreError::Schema(format!(
                "it has step {} ({}), and this program knows only {}; use the newer program, or \
                 go back with its `bourse schema down --one`",
                step.version,
                step.name,
                known.len()
            )));
        };
        if (step.version, step.checksum.as_slice()) != (expected.version, &expected.checksum()) {
            return Err(StoreError::Schema(format!(
                "its step {} ({}) is not the one of this program",
                step.version, step.name
            )));
        }
    }
    Ok(taken.len())
}

impl<B: Backend> SqlStore<B> {
    /// Every step, and whether it was taken.
    pub(crate) async fn steps(&self, known: &[Migration]) -> Result<Vec<Step>, StoreError> {
        let mut session = self.read().await?;
        let count = if self
            .backend
            .has_table(&mut *session, "_sqlx_migrations")
            .await?
        {
            compare(&taken(&mut *session).await?, known)?
        } else {
            0
        };
        let steps = known.iter().enumerate();
        Ok(steps.map(|(at, step)| step.step(at < count)).collect())
    }

    /// Takes the steps that were not taken; returns them.
    pub(crate) async fn migrate(
        &self,
        known: &'static [Migration],
    ) -> Result<Vec<Step>, StoreError> {
        // The usual start finds nothing to do and takes no lock.
        let missing = self.steps(known).await?;
        if missing.iter().all(|step| step.applied) {
            return Ok(Vec::new());
        }
        let table = self.backend.spell(BOOKKEEPING);
        in_transaction!(self, Purpose::Schema, session => session.script(&table))?;
        let mut done = Vec::new();
        while let Some(step) =
            in_transaction!(self, Purpose::Schema, session => self.up(session, known))?
        {
            tracing::info!(
                step = step.version,
                name = step.name,
                "the tables were brought up to date"
            );
            done.push(step);
        }
        Ok(done)
    }

    async fn up(
        &self,
        session: &mut dyn Session,
        known: &'static [Migration],
    ) -> Result<Option<Step>, StoreError> {
        let count = compare(&taken(session).await?, known)?;
        let Some(next) = known.get(count) else {
            return Ok(None);
        };
        session.script(&self.backend.spell(next.up)).await?;
        if next.version == RECORDS {
            let id = random_id();
            let id = Value::Bytes(&id);
            session.change(IDENTIFY, &[id]).await?;
        }
        let checksum = next.checksum();
        let values = [
            next.version.into(),
            next.name.into(),
            checksum.as_slice().into(),
        ];
        session.change(NOTE, &values).await?;
        Ok(Some(next.step(true)))
    }

    /// Takes the last step back; `None` if there is none. Where that loses
    /// something, `lose_data` must say so.
    pub(crate) async fn unmigrate(
        &self,
        known: &'static [Migration],
        lose_data: bool,
    ) -> Result<Option<Step>, StoreError> {
        let table = self.backend.spell(BOOKKEEPING);
        in_transaction!(self, Purpose::Schema, session => session.script(&table))?;
        in_transaction!(self, Purpose::Schema, session => self.down(session, known, lose_data))
    }

    async fn down(
        &self,
        session: &mut dyn Session,
        known: &'static [Migration],
        lose_data: bool,
    ) -> Result<Option<Step>, StoreError> {
        let count = compare(&taken(session).await?, known)?;
        let Some(last) = count.checked_sub(1).and_then(|at| known.get(at)) else {
            return Ok(None);
        };
        if !lose_data && !last.loses.is_empty() && session.maybe(ANY_ACCOUNT, &[]).await?.is_some()
        {
            return Err(StoreError::Schema(format!(
                "taking back step {} ({}) loses {}; say --lose-data if that is meant",
                last.version, last.name, last.loses
            )));
        }
        session.script(&self.backend.spell(last.down)).await?;
        session.change(FORGET, &[last.version.into()]).await?;
        Ok(Some(last.step(false)))
    }
}

/// A number that no other installation has. Hash seeds come from the
/// operating system's generator; this is no secret.
fn random_id() -> [u8; 16] {
    use std::hash::{BuildHasher, RandomState};
    let half = |n: u64| u128::from(RandomState::new().hash_one(n));
    ((half(0) << 64) | half(1)).to_be_bytes()
}
