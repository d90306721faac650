//! Which store an address means.

use std::path::Path;
use std::sync::Arc;

use crate::postgres::{PostgresStore, Target};
use crate::{SqliteStore, Store, StoreError};

/// Schemes of PostgreSQL's addresses.
const POSTGRES: [&str; 2] = ["postgres", "postgresql"];
/// The most addresses of one database: a primary and its standbys.
pub const ADDRESSES_MAX: usize = 8;

/// Where the store is. Prints without secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabaseUrl(Kind);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Kind {
    /// A file in the data directory.
    #[default]
    Sqlite,
    /// One database at one of these addresses: the one that takes changes.
    Postgres(Vec<Target>),
}

impl DatabaseUrl {
    /// Understands what an operator wrote: `sqlite`, or one or more
    /// addresses of one PostgreSQL database.
    ///
    /// # Errors
    /// A sentence for the operator, without the address: it may hold a
    /// password.
    pub fn parse<S: AsRef<str>>(written: &[S]) -> Result<Self, String> {
        match written {
            [] => Err("no address; use \"sqlite\" or \"postgres://…\"".to_owned()),
            [one] if one.as_ref() == "sqlite" => Ok(Self(Kind::Sqlite)),
            many if many.len() > ADDRESSES_MAX => Err(format!(
                "{} addresses are more than {ADDRESSES_MAX}",
                many.len()
            )),
            many => {
                let targets = many.iter().map(|url| target(url.as_ref(), many.len()));
                Ok(Self(Kind::Postgres(targets.collect::<Result<_, _>>()?)))
            }
        }
    }
}

fn target(url: &str, of: usize) -> Result<Target, String> {
    let scheme = url.split("://").next().unwrap_or_default();
    if POSTGRES.contains(&scheme) && url.contains("://") {
        return Target::parse(url);
    }
    if scheme == "sqlite" && of > 1 {
        return Err("\"sqlite\" is a file in server.data_dir and stands alone".to_owned());
    }
    // Only what stands before `://` is repeated; without it that could be
    // anything, a password too.
    let named = if url.contains("://") {
        format!("`{scheme}`")
    } else {
        "this".to_owned()
    };
    Err(format!(
        "{named} is not supported; use \"sqlite\", which keeps everything inside \
         server.data_dir, or \"postgres://user@host:5432/database\", or a list of such addresses"
    ))
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
    Ok(match &url.0 {
        Kind::Sqlite => Arc::new(SqliteStore::connect(data_dir).await?),
        Kind::Postgres(targets) => Arc::new(PostgresStore::connect(targets.clone()).await?),
    })
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
        assert!(refused(&["sqlite", "postgres://a/b"]).contains("stands alone"));
        assert!(refused(&["postgres://a/b"; ADDRESSES_MAX + 1]).contains("9 addresses"));
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
