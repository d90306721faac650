//! The stages of a start, in order: addresses are [`Reserved`], the store is
//! [`Opened`], the journal is replayed ([`Recovered`]), the data plane is [`Built`], first keys are
//! made ([`Ready`]), and everything runs ([`Running`]).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bourse_dataplane::admission::Admission;
use bourse_dataplane::alarms::Alarms;
use bourse_dataplane::bodies::Bodies;
use bourse_dataplane::cache::Cache;
use bourse_dataplane::clock::{Clock, now_ms};
use bourse_dataplane::drains::Drains;
use bourse_dataplane::gateway::{CallLimits, Counters, Gateway, Stopping};
use bourse_dataplane::identity::Identity;
use bourse_dataplane::keyring::Keyring;
use bourse_dataplane::market::Memory;
use bourse_dataplane::realtime::Sessions;
use bourse_dataplane::replies::REPLIES_BYTES_MAX;
use bourse_dataplane::stickiness::Stickiness;
use bourse_dataplane::tools::TOOLS_BYTES_MAX;
use bourse_dataplane::unknown::Unknown;
use bourse_net::{Client, ClientConfig, EgressPolicy};
use bourse_sim::SimHandle;
use bourse_spool::Options;
use bourse_store::applier::Applier;
use bourse_store::{Contents, Server, Store, Till};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::doors::Doors;
use super::running::Running;
use super::{Error, disk, workers};
use crate::call_log::CallLog;
use crate::config::{Config, Durability};
use crate::control::Routers;
use crate::first_start::{self, FirstKeys};
use crate::manager::{Manager, Pulses, Sockets};
use crate::market::{self, Providers};
use crate::store_watcher::StoreWatcher;
use crate::tokens::Tokens;
use crate::videos::{self, Callbacks};
use crate::worker::{self, Stop};
use crate::{alarms, batches, presence, reload, retention, simulated, traces};

/// The server has its address, and refuses connections. A port that is
/// taken fails here, before anything on the disk changes.
pub(super) struct Reserved {
    config: Config,
    doors: Doors,
}

impl Reserved {
    pub(super) fn addresses(config: Config, given: Sockets) -> Result<Self, Error> {
        let doors = Doors::reserve(&config, given)?;
        Ok(Self { config, doors })
    }

    /// Opens the store and becomes its server.
    pub(super) async fn open(self, me: &Server, take_over: bool) -> Result<Opened, Error> {
        let Config {
            database, data_dir, ..
        } = &self.config;
        let store = bourse_store::open(database, data_dir).await?;
        store.serve(me, take_over).await?;
        simulated::check(&self.config, &*store).await?;
        Ok(Opened {
            reserved: self,
            store,
        })
    }
}

/// The store belongs to this server; nothing has been read from it yet.
pub(super) struct Opened {
    reserved: Reserved,
    store: Arc<dyn Store>,
}

impl Opened {
    /// Reads balances and brings the journal into them.
    pub(super) async fn recover(self) -> Result<Recovered, Error> {
        let Self { reserved, store } = self;
        let data_dir = &reserved.config.data_dir;
        let journal = Options {
            sync_interval: reserved.config.sync_interval,
            ..Options::default()
        };
        let contents = Contents::open(data_dir)?;
        let mut kept = |calls: &[_]| bourse_jobs::settlements(&contents, calls);
        let bourse_store::Opened {
            till,
            recovery,
            keys,
        } = Till::open_with(&*store, data_dir, journal, now_ms(), &mut kept).await?;
        if recovery.replayed > 0 || recovery.torn_bytes > 0 {
            tracing::info!(
                replayed = recovery.replayed,
                settled = recovery.settled,
                voided = recovery.voided,
                torn_bytes = recovery.torn_bytes,
                "the journal was replayed"
            );
        }
        let identity = Identity::of(store.history().await?.store);
        let keyring = Arc::new(Keyring::default());
        for key in &keys {
            keyring.put(key.principal(), key.change_seq);
        }
        let till = Arc::new(till);
        let watcher = Arc::new(StoreWatcher::new(
            Arc::clone(&store),
            Arc::clone(&till),
            Arc::clone(&keyring),
            recovery.change_seq,
        ));
        let unknown = Unknown::default();
        unknown.recall(&*store, &till, now_ms()).await?;
        Ok(Recovered {
            reserved,
            store,
            till,
            keyring,
            watcher,
            identity,
            unknown,
        })
    }
}

