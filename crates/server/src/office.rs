//! Between memory and the database: what others changed, noticed.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bourse_dataplane::gateway::Gateway;
use bourse_dataplane::keyring::Office;
use bourse_store::{Store, StoreError, Till};
use tokio::sync::{Mutex, watch};

/// How often the database is asked for changes that others made.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The office of a running server.
pub struct LiveOffice {
    store: Arc<dyn Store>,
    till: Arc<Till>,
    /// The last change that was taken over. The lock makes looks take turns;
    /// whoever waited for one shares its result.
    seq: Mutex<u64>,
    gateway: OnceLock<Weak<Gateway>>,
}

impl LiveOffice {
    /// An office that has seen nothing yet.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, till: Arc<Till>) -> Self {
        Self {
            store,
            till,
            seq: Mutex::new(0),
            gateway: OnceLock::new(),
        }
    }

    /// Tells the office whose keyring it keeps.
    pub fn attach(&self, gateway: &Arc<Gateway>) {
        let _ = self.gateway.set(Arc::downgrade(gateway));
    }

    /// Takes over what was changed since the last look.
    pub async fn look(&self) -> Result<(), StoreError> {
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

    /// Looks every second until told to stop.
    pub async fn keep_looking(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = crate::worker::told(&mut stop) => return,
            }
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "changes could not be read from the database");
            }
        }
    }
}

impl Office for LiveOffice {
    fn refresh(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "changes could not be read from the database");
            }
        })
    }
}
