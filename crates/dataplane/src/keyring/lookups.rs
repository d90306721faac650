//! Looking up keys that are not in memory.
//!
//! A stream of invented keys (each with a good checksum) must not become a
//! stream of queries, and must not keep a good key waiting: whoever asks for
//! unknown keys at the same time shares one query for all of them, queries
//! keep a distance from one another, and a "no" is remembered for as long.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bourse_policy::{KeyHash, Principal};
use bourse_vocab::{Failure, FailureKind};
use tokio::time::Instant;

use super::{Keyring, Office};

/// The distance between two queries: at most ten a second, however many keys
/// are invented. A "no" is remembered for as long.
const LOOKUP_INTERVAL: Duration = Duration::from_millis(100);
/// Keys that one query asks for.
const BATCH_MAX: usize = 1_024;
/// Callers that wait for a query; beyond that they are sent away. Four full
/// queries, so nobody waits for much longer than half a second.
const WAITING_MAX: usize = 4 * BATCH_MAX;

/// Whether there is such a key cannot be found out now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The database does not answer.
    #[error("keys cannot be looked up: the database does not answer")]
    Database,
    /// [`WAITING_MAX`].
    #[error("too many unknown keys are being looked up")]
    Busy,
}

impl Unavailable {
    /// As the caller is told. Not 401: the key may be good.
    #[must_use]
    pub fn failure(self) -> Failure {
        Failure::new(
            FailureKind::Overloaded,
            "API keys cannot be looked up right now.",
        )
        .inside(self.to_string())
    }
}

type Answer = Result<Option<Principal>, Unavailable>;

/// The keys of one query. Who asked for one of them has it, with the answer.
#[derive(Debug, Default)]
struct Batch {
    hashes: Mutex<HashSet<KeyHash>>,
    found: OnceLock<Result<HashMap<KeyHash, Principal>, Unavailable>>,
}

impl Batch {
    fn answer(&self, hash: &KeyHash) -> Option<Answer> {
        let found = self.found.get()?;
        Some(match found {
            Ok(found) => Ok(found.get(hash).copied()),
            Err(unavailable) => Err(*unavailable),
        })
    }
}

#[derive(Debug, Default)]
struct State {
    /// The keys of the next query. Once it has begun, who asks is of the one
    /// after it: a query under way may miss a key made just now.
    next: Arc<Batch>,
    /// Keys that were not found, and when the query for them began.
    refused: HashMap<KeyHash, Instant>,
    /// When the last query began.
    began: Option<Instant>,
}

/// Looks up keys that are not in memory.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    state: Mutex<State>,
    /// Whoever holds it queries for all of the batch. The others get it in
    /// turn and find the answer; if a caller leaves in the middle, the next
    /// one queries.
    turn: tokio::sync::Mutex<()>,
    waiting: AtomicUsize,
}

/// A caller that waits.
struct Seat<'a>(&'a AtomicUsize);

impl<'a> Seat<'a> {
    fn take(waiting: &'a AtomicUsize) -> Result<Self, Unavailable> {
        // Dropped, and so given back, where it is one too many.
        let before = waiting.fetch_add(1, Relaxed);
        let seat = Self(waiting);
        (before < WAITING_MAX)
            .then_some(seat)
            .ok_or(Unavailable::Busy)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Lookups {
    pub(super) async fn find(
        &self,
        keyring: &Keyring,
        hash: &KeyHash,
        office: &dyn Office,
    ) -> Answer {
        let Some(batch) = self.join(hash) else {
            return Ok(None);
        };
        let _seat = Seat::take(&self.waiting)?;
        let _turn = self.turn.lock().await;
        if let Some(answer) = batch.answer(hash) {
            return answer;
        }
        // Another batch may have brought it.
        if let Some(principal) = keyring.get(hash) {
            return Ok(Some(principal));
        }
        self.query(&batch, office).await;
        batch.answer(hash).unwrap_or(Ok(None))
    }

    /// The batch of the next query, with this key in it; `None` if it was
    /// refused just now.
    fn join(&self, hash: &KeyHash) -> Option<Arc<Batch>> {
        let now = Instant::now();
        let mut state = self.lock();
        if state.refused.get(hash).is_some_and(|at| is_fresh(*at, now)) {
            return None;
        }
        if lock(&state.next.hashes).len() >= BATCH_MAX {
            state.next = Arc::default();
        }
        lock(&state.next.hashes).insert(*hash);
        Some(Arc::clone(&state.next))
    }

    /// Asks for the keys of a batch.
    async fn query(&self, batch: &Arc<Batch>, office: &dyn Office) {
        let last = self.lock().began;
        if let Some(last) = last {
            tokio::time::sleep_until(last + LOOKUP_INTERVAL).await;
        }
        let began = Instant::now();
        let hashes: Vec<KeyHash> = {
            let mut state = self.lock();
            state.began = Some(began);
            if Arc::ptr_eq(&state.next, batch) {
                state.next = Arc::default();
            }
            lock(&batch.hashes).iter().copied().collect()
        };
        let loaded = office.load(&hashes).await;
        let found = loaded.map(|found| {
            let found = found.into_iter();
            let found = found.map(|principal| (principal.hash, principal));
            found.collect::<HashMap<_, _>>()
        });
        let mut state = self.lock();
        state.refused.retain(|_, at| is_fresh(*at, began));
        if let Ok(found) = &found {
            let refused = hashes.into_iter().filter(|hash| !found.contains_key(hash));
            state.refused.extend(refused.map(|hash| (hash, began)));
        }
        drop(state);
        // Set once: only who has the turn queries, and for an open batch.
        let _ = batch.found.set(found);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn is_fresh(began: Instant, now: Instant) -> bool {
    now.saturating_duration_since(began) < LOOKUP_INTERVAL
}

/// What is behind these locks is whole at each step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
