//! How configuration names this database: there is one file, in the data
//! directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::driver::Address;
use crate::sql::Backend as _;
use crate::{Reply, SqliteStore, Store};

/// What an operator writes.
pub(crate) const NAME: &str = "sqlite";

/// SQLite.
pub(crate) struct Driver;

/// The file in the data directory.
#[derive(Debug)]
pub(crate) struct File;

impl crate::driver::Driver for Driver {
    fn claims(&self, address: &str) -> bool {
        address == NAME
    }

    fn spelling(&self) -> &'static str {
        "\"sqlite\", which keeps everything inside server.data_dir"
    }

    fn parse(&self, written: &[&str]) -> Result<Arc<dyn Address>, String> {
        if written.len() > 1 {
            return Err("\"sqlite\" is a file in server.data_dir and stands alone".to_owned());
        }
        Ok(Arc::new(File))
    }
}

impl Address for File {
    fn file(&self, data_dir: &Path) -> Option<PathBuf> {
        Some(data_dir.join(super::DATABASE_FILE))
    }

    fn copy<'a>(&'a self, data_dir: &'a Path, to: &'a Path) -> Reply<'a, bool> {
        Box::pin(async move {
            let store = SqliteStore::connect(data_dir).await?;
            let copied = store.backend.copy(to).await;
            store.backend.close().await;
            copied.map(|()| true)
        })
    }

    fn connect<'a>(&'a self, data_dir: &'a Path) -> Reply<'a, Arc<dyn Store>> {
        Box::pin(async move {
            let store = SqliteStore::connect(data_dir).await?;
            Ok(Arc::new(store) as Arc<dyn Store>)
        })
    }
}