/// Balances are what they were when the last server ended.
pub(super) struct Recovered {
    reserved: Reserved,
    store: Arc<dyn Store>,
    till: Arc<Till>,
    keyring: Arc<Keyring>,
    watcher: Arc<StoreWatcher>,
    identity: Identity,
    unknown: Unknown,
}

impl Recovered {
    /// Builds what calls run through.
    pub(super) fn build(mut self) -> Result<Built, Error> {
        let config = &self.reserved.config;
        let (providers, simulation) = if market::is_any_configured(config) && !config.simulate {
            (Providers::Configured, None)
        } else {
            let (address, handle) = simulated::start()?;
            (Providers::Simulated(address), Some(handle))
        };
        let callbacks = Callbacks::new(
            config.videos.callback_origins.clone(),
            Arc::clone(&config.roads),
        );
        let memory = Memory::default();
        let alarms = Arc::new(Alarms::new(millis(config.alarms.repeat)));
        let tokens = Tokens::new(tokio::runtime::Handle::current(), &alarms);
        let built = market::build(config, &providers, &memory, &tokens)?;
        for problem in &built.problems {
            tracing::warn!(provider = problem.provider, "{}", problem.message);
        }
        let gateway = Arc::new(Gateway {
            market: arc_swap::ArcSwap::from_pointee(built.market),
            memory,
            admission: Admission::new(config.admission.clone()),
            alarms,
            keyring: Arc::clone(&self.keyring),
            office: self.watcher.clone(),
            till: Arc::clone(&self.till),
            wait_for_disk: config.durability == Durability::Always,
            limits: limits(config),
            identity: self.identity.clone(),
            counters: Counters::default(),
            clock: Clock::System,
            cache: Cache::new(config.cache_bytes_max),
            bodies: Arc::new(Bodies::new(config.limits.bodies_bytes_max)),
            replies: Arc::new(Bodies::new(REPLIES_BYTES_MAX)),
            tools: Arc::new(Bodies::new(TOOLS_BYTES_MAX)),
            drains: Arc::new(Drains::new(config.limits.drains_max)),
            unknown: std::mem::take(&mut self.unknown),
            stickiness: Stickiness::default(),
            waiting: Arc::default(),
            sessions: Sessions::default(),
            stopping: Stopping::default(),
            book: Arc::new(videos::Jobs::new(&self.store, callbacks)),
        });
        Ok(Built {
            egress: built.egress,
            recovered: self,
            providers,
            simulation,
            gateway,
            tokens,
        })
    }
}

/// The data plane is complete, and an empty installation has no key yet.
pub(super) struct Built {
    recovered: Recovered,
    providers: Providers,
    simulation: Option<SimHandle>,
    egress: EgressPolicy,
    gateway: Arc<Gateway>,
    tokens: Tokens,
}

impl Built {
    /// Makes the first keys of an empty installation.
    pub(super) async fn make_first_keys(self) -> Result<Ready, Error> {
        let Recovered {
            store, reserved, ..
        } = &self.recovered;
        let data_dir = &reserved.config.data_dir;
        let first_keys = first_start::set_up(&**store, data_dir).await?;
        Ok(Ready {
            built: self,
            first_keys,
        })
    }
}

/// A call could be served.
pub(super) struct Ready {
    built: Built,
    first_keys: Option<FirstKeys>,
}

impl Ready {
    /// Starts the background work, opens the listeners, says what an
    /// operator must know and starts the workers.
    pub(super) fn start(
        self,
        config_path: Option<&Path>,
        manager: Manager,
    ) -> Result<Running, Error> {
        let Self { built, first_keys } = self;
        let Recovered {
            reserved,
            store,
            till,
            watcher,
            ..
        } = built.recovered;
        let (config, gateway) = (reserved.config, built.gateway);
        let (stop, stopping) = watch::channel(false);
        let (cut_off, cutting_off) = watch::channel(false);
        let (stop_applier, applier_stopping) = watch::channel(false);
        let (say_taken_over, taken_over) = watch::channel(None);
        let background = Background {
            gateway: &gateway,
            watcher: &watcher,
            store: &store,
        };
        let (call_log, telling) = background.start(&config, &stopping, say_taken_over)?;
        // On a thread of its own: folding a batch takes milliseconds of CPU.
        let mut pulses = Pulses::default();
        let beat = pulses.of("applier").beat();
        let applying =
            Applier::new(Arc::clone(&store), Arc::clone(&till)).spawn(applier_stopping, beat)?;
        let worker_stop = Stop {
            gently: stopping.clone(),
            at_once: cutting_off,
        };
        let planes = background.planes((&config, &reserved.doors), &built.egress, &worker_stop)?;
        let file_watcher = reload::watch(
            config_path,
            &config,
            (built.providers, built.tokens),
            Arc::clone(&gateway),
            planes.all_clients,
            (manager.clone(), stopping.clone()),
        )?;
        let address = reserved.doors.address;
        let opened = (reserved.doors).open((&config, &stopping), &gateway, planes.serving)?;
        // A reader of the output may use what it says: the kernel takes
        // connections, and the workers serve them in a moment.
        first_start::print(first_keys.as_ref(), address, &gateway, &config)?;
        let workers = workers::start(opened, &worker_stop, &mut pulses)?;
        manager.begin(&gateway, pulses, &stopping);
        Ok(Running {
            address,
            workers,
            batches: Some(planes.batches),
            lame_duck: config.limits.lame_duck,
            stop_timeout: config.limits.stop_timeout,
            gateway,
            manager,
            till,
            store,
            taken_over,
            stop,
            cut_off,
            stop_applier,
            applying,
            call_log,
            telling,
            _file_watcher: file_watcher,
            _simulation: built.simulation,
        })
    }
}

