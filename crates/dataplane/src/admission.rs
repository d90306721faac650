//! Which calls may begin now.
//!
//! Every worker has a [`Door`]. A call passes it before its key is looked at
//! and before its body is read, so that a refusal costs next to nothing.
//! Whether it is refused depends on how long ready calls wait for the worker,
//! see [`overload`]; what runs is never touched. A call that says it is no
//! hurry ([`priority`]) is the first that is not let in, and waits in a [`line`].
//! What one key and one account may have is bounded besides, if the operator
//! says so ([`bounds`]). The management of the server has no door.

pub mod bounds;
mod counts;
mod door;
mod line;
mod overload;
pub mod priority;
mod shed;
#[cfg(test)]
mod simulation;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bounds::{Bounds, Limits};

pub use door::{Door, InFlight};
pub use shed::Shed;

/// What all doors share.
#[derive(Debug)]
pub struct Admission {
    bounds: Bounds,
    doors: Mutex<Vec<Arc<Door>>>,
    shed: [AtomicU64; Shed::ALL.len()],
}

impl Admission {
    /// With such limits, and no worker yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            bounds: Bounds::new(limits),
            doors: Mutex::default(),
            shed: Default::default(),
        }
    }

    /// What keys and accounts may have.
    pub(crate) const fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// A door for one more worker.
    #[must_use]
    pub fn door(&self) -> Arc<Door> {
        let door = Arc::new(Door::new(&self.bounds.limits));
        self.doors().push(Arc::clone(&door));
        door
    }

    /// A door for lines of batches, which nobody is refused at: it says how many
    /// are under way, and nothing of what workers get done.
    #[must_use]
    pub fn side_door(&self) -> Arc<Door> {
        let door = Arc::new(Door::at_the_side(&self.bounds.limits));
        self.doors().push(Arc::clone(&door));
        door
    }

    /// Counts a call that is refused.
    pub fn count(&self, why: Shed) {
        if let Some(count) = self.shed.get(why.place()) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// How many calls were refused for a reason.
    #[must_use]
    pub fn sheds(&self, why: Shed) -> u64 {
        let count = self.shed.get(why.place());
        count.map_or(0, |count| count.load(Relaxed))
    }

    /// Calls under way.
    #[must_use]
    pub fn running(&self) -> u64 {
        let doors = self.doors();
        doors.iter().map(|door| u64::from(door.running())).sum()
    }

    /// Batch calls that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.doors().iter().map(|door| door.waiting()).sum()
    }

    /// Whether no worker has more to do than it gets done at once, so that
    /// batches do not keep anybody waiting.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.doors().iter().all(|door| door.is_calm())
    }

    /// How many calls may run; `None`: any number, because at least one worker
    /// gets done what it is asked.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        let doors = self.doors();
        let workers = doors.iter().filter(|door| !door.is_at_the_side());
        workers.map(|door| door.limit().map(u64::from)).sum()
    }

    /// The longest that a ready call waits for its worker at present, in
    /// microseconds.
    #[must_use]
    pub fn delay_us(&self) -> u64 {
        let doors = self.doors();
        doors.iter().map(|door| door.delay_us()).max().unwrap_or(0)
    }

    /// Locked when a worker begins and when somebody asks, never by a call.
    fn doors(&self) -> MutexGuard<'_, Vec<Arc<Door>>> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Admission {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::overload::FEW;
    use super::priority::Priority;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_door_at_the_side_counts_its_calls_and_hides_no_limit_of_a_worker() {
        let admission = Admission::default();
        let (worker, side) = (admission.door(), admission.side_door());
        let probing = Arc::clone(&worker);
        tokio::spawn(async move { probing.keep_probing().await });
        advance(Duration::from_secs(1)).await;
        assert!(admission.is_calm());
        let calls: Vec<_> = (0..FEW).map(|_| worker.begin_one()).collect();
        let line = side.begin_one();
        assert_eq!(admission.running(), u64::from(FEW) + 1);
        assert!(worker.admits(Priority::Interactive));
        for late_ms in [30, 2, 110] {
            advance(Duration::from_millis(late_ms)).await;
            let _ = worker.admits(Priority::Interactive);
        }
        assert_eq!(admission.limit(), Some(u64::from(FEW)));
        assert!(!admission.is_calm());
        drop((calls, line));
        assert_eq!(admission.running(), 0);
    }
}
