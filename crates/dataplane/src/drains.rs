//! Upstream answers that are read on after their client has left.
//!
//! A drain holds a provider's connection and a customer's money, and nobody
//! waits for it. So their number is bounded, each has a deadline, and a
//! server that stops waits for them as it waits for connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Drains at once unless configuration says otherwise. A drain is a socket
/// and a few hundred kilobytes at most; whoever opens streams and leaves,
/// on purpose or not, is stopped from collecting more of them.
pub const DRAINS_MAX: usize = 1_024;

/// Counts the drains that run.
#[derive(Debug)]
pub struct Drains {
    most: usize,
    running: AtomicUsize,
    ended: Notify,
}

impl Drains {
    /// Room for `most` drains at once.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self {
            most,
            running: AtomicUsize::new(0),
            ended: Notify::const_new(),
        }
    }

    /// Takes a place; `None` if all are taken, and then the upstream has to
    /// be cancelled.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> Option<Drain> {
        self.running
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |running| {
                (running < self.most).then_some(running.saturating_add(1))
            })
            .ok()
            .map(|_| Drain(Arc::clone(self)))
    }

    /// Whether no place is left.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.running() >= self.most
    }

    /// How many run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.load(Ordering::Acquire)
    }

    /// Waits until none runs.
    pub async fn all_ended(&self) {
        loop {
            // Registered before looking, so that an end in between is not
            // missed.
            let mut ended = std::pin::pin!(self.ended.notified());
            ended.as_mut().enable();
            if self.running() == 0 {
                return;
            }
            ended.await;
        }
    }
}

impl Default for Drains {
    fn default() -> Self {
        Self::new(DRAINS_MAX)
    }
}

/// The place of one drain, given back when dropped.
#[derive(Debug)]
pub struct Drain(Arc<Drains>);

impl Drop for Drain {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.ended.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, sleep, timeout};

    use super::*;

    #[test]
    fn no_more_drains_run_than_there_are_places() {
        let drains = Arc::new(Drains::new(2));
        let first = drains.begin().unwrap();
        let second = drains.begin().unwrap();
        assert!(drains.begin().is_none());
        assert_eq!(drains.running(), 2);
        drop(first);
        assert!(drains.begin().is_some(), "a place was given back");
        drop(second);
        assert_eq!(drains.running(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_is_woken_by_the_last_end() {
        let drains = Arc::new(Drains::new(2));
        let drain = drains.begin().unwrap();
        let another = drains.begin().unwrap();
        for (drain, ms) in [(drain, 70), (another, 30)] {
            tokio::spawn(async move {
                sleep(Duration::from_millis(ms)).await;
                drop(drain);
            });
        }
        let began = Instant::now();
        timeout(Duration::from_secs(1), drains.all_ended())
            .await
            .unwrap();
        assert_eq!(began.elapsed(), Duration::from_millis(70));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_where_nothing_runs() {
        Drains::default().all_ended().await;
    }
}
