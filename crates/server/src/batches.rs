//! Batches of calls in a running server: who calls their lines, and on which
//! thread.
//!
//! A thread of their own calls them, with connections and a door like a
//! worker's, so that no worker is late because of a batch. What decides which
//! line is next runs on the control runtime; it waits while any worker is late.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bourse_control::FileLimits;
use bourse_dataplane::batched::{self, Unanswered};
use bourse_dataplane::bodies::Bodies;
use bourse_dataplane::chance;
use bourse_dataplane::clock::now_ms;
use bourse_dataplane::endpoints;
use bourse_dataplane::gateway::Gateway;
use bourse_dataplane::line::Line;
use bourse_dataplane::pipeline::Worker;
use bourse_jobs::vendor::{Desk, Stage};
use bourse_jobs::video::Followers;
use bourse_jobs::{BoxFuture, Caller, Jobs, LineCall, NoAnswer, Past, sweep};
use bourse_net::Client;
use bourse_store::{Contents, Store, StoreError};
use bourse_vocab::{BatchId, Failure, GenerationId};
use bytes::Bytes;
use http::HeaderMap;
use tokio::runtime::Handle;

use crate::config::Config;
use crate::videos::{Callbacks, Messages};
use crate::worker::{Stop, stopped};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Room for the requests of lines that wait for vendors, besides that of calls:
/// of sixteen batches not all have as much there as one may.
const AT_VENDOR_BYTES: usize = 256 << 20;
/// Where what vendors were sent is kept.
const AT_VENDORS: &str = "batches-at-vendors";

/// How often it is looked whether the database has all of the journal.
const APPLIED_EVERY: Duration = Duration::from_millis(50);

/// What runs batches, and the thread that calls their lines.
pub struct Running {
    /// What is in files.
    pub contents: Contents,
    /// How much may be kept in them.
    pub limits: FileLimits,
    /// Told of new batches.
    pub jobs: Arc<Jobs>,
    /// Ends when all lines have.
    pub thread: JoinHandle<()>,
}

/// Starts running batches with connections of their own, until `stop`.
///
/// # Errors
/// There is no thread for it, or no room for files on the disk.
pub fn start(
    (gateway, store): (&Arc<Gateway>, &Arc<dyn Store>),
    config: &Config,
    client: Client,
    stop: &Stop,
) -> Result<Running, Error> {
    let contents = Contents::open(&config.data_dir)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let at_vendors = config.data_dir.join(AT_VENDORS);
    let looks_every = config.files.vendors_every;
    let calls = Arc::new(Calls {
        desk: Desk::open(&at_vendors, client.clone(), looks_every)?,
        waiting: Arc::new(Bodies::new(AT_VENDOR_BYTES)),
        worker: Worker::for_lines(gateway, client),
        store: Arc::clone(store),
        runtime: runtime.handle().clone(),
    });
    let jobs = Arc::new(Jobs::new(
        Arc::clone(store),
        contents.clone(),
        Arc::clone(&calls) as Arc<dyn Caller>,
        config.files.jobs,
    ));
    let keeping = tokio::spawn(Arc::clone(&jobs).keep_running(stop.gently.clone()));
    let following = runtime.spawn(
        followers(gateway, store, config, &calls.worker.client)?
            .keep_following(stop.gently.clone()),
    );
    tokio::spawn(sweep::keep(
        Arc::clone(store),
        contents.clone(),
        now_ms,
        stop.gently.clone(),
    ));
    let (stop, stop_timeout) = (stop.clone(), config.limits.stop_timeout);
    let thread = std::thread::Builder::new()
        .name("batches".to_owned())
        .spawn(move || runtime.block_on(calls.serve((keeping, following), stop, stop_timeout)))?;
    Ok(Running {
        contents,
        limits: config.files.limits,
        jobs,
        thread,
    })
}

/// What follows films, on the thread of batches.
fn followers(
    gateway: &Arc<Gateway>,
    store: &Arc<dyn Store>,
    config: &Config,
    client: &Client,
) -> Result<Arc<Followers<Client>>, Error> {
    let callbacks = Callbacks::new(
        config.videos.callback_origins.clone(),
        Arc::clone(&config.roads),
    );
    Ok(Arc::new(Followers {
        gateway: Arc::clone(gateway),
        store: Arc::clone(store),
        client: client.clone(),
        teller: Arc::new(Messages::new(store, callbacks)?),
        limits: config.videos.limits,
    }))
}

/// Calls lines.
struct Calls {
    worker: Worker,
    desk: Desk,
    /// Room for what waits there.
    waiting: Arc<Bodies>,
    store: Arc<dyn Store>,
    runtime: Handle,
}

