//! `bourse serve`: everything wired together.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bourse_dataplane::clock::now_ms;
use bourse_dataplane::gateway::{CallLimits, Counters, Gateway};
use bourse_dataplane::keyring::Keyring;
use bourse_dataplane::market::Memory;
use bourse_dataplane::pipeline::Worker;
use bourse_net::{Client, ClientConfig};
use bourse_spool::{DataDirLock, Options};
use bourse_store::applier::Applier;
use bourse_store::{SqliteStore, Store, SyncMode, Till};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::config::{Config, Durability};
use crate::office::LiveOffice;
use crate::worker::{self, Service};
use crate::{first_boot, market, reload, simulated};

/// How long running calls may take to end once the server is told to stop.
const DRAIN_MAX: Duration = Duration::from_secs(60);

/// How long the last records may take to reach the database.
const APPLY_MAX: Duration = Duration::from_secs(10);

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Serves until told to stop.
pub fn serve(config_path: Option<&Path>) -> Result<(), Error> {
    let started = Instant::now();
    let config = Config::load(config_path)?;
    crate::logging::init(&config);
    std::fs::create_dir_all(&config.data_dir)
        .map_err(|error| format!("{}: {error}", config.data_dir.display()))?;
    let _lock = DataDirLock::acquire(&config.data_dir)?;
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("control")
        .enable_all()
        .build()?;
    control.block_on(run(config, config_path, control.handle().clone(), started))
}

