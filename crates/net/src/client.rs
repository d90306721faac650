//! The client: finds or opens a connection, sends, and hands back a response.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::pin::pin;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::body::{Response, Timing, UpstreamBody};
use crate::deadline::{Deadlines, after};
use crate::dial::{Dialed, dial};
use crate::dns::{Dns, Resolve, SystemResolver};
use crate::egress::EgressPolicy;
use crate::error::{NetError, NetErrorKind};
use crate::h1::{Conn, H1Body};
use crate::h2::{H2Conn, H2Slot};
use crate::headers::ResponseHeaders;
use crate::origin::{Http2, Origin};
use crate::permit::Permit;
use crate::pool::{Checkout, DialGuard, OriginPool, PoolLimits, PoolStats};
use crate::request::OutgoingRequest;
use crate::tls::{SetupError, Tls};
use crate::websocket::{Socket, Switched};
use crate::{encoding, h1, h2, websocket};

/// Origins with a pool of their own. Configured ones are dozens; the others
/// come from URLs in requests and must not grow without bound.
const ORIGINS_MAX: usize = 4096;
/// An origin without connections is forgotten after this long.
const FORGET_AFTER: Duration = Duration::from_secs(300);
/// How often [`Client::spawn_sweeper`] sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// How often a request that provably did not reach the upstream is sent
/// again on another connection.
const RESENDS_MAX: u32 = 2;

/// What a client is made of.
pub struct ClientConfig {
    /// Which addresses may be reached.
    pub egress: EgressPolicy,
    /// Who resolves names.
    pub resolver: Arc<dyn Resolve>,
    /// Root certificates to trust beside the system's, as PEM texts.
    pub extra_roots_pem: Vec<Vec<u8>>,
    /// Bounds on connections.
    pub limits: PoolLimits,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            egress: EgressPolicy::deny_private(),
            resolver: Arc::new(SystemResolver),
            extra_roots_pem: Vec::new(),
            limits: PoolLimits::default(),
        }
    }
}

struct Inner {
    origins: Mutex<HashMap<Origin, Arc<OriginPool>>>,
    egress: Mutex<Arc<EgressPolicy>>,
    dns: Dns,
    tls: Tls,
    limits: PoolLimits,
    total: Arc<AtomicUsize>,
}

/// What came of asking for WebSocket.
pub enum Upgraded {
    /// It is spoken.
    Socket(Box<Socket<Switched>>),
    /// Another answer.
    Refused(Box<Response>),
}

/// An HTTP client for upstreams. Cheap to clone; clones share connections.
///
/// Connections belong to the runtime that opened them, so every
/// single-threaded worker should have a client of its own.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

/// A connection that is ready for a request.
enum Ready {
    H1(Box<Conn>),
    H2(H2Slot),
}

