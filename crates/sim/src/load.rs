//! A small load generator for tests and benches, for loopback only.
//!
//! Closed loop: so many connections, each sending its next request when
//! the last answer ended. Open loop: requests start at a fixed rate
//! whatever the answers do, and latency counts from when a request was
//! due, so that a server that stalls cannot hide it by stalling the
//! generator too. One thread; it shares the machine with what it measures.

mod client;
mod report;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use client::Client;
pub use client::Exchange;
pub use report::{Latencies, LoadReport};

/// Most requests of one run; each keeps three numbers until the report.
pub const REQUESTS_MAX: u64 = 10_000_000;
/// Most connections of one run.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Longest run.
pub const DURATION_MAX: Duration = Duration::from_secs(3600);
/// Most requests that an open loop lets wait for a connection; later
/// ones are counted as dropped.
pub const BACKLOG_MAX: usize = 50_000;

/// How requests are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// The next request of a connection follows its last answer.
    Closed {
        /// Connections.
        connections: usize,
    },
    /// Requests start at a fixed rate.
    Open {
        /// Requests a second.
        rate_per_s: u64,
        /// Connections at most.
        connections_max: usize,
    },
}

/// One run of load.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    /// Where to; must be loopback.
    pub addr: SocketAddr,
    /// Path and query of the POST.
    pub path: String,
    /// Headers beside `host`, `content-type` and `content-length`.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// Spacing.
    pub pace: Pace,
    /// Stops after so many requests.
    pub requests_max: u64,
    /// Stops starting requests after so long.
    pub duration_max: Duration,
    /// Longest wait for one answer to end.
    pub timeout: Duration,
}

impl LoadPlan {
    /// A plan with one connection, a thousand requests, ten seconds.
    #[must_use]
    pub fn new(addr: SocketAddr, path: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self {
            addr,
            path: path.into(),
            headers: Vec::new(),
            body: body.into(),
            pace: Pace::Closed { connections: 1 },
            requests_max: 1_000,
            duration_max: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
        }
    }

    fn check(&self) -> io::Result<()> {
        let refuse = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, why.to_owned()));
        if !self.addr.ip().is_loopback() {
            return refuse("load goes to loopback addresses only");
        }
        let (connections, rate) = match self.pace {
            Pace::Closed { connections } => (connections, 1),
            Pace::Open {
                rate_per_s,
                connections_max,
            } => (connections_max, rate_per_s),
        };
        if connections == 0 || connections > CONNECTIONS_MAX {
            return refuse("connections must be 1 to 10,000");
        }
        if rate == 0 || rate > 1_000_000 {
            return refuse("rate must be 1 to 1,000,000 requests a second");
        }
        if self.requests_max > REQUESTS_MAX || self.duration_max > DURATION_MAX {
            return refuse("a run has at most 10,000,000 requests and one hour");
        }
        let bad = |text: &str| text.contains(['\r', '\n']);
        if bad(&self.path)
            || self
                .headers
                .iter()
                .any(|(name, value)| bad(name) || bad(value))
        {
            return refuse("paths and headers have no line breaks");
        }
        Ok(())
    }

    /// The request as bytes, the same for every one.
    fn request(&self) -> Bytes {
        let mut head = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            self.path,
            self.addr,
            self.body.len()
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut request = head.into_bytes();
        request.extend_from_slice(&self.body);
        Bytes::from(request)
    }
}

/// Runs a plan on a thread of its own and waits for it; for callers
/// without a runtime, and so that the load has exactly one thread.
///
/// # Errors
/// When the plan is refused or no thread can be started.
pub fn run_on_thread(plan: LoadPlan) -> io::Result<LoadReport> {
    let thread = std::thread::Builder::new()
        .name("load".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(run(plan))
        })?;
    thread
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the load thread panicked")))
}

/// Runs a plan on the current runtime.
///
/// # Errors
/// When the plan is refused. Failed requests are in the report.
pub async fn run(plan: LoadPlan) -> io::Result<LoadReport> {
    plan.check()?;
    let run = Arc::new(Run {
        request: plan.request(),
        tally: Mutex::new(LoadReport::default()),
        idle: Mutex::new(Vec::new()),
        plan,
    });
    let start = Instant::now();
    match run.plan.pace {
        Pace::Closed { connections } => closed(&run, start, connections).await,
        Pace::Open {
            rate_per_s,
            connections_max,
        } => {
            open(&run, start, rate_per_s, connections_max).await;
        }
    }
    let elapsed = start.elapsed();
    let mut report = std::mem::take(&mut *lock(&run.tally));
    report.close(elapsed);
    Ok(report)
}

struct Run {
    plan: LoadPlan,
    request: Bytes,
    tally: Mutex<LoadReport>,
    idle: Mutex<Vec<Client>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Run {
    /// Sends one request; gives the connection back if it may go on.
    async fn one(&self, client: Option<Client>, due: Instant) -> Option<Client> {
        let exchange = async {
            let mut client = match client {
                Some(client) => client,
                None => Client::connect(self.plan.addr).await?,
            };
            let exchange = client.exchange(&self.request, due).await?;
            Ok::<_, io::Error>((client, exchange))
        };
        let result = tokio::time::timeout(self.plan.timeout, exchange).await;
        let mut tally = lock(&self.tally);
        match result {
            Ok(Ok((client, exchange))) => {
                tally.add(&exchange);
                exchange.keep_alive.then_some(client)
            }
            Ok(Err(error)) => {
                tally.fail(&error);
                None
            }
            Err(_) => {
                tally.timeouts += 1;
                None
            }
        }
    }
}

async fn closed(run: &Arc<Run>, start: Instant, connections: usize) {
    let started = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (run, started) = (Arc::clone(run), Arc::clone(&started));
        tasks.spawn(async move {
            let mut client = None;
            while start.elapsed() < run.plan.duration_max {
                let n = started.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if n >= run.plan.requests_max {
                    break;
                }
                client = run.one(client, Instant::now()).await;
                if client.is_none() {
                    // A refused connection fails at once; without a turn
                    // for others this would spin.
                    tokio::task::yield_now().await;
                }
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

async fn open(run: &Arc<Run>, start: Instant, rate_per_s: u64, connections_max: usize) {
    let places = Arc::new(Semaphore::new(connections_max));
    let mut tasks = JoinSet::new();
    for n in 0..run.plan.requests_max {
        let nanos = u128::from(n) * 1_000_000_000 / u128::from(rate_per_s);
        let offset = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        if offset >= run.plan.duration_max {
            break;
        }
        let due = start + offset;
        // The timer ticks in milliseconds: what falls due within one
        // leaves together.
        if due > Instant::now() {
            sleep_until(due).await;
        }
        while tasks.try_join_next().is_some() {}
        if tasks.len() >= BACKLOG_MAX {
            lock(&run.tally).dropped += 1;
            continue;
        }
        let (run, places) = (Arc::clone(run), Arc::clone(&places));
        tasks.spawn(async move {
            let Ok(_place) = places.acquire().await else {
                return;
            };
            let idle = lock(&run.idle).pop().filter(Client::is_open);
            if let Some(client) = run.one(idle, due).await {
                lock(&run.idle).push(client);
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}
