//! Changes that others make in the database, brought into memory: keys and
//! grants from the command line, from another server, from the control plane.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bourse_dataplane::gateway::Gateway;
use bourse_dataplane::keyring::Office;
use bourse_store::{Store, StoreError, Till};
use tokio::sync::{Mutex, watch};

/// How often the database is asked for changes that others made.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Watches the database for a running server.
pub struct StoreWatcher {
    store: Arc<dyn Store>,
    till: Arc<Till>,
    /// The last change that was taken over. The lock makes readers take turns.
    seq: Mutex<u64>,
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
        let changes = self.store.changes_since(*seq).await?;
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
            if let Err(error) = self.read_changes().await {
                tracing::warn!(%error, "changes could not be read from the database");
            }
        })
    }
}
