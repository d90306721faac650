//! What a call is answered with, and the streamed body of a reply: it pulls
//! the upstream as the client reads.
//!
//! There is no channel and no second task between the two sides. A slow
//! reader slows the provider down; a reader that leaves drops this body, and
//! that ends the call by the provider's policy: the upstream is closed, or
//! read to its end for the true usage.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bourse_ledger::price::Charge;
use bourse_net::UpstreamBody;
use bourse_providers::Disconnect;
use bourse_vocab::{Failure, FailureKind, Nanos};
use bourse_wire::Stamp;
use bytes::Bytes;
use futures_util::future::poll_fn;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::Feed;
use super::pursuit::Pursuit;
use crate::endpoints::Endpoint;
use crate::phases::exchange::unreachable;
use crate::phases::settle::{Ending, Settling};

/// A stream's progress is checkpointed whenever this much more content has
/// been delivered, or, if there is any, after [`CHECKPOINT_EVERY`]: what a
/// crash makes the house pay is bounded for fast streams and for slow ones.
const CHECKPOINT_BYTES: u64 = 4 * 1024;
const CHECKPOINT_EVERY: Duration = Duration::from_millis(250);

/// What a call is answered with.
pub enum Reply {
    /// The whole body.
    Whole(Bytes),
    /// A stream.
    Stream(Relay),
}

impl Reply {
    /// The stream that a stream was asked for.
    ///
    /// # Errors
    /// The answer is whole, which a request for a stream never gets.
    pub fn into_stream(self) -> Result<Relay, Failure> {
        match self {
            Self::Stream(relay) => Ok(relay),
            Self::Whole(_) => Err(Failure::server("a stream was answered as a whole")),
        }
    }
}

/// The body of a streamed reply. Dropped before its end, the client has left:
/// the provider is closed, or read on for the true usage, as its policy is.
pub struct Relay {
    stage: Stage,
}

/// How far a stream has come.
enum Stage {
    /// No target has begun to answer yet; the client is kept waiting.
    Pursuing(Box<Pursuing>),
    /// An answer is under way.
    Live(Box<Live>),
    /// Nothing more comes.
    Over,
}

/// A stream that waits for its first content.
struct Pursuing {
    pursuit: Pursuit<Relay>,
    /// When the client is to see a sign of life next.
    ticks: Interval,
    endpoint: &'static dyn Endpoint,
    /// What an error is stamped with.
    id: Arc<str>,
    model: String,
    created: u64,
}

/// A stream that has not ended yet.
struct Live {
    /// What the client shall see next.
    out: Vec<u8>,
    upstream: UpstreamBody,
    feed: Box<dyn Feed>,
    settling: Settling,
    /// Content bytes when the money was last looked at.
    looked_bytes: u64,
    /// When to look again, if there is more content by then.
    look_at: Instant,
}

/// What reading on brought.
enum Step {
    /// Perhaps something for the client.
    Going,
    /// The provider has said all.
    Complete,
    /// The stream is broken.
    Broken(Failure),
}

impl Live {
    /// Reads on, once the money has been looked at.
    fn step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        if let Err(failure) = self.look_at_the_money() {
            return Poll::Ready(Step::Broken(failure));
        }
        let mut out = std::mem::take(&mut self.out);
        let step = self.poll(cx, &mut out);
        self.out = out;
        step
    }

    fn poll(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Step> {
        if self.feed.is_complete() {
            return Poll::Ready(Step::Complete);
        }
        let step = match ready!(self.upstream.poll_data(cx)) {
            Some(Ok(piece)) => {
                out.reserve(piece.len().saturating_add(256));
                self.feed.feed(&piece, out).map(|()| Step::Going)
            }
            // An answer that had ended is not spoilt by what came after it.
            Some(Err(error)) => self
                .feed
                .end(out)
                .map(|()| Step::Complete)
                .map_err(|_| unreachable(&error)),
            None => self.feed.end(out).map(|()| Step::Complete),
        };
        Poll::Ready(step.unwrap_or_else(Step::Broken))
    }

    /// Extends the hold before the answer outgrows it, and remembers how far
    /// it has come. Called when all of it so far has been handed over: the
    /// customer must not pay, after a crash, for what was never sent.
    ///
    /// # Errors
    /// The money has run out.
    fn look_at_the_money(&mut self) -> Result<(), Failure> {
        let more = self.feed.content_bytes().saturating_sub(self.looked_bytes);
        if more == 0 {
            return Ok(());
        }
        let now = Instant::now();
        if more < CHECKPOINT_BYTES && now < self.look_at {
            return Ok(());
        }
        let report = self.feed.report();
        self.looked_bytes = report.content_bytes;
        self.look_at = now + CHECKPOINT_EVERY;
        let (
            usage,
            Charge {
                total,
                upstream_total,
                ..
            },
        ) = self.settling.so_far(&report);
        let tab = &mut self.settling.tab;
        let held = tab.held();
        if total.0.saturating_mul(2) > held.0 {
            // Past half of the hold: double it, so that a long answer asks a
            // logarithmic number of times.
            match tab.extend(Nanos(held.0.max(total.0))) {
                // What is set aside still covers the next stretch.
                Err(_) if total < held => {}
                extended => extended?,
            }
        }
        // After the hold has grown: a start settles by the last checkpoint,
        // but never for more than was set aside.
        tab.checkpoint(total, upstream_total, usage.prompt, usage.completion);
        Ok(())
    }

    /// Reads the rest for its usage. The client is gone.
    async fn drain(mut self) {
        let gateway = Arc::clone(&self.settling.call.gateway);
        gateway.counters.draining.fetch_add(1, Relaxed);
        let reading = async {
            let mut unseen = Vec::new();
            loop {
                unseen.clear();
                match poll_fn(|cx| self.poll(cx, &mut unseen)).await {
                    Step::Going => {}
                    Step::Complete => return true,
                    Step::Broken(_) => return false,
                }
            }
        };
        let whole = tokio::time::timeout(gateway.limits.drain_timeout, reading).await;
        let ending = match whole {
            Ok(true) => Ending::Drained,
            Ok(false) | Err(_) => Ending::DrainCapped,
        };
        self.settling.finish(&self.feed.report(), ending);
        gateway.counters.draining.fetch_sub(1, Relaxed);
    }
}

