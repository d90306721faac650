//! Which store an address means.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::driver::{Address, Driver};
use crate::{Store, StoreError, postgres, sqlite};

/// Every kind of database.
static DRIVERS: &[&dyn Driver] = &[&sqlite::address::Driver, &postgres::address::Driver];

/// The most addresses of one database: a primary and its standbys.
pub const ADDRESSES_MAX: usize = 8;

/// Where the store is. Prints without secrets.
#[derive(Clone)]
pub struct DatabaseUrl {
    address: Arc<dyn Address>,
    /// As it was written, only to tell whether another is the same.
    written: Vec<String>,
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl PartialEq for DatabaseUrl {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for DatabaseUrl {}

/// A file in the data directory.
impl Default for DatabaseUrl {
    fn default() -> Self {
        Self {
            address: Arc::new(sqlite::address::File),
            written: vec![sqlite::address::NAME.to_owned()],
        }
    }
}

impl DatabaseUrl {
    /// Understands what an operator wrote: `sqlite`, or one or more
    /// addresses of one database.
    ///
    /// # Errors
    /// A sentence for the operator, without the address: it may hold a
    /// password.
    pub fn parse<S: AsRef<str>>(written: &[S]) -> Result<Self, String> {
        let written: Vec<&str> = written.iter().map(AsRef::as_ref).collect();
        let Some(first) = written.first() else {
            return Err(format!("no address; use {}", spellings()));
        };
        if written.len() > ADDRESSES_MAX {
            let count = written.len();
            return Err(format!("{count} addresses are more than {ADDRESSES_MAX}"));
        }
        let driver = driver(first)?;
        for other in &written {
            if !driver.claims(other) {
                // Either it is no address, or one of another kind.
                self::driver(other)?;
                return Err("the addresses are not all of one kind of database".to_owned());
            }
        }
        Ok(Self {
            address: driver.parse(&written)?,
            written: written.into_iter().map(str::to_owned).collect(),
        })
    }
}

impl DatabaseUrl {
    /// The file that the database is, if it is one, whether it is there or
    /// not.
    #[must_use]
    pub fn file(&self, data_dir: &Path) -> Option<PathBuf> {
        self.address.file(data_dir)
    }

    /// Copies a database that is a file, as it is at one moment, beside a
    /// running server; `false` if it is none, and whoever runs it copies it.
    ///
    /// # Errors
    /// It cannot be read, or `to` is there already or cannot be written.
    pub async fn copy(&self, data_dir: &Path, to: &Path) -> Result<bool, StoreError> {
        self.address.copy(data_dir, to).await
    }
}

fn driver(address: &str) -> Result<&'static dyn Driver, String> {
    let found = DRIVERS.iter().find(|driver| driver.claims(address));
    found.copied().ok_or_else(|| {
        if address.starts_with("sqlite:") {
            let spellings = spellings();
            return format!(
                "an SQLite database has no address, it is in server.data_dir; use {spellings}"
            );
        }
        // Only what stands before `://` is repeated; without it that could be
        // anything, a password too.
        let named = match address.split_once("://") {
            Some((scheme, _)) => format!("`{scheme}`"),
            None => "this".to_owned(),
        };
        format!("{named} is not supported; use {}", spellings())
    })
}

fn spellings() -> String {
    let all: Vec<_> = DRIVERS.iter().map(|driver| driver.spelling()).collect();
    all.join(", or ")
}

/// Opens the store, with its tables as this program needs them.
///
/// # Errors
/// A database that cannot be reached, is too old, takes no changes, or has
/// tables that this program does not know.
pub async fn open(url: &DatabaseUrl, data_dir: &Path) -> Result<Arc<dyn Store>, StoreError> {
    let store = connect(url, data_dir).await?;
    store.schema_up().await?;
    Ok(store)
}

/// Like [`open`], but leaves the tables as they are, so that only
/// [`crate::Upkeep`] may be asked before they are known to fit.
///
/// # Errors
/// As for [`open`].
pub async fn connect(url: &DatabaseUrl, data_dir: &Path) -> Result<Arc<dyn Store>, StoreError> {
    url.address.connect(data_dir).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(written: &[&str]) -> String {
        DatabaseUrl::parse(written).unwrap_err()
    }

    #[test]
    fn an_address_that_means_no_store_is_refused_with_what_is_possible() {
        for written in [
            "mysql://root:hunter2@host/db",
            "",
            "hunter2",
            "sqlite://x",
            "postgres:x",
        ] {
            let why = refused(&[written]);
            assert!(
                why.contains("\"sqlite\"") && why.contains("postgres://"),
                "{why}"
            );
            assert!(!why.contains("hunter2"), "{why}");
        }
        assert!(refused(&["mysql://root@host/db"]).starts_with("`mysql`"));
        assert!(refused(&[]).contains("no address"));
        assert!(refused(&["sqlite", "postgres://a/b"]).contains("one kind"));
        assert!(refused(&["postgres://a/b", "sqlite"]).contains("one kind"));
        assert!(refused(&["sqlite", "sqlite"]).contains("stands alone"));
        assert!(refused(&["postgres://a/b", "hunter2"]).starts_with("this"));
        assert!(refused(&["postgres://a/b"; ADDRESSES_MAX + 1]).contains("9 addresses"));
    }

    /// An address that two drivers claim would mean the one that comes first.
    #[test]
    fn every_driver_claims_addresses_of_its_own_as_it_spells_them() {
        let mut claimed = Vec::new();
        for driver in DRIVERS {
            let spelling = driver.spelling();
            let example = spelling.split('"').nth(1).unwrap();
            let by: Vec<_> = DRIVERS
                .iter()
                .map(|driver| driver.claims(example))
                .collect();
            assert_eq!(by.iter().filter(|claims| **claims).count(), 1, "{example}");
            claimed.push(DatabaseUrl::parse(&[example]).unwrap());
        }
        assert_eq!(claimed[0], DatabaseUrl::default());
        assert!(claimed.iter().skip(1).all(|url| *url != claimed[0]));
    }

    #[test]
    fn an_address_prints_without_its_password() {
        let url = DatabaseUrl::parse(&["postgres://bourse:hunter2@db.example:5433/books"]).unwrap();
        let shown = format!("{url:?}");
        assert!(shown.contains("db.example:5433/books"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
        let why = refused(&["postgres://bourse:hunter2@db.example:notaport/books"]);
        assert!(!why.contains("hunter2"), "{why}");
    }
}
