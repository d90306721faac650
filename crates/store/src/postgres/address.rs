//! How configuration names this database: by addresses, of which one takes
//! changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{PostgresStore, Target};
use crate::driver::Address;
use crate::{Reply, Store};

/// Schemes of its addresses.
const SCHEMES: [&str; 2] = ["postgres", "postgresql"];

/// PostgreSQL.
pub(crate) struct Driver;

/// One database at one of these addresses: the one that takes changes.
#[derive(Debug)]
struct Targets(Vec<Target>);

impl crate::driver::Driver for Driver {
    fn claims(&self, address: &str) -> bool {
        address
            .split_once("://")
            .is_some_and(|(scheme, _)| SCHEMES.contains(&scheme))
    }

    fn spelling(&self) -> &'static str {
        "\"postgres://user@host:5432/database\", or a list of such addresses"
    }

    fn parse(&self, written: &[&str]) -> Result<Arc<dyn Address>, String> {
        let targets = written.iter().map(|url| Target::parse(url));
        Ok(Arc::new(Targets(targets.collect::<Result<_, _>>()?)))
    }
}

impl Address for Targets {
    fn file(&self, _: &Path) -> Option<PathBuf> {
        None
    }

    fn copy<'a>(&'a self, _: &'a Path, _: &'a Path) -> Reply<'a, bool> {
        Box::pin(async { Ok(false) })
    }

    fn connect<'a>(&'a self, _: &'a Path) -> Reply<'a, Arc<dyn Store>> {
        Box::pin(async move {
            let store = PostgresStore::connect(self.0.clone()).await?;
            Ok(Arc::new(store) as Arc<dyn Store>)
        })
    }
}
