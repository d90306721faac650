//! Listening, and handing each request to what answers it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed},
};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::conn::Conn;
use crate::log::{Counters, CountersNow, Entry, LOG_ENTRIES_DEFAULT, Log};
use crate::realtime;
use crate::script::{Script, ScriptSet};
use crate::state::{Level, Loaded, Shared};

/// Most connections at once when the configuration says nothing else.
pub const CONNECTIONS_MAX_DEFAULT: usize = 10_000;
/// How long a stop waits for answers in progress.
pub const GRACE_DEFAULT: Duration = Duration::from_secs(5);
/// Pause after a failed accept, so that running out of files does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Between two looks at whether the simulator is quiet.
const QUIET_PAUSE: Duration = Duration::from_millis(1);

/// How a simulator runs.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Who behaves how.
    pub scripts: ScriptSet,
    /// Requests kept in the log.
    pub log_entries_max: usize,
    /// Whether the log keeps request bodies.
    pub record_bodies: bool,
    /// Connections at once; more wait to be accepted.
    pub connections_max: usize,
    /// Models listed beside those that have scripts.
    pub models: Vec<String>,
    /// How long a stop waits for answers in progress.
    pub grace: Duration,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            scripts: ScriptSet::default(),
            log_entries_max: LOG_ENTRIES_DEFAULT,
            record_bodies: false,
            connections_max: CONNECTIONS_MAX_DEFAULT,
            models: vec!["sim-model".to_owned()],
            grace: GRACE_DEFAULT,
        }
    }
}

/// Entry point: `Sim::builder()`.
#[derive(Debug, Clone, Copy)]
pub struct Sim;

impl Sim {
    /// Starts describing a simulator.
    #[must_use]
    pub fn builder() -> SimBuilder {
        SimBuilder {
            config: SimConfig::default(),
        }
    }
}

/// Describes a simulator.
#[derive(Debug, Clone)]
pub struct SimBuilder {
    config: SimConfig,
}

impl SimBuilder {
    /// Takes a whole configuration.
    #[must_use]
    pub fn config(mut self, config: SimConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets the script for requests that no other claims.
    #[must_use]
    pub fn script(mut self, script: Script) -> Self {
        self.config.scripts.default = script;
        self
    }

    /// Sets all scripts.
    #[must_use]
    pub fn scripts(mut self, scripts: ScriptSet) -> Self {
        self.config.scripts = scripts;
        self
    }

    /// Sets the script of `/p/<name>`.
    #[must_use]
    pub fn provider(mut self, name: impl Into<String>, script: Script) -> Self {
        self.config.scripts.providers.insert(name.into(), script);
        self
    }

    /// Sets the script of a model.
    #[must_use]
    pub fn model(mut self, name: impl Into<String>, script: Script) -> Self {
        self.config.scripts.models.insert(name.into(), script);
        self
    }

    /// Keeps request bodies in the log.
    #[must_use]
    pub fn record_bodies(mut self, record: bool) -> Self {
        self.config.record_bodies = record;
        self
    }

    /// Keeps so many requests in the log.
    #[must_use]
    pub fn log_entries_max(mut self, max: usize) -> Self {
        self.config.log_entries_max = max;
        self
    }

    /// Starts on the current runtime. Port 0 picks a free port.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(self, addr: SocketAddr) -> io::Result<SimHandle> {
        let listener = TcpListener::bind(addr).await?;
        let (handle, run) = assemble(listener, self.config)?;
        tokio::spawn(run);
        Ok(handle)
    }

    /// Starts on a thread of its own with its own runtime, so that a busy
    /// runtime under test does not slow it.
    ///
    /// # Errors
    /// When the address cannot be bound or the thread not started.
    pub fn spawn_thread(self, addr: SocketAddr) -> io::Result<SimHandle> {
        let listener = std::net::TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let (handle, run) = assemble(listener, self.config)?;
        std::thread::Builder::new()
            .name("sim".to_owned())
            .spawn(move || runtime.block_on(run))?;
        Ok(handle)
    }
}

/// A running simulator. Dropping it stops it, without waiting.
#[derive(Debug)]
pub struct SimHandle {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    done: watch::Receiver<bool>,
}

