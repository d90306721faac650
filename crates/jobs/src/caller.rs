//! What batches ask of the server that runs them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bourse_dataplane::line::Witness;
use bourse_policy::KeyHash;
use bourse_store::StoreError;
use bourse_vocab::{BatchId, Failure, GenerationId};
use bytes::Bytes;

use crate::vendor::Stage;

/// What an asynchronous question returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A line that is to be called.
pub struct LineCall {
    /// The endpoint's path.
    pub endpoint: String,
    /// What the call is called.
    pub id: GenerationId,
    /// Who pays.
    pub key: KeyHash,
    /// The batch, as records name it.
    pub batch: String,
    /// The request.
    pub body: Bytes,
    /// Its batch and its number there, if it is to go among a vendor's batch.
    pub at_vendor: Option<(BatchId, u32)>,
    /// Who keeps the answer before it is paid for.
    pub witness: Arc<dyn Witness>,
}

/// Why a line has no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// Its key does not open this now.
    Key(Failure),
    /// Its key or account has as many calls under way as it may.
    Busy,
    /// It was refused, or it failed.
    Failed(Failure),
    /// The server stops.
    Stopped,
    /// No vendor answers it among others: it is to be called by itself.
    Alone,
}

/// What the books know of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// It was settled: it is paid for.
    Settled,
    /// It was voided, or never was.
    Void,
}

/// The running server, as far as batches need it.
pub trait Caller: Send + Sync {
    /// Calls a line.
    fn call(&self, line: LineCall) -> BoxFuture<'static, Result<Bytes, NoAnswer>>;
    /// Says how far a batch may go at vendors.
    fn release(&self, batch: BatchId, stage: Stage);
    /// Forgets what vendors were sent of a batch, all of whose lines have ended.
    fn forget(&self, batch: BatchId);
    /// A failure in the words of an endpoint.
    fn failure(&self, endpoint: &str, failure: &Failure) -> Bytes;
    /// What has become of a call that this server, or the one before it, had
    /// begun; everything that has ended by now is known.
    fn past(&self, id: GenerationId) -> BoxFuture<'_, Result<Past, StoreError>>;
    /// Whether there is nobody whom a batch would keep waiting.
    fn is_calm(&self) -> bool;
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;
    /// Random bits.
    fn random(&self) -> u128;
}
