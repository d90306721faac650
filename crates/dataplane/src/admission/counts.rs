//! How many calls each key has, or each account, and no more than so many.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts by whom it is. All workers share it behind a lock, which is held for
/// a look into a map; where there is no bound there is none of this.
#[derive(Debug)]
pub(crate) struct Counts<K> {
    most: u32,
    /// Without those that have none: bounded by the calls.
    counts: Mutex<HashMap<K, u32>>,
}

/// One of somebody's calls, until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted<K: Eq + Hash + Copy> {
    counts: Arc<Counts<K>>,
    whose: K,
}

impl<K: Eq + Hash + Copy> Counts<K> {
    /// At most so many of each.
    pub(crate) fn new(most: u32) -> Arc<Self> {
        Arc::new(Self {
            most,
            counts: Mutex::default(),
        })
    }

    /// Counts one more; `None` if that is too many.
    pub(crate) fn take(self: &Arc<Self>, whose: K) -> Option<Counted<K>> {
        let mut counts = self.lock();
        let count = counts.get(&whose).copied().unwrap_or(0);
        if count >= self.most {
            return None;
        }
        counts.insert(whose, count.saturating_add(1));
        Some(Counted {
            counts: Arc::clone(self),
            whose,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, u32>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Copy> Drop for Counted<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        match counts.get_mut(&self.whose) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&self.whose)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_more_than_the_bound_and_who_has_none_is_not_remembered() {
        let counts = Counts::new(2);
        let first = counts.take("a").unwrap();
        let second = counts.take("a").unwrap();
        assert!(counts.take("a").is_none());
        let other = counts.take("b").unwrap();
        drop(first);
        let third = counts.take("a").unwrap();
        assert!(counts.take("a").is_none());
        drop((second, third, other));
        assert!(counts.lock().is_empty());
    }
}
