//! The key that a worker saw last.
//!
//! One for each thread: a worker's callers come with few keys, and a key of
//! another thread would have to be locked. What it opens is asked of the
//! keyring each time; here is only what does not change, its hash. It is kept
//! once the keyring has known it, so that invented keys push nothing out.

use std::cell::RefCell;

use bourse_policy::{KeyHash, RecalledKey};

thread_local! {
    static LAST: RefCell<Option<RecalledKey>> = const { RefCell::new(None) };
}

/// The hash of a key that this thread saw last.
#[must_use]
pub fn recall(presented: &str) -> Option<KeyHash> {
    LAST.with_borrow(|last| last.as_ref()?.hash_of(presented))
}

/// Keeps a good key for the next call, and forgets the one before.
pub fn keep(presented: &str, hash: KeyHash) {
    LAST.set(RecalledKey::new(presented, hash));
}
