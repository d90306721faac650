//! How many sessions there may be.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bourse_vocab::{Failure, FailureKind, KeyId};

/// Sessions of a server: each keeps two sockets, and for the length of an event
/// up to 16 MiB.
pub const SESSIONS_MAX: usize = 1_024;
/// Of these, the most of one key.
pub const SESSIONS_OF_KEY_MAX: usize = 128;
/// When whoever finds no place should ask again: conversations last minutes.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// Sessions that are open.
#[derive(Debug, Default)]
pub struct Sessions(Arc<Mutex<HashMap<KeyId, usize>>>);

/// A session's place.
#[derive(Debug)]
pub struct Place {
    of: Arc<Mutex<HashMap<KeyId, usize>>>,
    key: KeyId,
}

impl Sessions {
    /// A place for a session of a key.
    ///
    /// # Errors
    /// There are as many as may be.
    pub fn enter(&self, key: KeyId) -> Result<Place, Failure> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let of_key = open.get(&key).copied().unwrap_or(0);
        if all >= SESSIONS_MAX || of_key >= SESSIONS_OF_KEY_MAX {
            let whose = if all >= SESSIONS_MAX {
                "this server"
            } else {
                "this key"
            };
            let failure = Failure::new(
                FailureKind::RateLimited,
                format!("{whose} has as many realtime sessions open as it may have; close one"),
            );
            return Err(failure.retry_after(ASK_AGAIN));
        }
        open.insert(key, of_key.saturating_add(1));
        Ok(Place {
            of: Arc::clone(&self.0),
            key,
        })
    }

    /// How many are open.
    #[must_use]
    pub fn open(&self) -> usize {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.values().sum()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut of_key) = open.entry(self.key) {
            let left = of_key.get().saturating_sub(1);
            of_key.insert(left);
            if left == 0 {
                of_key.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_a_server_have_so_many_and_no_more() {
        let sessions = Sessions::default();
        let of = |key: u64, number: usize| -> Vec<Place> {
            (0..number)
                .map(|_| sessions.enter(KeyId(key)).unwrap())
                .collect()
        };
        let first = of(1, SESSIONS_OF_KEY_MAX);
        let refused = sessions.enter(KeyId(1)).unwrap_err();
        assert_eq!(refused.status(), 429);
        let keys = u64::try_from(SESSIONS_MAX / SESSIONS_OF_KEY_MAX).unwrap();
        let others: Vec<_> = (2..=keys).map(|key| of(key, SESSIONS_OF_KEY_MAX)).collect();
        assert_eq!(sessions.open(), SESSIONS_MAX);
        assert!(sessions.enter(KeyId(99)).is_err());
        drop(first);
        drop(sessions.enter(KeyId(99)).unwrap());
        drop(others);
        assert_eq!(sessions.open(), 0);
        assert!(sessions.0.lock().unwrap().is_empty());
    }
}
