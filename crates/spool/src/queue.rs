//! What waits for the syncing thread, and who waits for it.

use std::fs::File;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::Position;
use crate::trouble::Trouble;

/// What appenders and the syncing thread share.
#[derive(Debug)]
pub(crate) struct SyncQueue {
    state: Mutex<State>,
    wake: Condvar,
    /// How far the spool is on the disk.
    durable: AtomicU64,
    /// [`Trouble::level`] of `trouble`, for whoever appends.
    level: AtomicU8,
    news: watch::Sender<Durable>,
    /// Apart from `news`, so that whoever waits for it is not woken by every
    /// sync until then.
    trouble: watch::Sender<Trouble>,
}

/// What waiters are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Durable {
    pub position: Position,
    pub stopped: bool,
}

#[derive(Debug, Default)]
struct State {
    /// How far the kernel has the spool.
    written: u64,
    /// Files with bytes that may not be on the disk; the last is current.
    files: Vec<Arc<File>>,
    /// The thread waits for work, and wants to be woken.
    idle: bool,
    /// Somebody waits for the disk.
    urgent: bool,
    /// More than notes has been written since the last sync.
    matters: bool,
    /// Something waits in memory to be written.
    waiting: bool,
    /// No more work will come.
    closing: bool,
}

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Everything is on the disk.
    Nothing,
    /// Only notes, or what the disk did not take before.
    CanWait,
    /// Something that belongs on the disk now.
    Due,
    /// The same, and no more work will come.
    Last,
}

impl SyncQueue {
    /// All before `position` is on the disk, and `file` is written to.
    pub fn new(position: Position, file: Arc<File>) -> Self {
        let state = State {
            written: position.0,
            files: vec![file],
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
            wake: Condvar::new(),
            durable: AtomicU64::new(position.0),
            level: AtomicU8::new(0),
            news: watch::Sender::new(Durable {
                position,
                stopped: false,
            }),
            trouble: watch::Sender::new(Trouble::None),
        }
    }

    pub fn durable(&self) -> Position {
        Position(self.durable.load(Ordering::Acquire))
    }

    pub fn is_stopped(&self) -> bool {
        self.level() >= Trouble::STOPPED
    }

    /// [`Trouble::level`] of what is wrong.
    pub fn level(&self) -> u8 {
        self.level.load(Ordering::Acquire)
    }

    pub fn subscribe(&self) -> watch::Receiver<Durable> {
        self.news.subscribe()
    }

    pub fn subscribe_trouble(&self) -> watch::Receiver<Trouble> {
        self.trouble.subscribe()
    }

    /// Notes how far the kernel has the spool: nothing waits in memory any
    /// more. Wakes the thread only if it sleeps: a wake-up is a system call,
    /// and a busy spool needs none.
    pub fn wrote(&self, position: Position, matters: bool) {
        let mut state = self.lock();
        state.written = position.0;
        state.matters |= matters;
        state.waiting = false;
        self.wake_if_idle(state);
    }

    /// Notes that something waits in memory, for the thread to write.
    pub fn waits(&self) {
        let mut state = self.lock();
        state.waiting = true;
        self.wake_if_idle(state);
    }

    fn wake_if_idle(&self, mut state: MutexGuard<'_, State>) {
        if state.idle {
            state.idle = false;
            self.wake.notify_one();
        }
    }

    /// Somebody waits for the disk: do not rest first.
    pub fn hurry(&self) {
        self.lock().urgent = true;
        self.wake.notify_one();
    }

    /// A new segment begins; the old one may still have to be synced.
    pub fn rotated(&self, file: Arc<File>) {
        self.lock().files.push(file);
    }

    /// Nothing new is accepted any more, for this reason.
    pub fn stop(&self, why: &str) {
        self.worsen(Trouble::Stopped(why.into()));
        let position = self.durable();
        self.news.send_replace(Durable {
            position,
            stopped: true,
        });
    }

    /// Something went wrong. Told to whoever waits for it unless it is as bad
    /// already, so that an outage is told once.
    pub fn worsen(&self, trouble: Trouble) {
        self.trouble.send_if_modified(|known| {
            let is_worse = trouble.level() > known.level();
            if is_worse {
                self.level.store(trouble.level(), Ordering::Release);
                *known = trouble;
            }
            is_worse
        });
    }

    /// The disk takes records again. A spool that was stopped stays so.
    pub fn heal(&self) {
        self.trouble.send_if_modified(|known| {
            let is_over = (1..Trouble::STOPPED).contains(&known.level());
            if is_over {
                self.level.store(0, Ordering::Release);
                *known = Trouble::None;
            }
            is_over
        });
    }

    /// No more work will come.
    pub fn close(&self) {
        self.lock().closing = true;
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread rests for `interval`, or until somebody waits for the
    /// disk. If `may_sleep`, it sleeps before that until there is work.
    pub fn rest(&self, interval: Duration, may_sleep: bool) -> Work {
        let mut state = self.lock();
        if may_sleep {
            while self.is_done(&state) && !state.closing {
                state.idle = true;
                state = self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            state.idle = false;
        }
        (state, _) = self
            .wake
            .wait_timeout_while(state, interval, |state| !state.urgent && !state.closing)
            .unwrap_or_else(PoisonError::into_inner);
        if state.closing {
            Work::Last
        } else if self.is_done(&state) {
            state.urgent = false;
            Work::Nothing
        } else if state.matters || state.urgent {
            Work::Due
        } else {
            Work::CanWait
        }
    }

    fn is_done(&self, state: &State) -> bool {
        state.written == self.durable.load(Ordering::Acquire) && !state.waiting
    }

    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        self.lock().idle
    }

    /// How far the kernel has the spool, and the files that must be synced
    /// for all of that to be on the disk.
    pub fn take(&self) -> (Position, Vec<Arc<File>>) {
        let mut state = self.lock();
        state.urgent = false;
        state.matters = false;
        let done = state.files.len().saturating_sub(1);
        let mut files: Vec<_> = state.files.drain(..done).collect();
        files.extend(state.files.first().cloned());
        (Position(state.written), files)
    }

    /// Notes how far the spool is on the disk.
    pub fn synced(&self, position: Position) {
        self.durable.store(position.0, Ordering::Release);
        self.news.send_replace(Durable {
            position,
            stopped: false,
        });
    }
}