impl Relay {
    /// Keeps a client waiting for an answer, with a sign of life at once and
    /// `every` so often. An error will be stamped with id, model and seconds.
    #[must_use]
    pub fn pursue(
        pursuit: Pursuit<Self>,
        every: Duration,
        endpoint: &'static dyn Endpoint,
        (id, model, created): (Arc<str>, String, u64),
    ) -> Self {
        let mut ticks = interval_at(Instant::now(), every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stage = Stage::Pursuing(Box::new(Pursuing {
            pursuit,
            ticks,
            endpoint,
            id,
            model,
            created,
        }));
        Self { stage }
    }

    /// Continues a stream whose first content is in `out`.
    #[must_use]
    pub fn live(
        upstream: UpstreamBody,
        feed: Box<dyn Feed>,
        out: Vec<u8>,
        settling: Settling,
    ) -> Self {
        let stage = Stage::Live(Box::new(Live {
            out,
            upstream,
            feed,
            settling,
            looked_bytes: 0,
            look_at: Instant::now() + CHECKPOINT_EVERY,
        }));
        Self { stage }
    }

    /// Whether nothing more comes.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// The next bytes for the client; `None` when there are no more.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            match &mut self.stage {
                Stage::Over => return Poll::Ready(None),
                Stage::Pursuing(pursuing) => match pursuing.pursuit.poll(cx) {
                    Poll::Ready(Ok(relay)) => *self = relay,
                    Poll::Ready(Err(failure)) => {
                        let out = pursuing.late_failure(&failure);
                        self.stage = Stage::Over;
                        return Poll::Ready(Some(out));
                    }
                    Poll::Pending => {
                        ready!(pursuing.ticks.poll_tick(cx));
                        let alive = pursuing.endpoint.keep_alive();
                        return Poll::Ready(Some(Bytes::from_static(alive)));
                    }
                },
                Stage::Live(live) => {
                    if !live.out.is_empty() {
                        // What is there goes first; the next poll continues.
                        return Poll::Ready(Some(std::mem::take(&mut live.out).into()));
                    }
                    let step = ready!(live.step(cx));
                    if !matches!(step, Step::Going) {
                        return Poll::Ready(self.end(step));
                    }
                }
            }
        }
    }

    /// Settles a stream that has ended; returns what the client sees last.
    fn end(&mut self, step: Step) -> Option<Bytes> {
        let Stage::Live(live) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return None;
        };
        let Live {
            mut out,
            mut feed,
            settling,
            ..
        } = *live;
        match step {
            Step::Going => {}
            Step::Complete => {
                let (usage, bill) = settling.finish(&feed.report(), Ending::Complete);
                feed.finish(&usage, &bill, &mut out);
            }
            Step::Broken(failure) => {
                tracing::info!(
                    id = %settling.call.id,
                    message = %failure.message,
                    inside = failure.inside.as_deref().unwrap_or(""),
                    "a stream broke"
                );
                let ending = match failure.kind {
                    FailureKind::PaymentRequired => Ending::Stopped,
                    _ => Ending::Broke(&failure),
                };
                settling.finish(&feed.report(), ending);
                feed.fail(&failure, &mut out);
            }
        }
        (!out.is_empty()).then(|| out.into())
    }
}

impl Pursuing {
    /// An error after the status has been sent: an event of the stream.
    fn late_failure(&self, failure: &Failure) -> Bytes {
        let upstream = failure.upstream.as_ref();
        let stamp = Stamp {
            id: &self.id,
            model: &self.model,
            provider: upstream.and_then(|u| u.provider.as_deref()).unwrap_or(""),
            created: self.created,
            metadata: None,
        };
        self.endpoint.late_failure(failure, &stamp)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let Stage::Live(live) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return;
        };
        let provider = &live.settling.delivered.target.provider;
        let drains = provider.on_disconnect == Disconnect::Drain;
        match (drains, tokio::runtime::Handle::try_current()) {
            (true, Ok(runtime)) => {
                runtime.spawn(live.drain());
            }
            _ => {
                let Live {
                    upstream,
                    feed,
                    settling,
                    ..
                } = *live;
                // Closed first: the provider should not wait for our books.
                drop(upstream);
                settling.finish(&feed.report(), Ending::ClientLeft);
            }
        }
    }
}
