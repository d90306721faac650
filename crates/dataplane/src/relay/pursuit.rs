//! The search for an answer, and what becomes of it when the client has left.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use bourse_vocab::Failure;
use futures_util::future::poll_fn;

use crate::call::Status;

type Search<T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send>>;

/// A search for an answer that a client waits for. If they leave, it ends,
/// unless the provider that is being called bills anyway: then it goes on
/// by itself until the usage is known.
pub struct Pursuit<T: Send + 'static> {
    search: Option<Search<T>>,
    status: Arc<Status>,
}

impl<T: Send + 'static> Pursuit<T> {
    /// Begins to search.
    pub fn new(
        status: Arc<Status>,
        search: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Self {
        Self {
            search: Some(Box::pin(search)),
            status,
        }
    }

    /// Goes on with the search.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Failure>> {
        let Some(search) = &mut self.search else {
            return Poll::Ready(Err(Failure::server("a search was polled after its end")));
        };
        let outcome = search.as_mut().poll(cx);
        if outcome.is_ready() {
            self.search = None;
        }
        outcome
    }

    /// What the search ends with.
    ///
    /// # Errors
    /// No target answered.
    pub async fn outcome(&mut self) -> Result<T, Failure> {
        poll_fn(|cx| self.poll(cx)).await
    }
}

impl<T: Send + 'static> Drop for Pursuit<T> {
    fn drop(&mut self) {
        let Some(search) = self.search.take() else {
            return;
        };
        self.status.client_left.store(true, Relaxed);
        if self.status.drain.load(Relaxed)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // The answer is dropped when it comes, and a relay that is dropped
            // drains itself.
            runtime.spawn(async move { drop(search.await) });
        }
    }
}
