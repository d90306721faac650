//! What a kind of database is to whoever opens one.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Reply, Store};

/// A kind of database, as configuration names it.
pub trait Driver: Sync {
    /// Whether an address is one of its own.
    fn claims(&self, address: &str) -> bool;

    /// How its addresses are written, for whoever wrote none.
    fn spelling(&self) -> &'static str;

    /// Understands the addresses of one database, all of them claimed.
    ///
    /// # Errors
    /// A sentence for the operator, without the address: it may hold a
    /// password.
    fn parse(&self, written: &[&str]) -> Result<Arc<dyn Address>, String>;
}

/// Where one database is. Prints without secrets.
pub trait Address: fmt::Debug + Send + Sync {
    /// The file that the database is, if it is one: where there is none,
    /// connecting makes it.
    fn file(&self, data_dir: &Path) -> Option<PathBuf>;

    /// Copies a database that is a file, as it is at one moment, into one that
    /// is not there yet; `false` if it is none, and others copy it.
    fn copy<'a>(&'a self, data_dir: &'a Path, to: &'a Path) -> Reply<'a, bool>;
    /// Opens the store and leaves its tables as they are.
    fn connect<'a>(&'a self, data_dir: &'a Path) -> Reply<'a, Arc<dyn Store>>;
}
