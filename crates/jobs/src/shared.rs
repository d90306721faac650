//! What all batches of a node share.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bourse_store::{Contents, Store};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::caller::Caller;

/// Bounds of batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobLimits {
    /// Lines that are called at once, of all batches of this node.
    pub lines_at_once: usize,
    /// For how long answers are kept, in milliseconds.
    pub keep_ms: u64,
}

/// What runs batches.
pub struct Jobs {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) contents: Contents,
    pub(crate) caller: Arc<dyn Caller>,
    pub(crate) limits: JobLimits,
    /// Until when this node has what it claimed.
    pub(crate) leased_until_ms: AtomicU64,
    /// Lines that may be called: who waits for one stands in a line, so that
    /// batches take turns.
    permits: Arc<Semaphore>,
    pub(crate) new: Notify,
}

impl Jobs {
    /// Nothing runs yet.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        contents: Contents,
        caller: Arc<dyn Caller>,
        limits: JobLimits,
    ) -> Self {
        Self {
            store,
            contents,
            caller,
            limits,
            leased_until_ms: AtomicU64::new(0),
            permits: Arc::new(Semaphore::new(limits.lines_at_once)),
            new: Notify::new(),
        }
    }

    /// Says that there is a new batch, so that it need not wait.
    pub fn look(&self) {
        self.new.notify_one();
    }

    /// Room for one more line.
    pub(crate) async fn permit(&self) -> OwnedSemaphorePermit {
        loop {
            // Never closed.
            if let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await {
                return permit;
            }
        }
    }
}
