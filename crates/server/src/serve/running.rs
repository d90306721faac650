//! A running server, and how it ends: calls first, then the journal.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bourse_dataplane::gateway::Gateway;
use bourse_sim::SimHandle;
use bourse_store::{Store, Till};
use tokio::sync::watch;
use tokio::task::JoinHandle as JoinTask;

use super::signals::StopSignals;
use super::{Error, disk};
use crate::call_log::CallLog;
use crate::manager::Manager;

/// How long it may take to cut calls off and to settle them, once their time
/// is up: a lock and a write for each.
const CUT_OFF_MAX: Duration = Duration::from_secs(10);

/// How often an operator who waits for a stop is told what is waited for.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// How long the last records may take to reach the database.
const APPLY_MAX: Duration = Duration::from_secs(10);

/// How long an ending server waits for those who tell of it: a log or a webhook
/// that takes nothing holds nobody up.
const TELL_MAX: Duration = Duration::from_secs(4);

/// Everything that must be ended, or kept to the end.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) workers: Vec<JoinHandle<()>>,
    /// Calls lines of batches.
    pub(super) batches: Option<JoinHandle<()>>,
    /// How long new calls are served once it is told to stop.
    pub(super) lame_duck: Duration,
    /// How long running calls may take to end.
    pub(super) stop_timeout: Duration,
    pub(super) gateway: Arc<Gateway>,
    pub(super) till: Arc<Till>,
    pub(super) manager: Manager,
    pub(super) store: Arc<dyn Store>,
    /// Says it if another server has taken the database over.
    pub(super) taken_over: watch::Receiver<Option<String>>,
    /// Ends the workers and what runs beside them.
    pub(super) stop: watch::Sender<bool>,
    /// Ends the calls that the workers still serve.
    pub(super) cut_off: watch::Sender<bool>,
    /// Ends the applier, after the last call has written its records.
    pub(super) stop_applier: watch::Sender<bool>,
    pub(super) applying: JoinHandle<()>,
    /// Writes lines of calls, to the last.
    pub(super) call_log: CallLog,
    /// Tells the webhook of alarms, if there is one.
    pub(super) telling: Option<JoinTask<()>>,
    /// Stops watching when it is dropped.
    pub(super) _file_watcher: Option<notify::RecommendedWatcher>,
    /// Simulated providers stop when it is dropped.
    pub(super) _simulation: Option<SimHandle>,
}

impl Running {
    /// Where it listens.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How long new calls are served once it is told to stop.
    pub(super) const fn lame_duck(&self) -> Duration {
        self.lame_duck
    }

    /// How many threads serve.
    pub(super) const fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Waits until the journal can no longer be written.
    pub(super) async fn journal_failed(&self) {
        self.till.spool().stopped().await;
    }

    /// Waits until another server has taken the database over.
    pub(super) async fn taken_over(&self) -> String {
        let mut taken_over = self.taken_over.clone();
        match taken_over.wait_for(Option::is_some).await {
            Ok(error) => error.clone().unwrap_or_default(),
            // Nothing watches any more; that is not the same.
            Err(_) => std::future::pending().await,
        }
    }

    /// Says that it stops and serves for `lame_duck` more, so that whoever
    /// sends calls learns of it before one is refused; lets running calls end,
    /// then brings the rest of the journal into the database. Another signal
    /// cuts the calls off, one more leaves the journal to the next start.
    ///
    /// # Errors
    /// The disk does not take what calls have cost.
    pub(super) async fn stop(
        mut self,
        signals: &mut StopSignals,
        lame_duck: Duration,
    ) -> Result<(), Error> {
        self.gateway.stopping.begin();
        self.manager.stopping();
        let is_hurried = !lame_duck.is_zero() && self.wait_as_lame_duck(signals, lame_duck).await;
        let _ = self.stop.send(true);
        self.end_calls(signals, is_hurried).await;
        // Here, because the applier does not wait for what the disk refuses.
        let refused = tokio::select! {
            refused = disk::write_out(self.till.spool()) => refused,
            () = signals.recv() => self.till.spool().flush(),
        };
        let _ = self.stop_applier.send(true);
        let applying = self.applying;
        let applied = tokio::task::spawn_blocking(move || applying.join());
        let is_applied = tokio::select! {
            applied = tokio::time::timeout(APPLY_MAX, applied) => matches!(applied, Ok(Ok(Ok(())))),
            () = signals.recv() => false,
        };
        // The names of keys are in the store, so before it is left.
        tell_the_rest(self.call_log, self.telling).await;
        if is_applied {
            leave(&self.till, &*self.store).await;
            tracing::info!("stopped");
        } else {
            tracing::warn!(
                "stopped with records that the database has not seen; they are applied at the next start"
            );
        }
        if refused > 0 {
            return Err(format!(
                "the journal's disk does not take {refused} bytes of what calls have cost, and they end with this process; those calls are closed at the next start by what was written of them before"
            )
            .into());
        }
        Ok(())
    }
}

