//! Calls that are the same and under way at once: one asks, the others wait for
//! its answer.
//!
//! OpenRouter does not do that (openrouter.ai/docs, response caching, November
//! 2026: two calls that are the same at once are both billed), so whoever wants
//! it says so, `X-Bourse-Single-Flight: true`. The first one *leads*. When its
//! answer is kept, all that wait look for it in the cache, and each is a hit. When
//! it comes to nothing, or its caller leaves, the next in line leads, and only
//! that one: a provider that is down is not asked by all of them at once.
//! When it answered and there is nothing to keep, nobody is helped by standing in
//! line any longer, and each asks for itself.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::fingerprint::Digest;

/// How long a call waits for others, all in all: nothing is sent to its client
/// meanwhile, and proxies on the way give up after a minute of silence (nginx,
/// `proxy_read_timeout`). Then it asks for itself.
pub const WAIT: Duration = Duration::from_secs(45);
/// Calls that wait for one. Each keeps its request in memory, and all of them
/// are told at once. More of them ask for themselves.
const OF_FLIGHT_MAX: usize = 256;
/// Calls that wait, over all flights, for the first reason.
const WAITING_MAX: usize = 4_096;

/// The calls that others may wait for.
#[derive(Debug, Default)]
pub struct Flights {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    lines: HashMap<Digest, VecDeque<Waiting>>,
    waiting: usize,
    next: u64,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    turn: oneshot::Sender<Turn>,
}

/// What a call does that would share an answer.
#[derive(Debug)]
pub enum Joined {
    /// It asks, and others wait for it.
    Leads(Leader),
    /// It waits.
    Waits(Waiter),
    /// Too many wait; it asks for itself.
    Crowded,
}

/// What a call does that has waited.
#[derive(Debug)]
pub enum Turn {
    /// It asks, and those behind it wait on.
    Lead(Leader),
    /// It looks whether there is an answer now.
    Look,
}

/// That others wait for a call. Dropped, the next one leads.
#[derive(Debug)]
pub struct Leader {
    flights: Arc<Flights>,
    digest: Digest,
    is_over: bool,
}

/// A place in the line behind a call, given up when dropped.
#[derive(Debug)]
pub struct Waiter {
    flights: Arc<Flights>,
    digest: Digest,
    number: u64,
    turn: oneshot::Receiver<Turn>,
}

impl Flights {
    /// Joins the flight of a call, or begins one.
    #[must_use]
    pub fn join(self: &Arc<Self>, digest: Digest) -> Joined {
        let mut inner = self.lock();
        let Inner {
            lines,
            waiting,
            next,
        } = &mut *inner;
        let line = match lines.entry(digest) {
            Entry::Vacant(none) => {
                none.insert(VecDeque::new());
                return Joined::Leads(self.leader(digest));
            }
            Entry::Occupied(line) => line.into_mut(),
        };
        if line.len() >= OF_FLIGHT_MAX || *waiting >= WAITING_MAX {
            return Joined::Crowded;
        }
        *next = next.saturating_add(1);
        *waiting = waiting.saturating_add(1);
        let (tell, turn) = oneshot::channel();
        line.push_back(Waiting {
            number: *next,
            turn: tell,
        });
        Joined::Waits(Waiter {
            flights: Arc::clone(self),
            digest,
            number: *next,
            turn,
        })
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().waiting
    }

    fn leader(self: &Arc<Self>, digest: Digest) -> Leader {
        Leader {
            flights: Arc::clone(self),
            digest,
            is_over: false,
        }
    }

    /// Takes the first of a line; a line with nobody in it is over.
    fn first(&self, digest: &Digest) -> Option<Waiting> {
        let mut inner = self.lock();
        let first = inner.lines.get_mut(digest)?.pop_front();
        match first {
            Some(_) => inner.waiting = inner.waiting.saturating_sub(1),
            None => {
                inner.lines.remove(digest);
            }
        }
        first
    }

