//! A stream that broke, while somebody is looked for who goes on with it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bourse_vocab::Failure;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::Report;
use crate::endpoints::Endpoint;
use crate::phases::exchange::Opened;
use crate::running::Running;

/// Who goes on with an answer that broke, or why nobody does.
pub type Found = Result<Opened, String>;
/// The search for them.
pub type Search<'a> = Pin<Box<dyn Future<Output = Found> + Send + 'a>>;

/// Looks for somebody who goes on with an answer that broke: at most once.
pub trait Sequel: Send {
    /// Looks, where the answer broke with `failure` after `report`.
    fn go_on<'a>(
        self: Box<Self>,
        running: &'a mut Running,
        report: &'a Report,
        failure: &'a Failure,
    ) -> Search<'a>;
}

/// A stream that is given back, with why it broke and what was found.
pub type GivenBack<T> = (T, Failure, Found);

/// A stream whose client waits for the rest of its answer. `T` is what the
/// stream is.
pub struct Resuming<T> {
    search: Pin<Box<dyn Future<Output = GivenBack<T>> + Send>>,
    /// When the client is to see a sign of life next.
    ticks: Interval,
    endpoint: &'static dyn Endpoint,
}

/// What the client's stream does next.
pub enum Next<T> {
    /// The search has ended.
    Found(Box<GivenBack<T>>),
    /// These bytes keep the client waiting.
    Alive(&'static [u8]),
}

impl<T> Resuming<T> {
    /// Waits for a search, with a sign of life every so often.
    pub fn begin(
        search: impl Future<Output = GivenBack<T>> + Send + 'static,
        every: Duration,
        endpoint: &'static dyn Endpoint,
    ) -> Self {
        let mut ticks = interval_at(Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            search: Box::pin(search),
            ticks,
            endpoint,
        }
    }

    /// Goes on with the search.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Next<T>> {
        if let Poll::Ready(given_back) = self.search.as_mut().poll(cx) {
            return Poll::Ready(Next::Found(Box::new(given_back)));
        }
        ready!(self.ticks.poll_tick(cx));
        Poll::Ready(Next::Alive(self.endpoint.keep_alive()))
    }
}