/// What runs beside calls, and tells of them.
struct Background<'a> {
    gateway: &'a Arc<Gateway>,
    watcher: &'a Arc<StoreWatcher>,
    store: &'a Arc<dyn Store>,
}

/// What serves: calls, batches, and whoever looks after them.
struct Planes {
    batches: std::thread::JoinHandle<()>,
    /// What each worker serves with: the control plane, and its own connections
    /// to providers.
    serving: (Routers, Vec<Client>),
    /// The same connections, and those of the others.
    all_clients: Vec<Client>,
}

impl Background<'_> {
    fn planes(
        &self,
        (config, doors): (&Config, &Doors),
        egress: &EgressPolicy,
        stop: &Stop,
    ) -> Result<Planes, Error> {
        let (gateway, store) = (self.gateway, self.store);
        // One of them is for batches, and one for what clients read of films.
        let mut clients = clients(config.workers.saturating_add(2), egress)?;
        let all_clients = clients.clone();
        let last = clients.pop().ok_or("no client for batches")?;
        let batches = batches::start((gateway, store), config, last, stop)?;
        let films = clients.pop().ok_or("no client for films")?;
        let parts = (gateway, self.watcher, store);
        let control = crate::control::routers((config, doors.admin_at()), parts, (&batches, films));
        Ok(Planes {
            batches: batches.thread,
            serving: (control, clients),
            all_clients,
        })
    }

    /// Starts it, until `stopping` says so. Returns those that have something
    /// to say to the last.
    fn start(
        &self,
        config: &Config,
        stopping: &watch::Receiver<bool>,
        say_taken_over: watch::Sender<Option<String>>,
    ) -> Result<(CallLog, Option<JoinHandle<()>>), Error> {
        let (gateway, store) = (self.gateway, self.store);
        tokio::spawn(Arc::clone(self.watcher).keep_reading(stopping.clone()));
        tokio::spawn(disk::tell(
            gateway.till.spool().trouble(),
            Arc::clone(&gateway.alarms),
            stopping.clone(),
        ));
        let telling = alarms::start(config, gateway, self.watcher, stopping)?;
        tokio::spawn(keep_cache_clean(Arc::clone(gateway), stopping.clone()));
        let call_log = CallLog::start(config.call_lines, gateway, store)?;
        traces::start(config, store, &gateway.till, stopping.clone())?;
        retention::start(config.calls_days, self.store, stopping);
        tokio::spawn(presence::keep(
            Arc::clone(store),
            stopping.clone(),
            say_taken_over,
        ));
        Ok((call_log, telling))
    }
}

/// Connections to providers, for each worker its own.
fn clients(workers: usize, egress: &EgressPolicy) -> Result<Vec<Client>, Error> {
    let client = |_| {
        let egress = egress.clone();
        Client::new(ClientConfig {
            egress,
            ..ClientConfig::default()
        })
    };
    Ok((0..workers).map(client).collect::<Result<_, _>>()?)
}

/// Throws away what the cache need not keep any more, until the server stops.
async fn keep_cache_clean(gateway: Arc<Gateway>, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        () = gateway.cache.keep_clean(gateway.clock) => {}
        () = worker::stopped(&mut stop) => {}
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn limits(config: &Config) -> CallLimits {
    let given = &config.limits;
    CallLimits {
        body_bytes_max: given.body_bytes_max,
        body_rate_min: given.body_rate_min,
        deadlines: given.deadlines,
        body_timeout: given.body_timeout,
        ..CallLimits::default()
    }
}
