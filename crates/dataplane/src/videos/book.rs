//! Who keeps jobs.

use std::future::Future;
use std::pin::Pin;

use bourse_store::VideoRow;
use bourse_vocab::{AccountId, Failure};

/// What an asynchronous question returns.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// Keeps jobs where they outlive the server.
pub trait Book: Send + Sync {
    /// Notes a job that is about to be sent, before it is; `callback` is who is
    /// told when it has ended.
    ///
    /// # Errors
    /// The account has too many that run, the callback may not be called, or
    /// there is nowhere to note it.
    fn begin<'a>(&'a self, video: VideoRow, callback: Option<&'a str>) -> Reply<'a, ()>;

    /// Notes what has become of it.
    ///
    /// # Errors
    /// There is nowhere to note it now.
    fn save(&self, video: VideoRow) -> Reply<'_, ()>;
}

/// Keeps none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBook;

impl NoBook {
    fn refuse() -> Failure {
        Failure::server("jobs are not kept here")
    }
}

impl Book for NoBook {
    fn begin<'a>(&'a self, _: VideoRow, _: Option<&'a str>) -> Reply<'a, ()> {
        Box::pin(async { Err(Self::refuse()) })
    }

    fn save(&self, _: VideoRow) -> Reply<'_, ()> {
        Box::pin(async { Err(Self::refuse()) })
    }
}

/// Jobs of an account that have not ended: as many as a person can look at, and
/// few enough that no account fills a provider's queue.
pub const RUNNING_MAX: u64 = 64;

/// What who has as many is told.
#[must_use]
pub fn too_many(_: AccountId) -> Failure {
    Failure::new(
        bourse_vocab::FailureKind::RateLimited,
        format!(
            "The account has {RUNNING_MAX} films that are being made, which is as many as it may; wait until one has ended"
        ),
    )
}
