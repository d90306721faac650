//! What the control plane asks of a running server.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::HeaderMap;
use bourse_catalog::Snapshot;
use bourse_control::status::{Journal, Status};
use bourse_control::{Backend, BoxFuture, EndpointStats, FileLimits, Film, Percentiles};
use bourse_dataplane::clock::now_ms;
use bourse_dataplane::explain::{Asked, explain};
use bourse_dataplane::exposition;
use bourse_dataplane::gateway::Gateway;
use bourse_dataplane::market::Market;
use bourse_dataplane::phases::admit;
use bourse_jobs::Jobs;
use bourse_ledger::{Balance, KeyBalance};
use bourse_net::Client;
use bourse_policy::Principal;
use bourse_policy::key::RANDOM_BYTES;
use bourse_routing::health;
use bourse_spool::Trouble;
use bourse_store::{Contents, LiveReport, Store, VideoRow, live};
use bourse_vocab::{AccountId, Failure, FailureKind, KeyId};

use crate::config::{AdminListen, Config};
use crate::store_watcher::StoreWatcher;
use crate::{batches, status, videos};

/// Where the calls would be made whose routing is explained.
pub const EXPLAINED: &str = "/v1/chat/completions";

/// A running server, as the control plane sees it.
struct Live {
    gateway: Arc<Gateway>,
    watcher: Arc<StoreWatcher>,
    store: Arc<dyn Store>,
    contents: Contents,
    file_limits: FileLimits,
    jobs: Arc<Jobs>,
    /// Since when it serves.
    started_ms: u64,
    /// Connections by which films are fetched.
    films: Client,
    /// The market that lists were last made of, and how many there were.
    seen: Mutex<(Arc<Market>, u64)>,
    /// Held while the books are compared: it reads all purses, and once at a
    /// time is enough.
    comparing: tokio::sync::Mutex<()>,
}

/// The control plane, as it is seen at each listener.
pub struct Routers {
    /// By everybody.
    pub public: Router,
    /// By operators, if they have a listener.
    pub admin: Option<Router>,
}

/// The control plane of a running server.
pub fn routers(
    (config, admin): (&Config, Option<&AdminListen>),
    (gateway, watcher, store): (&Arc<Gateway>, &Arc<StoreWatcher>, &Arc<dyn Store>),
    (batches, films): (&batches::Running, Client),
) -> Routers {
    let live: Arc<dyn Backend> = Arc::new(Live {
        gateway: Arc::clone(gateway),
        watcher: Arc::clone(watcher),
        store: Arc::clone(store),
        contents: batches.contents.clone(),
        file_limits: batches.limits,
        jobs: Arc::clone(&batches.jobs),
        started_ms: now_ms(),
        films,
        seen: Mutex::new((gateway.market.load_full(), 0)),
        comparing: tokio::sync::Mutex::new(()),
    });
    Routers {
        admin: admin.map(|at| bourse_control::admin_router(Arc::clone(&live), at.is_local())),
        public: if config.public_metrics {
            bourse_control::router(live)
        } else {
            bourse_control::router_without_metrics(live)
        },
    }
}

fn percentiles(of: health::Percentiles) -> Percentiles {
    #[allow(clippy::cast_precision_loss)] // Milliseconds and tokens, far below 2^52.
    let float = |value: u64| value as f64;
    Percentiles {
        p50: float(of.p50),
        p75: float(of.p75),
        p90: float(of.p90),
        p99: float(of.p99),
    }
}

impl Backend for Live {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    fn catalog(&self) -> Arc<Snapshot> {
        Arc::clone(&self.gateway.market.load().catalog)
    }

    fn markup_ppm(&self) -> u64 {
        self.gateway.market.load().markup_ppm
    }

    fn now_ms(&self) -> u64 {
        now_ms()
    }

    fn random(&self) -> Result<[u8; RANDOM_BYTES], Failure> {
        crate::keys::random()
            .map_err(|error| Failure::server(format!("the system's generator: {error}")))
    }

    fn identify<'a>(&'a self, headers: &'a HeaderMap) -> BoxFuture<'a, Result<Principal, Failure>> {
        Box::pin(admit::identify(&self.gateway, headers))
    }

    fn balance(&self, account: AccountId) -> Option<Balance> {
        self.gateway.till.books().balance(account)
    }

    fn key_balance(&self, account: AccountId, key: KeyId) -> Option<KeyBalance> {
        let books = self.gateway.till.books();
        books.key_balance(account, key, now_ms())
    }

