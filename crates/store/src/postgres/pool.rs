//! A few connections to one database.
//!
//! sqlx has a pool of its own, which cannot do three things that are needed
//! here: move to another address when the primary moves, drop a connection
//! at once when its server does not answer (its pool asks the server first),
//! and keep a connection to the runtime that made it (the applier has one of
//! its own, and a socket is only ever woken by its runtime).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::runtime::{Handle, Id};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{explain, link};
use super::target::Target;
use crate::StoreError;

/// The most connections of one process: the applier's, a change's and two
/// that read. A hundred processes fit a server's usual limit without a
/// pooler in between.
pub(super) const CONNECTIONS_MAX: usize = 4;
/// How long to wait for one of them.
const ACQUIRE_MAX: Duration = Duration::from_secs(5);
/// How long opening one may take, TLS and log-in included.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// A connection that has rested for longer is asked whether it is alive.
const REST_MAX: Duration = Duration::from_secs(1);
/// How long it may take to answer that.
const PING_MAX: Duration = Duration::from_secs(1);

/// A connection that waits for work.
struct Idle {
    connection: PgConnection,
    runtime: Id,
    since: Instant,
}

/// Connections to whichever address takes changes.
#[derive(Debug)]
pub(super) struct Pool {
    slots: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

struct State {
    idle: Vec<Idle>,
    target: Target,
    /// Rises when the target changes; connections of before are not used.
    generation: u64,
    closed: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// A connection in use. Dropping it closes it; [`Lease::give_back`] keeps it.
pub(super) struct Lease {
    pub(super) connection: PgConnection,
    pub(super) place: String,
    generation: u64,
    state: Arc<Mutex<State>>,
    _slot: OwnedSemaphorePermit,
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    pub(super) fn new(target: Target) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            state: Arc::new(Mutex::new(State {
                idle: Vec::new(),
                target,
                generation: 0,
                closed: false,
            })),
        }
    }

    /// Where connections go.
    pub(super) fn target(&self) -> Target {
        lock(&self.state).target.clone()
    }

    /// Sends all further connections to `target`.
    pub(super) fn move_to(&self, target: Target) {
        let mut state = lock(&self.state);
        state.target = target;
        state.generation = state.generation.saturating_add(1);
        state.idle.clear();
    }

    /// Waits for a connection that is alive, as far as can be known.
    pub(super) async fn acquire(&self) -> Result<Lease, StoreError> {
        let place = || self.target().to_string();
        let slot = tokio::time::timeout(ACQUIRE_MAX, Arc::clone(&self.slots).acquire_owned());
        let slot = slot.await.ok().and_then(Result::ok);
        let slot = slot.ok_or_else(|| StoreError::Unreachable {
            place: place(),
            why: "all connections are in use".to_owned(),
        })?;
        loop {
            let (idle, target, generation) = self.take_idle()?;
            let place = target.to_string();
            let connection = match idle {
                Some(mut idle) => {
                    if idle.since.elapsed() > REST_MAX {
                        let ping = tokio::time::timeout(PING_MAX, idle.connection.ping());
                        if !matches!(ping.await, Ok(Ok(()))) {
                            continue;
                        }
                    }
                    idle.connection
                }
                None => open(&target).await?,
            };
            return Ok(Lease {
                connection,
                place,
                generation,
                state: Arc::clone(&self.state),
                _slot: slot,
            });
        }
    }

    /// A resting connection of this runtime, and where a new one goes.
    fn take_idle(&self) -> Result<(Option<Idle>, Target, u64), StoreError> {
        let here = Handle::current().id();
        let mut state = lock(&self.state);
        if state.closed {
            return Err(StoreError::Unreachable {
                place: state.target.to_string(),
                why: "closed".to_owned(),
            });
        }
        let found = state.idle.iter().rposition(|idle| idle.runtime == here);
        let idle = found.map(|at| state.idle.remove(at));
        if idle.is_none() {
            // A new one is coming: keep to the limit by giving up the one
            // that has rested longest.
            let used = CONNECTIONS_MAX.saturating_sub(self.slots.available_permits());
            if used.saturating_add(state.idle.len()) > CONNECTIONS_MAX {
                state.idle.remove(0);
            }
        }
        Ok((idle, state.target.clone(), state.generation))
    }

    /// Closes what rests; what is in use closes when it is given back.
    pub(super) async fn close(&self) {
        let idle = {
            let mut state = lock(&self.state);
            state.closed = true;
            std::mem::take(&mut state.idle)
        };
        let here = Handle::current().id();
        for idle in idle.into_iter().filter(|idle| idle.runtime == here) {
            // Said politely, so that the server does not log a lost client.
            let _ = tokio::time::timeout(PING_MAX, idle.connection.close()).await;
        }
        // Whoever gets all slots knows that nothing is in use.
        let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(ACQUIRE_MAX, self.slots.acquire_many(all)).await;
    }
}

impl Lease {
    /// Lets the next one use the connection. It must be outside of any
    /// transaction.
    pub(super) fn give_back(self) {
        let mut state = lock(&self.state);
        if state.closed || state.generation != self.generation {
            return;
        }
        state.idle.push(Idle {
            connection: self.connection,
            runtime: Handle::current().id(),
            since: Instant::now(),
        });
    }
}

/// Opens a connection, within a bounded time.
pub(super) async fn open(target: &Target) -> Result<PgConnection, StoreError> {
    let place = target.to_string();
    match tokio::time::timeout(CONNECT_MAX, target.options().connect()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(match link(&error) {
            super::error::Link::Lost => explain(error, &place),
            // Whatever keeps us from logging in, no statement was refused.
            super::error::Link::Good => StoreError::Unreachable {
                why: error.to_string(),
                place,
            },
        }),
        Err(_) => Err(StoreError::Unreachable {
            place,
            why: format!("no answer within {} s", CONNECT_MAX.as_secs()),
        }),
    }
}
