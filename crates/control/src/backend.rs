//! What this crate asks of the running server.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::http::HeaderMap;
use bourse_catalog::Snapshot;
use bourse_ledger::{Balance, KeyBalance};
use bourse_policy::Principal;
use bourse_policy::key::RANDOM_BYTES;
use bourse_store::{Contents, FileQuota, LiveReport, Store, VideoRow};
use bourse_vocab::{AccountId, Failure, KeyId};

use crate::status::Status;

/// What an asynchronous question returns: boxed, so that a backend is an
/// object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Quantiles of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, schemars::JsonSchema)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// Three quarters are below.
    pub p75: f64,
    /// Nine tenths are below.
    pub p90: f64,
    /// All but a hundredth are below.
    pub p99: f64,
}

/// How an endpoint has been doing. What was not measured is absent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EndpointStats {
    /// Successes among successes and failures, in percent; rate limiting
    /// counts as neither.
    pub uptime_last_5m: Option<f64>,
    /// The same over half an hour.
    pub uptime_last_30m: Option<f64>,
    /// The same over a day.
    pub uptime_last_1d: Option<f64>,
    /// Milliseconds to the first content.
    pub latency_last_30m: Option<Percentiles>,
    /// Output tokens a second.
    pub throughput_last_30m: Option<Percentiles>,
    /// Answers with a bad tool call among those that ended with tool calls, as a
    /// fraction, over two hours.
    pub tool_call_error_rate: Option<f64>,
}

/// A film on its way.
pub struct Film {
    /// What it is.
    pub media: String,
    /// How many bytes it has, if that was said.
    pub bytes: Option<u64>,
    /// The bytes.
    pub body: axum::body::Body,
}

/// Bounds of files and batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLimits {
    /// Bytes of one file.
    pub file_bytes_max: u64,
    /// What may be kept.
    pub quota: FileQuota,
    /// For how long a file is kept, in milliseconds.
    pub keep_ms: u64,
    /// Batches of an account that have not ended.
    pub batches_max: u64,
}

/// The running server, as far as this crate needs it.
pub trait Backend: Send + Sync + 'static {
    /// Where keys and records are.
    fn store(&self) -> Arc<dyn Store>;
    /// The catalog in force.
    fn catalog(&self) -> Arc<Snapshot>;
    /// What is added to upstream prices, in parts per million. Listed prices
    /// contain it: they are what customers pay.
    fn markup_ppm(&self) -> u64;
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;
    /// Bytes of the operating system's generator, for a new key.
    ///
    /// # Errors
    /// The system gives none.
    fn random(&self) -> Result<[u8; RANDOM_BYTES], Failure>;
    /// Finds out who asks, from `Authorization` and its like. Whether the
    /// key is still alive is checked here, against [`Self::now_ms`].
    fn identify<'a>(&'a self, headers: &'a HeaderMap) -> BoxFuture<'a, Result<Principal, Failure>>;
    /// An account's money in the live books, which know more than the store.
    fn balance(&self, account: AccountId) -> Option<Balance>;
    /// A key's money in the live books.
    fn key_balance(&self, account: AccountId, key: KeyId) -> Option<KeyBalance>;
    /// Makes calls see a change at once; asked after every change to a key.
    fn refresh(&self) -> BoxFuture<'_, ()>;
    /// How an endpoint has been doing.
    fn endpoint_stats(&self, endpoint_id: &str) -> Option<EndpointStats>;
    /// How a chat request of an account would be routed now: an object with
    /// `requested`, `order`, `candidates` and `refused`. Nothing is sent.
    ///
    /// # Errors
    /// The request cannot be read.
    fn explain(
        &self,
        account: AccountId,
        request: String,
    ) -> BoxFuture<'_, Result<serde_json::Value, Failure>>;
    /// Compares the books in memory with journal and database, at one
    /// position of the journal for each account.
    ///
    /// # Errors
    /// The database or the journal cannot be read, the journal's disk takes
    /// nothing now, or another comparison runs.
    fn compare_books(&self) -> BoxFuture<'_, Result<LiveReport, Failure>>;
    /// How the server and its endpoints are doing. Calls do not notice it.
    fn status(&self) -> Status;
    /// Whether an endpoint's provider is configured, so that it can be
    /// called now.
    fn callable(&self, endpoint_id: &str) -> bool;
    /// Changes whenever what [`Self::callable`] says may have changed, so
    /// that lists made of it are made anew.
    fn offers_epoch(&self) -> u64;
    /// All counters in Prometheus' text format 0.0.4.
    fn metrics_text(&self) -> String;
    /// Whether calls can be served.
    ///
    /// # Errors
    /// Why not, in a sentence that may be published.
    fn ready(&self) -> Result<(), String>;
    /// Whether the server has been told to stop. It may serve for a while yet.
    fn is_stopping(&self) -> bool;
    /// For how many seconds the database has been away; `None` while it
    /// answers. Calls go on without it, so this does not make a server
    /// unready: all servers of a database would be out at once.
    fn database_away_s(&self) -> Option<u64>;
    /// For how many seconds the database has not taken over what calls cost;
    /// `None` while it does. Calls go on: the journal keeps it.
    fn database_behind_s(&self) -> Option<u64>;
    /// What is in files.
    fn contents(&self) -> &Contents;
    /// How much may be kept in them, and for how long.
    fn file_limits(&self) -> FileLimits;
    /// Paths of the endpoints whose requests may be lines of a batch.
    fn batch_endpoints(&self) -> Vec<&'static str>;
    /// Says that there is a batch to be run, or to be ended.
    fn look_for_batches(&self);
    /// What a client is told of a film, as JSON.
    ///
    /// # Errors
    /// What is written of it cannot be read.
    fn video_answer(&self, row: &VideoRow) -> Result<Vec<u8>, Failure>;
    /// Fetches a film that was made.
    ///
    /// # Errors
    /// There is none of that number, or its provider does not give it.
    fn video_content(&self, row: VideoRow, index: usize) -> BoxFuture<'_, Result<Film, Failure>>;
    /// Whether providers are simulated.
    fn is_simulated(&self) -> bool;
}
