//! Alarms of a running server: what is looked at, and who is told.
//!
//! What an alarm is, when it is told and how it is logged is the data plane's
//! ([`bourse_dataplane::alarms`]). Here is the task that looks once a second,
//! and the one that sends events to the operator's webhook. Neither is on the
//! way of a call, and no call waits for either.

mod deliver;
mod webhook;

use std::sync::Arc;

use bourse_dataplane::alarms::signs::{Database, LOOK_EVERY, Signs};
use bourse_dataplane::gateway::Gateway;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::store_watcher::StoreWatcher;
use deliver::Deliverer;
pub use webhook::{Posted, Receiver, message, message_id};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Begins to look, and to tell whoever is to be told. Returns the task that
/// tells, which ends after `stop`.
///
/// # Errors
/// As for [`Receiver::new`].
pub fn start(
    config: &Config,
    gateway: &Arc<Gateway>,
    watcher: &Arc<StoreWatcher>,
    stop: &watch::Receiver<bool>,
) -> Result<Option<JoinHandle<()>>, Error> {
    tokio::spawn(look(Arc::clone(gateway), Arc::clone(watcher), stop.clone()));
    let Some(webhook) = &config.alarms.webhook else {
        return Ok(None);
    };
    let receiver = Receiver::new(webhook, &config.roads)?;
    let alarms = Arc::clone(&gateway.alarms);
    let Some(told) = alarms.listen() else {
        return Ok(None);
    };
    let server = config.listen.to_string();
    let deliverer = Deliverer::new(receiver, alarms, server);
    Ok(Some(tokio::spawn(deliverer.run(told, stop.clone()))))
}

async fn look(gateway: Arc<Gateway>, watcher: Arc<StoreWatcher>, mut stop: watch::Receiver<bool>) {
    let mut signs = Signs::default();
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = crate::worker::stopped(&mut stop) => return,
        }
        let till = &gateway.till;
        let behind = till.database_behind().map(|for_so_long| {
            let why = till.why_behind().unwrap_or_default();
            (for_so_long.as_secs(), why)
        });
        let database = Database {
            away_s: watcher.database_away_s(),
            behind,
        };
        signs.look(&gateway, &database, gateway.clock.now_ms());
    }
}