    /// Takes all of a line, which is over.
    fn all(&self, digest: &Digest) -> VecDeque<Waiting> {
        let mut inner = self.lock();
        let line = inner.lines.remove(digest).unwrap_or_default();
        inner.waiting = inner.waiting.saturating_sub(line.len());
        line
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leader {
    /// The call was answered: all that wait look whether the answer is kept.
    pub fn answered(mut self) {
        self.is_over = true;
        for waiting in self.flights.all(&self.digest) {
            // Whoever has left does not hear it.
            let _ = waiting.turn.send(Turn::Look);
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        while !self.is_over {
            let Some(next) = self.flights.first(&self.digest) else {
                return;
            };
            let leads = Turn::Lead(self.flights.leader(self.digest));
            match next.turn.send(leads) {
                Ok(()) => self.is_over = true,
                // It left a moment ago: the one behind it, then.
                Err(Turn::Lead(mut unheard)) => unheard.is_over = true,
                Err(Turn::Look) => {}
            }
        }
    }
}

impl Waiter {
    /// Waits for the others. `None` if that takes too long.
    pub async fn turn(mut self) -> Option<Turn> {
        timeout(WAIT, &mut self.turn).await.ok()?.ok()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut inner = self.flights.lock();
        let Some(line) = inner.lines.get_mut(&self.digest) else {
            return;
        };
        let before = line.len();
        line.retain(|waiting| waiting.number != self.number);
        let gone = before.saturating_sub(line.len());
        inner.waiting = inner.waiting.saturating_sub(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Digest = [7; 32];

    fn leads(flights: &Arc<Flights>) -> Leader {
        match flights.join(CALL) {
            Joined::Leads(leader) => leader,
            other => panic!("{other:?}"),
        }
    }

    fn waits(flights: &Arc<Flights>) -> Waiter {
        match flights.join(CALL) {
            Joined::Waits(waiter) => waiter,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_that_wait_look_once_there_is_an_answer() {
        let flights = Arc::new(Flights::default());
        let leader = leads(&flights);
        let waiters: Vec<_> = (0..3).map(|_| waits(&flights)).collect();
        leader.answered();
        for waiter in waiters {
            assert!(matches!(waiter.turn().await, Some(Turn::Look)));
        }
        assert_eq!(flights.waiting(), 0);
        assert!(flights.lock().lines.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn one_after_the_other_leads_while_nobody_is_answered() {
        let flights = Arc::new(Flights::default());
        let first = leads(&flights);
        let (second, third) = (waits(&flights), waits(&flights));
        drop(first);
        let Some(Turn::Lead(second)) = second.turn().await else {
            panic!("nobody leads");
        };
        // The other one waits on: it is woken by whoever leads, or never.
        let mut third = Box::pin(third.turn());
        tokio::select! {
            biased;
            turn = &mut third => panic!("{turn:?}"),
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        drop(second);
        assert!(matches!(third.await, Some(Turn::Lead(_))));
        assert!(flights.lock().lines.is_empty(), "and it was let go of");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_has_left_does_not_lead() {
        let flights = Arc::new(Flights::default());
        let first = leads(&flights);
        let (second, third) = (waits(&flights), waits(&flights));
        drop(second);
        assert_eq!(flights.waiting(), 1);
        drop(first);
        assert!(matches!(third.turn().await, Some(Turn::Lead(_))));
        // One that leaves with the word on its way hands it on.
        let first = leads(&flights);
        let (second, third) = (waits(&flights), waits(&flights));
        drop(first);
        drop(second);
        assert!(matches!(third.turn().await, Some(Turn::Lead(_))));
        assert_eq!(flights.waiting(), 0);
        assert!(flights.lock().lines.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_waits_for_so_long_and_then_asks_for_itself() {
        let flights = Arc::new(Flights::default());
        let leader = leads(&flights);
        let began = tokio::time::Instant::now();
        assert!(waits(&flights).turn().await.is_none());
        assert_eq!(began.elapsed(), WAIT);
        assert_eq!(flights.waiting(), 0);
        drop(leader);
        assert!(flights.lock().lines.is_empty());
    }

    #[test]
    fn a_line_is_bounded_and_so_are_all() {
        let flights = Arc::new(Flights::default());
        let mut kept = Vec::new();
        for flight in 0..=u8::MAX {
            let mut waiters = 0;
            loop {
                let joined = flights.join([flight; 32]);
                waiters += usize::from(matches!(joined, Joined::Waits(_)));
                if matches!(joined, Joined::Crowded) {
                    break;
                }
                kept.push(joined);
            }
            assert!(waiters <= OF_FLIGHT_MAX);
        }
        assert_eq!(flights.waiting(), WAITING_MAX);
        // Waiters first: a leader that goes hands on to those that are there.
        kept.retain(|joined| matches!(joined, Joined::Leads(_)));
        kept.clear();
        assert_eq!(flights.waiting(), 0);
        assert!(flights.lock().lines.is_empty());
    }
}
