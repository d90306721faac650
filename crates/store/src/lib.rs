//! Traits by noun, and the stores behind them; the till that spends.
//!
//! A [`Store`] is asked off the path of a call: [`till::Till`] keeps the
//! balances in memory and the journal on disk, and a background task
//! ([`applier`]) brings the journal into the store. [`open`] finds the store
//! that an address means. One suite states what a store must do and runs for
//! each backend, see `suite.rs`.

pub mod account;
pub mod activity;
pub mod applier;
pub mod audit;
pub mod batch;
pub mod contents;
mod driver;
pub mod error;
pub mod file;
pub mod generation;
pub mod journal;
pub mod key;
pub mod live;
pub mod memory;
pub mod open;
pub mod postgres;
pub mod recount;
pub mod retired;
pub mod sql;
pub mod sqlite;
#[cfg(test)]
mod suite;
pub mod texts;
pub mod till;
pub mod upkeep;
pub mod verify;
pub mod video;

use std::future::Future;
use std::pin::Pin;

pub use account::{AccountRow, Accounts, CHANGES_MAX, Changes, Grant, GrantRow};
pub use activity::{Activity, ActivityQuery, ActivityRow, FailureRow};
pub use audit::{AuditReport, AuditView, Difference, RowReport};
pub use batch::{BatchPatch, BatchRow, BatchState, Batches, BatchesPage, Claim, LineCounts, Shape};
pub use contents::Contents;
pub use error::StoreError;
pub use file::{FileQuota, FileRow, FileSums, Files, FilesPage, OverQuota, Purpose};
pub use generation::{Generations, Left, SettledPage};
pub use journal::{Applied, Batch, History, Journals, StoredPurses};
pub use key::{External, KeyPatch, KeyRow, Keys, NewKey};
pub use live::LiveReport;
pub use memory::MemoryStore;
pub use open::{DatabaseUrl, connect, open};
pub use postgres::PostgresStore;
pub use retired::{Dropped, RETIRED_AT_ONCE};
pub use sqlite::SqliteStore;
pub use till::{Opened, Recovery, Till, TillError};
pub use upkeep::{About, Server, Step, Upkeep};
pub use video::{VideoRow, VideoState, Videos};

/// What a store's methods return: boxed, so that a store is an object.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Writes [`Store`] from its nouns, each of which stands here once.
macro_rules! store_of {
    ($($noun:ident),+ $(,)?) => {
        /// Everything that is stored.
        pub trait Store: $($noun +)+ Send + Sync + 'static {}

        impl<T: $($noun +)+ Send + Sync + 'static> Store for T {}
    };
}

store_of!(
    Accounts,
    Keys,
    Journals,
    Generations,
    Activity,
    Files,
    Batches,
    Videos,
    Upkeep
);