impl Calls {
    /// What a worker does beside its calls, until the server stops and no line
    /// is under way any more, or its time is up.
    async fn serve(
        self: Arc<Self>,
        (keeping, following): (tokio::task::JoinHandle<()>, tokio::task::JoinHandle<()>),
        stop: Stop,
        stop_timeout: Duration,
    ) {
        let Stop {
            mut gently,
            mut at_once,
        } = stop;
        let sweeper = self.worker.client.spawn_sweeper();
        let progress = Arc::clone(&self.worker.progress);
        let telling = tokio::spawn(async move { progress.keep_telling().await });
        let door = Arc::clone(&self.worker.door);
        let probing = tokio::spawn(async move { door.keep_probing().await });
        stopped(&mut gently).await;
        let is_cut_off = tokio::select! {
            _ = keeping => false,
            () = stopped(&mut at_once) => true,
            () = tokio::time::sleep(stop_timeout) => true,
        };
        if is_cut_off {
            self.worker.gateway.stopping.cut_off();
        }
        // It lets go of what it does, and settles nothing any more.
        let _ = following.await;
        sweeper.abort();
        telling.abort();
        probing.abort();
    }
}

/// Paths of the endpoints whose requests may be lines of a batch.
#[must_use]
pub fn endpoints() -> Vec<&'static str> {
    let all = endpoints::IN_BATCHES.iter();
    all.map(|endpoint| endpoint.path()).collect()
}

impl Caller for Calls {
    fn call(&self, line: LineCall) -> BoxFuture<'static, Result<Bytes, NoAnswer>> {
        let worker = self.worker.clone();
        let at_vendor = line.at_vendor.map(|(batch, line)| {
            let desk = self.desk.at(batch, line);
            self.worker.over(desk, Arc::clone(&self.waiting))
        });
        let called = self.runtime.spawn(async move {
            let Some(endpoint) = endpoints::in_batches(&line.endpoint) else {
                let story = format!("a batch is for {}, which is no endpoint", line.endpoint);
                return Err(NoAnswer::Failed(Failure::server(story)));
            };
            let LineCall {
                id,
                key,
                batch,
                body,
                witness,
                ..
            } = line;
            let line = Line {
                id,
                key,
                batch,
                is_at_vendor: at_vendor.is_some(),
                witness,
            };
            let called = match at_vendor {
                Some(_) if !worker.gateway.market.load().takes_batches() => {
                    return Err(NoAnswer::Alone);
                }
                Some(worker) => Box::pin(batched::call(&worker, endpoint, body, line)).await,
                None => Box::pin(batched::call(&worker, endpoint, body, line)).await,
            };
            called.map_err(|why| match why {
                Unanswered::Key(failure) => NoAnswer::Key(failure),
                Unanswered::Shed(_) => NoAnswer::Busy,
                Unanswered::Failed(failure) => NoAnswer::Failed(failure),
            })
        });
        Box::pin(async move {
            match called.await {
                Ok(answered) => answered,
                Err(error) if error.is_panic() => Err(NoAnswer::Failed(Failure::server(
                    "the task of a line has ended",
                ))),
                // The thread has ended, and what it called with it.
                Err(_) => Err(NoAnswer::Stopped),
            }
        })
    }

    fn release(&self, batch: BatchId, stage: Stage) {
        self.desk.release(batch, stage);
    }

    fn forget(&self, batch: BatchId) {
        self.desk.forget(batch);
    }

    fn failure(&self, path: &str, failure: &Failure) -> Bytes {
        let endpoint = endpoints::in_batches(path).or(endpoints::IN_BATCHES.first().copied());
        endpoint.map_or_else(Bytes::new, |endpoint| {
            endpoint.failure(failure, &mut HeaderMap::new())
        })
    }

    fn past(&self, id: GenerationId) -> BoxFuture<'_, Result<Past, StoreError>> {
        Box::pin(async move {
            let spool = self.worker.gateway.till.spool();
            let written = spool.written();
            while spool.applied() < written {
                tokio::time::sleep(APPLIED_EVERY).await;
            }
            let row = self.store.generation(id).await?;
            Ok(match row {
                Some(row) if row.voided.is_none() => Past::Settled,
                _ => Past::Void,
            })
        })
    }

    fn is_calm(&self) -> bool {
        self.worker.gateway.admission.is_calm()
    }

    fn now_ms(&self) -> u64 {
        now_ms()
    }

    fn random(&self) -> u128 {
        chance::random()
    }
}
