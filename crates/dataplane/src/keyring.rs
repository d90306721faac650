//! The keys that may call, found by their hash without asking a database.
//!
//! A working set: keys used of late are in memory, the others are looked up
//! when they are presented. A well-formed key that is not in memory may be
//! an old one that was not used for long, or younger than memory (a command
//! beside the server made it); either way its first call waits for one
//! look-up, see [`lookups`].

mod lookups;
pub mod recent;

use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasherDefault, Hasher};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bourse_policy::{KeyHash, Principal};

use lookups::Lookups;
pub use lookups::Unavailable;

/// What [`Office`] returns.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the data plane asks of durable storage. Never on the path of a call
/// whose key and money are known.
pub trait Office: Send + Sync {
    /// Looks keys up; puts those that exist, with their purses, where calls
    /// find them, and returns them.
    fn load<'a>(&'a self, hashes: &'a [KeyHash]) -> Reply<'a, Result<Vec<Principal>, Unavailable>>;
    /// Looks for keys and money in memory that changed since the last time,
    /// before a call is refused for want of money. Callers share a look that
    /// began after they asked, and looks keep a distance from one another.
    fn refresh(&self) -> Reply<'_, ()>;
}

/// Parts of the keyring with a lock each, so that whoever adds a key stops
/// few readers.
const SHARDS: usize = 16;
/// Keys of a part: in all some 260,000 keys, or 40 MB. One that was not used
/// since a part was last full makes room.
const KEYS_PER_SHARD_MAX: usize = 16_384;
/// The part of a full shard that makes room at once, so that sweeping it is
/// seldom.
const ROOM_PARTS: usize = 8;

#[derive(Debug)]
struct Entry {
    principal: Principal,
    /// The number of the database's change that this state comes from: an
    /// older one never overwrites a newer.
    change_seq: u64,
    /// Whether it was used since room was last made.
    is_used: AtomicBool,
}

/// A key's hash is a SHA-256 and needs no hashing.
#[derive(Debug, Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// The length that comes before the bytes of an array says nothing.
    fn write_usize(&mut self, _: usize) {}
}

type Keys = HashMap<KeyHash, Entry, BuildHasherDefault<FirstBytes>>;

/// The keys in memory.
#[derive(Debug)]
pub struct Keyring {
    shards: [RwLock<Keys>; SHARDS],
    keys_per_shard_max: usize,
    lookups: Lookups,
}

impl Default for Keyring {
    fn default() -> Self {
        Self::with_keys_per_shard(KEYS_PER_SHARD_MAX)
    }
}

impl Keyring {
    fn with_keys_per_shard(keys_per_shard_max: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            keys_per_shard_max,
            lookups: Lookups::default(),
        }
    }

    /// The part of a key. Its map spreads keys by their first bytes, so the
    /// last one chooses the part.
    fn shard(&self, hash: &KeyHash) -> &RwLock<Keys> {
        let [.., last] = hash.0;
        let [first, ..] = &self.shards;
        self.shards.get(usize::from(last) % SHARDS).unwrap_or(first)
    }

    /// Finds a key in memory.
    #[must_use]
    pub fn get(&self, hash: &KeyHash) -> Option<Principal> {
        let keys = read(self.shard(hash));
        let entry = keys.get(hash)?;
        // Written once between two sweeps, so that readers on other cores
        // keep the line.
        if !entry.is_used.load(Relaxed) {
            entry.is_used.store(true, Relaxed);
        }
        Some(entry.principal)
    }

    /// Finds a key, asking the office about one that is not in memory.
    ///
    /// # Errors
    /// Whether there is such a key cannot be found out: the database does not
    /// answer, or too many ask.
    pub async fn find(
        &self,
        hash: &KeyHash,
        office: &dyn Office,
    ) -> Result<Option<Principal>, Unavailable> {
        if let Some(principal) = self.get(hash) {
            return Ok(Some(principal));
        }
        self.lookups.find(self, hash, office).await
    }

    /// Takes in a key as the database has it. A deleted key stays, as one
    /// that opens nothing.
    pub fn put(&self, principal: Principal, change_seq: u64) {
        let mut keys = write(self.shard(&principal.hash));
        if let Some(entry) = keys.get_mut(&principal.hash) {
            entry.change(principal, change_seq);
            return;
        }
        if keys.len() >= self.keys_per_shard_max {
            make_room(&mut keys);
        }
        let entry = Entry {
            principal,
            change_seq,
            is_used: AtomicBool::new(true),
        };
        keys.insert(principal.hash, entry);
    }

    /// Takes over what was changed of a key that is in memory.
    pub fn change(&self, principal: Principal, change_seq: u64) {
        let mut keys = write(self.shard(&principal.hash));
        if let Some(entry) = keys.get_mut(&principal.hash) {
            entry.change(principal, change_seq);
        }
    }

    /// How many keys are in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| read(shard).len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Entry {
    fn change(&mut self, principal: Principal, change_seq: u64) {
        if change_seq >= self.change_seq {
            self.principal = principal;
            self.change_seq = change_seq;
        }
    }
}

/// Removes keys that were not used since the last time, or any if all were.
fn make_room(keys: &mut Keys) {
    let mut wanted = keys.len().div_ceil(ROOM_PARTS);
    for _ in 0..2 {
        keys.retain(|_, entry| {
            let was_used = std::mem::replace(entry.is_used.get_mut(), false);
            let goes = wanted > 0 && !was_used;
            wanted -= usize::from(goes);
            !goes
        });
    }
}

/// Every change of a shard is one map operation, so a panic elsewhere leaves
/// it whole.
fn read(shard: &RwLock<Keys>) -> RwLockReadGuard<'_, Keys> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(shard: &RwLock<Keys>) -> RwLockWriteGuard<'_, Keys> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
