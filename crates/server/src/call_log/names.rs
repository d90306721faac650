//! The names of keys, which records do not have: a key may be given another.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bourse_store::Store;
use bourse_vocab::KeyId;
use tokio::runtime::Handle;

/// Names that are remembered: of as many keys as call in a few minutes.
const NAMES_MAX: usize = 10_000;
/// After how long they are asked for again: somebody may have changed them.
const FORGET_AFTER: Duration = Duration::from_secs(60);
/// How long the database may take. Lines do not wait for longer, and go
/// without names.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// How long a database that did not answer is not asked.
const REST: Duration = Duration::from_secs(30);

/// See the top of the file.
pub(super) struct Names {
    store: Arc<dyn Store>,
    runtime: Handle,
    known: HashMap<KeyId, String>,
    since: Instant,
    asked_next: Instant,
}

impl Names {
    pub(super) fn new(store: Arc<dyn Store>, runtime: Handle) -> Self {
        let now = Instant::now();
        Self {
            store,
            runtime,
            known: HashMap::new(),
            since: now,
            asked_next: now,
        }
    }

    /// The name of a key, if it has one and the database has said so.
    pub(super) fn of(&self, key: KeyId) -> Option<&str> {
        let name = self.known.get(&key)?;
        Some(&**name).filter(|name| !name.is_empty())
    }

    /// Asks the database for the names of those keys that are not known.
    pub(super) fn learn(&mut self, keys: impl Iterator<Item = KeyId>) {
        let now = Instant::now();
        if self.since.elapsed() >= FORGET_AFTER || self.known.len() >= NAMES_MAX {
            self.known.clear();
            self.since = now;
        }
        let mut missing: Vec<KeyId> = keys.filter(|key| !self.known.contains_key(key)).collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() || now < self.asked_next {
            return;
        }
        let store = Arc::clone(&self.store);
        let asked = async {
            let answer = store.keys_by_id(&missing);
            tokio::time::timeout(ANSWER_MAX, answer).await
        };
        let Ok(Ok(found)) = self.runtime.block_on(asked) else {
            self.asked_next = now + REST;
            return;
        };
        // One that the database does not have, either, has none.
        self.known
            .extend(missing.iter().map(|key| (*key, String::new())));
        let named = found.into_iter().map(|row| (row.id, row.key.name));
        self.known.extend(named);
    }
}

#[cfg(test)]
mod tests {
    use bourse_policy::{CallDefaults, KeyHash, KeyKind};
    use bourse_store::{Accounts as _, Keys as _, MemoryStore, NewKey};

    use super::*;

    #[test]
    fn a_key_is_named_once_the_database_has_said_how() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let store = Arc::new(MemoryStore::new());
        let key = runtime.block_on(async {
            let account = store.create_account("acme", 0).await.unwrap().id;
            let new = NewKey {
                account,
                hash: KeyHash::of("sk"),
                label: "sk-…".to_owned(),
                name: "laptop".to_owned(),
                kind: KeyKind::Inference,
                limit: None,
                limit_reset: None,
                include_byok_in_limit: false,
                expires_at_ms: None,
                external: None,
                calls: CallDefaults::default(),
            };
            store.create_key(new, 0).await.unwrap().id
        });
        let mut names = Names::new(store, runtime.handle().clone());
        assert_eq!(names.of(key), None);
        let nobody = KeyId(77);
        names.learn([key, nobody, key].into_iter());
        assert_eq!(names.of(key), Some("laptop"));
        assert_eq!(names.of(nobody), None);
        assert_eq!(names.known.len(), 2, "neither is asked for again");
    }
}
