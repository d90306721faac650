//! Traits by noun, and the stores behind them; the till that spends.
//!
//! A [`Store`] is asked off the path of a call: [`till::Till`] keeps the
//! balances in memory and the journal on disk, and a background task
//! ([`applier`]) brings the journal into the store. One suite states what a
//! store must do and runs for each backend, see `suite.rs`.

pub mod account;
pub mod activity;
pub mod applier;
pub mod audit;
pub mod generation;
pub mod journal;
pub mod key;
pub mod memory;
pub mod sqlite;
#[cfg(test)]
mod suite;
pub mod till;

use std::future::Future;
use std::pin::Pin;

pub use account::{AccountRow, Accounts, Changes, Grant};
pub use activity::{Activity, ActivityQuery, ActivityRow};
pub use audit::{AuditReport, AuditView, Difference};
pub use generation::{Generations, SettledPage};
pub use journal::{Applied, Batch, Journals};
pub use key::{KeyPatch, KeyRow, Keys, NewKey};
pub use memory::MemoryStore;
pub use sqlite::SqliteStore;
pub use till::{SyncMode, Till, TillError};

/// Why a store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no, or nothing.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The database's tables could not be brought up to date.
    #[error("database: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database library is too old to trust.
    #[error("SQLite {found} is too old: {wanted} or newer is needed")]
    TooOld {
        /// Its version.
        found: String,
        /// The least version.
        wanted: &'static str,
    },
    /// No such row.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// Something with this name exists.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// A batch does not begin where the last one ended.
    #[error("journal: the database has applied up to {applied}, the batch begins at {from}")]
    Gap {
        /// How far the database has come.
        applied: u64,
        /// Where the batch begins.
        from: u64,
    },
    /// A stored value is not one that we would have written.
    #[error("database: {0}")]
    Damaged(String),
    /// A sum is outside the range of an account.
    #[error(transparent)]
    Journal(#[from] bourse_ledger::journal::JournalError),
    /// A journal record that cannot be read.
    #[error(transparent)]
    Record(#[from] bourse_ledger::record::DecodeError),
}

/// What a store's methods return: boxed, so that a store is an object.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Everything that is stored.
pub trait Store:
    Accounts + Keys + Journals + Generations + Activity + Send + Sync + 'static
{
}

impl<T: Accounts + Keys + Journals + Generations + Activity + Send + Sync + 'static> Store for T {}
