//! Bringing the journal into the database, in the background.

use std::sync::Arc;
use std::time::Duration;

use bourse_spool::{DATABASE, Position, Reader};
use tokio::sync::watch;

use crate::journal::{Applied, BATCH_RECORDS_MAX, Batch};
use crate::till::{Till, TillError};
use crate::{Store, StoreError};

/// How long records may wait for company. Longer batches cost less, most
/// calls begin and end within one, and of a stream's checkpoints only the
/// last is written; nobody waits for the result but dashboards and
/// `GET /generation`.
const REST: Duration = Duration::from_secs(1);
/// How long to wait after an error.
const REST_AFTER_ERROR: Duration = Duration::from_secs(1);

/// Brings the journal into the database.
pub struct Applier {
    store: Arc<dyn Store>,
    till: Arc<Till>,
    reader: Reader,
}

impl Applier {
    /// Continues where the database stopped.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, till: Arc<Till>) -> Self {
        let reader = till.spool().reader(till.spool().applied());
        Self {
            store,
            till,
            reader,
        }
    }

    /// Applies one batch of what is on the disk; returns how many records
    /// it had. What is not on the disk yet must not be in the database: a
    /// power cut could take it back.
    ///
    /// # Errors
    /// A database or a journal that fails; the next call tries again.
    pub async fn step(&mut self) -> Result<usize, TillError> {
        let from = self.reader.position();
        let durable = self.till.spool().durable();
        let batch = self.reader.read(durable, BATCH_RECORDS_MAX)?;
        if batch.is_empty() {
            return Ok(0);
        }
        let records: Vec<&[u8]> = batch.iter().collect();
        let batch_of = Batch {
            from,
            to: batch.end(),
            chain: Some(self.till.applied_chain()),
            records: &records,
        };
        match self.store.apply(batch_of).await {
            Ok(Applied {
                position,
                chain,
                repeated,
                ..
            }) => {
                if repeated > 0 {
                    tracing::warn!(repeated, "journal records repeated what was known");
                }
                self.till.note_applied(chain);
                self.till.spool().ack(DATABASE, position)?;
                self.reader.seek(position);
                Ok(records.len())
            }
            Err(error) => {
                self.reader.seek(from);
                Err(error.into())
            }
        }
    }

    /// Applies everything that has been appended so far.
    ///
    /// # Errors
    /// As for [`Self::step`].
    pub async fn drain(&mut self) -> Result<Position, TillError> {
        // Notes wait in memory for company, and none comes any more.
        self.till.spool().flush();
        let goal = self.till.spool().written();
        self.till.spool().wait_durable(goal).await?;
        while self.reader.position() < goal {
            if self.step().await? == 0 {
                let applied = self.reader.position().0;
                return Err(StoreError::Gap {
                    applied,
                    from: goal.0,
                }
                .into());
            }
        }
        Ok(goal)
    }

    /// Applies batches until `stop` says so (or its sender is gone), then
    /// what is left. Folding a batch takes a few milliseconds of CPU: run
    /// this on a thread of its own, so that no call waits for it.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow_and_update() {
            let rest = match self.step().await {
                Ok(records) if records >= BATCH_RECORDS_MAX => continue,
                Ok(_) => REST,
                Err(error) => {
                    self.till.note_behind(&error);
                    REST_AFTER_ERROR
                }
            };
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { break },
                () = tokio::time::sleep(rest) => {}
            }
        }
        if let Err(error) = self.drain().await {
            // Nothing is lost: the journal has it, and the next start reads
            // it from there.
            tracing::error!(%error, "the journal was not applied to its end");
        }
    }

    /// Runs [`Self::run`] on a thread of its own, with its own small runtime.
    /// `beside` runs on the same thread: what answers there shows that it turns.
    ///
    /// # Errors
    /// The operating system gives no thread or no runtime.
    pub fn spawn(
        self,
        stop: watch::Receiver<bool>,
        beside: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<std::thread::JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("applier".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::spawn(beside);
                    self.run(stop).await;
                });
            })
    }
}
