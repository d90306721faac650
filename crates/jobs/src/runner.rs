//! Which batches this node runs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bourse_store::Claim;
use bourse_vocab::BatchId;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};

use crate::batch::run::run;
use crate::shared::Jobs;

/// How often batches are claimed, if nobody says that there is a new one.
const CLAIMS_EVERY: Duration = Duration::from_secs(5);
/// How long a claim lasts: several times as long as it takes to renew it, so
/// that a database that is away for a moment takes no batch from anybody.
const LEASE: Duration = Duration::from_secs(60);
/// A node lets go so long before others may take: no call of a line is begun
/// that would run beside another's.
const LEASE_MARGIN: Duration = Duration::from_secs(10);
/// Batches that a node runs at once: each keeps up to 2 MB of where its lines
/// are. The others wait for their turn.
const BATCHES_MAX: usize = 16;

impl Jobs {
    /// Runs batches until told to stop, and then until the lines that were
    /// under way have ended.
    pub async fn keep_running(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut running = Running::default();
        while !*stop.borrow() {
            running.forget_ended();
            self.claim(&mut running, &stop).await;
            tokio::select! {
                () = tokio::time::sleep(CLAIMS_EVERY) => {}
                () = self.new.notified() => {}
                // A sender that is gone has stopped as well.
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        while running.tasks.join_next().await.is_some() {}
    }

    async fn claim(self: &Arc<Self>, running: &mut Running, stop: &watch::Receiver<bool>) {
        let now_ms = self.caller.now_ms();
        let until_ms = now_ms.saturating_add(millis(LEASE));
        let claim = Claim {
            now_ms,
            until_ms,
            count_max: BATCHES_MAX,
        };
        let claimed = match self.store.claim_batches(claim).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::debug!(%error, "batches cannot be claimed");
                return;
            }
        };
        let until_ms = until_ms.saturating_sub(millis(LEASE_MARGIN));
        self.leased_until_ms.store(until_ms, Relaxed);
        for row in claimed {
            let id = row.id;
            if !running.ids.insert(id) {
                continue;
            }
            let (jobs, stop) = (Arc::clone(self), stop.clone());
            let task = running.tasks.spawn(async move {
                if let Err(stuck) = run(jobs, row, stop).await {
                    tracing::warn!(batch = %id, %stuck, "a batch does not go on; it is tried again");
                }
            });
            running.by_task.insert(task.id(), id);
        }
    }
}

/// Batches that run; they end with whoever holds this.
#[derive(Default)]
struct Running {
    tasks: JoinSet<()>,
    by_task: HashMap<Id, BatchId>,
    ids: HashSet<BatchId>,
}

impl Running {
    /// Forgets those that do not run any more: they may be claimed again.
    fn forget_ended(&mut self) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            let task = ended.map_or_else(|error| error.id(), |(task, ())| task);
            if let Some(id) = self.by_task.remove(&task) {
                self.ids.remove(&id);
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
