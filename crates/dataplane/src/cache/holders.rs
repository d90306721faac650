//! Who has how much of the cache, and what of it is wanted least.
//!
//! When there is no room left it is taken from the account that has most, and
//! of that from the key that has most, and of that from what was used the
//! longest ago. So whoever keeps much makes room for itself, and nobody loses
//! an answer to somebody who has more: neither to a key, nor to an account with
//! many keys.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use bourse_vocab::{AccountId, KeyId};

use super::fingerprint::{Digest, Owner};

/// Who has how much.
#[derive(Debug, Default)]
pub struct Holders {
    accounts: HashMap<AccountId, Account>,
    most: BTreeSet<(usize, AccountId)>,
}

#[derive(Debug, Default)]
struct Account {
    bytes: usize,
    keys: HashMap<KeyId, Key>,
    most: BTreeSet<(usize, KeyId)>,
}

/// What one key has, the least recently used first.
#[derive(Debug, Default)]
struct Key {
    bytes: usize,
    used: BTreeMap<u64, Digest>,
}

impl Holders {
    /// Notes that an owner has so many bytes more, used at `used`, which no
    /// other use has.
    pub fn put(&mut self, owner: Owner, bytes: usize, used: u64, digest: Digest) {
        let account = self.accounts.entry(owner.account).or_default();
        self.most.remove(&(account.bytes, owner.account));
        account.bytes = account.bytes.saturating_add(bytes);
        self.most.insert((account.bytes, owner.account));
        let key = account.keys.entry(owner.key).or_default();
        account.most.remove(&(key.bytes, owner.key));
        key.bytes = key.bytes.saturating_add(bytes);
        account.most.insert((key.bytes, owner.key));
        key.used.insert(used, digest);
    }

    /// Notes that an owner has them no more.
    pub fn take(&mut self, owner: Owner, bytes: usize, used: u64) {
        let Entry::Occupied(mut of_account) = self.accounts.entry(owner.account) else {
            return;
        };
        let account = of_account.get_mut();
        self.most.remove(&(account.bytes, owner.account));
        account.bytes = account.bytes.saturating_sub(bytes);
        if let Entry::Occupied(mut of_key) = account.keys.entry(owner.key) {
            let key = of_key.get_mut();
            account.most.remove(&(key.bytes, owner.key));
            key.bytes = key.bytes.saturating_sub(bytes);
            key.used.remove(&used);
            if key.used.is_empty() {
                of_key.remove();
            } else {
                account.most.insert((key.bytes, owner.key));
            }
        }
        if account.keys.is_empty() {
            of_account.remove();
        } else {
            self.most.insert((account.bytes, owner.account));
        }
    }

    /// Notes that something was used again.
    pub fn touch(&mut self, owner: Owner, before: u64, now: u64) {
        let account = self.accounts.get_mut(&owner.account);
        let Some(key) = account.and_then(|account| account.keys.get_mut(&owner.key)) else {
            return;
        };
        if let Some(digest) = key.used.remove(&before) {
            key.used.insert(now, digest);
        }
    }

    /// What is wanted least, if there is anything.
    pub fn least_wanted(&self) -> Option<Digest> {
        let (_, account) = self.most.last()?;
        let account = self.accounts.get(account)?;
        let (_, key) = account.most.last()?;
        let (_, digest) = account.keys.get(key)?.used.first_key_value()?;
        Some(*digest)
    }

    /// Whether nobody has anything.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.most.is_empty()
    }
}