impl Running {
    /// Serves on. Whether a signal came meanwhile.
    async fn wait_as_lame_duck(&self, signals: &mut StopSignals, lame_duck: Duration) -> bool {
        tracing::info!(
            "stopping: /readyz says so, and new calls are served for {} ms more",
            lame_duck.as_millis()
        );
        tokio::select! {
            () = tokio::time::sleep(lame_duck) => false,
            () = signals.recv() => true,
        }
    }

    /// Waits until the last call has ended, or is cut off.
    async fn end_calls(&mut self, signals: &mut StopSignals, mut is_hurried: bool) {
        let threads: Vec<_> = self.workers.drain(..).chain(self.batches.take()).collect();
        let mut ended = tokio::task::spawn_blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
        });
        if is_hurried {
            self.hurry();
        }
        let began = Instant::now();
        let time_is_up = tokio::time::sleep(self.stop_timeout.saturating_add(CUT_OFF_MAX));
        let mut time_is_up = std::pin::pin!(time_is_up);
        let mut ticks = tokio::time::interval(TELL_EVERY);
        self.tell_what_is_waited_for(began);
        ticks.tick().await;
        loop {
            tokio::select! {
                _ = &mut ended => break,
                _ = ticks.tick() => self.tell_what_is_waited_for(began),
                () = signals.recv(), if !is_hurried => {
                    is_hurried = true;
                    self.hurry();
                }
                () = &mut time_is_up => {
                    tracing::warn!("some calls could not be cut off; they are closed at the next start");
                    break;
                }
            }
        }
    }

    fn tell_what_is_waited_for(&self, began: Instant) {
        let left = self.stop_timeout.saturating_sub(began.elapsed());
        let waits = waits_for(&self.gateway, left);
        self.manager.say(&waits);
        tracing::info!("{waits}");
    }

    fn hurry(&self) {
        tracing::warn!("stopping at once: running calls are cut off");
        let _ = self.cut_off.send(true);
    }
}

/// What a stop waits for, in words.
fn waits_for(gateway: &Gateway, left: Duration) -> String {
    let calls = gateway.admission.running();
    let drains = gateway.drains.running() as u64;
    if calls == 0 && drains == 0 {
        return "stopping: no call is running".to_owned();
    }
    let calls = counted(calls, "call running", "calls running");
    let drains = counted(drains, "answer read on", "answers read on");
    let left_s = left.as_secs_f64().ceil();
    format!("stopping: {calls}, {drains}; waiting up to {left_s} s, another signal cuts them off")
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Lets those who tell of calls and alarms come to their end.
async fn tell_the_rest(call_log: CallLog, telling: Option<JoinTask<()>>) {
    let rest = async {
        call_log.finish().await;
        if let Some(telling) = telling {
            let _ = telling.await;
        }
    };
    let _ = tokio::time::timeout(TELL_MAX, rest).await;
}

/// Lets another server have the database, if nothing is left for it here.
async fn leave(till: &Till, store: &dyn Store) {
    let spool = till.spool();
    if spool.applied() < spool.written() {
        tracing::warn!(
            "the database does not have all of the journal; it waits for this server to start again"
        );
    } else if let Err(error) = store.retire().await {
        tracing::warn!(%error, "the database still names this server");
    }
    store.close().await;
}
