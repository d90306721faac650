//! The thread that brings segments to the disk.

use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::{Kind, Position};

/// After so many intervals without a record the thread sleeps until it is
/// woken. Before, it looks by itself: waking it is a system call, and a call
/// that comes alone would pay for it.
const QUIET_INTERVALS: u32 = 25;
/// Notes that nothing else accompanies go to the disk after so many
/// intervals: a sync costs more than what they are worth.
const NOTE_INTERVALS: u32 = 10;

/// What appenders and the syncing thread share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    /// How far the spool is on the disk.
    durable: AtomicU64,
    /// A write or a sync failed.
    stopped: AtomicBool,
    news: watch::Sender<Durable>,
    /// Apart from `news`, so that whoever waits for the end is not woken by
    /// every sync until then.
    end: watch::Sender<bool>,
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
    /// No more work will come.
    closing: bool,
}

impl Shared {
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
            stopped: AtomicBool::new(false),
            news: watch::Sender::new(Durable {
                position,
                stopped: false,
            }),
            end: watch::Sender::new(false),
        }
    }

    pub fn durable(&self) -> Position {
        Position(self.durable.load(Ordering::Acquire))
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    pub fn subscribe(&self) -> watch::Receiver<Durable> {
        self.news.subscribe()
    }

    pub fn subscribe_end(&self) -> watch::Receiver<bool> {
        self.end.subscribe()
    }

    /// Notes what has been written. Wakes the thread only if it sleeps: a
    /// wake-up is a system call, and a busy spool needs none.
    pub fn wrote(&self, position: Position, kind: Kind) {
        let mut state = self.lock();
        state.written = position.0;
        state.matters |= kind != Kind::Note;
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

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        let position = self.durable();
        self.news.send_replace(Durable {
            position,
            stopped: true,
        });
        self.end.send_replace(true);
    }

    pub fn close(&self) {
        self.lock().closing = true;
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread: rests for `interval`, so that what comes meanwhile shares
    /// a sync, and syncs what is not on the disk. It rests first, because a
    /// page that is being synced cannot be written to: the end of a short call
    /// would wait for the sync of its beginning.
    pub fn run(&self, interval: Duration) {
        let mut quiet = 0_u32;
        let mut waited = 0_u32;
        loop {
            let (goal, files, closing) = {
                let mut state = self.lock();
                if quiet >= QUIET_INTERVALS {
                    while state.written == self.durable.load(Ordering::Acquire) && !state.closing {
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
                if state.written != self.durable.load(Ordering::Acquire) {
                    waited = waited.saturating_add(1);
                    let due = state.matters || state.urgent || state.closing;
                    if !due && waited < NOTE_INTERVALS {
                        continue;
                    }
                }
                state.urgent = false;
                state.matters = false;
                let done = state.files.len().saturating_sub(1);
                let mut files: Vec<_> = state.files.drain(..done).collect();
                files.extend(state.files.first().cloned());
                (state.written, files, state.closing)
            };
            quiet = quiet.saturating_add(1);
            if goal != self.durable.load(Ordering::Acquire) {
                quiet = 0;
                waited = 0;
                // After a failed sync the kernel may have dropped the pages
                // and would report success the next time: never retry.
                if files.iter().any(|file| file.sync_data().is_err()) {
                    self.stop();
                    return;
                }
                self.durable.store(goal, Ordering::Release);
                let news = Durable {
                    position: Position(goal),
                    stopped: false,
                };
                self.news.send_replace(news);
            }
            if closing {
                return;
            }
        }
    }
}
