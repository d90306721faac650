//! The keys that may call, found by their hash without asking a database.
//!
//! All keys are kept in memory; whoever changes one swaps the map. A
//! well-formed key that is not in it may be younger than the map (a command
//! beside the server made it), so the office is asked once, and remembered
//! to have said no.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwap;
use bourse_policy::{KeyHash, Principal};
use bourse_vocab::AccountId;

/// What the data plane asks of durable storage. Never on the path of a call
/// whose key and money are known.
pub trait Office: Send + Sync {
    /// Looks for keys and money that changed since the last time, and puts
    /// them where calls find them. Callers that come while one look is under
    /// way share it.
    fn refresh(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// What is known of a key.
#[derive(Debug)]
pub struct KeyEntry {
    /// Who it is.
    pub principal: Principal,
    /// Milliseconds since 1970 of its last use, for `last_used_at`.
    pub last_used_ms: AtomicU64,
}

impl KeyEntry {
    /// A key that was not used yet.
    #[must_use]
    pub fn new(principal: Principal) -> Self {
        Self {
            principal,
            last_used_ms: AtomicU64::new(0),
        }
    }

    /// Notes that the key was used.
    pub fn touch(&self, now_ms: u64) {
        self.last_used_ms.store(now_ms, Relaxed);
    }
}

type Keys = HashMap<KeyHash, Arc<KeyEntry>>;

/// Looks for unknown keys at most this often: a stream of invented keys
/// (each with a good checksum) must not become a stream of queries.
const UNKNOWN_LOOKUPS_INTERVAL_MS: u64 = 100;

/// All keys.
pub struct Keyring {
    keys: ArcSwap<Keys>,
    looked_ms: AtomicU64,
}

impl Default for Keyring {
    fn default() -> Self {
        Self {
            keys: ArcSwap::from_pointee(Keys::new()),
            looked_ms: AtomicU64::new(0),
        }
    }
}

impl Keyring {
    /// Takes over keys that are new or changed. A deleted key stays, as one
    /// that opens nothing.
    pub fn update(&self, principals: impl IntoIterator<Item = Principal>) {
        let mut keys = Keys::clone(&self.keys.load());
        for principal in principals {
            match keys.get(&principal.hash) {
                Some(known) if known.principal == principal => {}
                _ => {
                    keys.insert(principal.hash, Arc::new(KeyEntry::new(principal)));
                }
            }
        }
        self.keys.store(Arc::new(keys));
    }

    /// Finds a key.
    #[must_use]
    pub fn get(&self, hash: &KeyHash) -> Option<Arc<KeyEntry>> {
        self.keys.load().get(hash).cloned()
    }

    /// Finds a key, asking the office about an unknown one.
    pub async fn find(
        &self,
        hash: &KeyHash,
        now_ms: u64,
        office: &dyn Office,
    ) -> Option<Arc<KeyEntry>> {
        if let Some(entry) = self.get(hash) {
            return Some(entry);
        }
        let last = self.looked_ms.load(Relaxed);
        let due = now_ms.saturating_sub(last) >= UNKNOWN_LOOKUPS_INTERVAL_MS;
        if !due
            || self
                .looked_ms
                .compare_exchange(last, now_ms, Relaxed, Relaxed)
                .is_err()
        {
            // Somebody else is looking, or has just looked: their answer is
            // as fresh as ours would be once it is in.
            tokio::time::sleep(std::time::Duration::from_millis(
                UNKNOWN_LOOKUPS_INTERVAL_MS,
            ))
            .await;
            return self.get(hash);
        }
        office.refresh().await;
        self.get(hash)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.load().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `each` with every key that was used since `since_ms`, its
    /// account and when.
    pub fn used_since(&self, since_ms: u64, mut each: impl FnMut(&Principal, AccountId, u64)) {
        for entry in self.keys.load().values() {
            let used = entry.last_used_ms.load(Relaxed);
            if used > since_ms {
                each(&entry.principal, entry.principal.account, used);
            }
        }
    }
}