impl Client {
    /// A client without connections. Opens no socket.
    ///
    /// # Errors
    /// When the extra roots or the TLS settings are unusable.
    pub fn new(config: ClientConfig) -> Result<Self, SetupError> {
        let inner = Inner {
            origins: Mutex::new(HashMap::new()),
            egress: Mutex::new(Arc::new(config.egress)),
            dns: Dns::new(config.resolver),
            tls: Tls::new(&config.extra_roots_pem)?,
            limits: config.limits,
            total: Arc::new(AtomicUsize::new(0)),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Replaces the egress rules, for instance after a change of the
    /// configuration. Open connections stay until they are idle or too old.
    pub fn set_egress(&self, egress: EgressPolicy) {
        *self
            .inner
            .egress
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(egress);
    }

    /// Sends a request and awaits the head of its response. Redirects are
    /// returned like any other response.
    ///
    /// Dropping the future closes the connection (HTTP/1.1) or resets the
    /// stream (HTTP/2). A request is sent a second time only when no byte of
    /// it had been taken by the first connection.
    ///
    /// # Errors
    /// See [`NetErrorKind`]; `wrote_request` says whether the upstream may
    /// have seen the request.
    pub async fn send(
        &self,
        origin: &Origin,
        request: &OutgoingRequest,
        deadlines: &Deadlines,
    ) -> Result<Response, NetError> {
        let mut now = Instant::now();
        let pool = self.pool(origin, now);
        let mut resends = 0;
        loop {
            let (ready, connect_us) = match pool.check_out(now) {
                Checkout::H1(conn) => (Ready::H1(conn), 0),
                Checkout::H2(slot) => (Ready::H2(slot), 0),
                first => {
                    // Boxed: the cold path is many times larger than the hot one.
                    let opening = Box::pin(self.open(&pool, first));
                    let ready = tokio::time::timeout(deadlines.connect, opening)
                        .await
                        .map_err(|_| NetError::new(NetErrorKind::ConnectTimeout))??;
                    let started = std::mem::replace(&mut now, Instant::now());
                    (ready, micros(now.saturating_duration_since(started)))
                }
            };
            let outcome = match ready {
                Ready::H1(conn) => exchange_h1(&pool, conn, request, deadlines, now).await,
                Ready::H2(slot) => exchange_h2(slot, request, deadlines, now).await,
            };
            match outcome {
                Err(error)
                    if error.reused
                        && !error.wrote_request
                        && error.kind == NetErrorKind::ClosedBeforeResponse
                        && resends < RESENDS_MAX =>
                {
                    resends += 1;
                    now = Instant::now();
                }
                Err(error) => return Err(error),
                Ok(mut response) => {
                    response.timing.connect_us = connect_us;
                    return encoding::decoded(response, deadlines.idle);
                }
            }
        }
    }

    /// Asks for WebSocket, on a connection of its own and in HTTP/1.1, and
    /// awaits the answer.
    ///
    /// # Errors
    /// As [`Self::send`]; a provider that switches without having understood
    /// what is asked for answers malformed.
    pub async fn upgrade(
        &self,
        origin: &Origin,
        request: &OutgoingRequest,
        deadlines: &Deadlines,
    ) -> Result<Upgraded, NetError> {
        let origin = origin.clone().with_http2(Http2::Never);
        let (key, accept) = websocket::key();
        let request = request.asks_for_websocket(key);
        let pool = self.pool(&origin, Instant::now());
        let opening = Box::pin(self.dial(&pool, None));
        let opened = tokio::time::timeout(deadlines.connect, opening).await;
        let Ready::H1(mut conn) =
            opened.map_err(|_| NetError::new(NetErrorKind::ConnectTimeout))??
        else {
            return Err(NetError::new(NetErrorKind::Malformed));
        };
        conn.timer.set(after(Instant::now(), deadlines.head));
        let answer = h1::exchange(&mut conn, &request).await?;
        if answer.status != StatusCode::SWITCHING_PROTOCOLS {
            let body = H1Body::new(conn, answer.framing, false, deadlines.idle);
            return Ok(Upgraded::Refused(Box::new(Response {
                status: answer.status,
                headers: answer.headers,
                body: UpstreamBody::h1(body, pool)?,
                timing: Timing::default(),
            })));
        }
        if answer.headers.get_str("sec-websocket-accept") != Some(&accept) {
            let error = NetError::because(NetErrorKind::Malformed, "a switch to something else");
            return Err(error.written(true));
        }
        conn.timer.clear();
        let mut switched = Switched::new(conn);
        let read = switched.take_read();
        let socket = Socket::to_server(switched, read).await;
        Ok(Upgraded::Socket(Box::new(socket)))
    }

    fn pool(&self, origin: &Origin, now: Instant) -> Arc<OriginPool> {
        let mut origins = self
            .inner
            .origins
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = origins.get(origin) {
            return pool.clone();
        }
        if origins.len() >= ORIGINS_MAX {
            let spare = origins
                .iter()
                .find(|(_, pool)| pool.is_forgettable(now, Duration::ZERO))
                .map(|(origin, _)| origin.clone());
            if let Some(spare) = spare {
                origins.remove(&spare);
            }
        }
        let full = origins.len() >= ORIGINS_MAX;
        let new = || {
            let total = self.inner.total.clone();
            Arc::new(OriginPool::new(
                origin.clone(),
                self.inner.limits,
                total,
                now,
            ))
        };
        match origins.entry(origin.clone()) {
            // Served without being remembered: its connections close after use.
            Entry::Vacant(_) if full => new(),
            entry => entry.or_insert_with(new).clone(),
        }
    }

    /// Opens a connection, or waits for one that another request opens.
    async fn open(&self, pool: &Arc<OriginPool>, first: Checkout) -> Result<Ready, NetError> {
        let mut checkout = first;
        loop {
            let mut changed = pin!(pool.changed.notified());
            match checkout {
                Checkout::H1(conn) => return Ok(Ready::H1(conn)),
                Checkout::H2(slot) => return Ok(Ready::H2(slot)),
                Checkout::Dial(guard) => return self.dial(pool, guard).await,
                Checkout::Wait(waiting) => {
                    // Registered before looking again, so that a change in
                    // between is not missed.
                    changed.as_mut().enable();
                    checkout = pool.check_out(Instant::now());
                    if matches!(checkout, Checkout::Wait(_)) {
                        changed.await;
                        drop(waiting);
                        drop(checkout);
                        checkout = pool.check_out(Instant::now());
                    }
                }
            }
        }
    }

    async fn dial(
        &self,
        pool: &Arc<OriginPool>,
        guard: Option<DialGuard>,
    ) -> Result<Ready, NetError> {
        let permit = self.permit(pool)?;
        let egress = self
            .inner
            .egress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let Dialed { stream, is_h2 } =
            dial(&pool.origin, &self.inner.dns, &egress, &self.inner.tls).await?;
        let now = Instant::now();
        let expires = after(now, pool.age_max());
        if !is_h2 {
            if guard.is_some() {
                pool.speaks_h1();
            }
            return Ok(Ready::H1(Box::new(Conn::new(stream, expires, now, permit))));
        }
        // Without a guard, the origin used to choose HTTP/1.1.
        let guard = guard.unwrap_or_else(|| pool.begin_dial());
        let conn = H2Conn::open(stream, expires, permit, guard).await?;
        pool.share(conn)
            .map(Ready::H2)
            .ok_or_else(|| NetError::new(NetErrorKind::Exhausted))
    }

    /// Leave to open a connection, at the cost of an idle one if need be.
    fn permit(&self, pool: &OriginPool) -> Result<Permit, NetError> {
        let refused = match pool.permit() {
            Ok(permit) => return Ok(permit),
            Err(refused) => refused,
        };
        let pools: Vec<_> = {
            let origins = self
                .inner
                .origins
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            origins.values().cloned().collect()
        };
        if pool.evict_idle() || pools.iter().any(|other| other.evict_idle()) {
            return pool.permit();
        }
        Err(refused)
    }

    /// Lets go of what is idle for too long, too old or closed.
    pub fn sweep(&self, now: Instant) {
        let pools: Vec<_> = {
            let mut origins = self
                .inner
                .origins
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            origins.retain(|_, pool| !pool.is_forgettable(now, FORGET_AFTER));
            origins.values().cloned().collect()
        };
        for pool in pools {
            pool.sweep(now);
        }
    }

    /// Sweeps every 5 s until the client is gone or the handle is aborted.
    pub fn spawn_sweeper(&self) -> JoinHandle<()> {
        let inner = Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP_EVERY).await;
                let Some(inner) = inner.upgrade() else { return };
                Client { inner }.sweep(Instant::now());
            }
        })
    }

    /// Connections of all origins together.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        let origins = self
            .inner
            .origins
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        origins
            .values()
            .map(|pool| pool.stats())
            .fold(PoolStats::default(), |sum, one| PoolStats {
                open: sum.open + one.open,
                idle: sum.idle + one.idle,
                h2_connections: sum.h2_connections + one.h2_connections,
                h2_streams: sum.h2_streams + one.h2_streams,
            })
    }
}

