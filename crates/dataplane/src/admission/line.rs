//! Batch calls that wait until their worker has time.
//!
//! They stand in one line, and the first looks whether it may go. Who it is
//! was found out before, and the body is not read: one that waits keeps
//! little, and its client's bytes wait in the kernel.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::shed::Shed;

/// How often the first looks: it costs nothing to speak of, and nobody is in a
/// hurry.
const LOOKS_EVERY: Duration = Duration::from_millis(20);

/// The line at one worker.
#[derive(Debug)]
pub(super) struct Line {
    most: usize,
    waiting: AtomicUsize,
    /// Whose turn it is: given to those who ask for it one after the other.
    first: Semaphore,
}

/// One that waits, until it is dropped.
struct Place<'a>(&'a Line);

impl Line {
    /// A line for so many.
    pub(super) const fn new(most: usize) -> Self {
        Self {
            most,
            waiting: AtomicUsize::new(0),
            first: Semaphore::const_new(1),
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Waits at the end of the line for as long as `longest` until one `may_go`.
    /// Who returns has to go at once, before the next one looks.
    pub(super) async fn wait(
        &self,
        longest: Duration,
        may_go: impl Fn() -> bool,
    ) -> Result<(), Shed> {
        let _place = self.join()?;
        let turn = async {
            // Never closed.
            let _first = self.first.acquire().await;
            while !may_go() {
                sleep(LOOKS_EVERY).await;
            }
        };
        timeout(longest, turn).await.map_err(|_| Shed::Wait)
    }

    fn join(&self) -> Result<Place<'_>, Shed> {
        if self.waiting() >= self.most {
            return Err(Shed::Queue);
        }
        self.waiting.fetch_add(1, Relaxed);
        Ok(Place(self))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use futures_util::future::{join, join_all};
    use tokio::time::Instant;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_go_in_their_order_when_they_may() {
        let line = Line::new(3);
        let (room, gone) = (Cell::new(0), RefCell::new(Vec::new()));
        let waiter = async |number: u32| {
            let takes = || {
                let has_room = room.get() > 0;
                room.set(room.get() - u32::from(has_room));
                has_room
            };
            line.wait(10 * SECOND, takes).await.unwrap();
            gone.borrow_mut().push(number);
        };
        let opens = async {
            sleep(SECOND).await;
            assert_eq!(line.waiting(), 3);
            assert_eq!(line.wait(SECOND, || true).await, Err(Shed::Queue));
            room.set(2);
            sleep(SECOND).await;
            assert_eq!(*gone.borrow(), [1, 2]);
            room.set(1);
        };
        join(join_all([waiter(1), waiter(2), waiter(3)]), opens).await;
        assert_eq!(*gone.borrow(), [1, 2, 3]);
        assert_eq!(line.waiting(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_waited_long_enough_is_told_and_lets_the_next_look() {
        let line = Line::new(8);
        let began = Instant::now();
        let never = line.wait(SECOND, || false);
        let (first, second) = join(never, line.wait(2 * SECOND, || true)).await;
        assert_eq!((first, second), (Err(Shed::Wait), Ok(())));
        assert_eq!(began.elapsed(), SECOND);
        assert_eq!(line.waiting(), 0);
    }
}
