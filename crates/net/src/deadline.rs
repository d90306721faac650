//! Deadlines that cost nothing while all goes well.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// How long each stage of an exchange may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Resolving, connecting and TLS together.
    pub connect: Duration,
    /// From starting to write the request to having read the response head.
    pub head: Duration,
    /// The longest silence between two reads of the body.
    pub idle: Duration,
}

impl Default for Deadlines {
    /// 5 s to connect, 120 s to the head, 120 s of silence: what vendors'
    /// own SDKs put up with at least.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            head: Duration::from_secs(120),
            idle: Duration::from_secs(120),
        }
    }
}

/// Longest wait that is told apart from "for ever"; keeps sums of times in
/// range whatever a configuration says.
const WAIT_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// The moment `wait` after `now`.
pub(crate) fn after(now: Instant, wait: Duration) -> Instant {
    now + wait.min(WAIT_MAX)
}

/// One timer per connection, moved only when it must be.
///
/// Arming a timer takes the runtime's timer lock, so a later deadline does
/// not touch it: the timer is left to fire early, and is then set again to
/// the deadline that is valid by that time. On a busy connection that is one
/// re-arming per timeout and not one per read.
#[derive(Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    armed_for: Option<Instant>,
    deadline: Option<Instant>,
}

impl Timer {
    pub(crate) fn set(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
        if self.armed_for.is_none_or(|armed_for| armed_for > deadline) {
            self.arm(deadline);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.deadline = None;
    }

    pub(crate) fn is_set(&self) -> bool {
        self.deadline.is_some()
    }

    fn arm(&mut self, at: Instant) {
        self.armed_for = Some(at);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(sleep_until(at))),
        }
    }

    /// Ready when the deadline has passed; otherwise the task is woken at it.
    pub(crate) fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let (Some(deadline), Some(sleep)) = (self.deadline, self.sleep.as_mut()) else {
                return Poll::Pending;
            };
            std::task::ready!(sleep.as_mut().poll(cx));
            if Instant::now() >= deadline {
                self.armed_for = None;
                return Poll::Ready(());
            }
            self.arm(deadline);
        }
    }
}
