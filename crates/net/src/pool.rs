//! The connections of one origin: idle ones, shared ones, and how many.
//!
//! Locks here guard a few words and are never held across an await. A client
//! belongs to one worker thread, so in practice they are free.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::error::{NetError, NetErrorKind};
use crate::h1::Conn;
use crate::h2::{H2Conn, H2Slot};
use crate::origin::{Http2, Origin, Scheme};
use crate::permit::Permit;

/// While HTTP/2 connections are being opened, one more is opened for each
/// so many requests that wait.
const WAITERS_PER_DIAL: usize = 32;

/// Beyond a day, age is no bound any more.
const AGE_MAX: Duration = Duration::from_secs(24 * 3600);

/// Bounds on connections and their ages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLimits {
    /// Idle connections kept for one origin.
    pub idle_per_origin: usize,
    /// Open connections to one origin, busy ones included.
    pub open_per_origin: usize,
    /// Open connections in all.
    pub open_total: usize,
    /// How long a connection may be idle. Servers commonly close at 60 s, and
    /// we want to be first.
    pub idle_timeout: Duration,
    /// The age at which a connection takes no more requests, so that changes
    /// in DNS are followed. Up to a fifth is added at random.
    pub age_max: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            idle_per_origin: 512,
            open_per_origin: 16 * 1024,
            open_total: 32 * 1024,
            idle_timeout: Duration::from_secs(55),
            age_max: Duration::from_secs(300),
        }
    }
}

/// Which protocol an origin with ALPN turned out to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    Unknown,
    H1,
    H2,
}

struct State {
    /// Boxed because they move between here and the bodies that use them.
    #[allow(clippy::vec_box)]
    idle: Vec<Box<Conn>>,
    h2: Vec<Arc<H2Conn>>,
    speaks: Speaks,
    /// HTTP/2 connections that are being opened or wait for settings.
    dialing: usize,
    /// Requests that wait for one of those.
    waiting: usize,
    last_used: Instant,
}

pub(crate) struct OriginPool {
    pub(crate) origin: Origin,
    limits: PoolLimits,
    state: Mutex<State>,
    open: Arc<AtomicUsize>,
    total: Arc<AtomicUsize>,
    /// A dial has ended or a connection knows its limit.
    pub(crate) changed: Notify,
}

/// What a request should do for a connection.
pub(crate) enum Checkout {
    H1(Box<Conn>),
    H2(H2Slot),
    /// Open one. The guard is there when others wait for the outcome.
    Dial(Option<DialGuard>),
    /// Another request is opening one that may be shared.
    Wait(Waiting),
}

