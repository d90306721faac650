//! Calls that wait until running ones free the money they need.
//!
//! What runs holds the most that it can cost and frees most of it when it
//! ends, seconds later. A call that would fit then is kept for a while rather
//! than sent back to ask again. Those of one account stand in line: when a
//! call of the account ends, the first few look whether it is enough for
//! them, and whoever goes lets the next ones look.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bourse_vocab::AccountId;
use tokio::sync::Notify;

/// How long a call waits: several answers end within it, and clients with a
/// time limit of their own, which is seldom below half a minute, get an
/// honest refusal before it.
pub const WAIT: Duration = Duration::from_secs(20);
/// Calls of one account that wait at once. Each keeps its request in memory.
const OF_ACCOUNT_MAX: usize = 1_024;
/// Calls that wait at once, over all accounts, for the same reason.
const WAITING_MAX: usize = 8_192;
/// How many look when money comes free. More than one, because the first may
/// need more than there is and the next ones less.
const LOOKERS: usize = 8;

/// Who waits.
#[derive(Debug, Default)]
pub struct Waiting {
    all: AtomicUsize,
    next: AtomicU64,
    lines: Mutex<HashMap<AccountId, VecDeque<Waiter>>>,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    turn: Arc<Notify>,
}

/// A place in the line, given up when dropped.
#[derive(Debug)]
pub struct Place {
    waiting: Arc<Waiting>,
    account: AccountId,
    number: u64,
    turn: Arc<Notify>,
}

impl Waiting {
    /// Takes a place at the end of an account's line; `None` if it, or all of
    /// them, are too long.
    #[must_use]
    pub fn join(self: &Arc<Self>, account: AccountId) -> Option<Place> {
        let mut lines = self.lines();
        if self.all.load(Ordering::Acquire) >= WAITING_MAX {
            return None;
        }
        let line = lines.entry(account).or_default();
        if line.len() >= OF_ACCOUNT_MAX {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let turn = Arc::new(Notify::new());
        line.push_back(Waiter {
            number,
            turn: Arc::clone(&turn),
        });
        self.all.fetch_add(1, Ordering::AcqRel);
        Some(Place {
            waiting: Arc::clone(self),
            account,
            number,
            turn,
        })
    }

    /// Notes that money of an account came free.
    pub fn freed(&self, account: AccountId) {
        // Nobody waits, nearly always. Whoever joins looks once more
        // afterwards, so nobody is missed.
        if self.all.load(Ordering::Acquire) > 0 {
            wake(self.lines().get(&account));
        }
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.all.load(Ordering::Acquire)
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<AccountId, VecDeque<Waiter>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(line: Option<&VecDeque<Waiter>>) {
    for waiter in line.into_iter().flatten().take(LOOKERS) {
        waiter.turn.notify_one();
    }
}

impl Place {
    /// Waits until it is time to look again.
    pub async fn turn(&self) {
        self.turn.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lines = self.waiting.lines();
        let Some(line) = lines.get_mut(&self.account) else {
            return;
        };
        let before = line.len();
        line.retain(|waiter| waiter.number != self.number);
        let gone = before.saturating_sub(line.len());
        self.waiting.all.fetch_sub(gone, Ordering::AcqRel);
        if line.is_empty() {
            lines.remove(&self.account);
        } else {
            wake(Some(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, timeout};

    use super::*;

    const ACCOUNT: AccountId = AccountId(7);

    #[tokio::test(start_paused = true)]
    async fn the_first_in_line_look_when_money_comes_free() {
        let waiting = Arc::new(Waiting::default());
        let places: Vec<_> = (0..LOOKERS + 2)
            .map(|_| waiting.join(ACCOUNT).unwrap())
            .collect();
        waiting.freed(AccountId(8));
        waiting.freed(ACCOUNT);
        for (n, place) in places.iter().enumerate() {
            let looks = timeout(Duration::from_millis(1), place.turn()).await;
            assert_eq!(looks.is_ok(), n < LOOKERS, "{n}");
        }
        // Whoever goes lets the next ones look.
        drop(places.into_iter().take(2).collect::<Vec<_>>());
        assert_eq!(waiting.waiting(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_lets_the_next_look() {
        let waiting = Arc::new(Waiting::default());
        let first = waiting.join(ACCOUNT).unwrap();
        let second = waiting.join(ACCOUNT).unwrap();
        tokio::spawn(async move {
            sleep(Duration::from_secs(1)).await;
            drop(first);
        });
        timeout(Duration::from_secs(2), second.turn())
            .await
            .unwrap();
        assert_eq!(waiting.waiting(), 1);
    }

    #[test]
    fn a_line_is_bounded_and_so_are_all() {
        let waiting = Arc::new(Waiting::default());
        let mut places = Vec::new();
        for account in 0.. {
            let before = places.len();
            while let Some(place) = waiting.join(AccountId(account)) {
                places.push(place);
            }
            let joined = places.len() - before;
            assert!(joined <= OF_ACCOUNT_MAX);
            if joined == 0 {
                break;
            }
        }
        assert_eq!(places.len(), WAITING_MAX);
        places.clear();
        assert_eq!(waiting.waiting(), 0);
        assert!(waiting.lines().is_empty());
    }
}
