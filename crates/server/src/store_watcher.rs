//! Between memory and the database: changes that others make, brought into
//! memory (keys and grants from the command line, from another server, from
//! the control plane), and what memory does not know, loaded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use bourse_dataplane::keyring::{Keyring, Office, Reply, Unavailable};
use bourse_policy::{KeyHash, Principal};
use bourse_store::{CHANGES_MAX, KeyRow, Store, StoreError, Till};
use bourse_vocab::AccountId;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

/// How often the database is asked for changes that others made.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// The least distance between two readings for calls that are about to be
/// refused: a caller without money must not become a stream of queries.
const REFRESH_INTERVAL: Duration = Duration::from_millis(250);
/// How long a call waits for news that could save it from being refused. A
/// database that does not answer by then is away, and what memory knows
/// decides.
const REFRESH_MAX: Duration = Duration::from_secs(2);
/// How often rows are read anew because changes were taken over meanwhile.
/// Readings keep a distance, so one more time is enough by far.
const LOAD_TRIES: usize = 8;

/// How far changes have been taken over.
#[derive(Debug)]
struct Feed {
    seq: u64,
    /// When the last reading began.
    began: Option<Instant>,
}

/// Watches the database for a running server.
pub struct StoreWatcher {
    store: Arc<dyn Store>,
    till: Arc<Till>,
    keyring: Arc<Keyring>,
    /// The lock makes readers take turns; whoever waited for a reading that
    /// began after they asked shares its result.
    feed: Mutex<Feed>,
    /// How many readings have begun.
    readings: AtomicU64,
    /// [`Feed::seq`], written before the changes up to it are taken over.
    position: AtomicU64,
    /// Since when looks have failed.
    away_since: std::sync::Mutex<Option<Instant>>,
}

impl StoreWatcher {
    /// A watcher that has seen the changes up to `change_seq`.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        till: Arc<Till>,
        keyring: Arc<Keyring>,
        change_seq: u64,
    ) -> Self {
        Self {
            store,
            till,
            keyring,
            feed: Mutex::new(Feed {
                seq: change_seq,
                began: None,
            }),
            readings: AtomicU64::new(0),
            position: AtomicU64::new(change_seq),
            away_since: std::sync::Mutex::new(None),
        }
    }

    /// Takes over what was changed since the last time.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn read_changes(&self) -> Result<(), StoreError> {
        self.read_changes_after(Duration::ZERO).await
    }

    /// The same for whoever goes on without the answer, too.
    pub async fn read_changes_or_warn(&self) {
        warn(self.read_changes().await);
    }

    /// Takes changes over, unless a reading began after this was asked; not
    /// sooner than `distance` after the last one began.
    async fn read_changes_after(&self, distance: Duration) -> Result<(), StoreError> {
        let before = self.readings.load(SeqCst);
        let mut feed = self.feed.lock().await;
        if self.readings.load(SeqCst) > before {
            return Ok(());
        }
        if let Some(began) = feed.began {
            tokio::time::sleep_until(began + distance).await;
        }
        self.readings.fetch_add(1, SeqCst);
        feed.began = Some(Instant::now());
        loop {
            let changes = self.store.changes_since(feed.seq).await;
            self.note(changes.as_ref().err());
            let changes = changes?;
            feed.seq = changes.seq.max(feed.seq);
            self.position.store(feed.seq, SeqCst);
            self.till.absorb(&changes);
            for key in &changes.keys {
                self.keyring.change(key.principal(), key.change_seq);
            }
            if changes.accounts.len().max(changes.keys.len()) < CHANGES_MAX {
                return Ok(());
            }
        }
    }

    /// Reads keys and their accounts, and puts them into memory. What is
    /// changed between reading and putting is taken over by a reading of
    /// changes only if it is in memory by then; so if there was one, rows
    /// are read again. `None` if that comes to no end.
    async fn load_keys(&self, hashes: &[KeyHash]) -> Result<Option<Vec<Principal>>, StoreError> {
        for _ in 0..LOAD_TRIES {
            let before = self.position.load(SeqCst);
            let keys = self.store.keys_by_hash(hashes).await?;
            let mut accounts: Vec<AccountId> = keys.iter().map(|key| key.key.account).collect();
            accounts.sort_unstable();
            accounts.dedup();
            let accounts = self.store.accounts_by_id(&accounts).await?;
            // Purses first: a key that is found must find its purse.
            self.till.load(&accounts, &keys);
            for key in &keys {
                self.keyring.put(key.principal(), key.change_seq);
            }
            if self.position.load(SeqCst) == before {
                let principals = keys.iter().map(KeyRow::principal);
                return Ok(Some(principals.collect()));
            }
        }
        Ok(None)
    }

    fn note(&self, error: Option<&StoreError>) {
        let mut since = self.lock_away();
        match error {
            None => {
                if let Some(since) = since.take() {
                    let s = since.elapsed().as_secs();
                    tracing::info!(s, "the database answers again");
                }
            }
            Some(error) if since.is_none() => {
                *since = Some(Instant::now());
                tracing::warn!(%error, "the database does not answer");
            }
            Some(_) => {}
        }
    }

    fn lock_away(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        let lock = self.away_since.lock();
        lock.unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// For how many seconds the database has been away, if it is.
    pub fn database_away_s(&self) -> Option<u64> {
        self.lock_away().map(|since| since.elapsed().as_secs())
    }

    /// Reads changes every second until the server stops.
    pub async fn keep_reading(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(POLL_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = crate::worker::stopped(&mut stop) => return,
            }
            self.read_changes_or_warn().await;
        }
    }
}

fn warn(read: Result<(), StoreError>) {
    if let Err(error) = read {
        // Said once as it begins, and an alarm if it lasts.
        tracing::debug!(%error, "changes could not be read from the database");
    }
}

impl Office for StoreWatcher {
    fn load<'a>(&'a self, hashes: &'a [KeyHash]) -> Reply<'a, Result<Vec<Principal>, Unavailable>> {
        Box::pin(async {
            match tokio::time::timeout(REFRESH_MAX, self.load_keys(hashes)).await {
                Ok(Ok(Some(found))) => Ok(found),
                Ok(Ok(None)) => Err(Unavailable::Busy),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "keys could not be read from the database");
                    Err(Unavailable::Database)
                }
                Err(_) => {
                    tracing::warn!("the database does not say which keys there are");
                    Err(Unavailable::Database)
                }
            }
        })
    }

    fn refresh(&self) -> Reply<'_, ()> {
        Box::pin(async {
            let read = self.read_changes_after(REFRESH_INTERVAL);
            match tokio::time::timeout(REFRESH_MAX, read).await {
                Ok(read) => warn(read),
                Err(_) => tracing::warn!("the database does not say what has changed"),
            }
        })
    }
}

#[cfg(test)]
mod tests;