impl OriginPool {
    pub(crate) fn new(
        origin: Origin,
        limits: PoolLimits,
        total: Arc<AtomicUsize>,
        now: Instant,
    ) -> Self {
        let state = State {
            idle: Vec::new(),
            h2: Vec::new(),
            speaks: Speaks::Unknown,
            dialing: 0,
            waiting: 0,
            last_used: now,
        };
        Self {
            origin,
            limits,
            state: Mutex::new(state),
            open: Arc::new(AtomicUsize::new(0)),
            total,
            changed: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn check_out(self: &Arc<Self>, now: Instant) -> Checkout {
        let may_be_h2 = match (self.origin.http2(), self.origin.scheme()) {
            (Http2::Never, _) | (Http2::Auto, Scheme::Http) => false,
            (Http2::Prior, _) | (Http2::Auto, Scheme::Https) => true,
        };
        if may_be_h2 && let Some(checkout) = self.check_out_h2(now) {
            return checkout;
        }
        // Last in, first out: the warmest connection works, the coldest ages.
        loop {
            let conn = {
                let mut state = self.lock();
                state.last_used = now;
                state.idle.pop()
            };
            let Some(mut conn) = conn else {
                return Checkout::Dial(None);
            };
            let rested = now.saturating_duration_since(conn.idle_since);
            if rested < self.limits.idle_timeout && now < conn.expires && conn.is_alive() {
                return Checkout::H1(conn);
            }
        }
    }

    fn check_out_h2(self: &Arc<Self>, now: Instant) -> Option<Checkout> {
        let mut guard = self.lock();
        let state = &mut *guard;
        state.last_used = now;
        if state.speaks == Speaks::H1 {
            return None;
        }
        state.h2.retain(|conn| conn.is_usable(now));
        // Least loaded first. With at most 64 streams a connection the list
        // is short.
        state.h2.sort_unstable_by_key(|conn| conn.in_flight());
        if let Some(slot) = state.h2.iter().find_map(|conn| conn.take_slot(true)) {
            return Some(Checkout::H2(slot));
        }
        // Until the protocol is known, one dial finds it out for all.
        let dials = match state.speaks {
            Speaks::Unknown => 1,
            _ => 1 + state.waiting / WAITERS_PER_DIAL,
        };
        if state.dialing < dials {
            state.dialing += 1;
            drop(guard);
            return Some(Checkout::Dial(Some(DialGuard { pool: self.clone() })));
        }
        state.waiting += 1;
        drop(guard);
        Some(Checkout::Wait(Waiting { pool: self.clone() }))
    }

    /// Announces a dial whose connection will be shared.
    pub(crate) fn begin_dial(self: &Arc<Self>) -> DialGuard {
        self.lock().dialing += 1;
        DialGuard { pool: self.clone() }
    }

    /// Shares a new HTTP/2 connection and takes the first place on it.
    pub(crate) fn share(&self, conn: Arc<H2Conn>) -> Option<H2Slot> {
        let mut state = self.lock();
        state.speaks = Speaks::H2;
        let slot = conn.take_slot(false);
        state.h2.push(conn);
        slot
    }

    /// Remembers that the origin chose HTTP/1.1.
    pub(crate) fn speaks_h1(&self) {
        let mut state = self.lock();
        state.speaks = Speaks::H1;
        drop(state);
        self.changed.notify_waiters();
    }

    /// Takes a connection back after a complete exchange.
    pub(crate) fn check_in(&self, mut conn: Box<Conn>, now: Instant) {
        conn.rest(now);
        if now >= conn.expires {
            return;
        }
        let mut state = self.lock();
        let surplus = if state.idle.len() >= self.limits.idle_per_origin {
            Some(conn)
        } else {
            state.idle.push(conn);
            None
        };
        // Closing a socket is a system call; not under the lock.
        drop(state);
        drop(surplus);
    }

    /// Leave to open a connection.
    pub(crate) fn permit(&self) -> Result<Permit, NetError> {
        let permit = Permit::take(&self.open, &self.total);
        let open = self.open.load(Ordering::Relaxed);
        if open > self.limits.open_per_origin {
            return Err(exhausted("too many connections to this origin"));
        }
        if self.total.load(Ordering::Relaxed) > self.limits.open_total {
            return Err(exhausted("too many connections"));
        }
        Ok(permit)
    }

    /// Closes the connection that has been idle longest. Says whether there
    /// was one.
    pub(crate) fn evict_idle(&self) -> bool {
        let mut state = self.lock();
        let evicted = (!state.idle.is_empty()).then(|| state.idle.remove(0));
        drop(state);
        evicted.is_some()
    }

    /// Lets go of connections that are closed, too old or idle for too long.
    pub(crate) fn sweep(&self, now: Instant) {
        let mut state = self.lock();
        let idle = std::mem::take(&mut state.idle);
        let shared = std::mem::take(&mut state.h2);
        let timeout = self.limits.idle_timeout;
        let (kept, closed): (Vec<_>, Vec<_>) = idle.into_iter().partition(|conn| {
            now.saturating_duration_since(conn.idle_since) < timeout && now < conn.expires
        });
        let (kept_h2, closed_h2): (Vec<_>, Vec<_>) = shared.into_iter().partition(|conn| {
            conn.is_usable(now) && conn.idle_for(now).is_none_or(|idle| idle < timeout)
        });
        state.idle = kept;
        state.h2 = kept_h2;
        // Peers that closed meanwhile. Non-blocking, and rarely a system call.
        state.idle.retain_mut(|conn| conn.is_alive());
        drop(state);
        drop(closed);
        drop(closed_h2);
    }

    /// Whether nothing would be lost by forgetting this origin.
    pub(crate) fn is_forgettable(&self, now: Instant, after: Duration) -> bool {
        let state = self.lock();
        state.idle.is_empty()
            && state.h2.is_empty()
            && self.open.load(Ordering::Relaxed) == 0
            && now.saturating_duration_since(state.last_used) >= after
    }

    pub(crate) fn stats(&self) -> PoolStats {
        let state = self.lock();
        PoolStats {
            open: self.open.load(Ordering::Relaxed),
            idle: state.idle.len(),
            h2_connections: state.h2.len(),
            h2_streams: state.h2.iter().map(|conn| conn.in_flight()).sum(),
        }
    }

    pub(crate) fn age_max(&self) -> Duration {
        let jitter = rand::random_range(0.0..0.2);
        self.limits.age_max.min(AGE_MAX).mul_f64(1.0 + jitter)
    }
}

/// A count of connections at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolStats {
    /// Open connections, busy and idle, being opened included.
    pub open: usize,
    /// Idle HTTP/1.1 connections.
    pub idle: usize,
    /// HTTP/2 connections that take requests.
    pub h2_connections: usize,
    /// Streams on those.
    pub h2_streams: usize,
}

fn exhausted(why: &'static str) -> NetError {
    NetError::because(NetErrorKind::Exhausted, why)
}

/// Marks a shared dial as under way; dropped, it wakes who waits for it,
/// also when the dialling request was cancelled.
pub(crate) struct DialGuard {
    pool: Arc<OriginPool>,
}

impl Drop for DialGuard {
    fn drop(&mut self) {
        self.pool.lock().dialing -= 1;
        self.pool.changed.notify_waiters();
    }
}

/// Counts a request that waits for another one's dial.
pub(crate) struct Waiting {
    pool: Arc<OriginPool>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.pool.lock().waiting -= 1;
    }
}