impl SimHandle {
    /// Starts on a thread of its own; short for `SimBuilder::spawn_thread`.
    ///
    /// # Errors
    /// When the address cannot be bound or the thread not started.
    pub fn spawn_thread(config: SimConfig, addr: SocketAddr) -> io::Result<Self> {
        Sim::builder().config(config).spawn_thread(addr)
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base address of a provider that this process plays, without
    /// a version: `http://127.0.0.1:9100/p/acme`.
    #[must_use]
    pub fn provider_url(&self, name: &str) -> String {
        format!("http://{}/p/{name}", self.addr)
    }

    /// The last requests, oldest first.
    #[must_use]
    pub fn log(&self) -> Vec<Entry> {
        self.shared.log.entries(0)
    }

    /// Totals.
    #[must_use]
    pub fn counters(&self) -> CountersNow {
        self.shared.counters.now()
    }

    /// Waits until no request is being answered, at most so long; says
    /// whether that came true. An entry is finished a moment after its
    /// last byte left, so ask this before asserting on log or counters.
    pub async fn quiet(&self, wait_max: Duration) -> bool {
        let end = tokio::time::Instant::now() + wait_max;
        loop {
            if self.shared.counters.in_flight.load(Acquire) == 0 {
                return true;
            }
            if tokio::time::Instant::now() >= end {
                return false;
            }
            tokio::time::sleep(QUIET_PAUSE).await;
        }
    }

    /// Empties log and counters; schedules begin again, limits are fresh.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// Replaces the default script.
    pub fn set_script(&self, script: Script) {
        let mut set = self.scripts();
        set.default = script;
        self.shared.set_scripts(&set);
    }

    /// Replaces the script of `/p/<name>`.
    pub fn set_provider_script(&self, name: &str, script: Script) {
        let mut set = self.scripts();
        set.providers.insert(name.to_owned(), script);
        self.shared.set_scripts(&set);
    }

    /// Replaces all scripts.
    pub fn set_scripts(&self, set: &ScriptSet) {
        self.shared.set_scripts(set);
    }

    /// The scripts in force.
    #[must_use]
    pub fn scripts(&self) -> ScriptSet {
        self.shared.loaded.load().set.clone()
    }

    /// Stops listening, waits for answers in progress up to the grace,
    /// then ends the rest.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        // An error means that the server's task is gone, which is the goal.
        let _ = self.done.wait_for(|done| *done).await;
    }
}

/// Serves until the future is dropped; what `bourse sim` runs.
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve(addr: SocketAddr, config: SimConfig) -> io::Result<()> {
    let listener = TcpListener::bind(addr).await?;
    let (_handle, run) = assemble(listener, config)?;
    run.await;
    Ok(())
}

fn assemble(
    listener: TcpListener,
    config: SimConfig,
) -> io::Result<(SimHandle, impl Future<Output = ()> + Send + 'static)> {
    let addr = listener.local_addr()?;
    let mut models = config.models;
    models.extend(config.scripts.models.keys().cloned());
    let shared = Arc::new(Shared {
        loaded: ArcSwap::from_pointee(Loaded::new(config.scripts, None)),
        log: Log::new(config.log_entries_max, config.record_bodies),
        counters: Counters::default(),
        models,
        connections: AtomicU64::new(0),
        batches: std::sync::Mutex::default(),
        looks: crate::videos::Looks::default(),
    });
    let (stop, stopped) = watch::channel(false);
    let (done_tx, done) = watch::channel(false);
    let handle = SimHandle {
        addr,
        shared: Arc::clone(&shared),
        stop,
        done,
    };
    let run = async move {
        accept(
            listener,
            shared,
            stopped,
            config.connections_max,
            config.grace,
        )
        .await;
        let _ = done_tx.send(true);
    };
    Ok((handle, run))
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
    connections_max: usize,
    grace: Duration,
) {
    let places = Arc::new(Semaphore::new(
        connections_max.clamp(1, Semaphore::MAX_PERMITS),
    ));
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            // An error means that the handle was dropped: stop as well.
            _ = stopped.wait_for(|stop| *stop) => break,
            Some(_) = tasks.join_next() => continue,
            accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (listener.accept().await, place)
            } => accepted,
        };
        let (Ok((stream, _)), Ok(place)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (shared, mut stopped) = (Arc::clone(&shared), stopped.clone());
        tasks.spawn(async move {
            let id = shared.connections.fetch_add(1, Relaxed);
            shared.counters.connections.fetch_add(1, Relaxed);
            let _open = Level::raise(&shared, |counters| &counters.connections_open);
            connection(&shared, Conn::new(stream), id, &mut stopped).await;
            drop(place);
        });
    }
    drop(listener);
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(grace, all).await.is_err() {
        tasks.shutdown().await;
    }
}

async fn connection(shared: &Shared, mut conn: Conn, id: u64, stopped: &mut watch::Receiver<bool>) {
    loop {
        let head = tokio::select! {
            head = conn.read_head() => head,
            _ = stopped.wait_for(|stop| *stop) => return,
        };
        let Ok(Some(head)) = head else {
            return;
        };
        if let Some(key) = realtime::asked_for(&head) {
            // Boxed: few connections become sessions.
            return Box::pin(realtime::serve(shared, conn, &head, &key, id)).await;
        }
        match crate::handle::request(shared, &mut conn, &head, id).await {
            Ok(true) if head.keep_alive => {}
            _ => return,
        }
    }
}