async fn run(
    config: Config,
    config_path: Option<&Path>,
    runtime: tokio::runtime::Handle,
    started: Instant,
) -> Result<(), Error> {
    raise_open_files_limit();
    // Before anything else, so that whoever stops the server is heard.
    let mut stop_signals = StopSignals::new()?;
    // A port that is taken should fail before anything changes. Connections
    // are refused until everything is ready to serve them.
    let (address, sockets) = worker::reserve(config.listen, config.workers)
        .map_err(|error| format!("cannot listen on {}: {error}", config.listen))?;

    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&config.data_dir).await?);
    let mode = match config.durability {
        Durability::Group => SyncMode::Group,
        Durability::Always => SyncMode::Always,
    };
    let (till, recovery) = Till::open(
        &*store,
        &config.data_dir,
        mode,
        Options::default(),
        now_ms(),
    )
    .await?;
    if recovery.replayed > 0 || recovery.torn_bytes > 0 {
        tracing::info!(
            replayed = recovery.replayed,
            settled = recovery.settled,
            voided = recovery.voided,
            torn_bytes = recovery.torn_bytes,
            "the journal was replayed"
        );
    }
    let till = Arc::new(till);

    // Kept to the end: simulated providers stop when it is dropped.
    let _simulated;
    let providers = if market::is_any_configured(&config) {
        market::Providers::Configured
    } else {
        let (address, handle) = simulated::start()?;
        _simulated = handle;
        market::Providers::Simulated(address)
    };
    let memory = Memory::default();
    let built = market::build(&config, &providers, &memory)?;
    for problem in &built.problems {
        tracing::warn!(provider = problem.provider, "{}", problem.message);
    }
    let office = Arc::new(LiveOffice::new(Arc::clone(&store), Arc::clone(&till)));
    let gateway = Arc::new(Gateway {
        market: arc_swap::ArcSwap::from_pointee(built.market),
        memory,
        keyring: Keyring::default(),
        office: office.clone(),
        till: Arc::clone(&till),
        wait_for_disk: config.durability == Durability::Always,
        limits: limits(&config),
        counters: Counters::default(),
    });
    office.attach(&gateway);
    office.look().await?;
    let welcome = first_boot::welcome(&*store, &office, &config.data_dir).await?;

    let applier = Applier::new(Arc::clone(&store), Arc::clone(&till));
    let (stop, stopping) = watch::channel(false);
    let (stop_applier, applier_stopping) = watch::channel(false);
    // On a thread of its own: folding a batch takes milliseconds of CPU.
    let applying = applier.spawn(applier_stopping)?;
    tokio::spawn(Arc::clone(&office).keep_looking(stopping.clone()));
    let egress = built.egress;
    let app = crate::control::router(&gateway, &office, &store, config.listen.ip().is_loopback());
    let clients = (0..config.workers)
        .map(|_| {
            Client::new(ClientConfig {
                egress: egress.clone(),
                ..ClientConfig::default()
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let _watching = reload::watch(
        config_path,
        &config,
        providers,
        Arc::clone(&gateway),
        clients.clone(),
        stopping.clone(),
    )?;
    // From here on the kernel takes connections, and whoever reads the output
    // may use what it says; the workers serve them in a moment.
    let listeners = sockets
        .into_iter()
        .map(worker::listen)
        .collect::<Result<Vec<_>, _>>()?;
    first_boot::print(&welcome, address, &gateway);
    let service = |client| Service {
        worker: Worker {
            gateway: Arc::clone(&gateway),
            client,
        },
        control: app.clone(),
        control_runtime: runtime.clone(),
        head_timeout: config.limits.head_timeout,
        write_timeout: config.limits.write_timeout,
    };
    let services = clients.into_iter().map(service).collect();
    let threads = start_workers(listeners, services, &stopping)?;

    let took = started.elapsed();
    tracing::info!(%address, workers = config.workers, ms = took.as_millis(), "serving");

    tokio::select! {
        () = stop_signals.recv() => tracing::info!("stopping: finishing running calls"),
        () = till.spool().stopped() => {
            tracing::error!("the journal's disk has failed; stopping, because only a restart learns what is on it");
        }
    }
    let _ = stop.send(true);
    let ended = tokio::task::spawn_blocking(move || {
        for thread in threads {
            let _ = thread.join();
        }
    });
    if tokio::time::timeout(DRAIN_MAX, ended).await.is_err() {
        tracing::warn!("some calls did not end in time and are cut off");
    }
    let _ = stop_applier.send(true);
    let applied = tokio::task::spawn_blocking(move || applying.join());
    match tokio::time::timeout(APPLY_MAX, applied).await {
        Ok(Ok(Ok(()))) => tracing::info!("stopped"),
        _ => tracing::warn!(
            "stopped with records that the database has not seen; they are applied at the next start"
        ),
    }
    Ok(())
}

fn limits(config: &Config) -> CallLimits {
    let given = &config.limits;
    CallLimits {
        body_bytes_max: given.body_bytes_max,
        first_token_timeout: given.first_token_timeout,
        last_first_token_timeout: given.last_first_token_timeout,
        idle_timeout: given.idle_timeout,
        connect_timeout: given.connect_timeout,
        keep_alive_interval: given.keep_alive_after,
        drain_timeout: given.drain_timeout,
        body_timeout: given.body_timeout,
        ..CallLimits::default()
    }
}

type Threads = Vec<std::thread::JoinHandle<()>>;

fn start_workers(
    listeners: Vec<std::net::TcpListener>,
    services: Vec<Service>,
    stopping: &watch::Receiver<bool>,
) -> Result<Threads, Error> {
    let mut threads = Vec::new();
    for (index, (listener, service)) in listeners.into_iter().zip(services).enumerate() {
        let stopping = stopping.clone();
        let thread = std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                let ended = runtime
                    .and_then(|runtime| runtime.block_on(worker::run(listener, service, stopping)));
                if let Err(error) = ended {
                    tracing::error!(%error, "a worker ended");
                }
            })?;
        threads.push(thread);
    }
    Ok(threads)
}

/// Each stream takes two descriptors, and the usual soft limit of 1,024 is
/// there for programs that use select(2). The hard limit is the operator's.
fn raise_open_files_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}

/// Ctrl-C and SIGTERM.
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