    fn refresh(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.watcher.read_changes_or_warn())
    }

    fn endpoint_stats(&self, endpoint_id: &str) -> Option<EndpointStats> {
        let now = now_ms();
        let market = self.gateway.market.load();
        let target = market.target_of(endpoint_id)?;
        Some(EndpointStats {
            uptime_last_5m: target.health.uptime_percent(now, 5),
            uptime_last_30m: target.health.uptime_percent(now, 30),
            uptime_last_1d: target.health.uptime_percent(now, 1_440),
            latency_last_30m: target.health.latency_ms_last_30m(now).map(percentiles),
            throughput_last_30m: target.health.throughput_last_30m(now).map(percentiles),
            tool_call_error_rate: target.metrics.tools.of_late(now).error_rate(),
        })
    }

    fn explain(
        &self,
        account: AccountId,
        request: String,
    ) -> BoxFuture<'_, Result<serde_json::Value, Failure>> {
        Box::pin(async move {
            let gateway = &*self.gateway;
            let market = gateway.market.load_full();
            let asked = Asked {
                path: EXPLAINED,
                market: &market,
                identity: &gateway.identity,
                account,
                limits: &gateway.limits,
                bodies: &gateway.bodies,
                now_ms: now_ms(),
            };
            explain(&asked, request).await
        })
    }

    fn compare_books(&self) -> BoxFuture<'_, Result<LiveReport, Failure>> {
        let busy = |why: &'static str| Failure::new(FailureKind::Overloaded, why);
        Box::pin(async move {
            let Ok(_one) = self.comparing.try_lock() else {
                return Err(busy("The books are just being compared"));
            };
            let till = &self.gateway.till;
            if !matches!(&*till.spool().trouble().borrow(), Trouble::None) {
                return Err(busy(
                    "The journal's disk takes nothing now, so memory is ahead of it",
                ));
            }
            // What administrators changed is taken over first.
            self.watcher.read_changes_or_warn().await;
            let compared = live::compare(till, &*self.store).await;
            compared.map_err(|error| Failure::server(error.to_string()))
        })
    }

    fn status(&self) -> Status {
        let till = &self.gateway.till;
        let journal = Journal {
            unapplied_bytes: till.spool().unapplied_bytes(),
            holds_open: till.books().open_holds() as u64,
            database_away_s: self.database_away_s(),
            database_behind_s: self.database_behind_s(),
            trouble: self.ready().err(),
        };
        status::of(&self.gateway, journal, (self.started_ms, now_ms()))
    }

    fn callable(&self, endpoint_id: &str) -> bool {
        let market = self.gateway.market.load();
        market.target_of(endpoint_id).is_some()
    }

    fn offers_epoch(&self) -> u64 {
        let market = self.gateway.market.load_full();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&seen.0, &market) {
            *seen = (market, seen.1.saturating_add(1));
        }
        seen.1
    }

    fn metrics_text(&self) -> String {
        exposition::render(&self.gateway)
    }

    fn ready(&self) -> Result<(), String> {
        // Everything was recovered before the first listener opened.
        let spool = self.gateway.till.spool();
        match &*spool.trouble().borrow() {
            Trouble::None => {}
            trouble => return Err(trouble.to_string()),
        }
        spool.check_room().map_err(|error| error.to_string())
    }

    fn is_stopping(&self) -> bool {
        self.gateway.stopping.is_begun()
    }

    fn database_away_s(&self) -> Option<u64> {
        self.watcher.database_away_s()
    }

    fn database_behind_s(&self) -> Option<u64> {
        let behind = self.gateway.till.database_behind();
        behind.map(|behind| behind.as_secs())
    }

    fn contents(&self) -> &Contents {
        &self.contents
    }

    fn file_limits(&self) -> FileLimits {
        self.file_limits
    }

    fn batch_endpoints(&self) -> Vec<&'static str> {
        batches::endpoints()
    }

    fn look_for_batches(&self) {
        self.jobs.look();
    }

    fn video_answer(&self, row: &VideoRow) -> Result<Vec<u8>, Failure> {
        videos::answer(row)
    }

    fn video_content(&self, row: VideoRow, index: usize) -> BoxFuture<'_, Result<Film, Failure>> {
        Box::pin(async move { videos::content(&self.gateway, &self.films, &row, index).await })
    }

    fn is_simulated(&self) -> bool {
        self.gateway.market.load().is_simulated()
    }
}
