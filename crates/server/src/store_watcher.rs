//! Changes that others make in the database, brought into memory: keys and
//! grants from the command line, from another server, from the control plane.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use bourse_dataplane::gateway::Gateway;
use bourse_dataplane::keyring::Office;
use bourse_store::{Store, StoreError, Till};
use tokio::sync::{Mutex, watch};

/// How often the database is asked for changes that others made.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How long a call waits for news that could save it from being refused. A
/// database that does not answer by then is away, and what memory knows
/// decides.
const REFRESH_MAX: Duration = Duration::from_secs(2);

/// Watches the database for a running server.
pub struct StoreWatcher {
    store: Arc<dyn Store>,
    till: Arc<Till>,
    /// The last change that was taken over. The lock makes readers take turns.
    seq: Mutex<u64>,
    /// Since when looks have failed.
    away_since: std::sync::Mutex<Option<Instant>>,
    gateway: OnceLock<Weak<Gateway>>,
}

impl StoreWatcher {
    /// A watcher that has seen nothing yet.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, till: Arc<Till>) -> Self {
        Self {
            store,
            till,
            seq: Mutex::new(0),
            away_since: std::sync::Mutex::new(None),
            gateway: OnceLock::new(),
        }
    }

    /// Says whose keyring is kept up to date.
    pub fn attach(&self, gateway: &Arc<Gateway>) {
        let _ = self.gateway.set(Arc::downgrade(gateway));
    }

    /// Takes over what was changed since the last time.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn read_changes(&self) -> Result<(), StoreError> {
        let mut seq = self.seq.lock().await;
        let changes = self.store.changes_since(*seq).await;
        self.note(changes.is_err());
        let changes = changes?;
        if changes.is_empty() {
            *seq = changes.seq.max(*seq);
            return Ok(());
        }
        self.till.absorb(&changes);
        if let Some(gateway) = self.gateway.get().and_then(Weak::upgrade) {
            gateway
                .keyring
                .update(changes.keys.iter().map(|key| key.principal()));
        }
        *seq = changes.seq.max(*seq);
        Ok(())
    }

    fn note(&self, failed: bool) {
        let mut since = self.lock_away();
        if !failed {
            if let Some(since) = since.take() {
                let s = since.elapsed().as_secs();
                tracing::info!(s, "the database answers again");
            }
        } else if since.is_none() {
            *since = Some(Instant::now());
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
            if let Err(error) = self.read_changes().await {
                tracing::warn!(%error, "changes could not be read from the database");
            }
        }
    }
}

impl Office for StoreWatcher {
    fn refresh(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            match tokio::time::timeout(REFRESH_MAX, self.read_changes()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, "changes could not be read from the database");
                }
                Err(_) => tracing::warn!("the database does not say what has changed"),
            }
        })
    }
}
