//! Which endpoint has read a conversation before.
//!
//! A prompt is cached where it was read, and nowhere else. So once an answer
//! said that tokens came out of a cache or went into one, the later requests of
//! its conversation go to the same endpoint, with the same credential, for ten
//! minutes after the last that succeeded there (openrouter.ai/docs, prompt
//! caching, October 2026). That is a preference: who rests, is broken or is
//! gone is not waited for, and a caller's own order counts more.
//!
//! Calls with a session, or a key for the cache, need no memory: see
//! [`crate::identity`]. What is remembered here is bounded, of this process,
//! and costs money and no correctness when it is lost.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};

use bourse_vocab::AccountId;
use foldhash::{fast, quality};

use crate::ask::Ask;
use crate::market::Target;

/// For how long after the last answer a conversation stays.
const STAYS_MS: u64 = 600_000;
/// Locks, so that workers seldom meet at one.
const SHARDS: usize = 16;
/// Conversations of a shard in each of two generations: with both full, all
/// shards together remember 131,072, which take some 8 MiB.
const SHARD_MAX: usize = 4_096;

/// Where a conversation stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    endpoint: Arc<str>,
    credential: u16,
}

impl Stuck {
    /// Whether it is this target.
    #[must_use]
    pub fn is(&self, target: &Target) -> bool {
        self.credential == target.credential && *self.endpoint == *target.id
    }
}

/// Where conversations stay.
#[derive(Default)]
pub struct Stickiness {
    names: quality::RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

/// Where conversations stay, by their names, and when that was noted last.
type Places = HashMap<u64, (Stuck, u64), fast::RandomState>;

/// Two generations: entries are looked for in both, and written into the
/// younger one. When that is full or old enough it becomes the elder, and what
/// the elder had is forgotten. So nothing is looked through to make room.
#[derive(Default)]
struct Shard {
    young: Places,
    old: Places,
    began_ms: u64,
}

impl Stickiness {
    /// Where the conversation of a call stays, if it does.
    #[must_use]
    pub fn of(&self, account: AccountId, ask: &Ask, now_ms: u64) -> Option<Stuck> {
        let (shard, key) = self.conversation(account, ask)?;
        let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let (stuck, _) = shard.find(key, now_ms)?;
        Some(stuck.clone())
    }

    /// Notes that a target has answered a call; `cached` says that tokens came
    /// out of its cache or went into it. Without that a conversation stays
    /// where it is, and begins to stay nowhere.
    pub fn note(
        &self,
        account: AccountId,
        ask: &Ask,
        (target, cached): (&Target, bool),
        now_ms: u64,
    ) {
        let Some((shard, key)) = self.conversation(account, ask) else {
            return;
        };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let stays = || {
            let found = shard.find(key, now_ms);
            found.is_some_and(|(stuck, _)| stuck.is(target))
        };
        if cached || stays() {
            let stuck = Stuck {
                endpoint: Arc::clone(&target.id),
                credential: target.credential,
            };
            shard.put(key, stuck, now_ms);
        }
    }

    /// The name of the conversation that a call belongs to, and who knows of
    /// it, if it may stay anywhere: it has neither a session, which stays by its
    /// own name, nor an order of the caller's.
    fn conversation(&self, account: AccountId, ask: &Ask) -> Option<(&Mutex<Shard>, u64)> {
        let opener = ask.opener?;
        let model = ask.models.first()?;
        let key = self.names.hash_one((account.0, model.as_str(), opener));
        let place = usize::try_from(key >> 32).unwrap_or_default() % SHARDS;
        Some((self.shards.get(place)?, key))
    }
}

impl Shard {
    fn find(&self, key: u64, now_ms: u64) -> Option<&(Stuck, u64)> {
        let found = self.young.get(&key).or_else(|| self.old.get(&key));
        found.filter(|(_, at_ms)| now_ms.saturating_sub(*at_ms) < STAYS_MS)
    }

    fn put(&mut self, key: u64, stuck: Stuck, now_ms: u64) {
        let is_full = self.young.len() >= SHARD_MAX && !self.young.contains_key(&key);
        if is_full || now_ms.saturating_sub(self.began_ms) >= STAYS_MS {
            self.old = std::mem::take(&mut self.young);
            self.began_ms = now_ms;
        }
        self.young.insert(key, (stuck, now_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stuck(credential: u16) -> Stuck {
        Stuck {
            endpoint: "acme/chat@one".into(),
            credential,
        }
    }

    #[test]
    fn a_conversation_stays_for_ten_minutes_after_its_last_answer() {
        let mut shard = Shard::default();
        shard.put(1, stuck(0), 1_000);
        let at = |shard: &Shard, now_ms| shard.find(1, now_ms).is_some();
        assert!(at(&shard, 1_000 + STAYS_MS - 1));
        assert!(!at(&shard, 1_000 + STAYS_MS));
        shard.put(1, stuck(0), 500_000);
        assert!(at(&shard, 1_000 + STAYS_MS));
        assert!(!at(&shard, 500_000 + STAYS_MS));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_latest_stay() {
        let mut shard = Shard::default();
        for key in 0..10 * SHARD_MAX as u64 {
            shard.put(key, stuck(0), 1_000);
            assert!(shard.young.len() + shard.old.len() <= 2 * SHARD_MAX);
            let earlier = key.saturating_sub(SHARD_MAX as u64 - 1);
            assert!(shard.find(earlier, 1_000).is_some());
        }
        assert!(shard.find(0, 1_000).is_none());
    }

    #[test]
    fn the_young_become_old_in_time_and_the_old_are_forgotten() {
        let mut shard = Shard::default();
        shard.put(1, stuck(1), STAYS_MS);
        shard.put(2, stuck(2), STAYS_MS + 1_000);
        shard.put(3, stuck(3), 2 * STAYS_MS);
        assert_eq!((shard.young.len(), shard.old.len()), (1, 2));
        assert!(shard.find(2, 2 * STAYS_MS).is_some());
        shard.put(4, stuck(4), 3 * STAYS_MS);
        assert_eq!((shard.young.len(), shard.old.len()), (1, 1));
    }
}
