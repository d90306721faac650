//! The search for an answer, and what becomes of it when the client has left.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bourse_vocab::Failure;
use futures_util::future::poll_fn;

use crate::boxed::boxed;
use crate::call::Status;
use crate::gateway::Gateway;

type Search<T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send>>;

/// An answer whose client has left.
pub trait Unread: Send + 'static {
    /// Reads the rest of it, for its usage, and ends the call.
    fn drain(self) -> impl Future<Output = ()> + Send;
}

/// A search for an answer that a client waits for. If they leave, it ends,
/// unless the provider that is being called bills anyway, or whoever left has
/// left too much of late: then it goes on by itself until the usage is known.
pub struct Pursuit<T: Unread> {
    search: Option<Search<T>>,
    status: Arc<Status>,
    gateway: Arc<Gateway>,
}

impl<T: Unread> Pursuit<T> {
    /// Begins the search that `search` makes.
    pub fn new<F>(gateway: &Arc<Gateway>, status: Arc<Status>, search: impl FnOnce() -> F) -> Self
    where
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        Self {
            search: Some(boxed(search)),
            status,
            gateway: Arc::clone(gateway),
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

impl<T: Unread> Drop for Pursuit<T> {
    fn drop(&mut self) {
        let Some(search) = self.search.take() else {
            return;
        };
        if self.gateway.stopping.is_cut_off() || !self.status.outlasts_its_client(&self.gateway) {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        // Where no place is left the search ends here, and the call with it.
        let Some(place) = self.gateway.drains.begin() else {
            return;
        };
        self.status.detach();
        let wait = self.gateway.limits.deadlines.drain;
        runtime.spawn(async move {
            let rest = async {
                if let Ok(answer) = search.await {
                    answer.drain().await;
                }
            };
            // When time is up, whatever holds the call is let go of, and that
            // ends it.
            let _ = tokio::time::timeout(wait, rest).await;
            drop(place);
        });
    }
}
