//! Telling the database that this server is still there, and learning that
//! it is not its server any more.

use std::sync::Arc;
use std::time::Duration;

use bourse_dataplane::clock::now_ms;
use bourse_store::{Store, StoreError};
use tokio::sync::watch;

/// How often. Nothing is decided by it but what a second server is told, and
/// how soon one that was declared dead stops.
const RENEW_EVERY: Duration = Duration::from_secs(2);

/// Renews until told to stop. Sends what it was told if another server has
/// taken the database over.
pub async fn keep(
    store: Arc<dyn Store>,
    mut stop: watch::Receiver<bool>,
    taken_over: watch::Sender<Option<String>>,
) {
    let mut ticks = tokio::time::interval(RENEW_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = crate::worker::stopped(&mut stop) => return,
        }
        match store.renew(now_ms()).await {
            Err(error @ StoreError::TakenOver(_)) => {
                let _ = taken_over.send(Some(error.to_string()));
                return;
            }
            Err(error) => {
                tracing::debug!(%error, "the database was not told that the server is there");
            }
            Ok(()) => {}
        }
    }
}