async fn exchange_h1(
    pool: &Arc<OriginPool>,
    mut conn: Box<Conn>,
    request: &OutgoingRequest,
    deadlines: &Deadlines,
    now: Instant,
) -> Result<Response, NetError> {
    conn.timer.set(after(now, deadlines.head));
    let reused = conn.reused;
    let answer = h1::exchange(&mut conn, request).await?;
    let body = H1Body::new(conn, answer.framing, answer.keep_alive, deadlines.idle);
    let body = UpstreamBody::h1(body, pool.clone())
        .map_err(|error| error.written(true).on_reused(reused))?;
    let timing = Timing {
        connect_us: 0,
        reused,
    };
    Ok(Response {
        status: answer.status,
        headers: answer.headers,
        body,
        timing,
    })
}

async fn exchange_h2(
    slot: H2Slot,
    request: &OutgoingRequest,
    deadlines: &Deadlines,
    now: Instant,
) -> Result<Response, NetError> {
    let head_by = after(now, deadlines.head);
    let exchange = Box::pin(h2::exchange(slot, request, head_by, deadlines.idle));
    let (parts, body) = exchange.await?.into_parts();
    let timing = Timing {
        connect_us: 0,
        reused: body.was_reused(),
    };
    Ok(Response {
        status: parts.status,
        headers: ResponseHeaders::map(parts.headers),
        body: UpstreamBody::h2(body),
        timing,
    })
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({:?})", self.stats())
    }
}
