//! The door of one worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::bounds::{Limits, Part};
use super::line::Line;
use super::overload::{Overload, TARGET_US};
use super::priority::Priority;
use super::shed::Shed;

/// The door of one worker. Only its thread writes here, so nothing is locked
/// and no line of memory travels between cores.
#[derive(Debug)]
pub struct Door {
    began: Instant,
    overload: Overload,
    /// Wakes the probe, see [`Overload`].
    probe: Notify,
    running: AtomicU32,
    line: Line,
    is_at_the_side: bool,
}

impl Door {
    /// A door with what the operator set.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            began: Instant::now(),
            overload: Overload::new(limits.late),
            probe: Notify::new(),
            running: AtomicU32::new(0),
            line: Line::new(limits.batch_queue_max),
            is_at_the_side: false,
        }
    }

    /// One that is no worker's.
    pub(super) fn at_the_side(limits: &Limits) -> Self {
        Self {
            is_at_the_side: true,
            ..Self::new(limits)
        }
    }

    /// Whether it is no worker's.
    pub(super) const fn is_at_the_side(&self) -> bool {
        self.is_at_the_side
    }

    /// Whether a call that has just come may begin.
    #[must_use]
    pub fn admits(&self, priority: Priority) -> bool {
        let now_us = self.now_us();
        if self.overload.sends_probe(now_us) {
            self.probe.notify_one();
        }
        self.overload.admits(priority, self.running(), now_us)
    }

    /// Whether anybody was ever refused: as long as nobody was, a load is all
    /// that [`Self::keeps_refusing`] would cost.
    #[must_use]
    pub fn has_refused(&self) -> bool {
        self.overload.has_refused()
    }

    /// Whether others have just been refused, and a call that has just come and
    /// may not wait is to be as well.
    #[must_use]
    pub fn keeps_refusing(&self) -> bool {
        self.limit().is_some() && !self.admits(Priority::Interactive)
    }

    /// Whether a batch call that has just come may begin: nobody overtakes
    /// those who wait.
    pub(crate) fn admits_batch(&self) -> bool {
        self.line.waiting() == 0 && self.admits(Priority::Batch)
    }

    /// Waits until a batch call may begin.
    pub(crate) async fn wait(&self, longest: Duration) -> Result<(), Shed> {
        self.line
            .wait(longest, || self.admits(Priority::Batch))
            .await
    }

    /// Counts a call as under way from now on.
    pub(crate) fn begin(self: &Arc<Self>, part: Part) -> InFlight {
        self.running.fetch_add(1, Relaxed);
        InFlight {
            door: Arc::clone(self),
            _part: part,
        }
    }

    /// The same for a call of nobody's.
    #[cfg(test)]
    pub fn begin_one(self: &Arc<Self>) -> InFlight {
        self.begin(Part::default())
    }

    /// Batch calls that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.line.waiting()
    }

    /// Stands in the line of the worker's tasks for every probe; for as long as
    /// the worker runs.
    pub async fn keep_probing(&self) {
        loop {
            self.probe.notified().await;
            self.overload.probed(self.now_us());
        }
    }

    /// Calls under way.
    #[must_use]
    pub fn running(&self) -> u32 {
        self.running.load(Relaxed)
    }

    /// How many may be, if not any number.
    #[must_use]
    pub fn limit(&self) -> Option<u32> {
        self.overload.limit(self.now_us())
    }

    /// Whether calls that are ready hardly wait, and nobody is refused. Any
    /// thread may ask.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.limit().is_none() && self.delay_us() <= TARGET_US
    }

    /// How long a call that is ready waits for the worker, in microseconds.
    #[must_use]
    pub fn delay_us(&self) -> u64 {
        self.overload.delay_us(self.now_us())
    }

    /// Since the door is there; never 0.
    fn now_us(&self) -> u64 {
        let since = u64::try_from(self.began.elapsed().as_micros());
        since.unwrap_or(u64::MAX).max(1)
    }
}

/// Counts a call as under way while it lives: to the last byte of its
/// answer, or to the end of its drain.
#[derive(Debug)]
pub struct InFlight {
    door: Arc<Door>,
    _part: Part,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.door.running.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::task::yield_now;
    use tokio::time::advance;

    use super::super::overload::FEW;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_waits_in_line_says_how_late_the_worker_is() {
        let door = Arc::new(Door::new(&Limits::default()));
        let probing = Arc::clone(&door);
        tokio::spawn(async move { probing.keep_probing().await });
        let ms = Duration::from_millis;
        advance(ms(1_000)).await;
        let mut calls: Vec<_> = (0..FEW).map(|_| door.begin_one()).collect();
        assert!(door.admits(Priority::Interactive));
        // Time goes by before it is the probe's turn: a moment, and then more.
        advance(ms(30)).await;
        assert_eq!(door.delay_us(), 30_000);
        assert!(!door.is_calm());
        assert!(door.admits(Priority::Interactive));
        advance(ms(2)).await;
        assert!(door.admits(Priority::Interactive));
        advance(ms(110)).await;
        assert_eq!(door.delay_us(), 110_000);
        assert!(!door.admits(Priority::Interactive));
        assert_eq!(door.limit(), Some(FEW));

        // The next one has its turn at once, and the line is worked off.
        yield_now().await;
        advance(ms(111)).await;
        assert!(!door.admits(Priority::Interactive), "as many as then run");
        yield_now().await;
        calls.pop();
        assert!(door.admits(Priority::Interactive));
        calls.push(door.begin_one());

        advance(ms(1_000)).await;
        assert_eq!(door.limit(), None);
        assert!(door.admits(Priority::Interactive));
        assert!(door.is_calm());
        drop(calls);
        assert_eq!(door.running(), 0);
    }
}
