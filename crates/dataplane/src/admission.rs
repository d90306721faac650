//! Which calls may begin now.
//!
//! Every worker has a [`Door`]. A call passes it before its key is looked at
//! and before its body is read, so that a refusal costs next to nothing.
//! Whether it is refused depends on how long ready calls wait for the worker,
//! see [`overload`]; what runs is never touched. The management of the server
//! has no door.

mod door;
mod overload;
pub mod priority;
#[cfg(test)]
mod simulation;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bourse_vocab::{Blame, Failure, FailureKind};

pub use door::{Door, InFlight};

/// Why a call was refused although nothing is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shed {
    /// Its worker has more to do than it gets done.
    Overload,
}

impl Shed {
    /// Every reason.
    pub const ALL: [Self; 1] = [Self::Overload];

    /// The reason in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overload => "overload",
        }
    }

    const fn place(self) -> usize {
        self as usize
    }

    /// What the caller is told. It is neither their fault nor a provider's, and
    /// nothing has gone wrong either.
    fn failure(self) -> Failure {
        let (kind, message, retry_after) = match self {
            Self::Overload => (
                FailureKind::Overloaded,
                "This server is getting more requests than it can serve; try again",
                RETRY_AFTER,
            ),
        };
        let mut failure = Failure::new(kind, message).retry_after(retry_after);
        failure.blame = Blame::Us;
        failure
    }
}

/// When to come back: if nobody is refused for so long, nobody is from then on.
const RETRY_AFTER: Duration = Duration::from_micros(overload::CALM_US);

/// What all doors share.
#[derive(Debug, Default)]
pub struct Admission {
    doors: Mutex<Vec<Arc<Door>>>,
    shed: [AtomicU64; Shed::ALL.len()],
}

impl Admission {
    /// A door for one more worker.
    #[must_use]
    pub fn door(&self) -> Arc<Door> {
        let door = Arc::new(Door::new());
        self.doors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&door));
        door
    }

    /// Counts a call that is refused, and words it.
    pub fn shed(&self, why: Shed) -> Failure {
        if let Some(count) = self.shed.get(why.place()) {
            count.fetch_add(1, Relaxed);
        }
        why.failure()
    }

    /// How many calls were refused for a reason.
    #[must_use]
    pub fn sheds(&self, why: Shed) -> u64 {
        self.shed
            .get(why.place())
            .map_or(0, |count| count.load(Relaxed))
    }

    /// Calls under way.
    #[must_use]
    pub fn running(&self) -> u64 {
        self.sum(|door| u64::from(door.running()))
    }

    /// How many calls may run; `None`: any number, because at least one worker
    /// gets done what it is asked.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        let doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        doors.iter().map(|door| door.limit().map(u64::from)).sum()
    }

    /// The longest that a ready call waits for its worker at present, in
    /// microseconds.
    #[must_use]
    pub fn delay_us(&self) -> u64 {
        let doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        doors.iter().map(|door| door.delay_us()).max().unwrap_or(0)
    }

    fn sum(&self, of: impl Fn(&Door) -> u64) -> u64 {
        let doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        doors.iter().map(|door| of(door)).sum()
    }
}
