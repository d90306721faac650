//! The streamed body of a reply: pulls the upstream as the client reads.
//!
//! There is no channel and no second task between the two sides. A slow
//! reader slows the provider down; a reader that leaves drops this body, and
//! that ends the call by the provider's policy: the upstream is closed, or
//! read to its end for the true usage.

use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bourse_ledger::price::Charge;
use bourse_net::UpstreamBody;
use bourse_providers::Disconnect;
use bourse_vocab::chat::Event;
use bourse_vocab::{Failure, FailureKind, Format, Nanos};
use bourse_wire::{Stamp, codec};
use bytes::Bytes;
use futures_util::future::poll_fn;
use http_body::Frame;
use tokio::time::{Instant, Interval};

use super::Feed;
use crate::phases::exchange::unreachable;
use crate::phases::settle::{Ending, Settling};
use crate::pipeline::{Answer, Waiting};

/// The comment that keeps a waiting stream alive; clients skip it.
pub const KEEP_ALIVE: &[u8] = b": OPENROUTER PROCESSING\n\n";
/// A stream's progress is checkpointed whenever this much more content has
/// been delivered, or, if there is any, after [`CHECKPOINT_EVERY`]: what a
/// crash makes the house pay is bounded for fast streams and for slow ones.
const CHECKPOINT_BYTES: u64 = 4 * 1024;
const CHECKPOINT_EVERY: Duration = Duration::from_millis(250);

/// A stream that has not ended yet.
struct Live {
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
        let gateway = std::sync::Arc::clone(&self.settling.call.gateway);
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

/// An answer that is being relayed.
pub struct Relay {
    /// What the client shall see next.
    out: Vec<u8>,
    live: Option<Box<Live>>,
}

impl Relay {
    /// Continues a stream whose first content is in `out`.
    #[must_use]
    pub fn new(
        upstream: UpstreamBody,
        feed: Box<dyn Feed>,
        out: Vec<u8>,
        settling: Settling,
    ) -> Self {
        Self {
            out,
            live: Some(Box::new(Live {
                upstream,
                feed,
                settling,
                looked_bytes: 0,
                look_at: Instant::now() + CHECKPOINT_EVERY,
            })),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if !self.out.is_empty() {
                // What is there goes first; the next poll continues.
                return Poll::Ready(Some(std::mem::take(&mut self.out).into()));
            }
            let Some(live) = &mut self.live else {
                return Poll::Ready(None);
            };
            let step = match live.look_at_the_money() {
                Ok(()) => ready!(live.poll(cx, &mut self.out)),
                Err(failure) => Step::Broken(failure),
            };
            if matches!(step, Step::Going) {
                continue;
            }
            let Some(live) = self.live.take() else {
                continue;
            };
            let Live {
                mut feed, settling, ..
            } = *live;
            match step {
                Step::Going => {}
                Step::Complete => {
                    let (usage, bill) = settling.finish(&feed.report(), Ending::Complete);
                    feed.finish(&usage, &bill, &mut self.out);
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
                    feed.fail(&failure, &mut self.out);
                }
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let Some(live) = self.live.take() else { return };
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

/// The body of a streamed reply.
pub enum StreamBody {
    /// Nobody has begun to answer yet; the client is kept waiting with
    /// comments.
    Waiting {
        /// The search for an answer.
        waiting: Waiting,
        /// When the next comment is due.
        ticks: Interval,
        /// What an error would be stamped with: id, model, seconds.
        stamp: (std::sync::Arc<str>, String, u64),
    },
    /// An answer is under way.
    Relaying(Box<Relay>),
    /// Nothing more comes.
    Done,
}

impl StreamBody {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match self {
            Self::Done => Poll::Ready(None),
            Self::Relaying(relay) => {
                let next = ready!(relay.poll(cx));
                if next.is_none() {
                    *self = Self::Done;
                }
                Poll::Ready(next)
            }
            Self::Waiting {
                waiting,
                ticks,
                stamp,
            } => {
                let outcome = match waiting.poll(cx) {
                    Poll::Ready(outcome) => outcome,
                    Poll::Pending => {
                        ready!(ticks.poll_tick(cx));
                        return Poll::Ready(Some(Bytes::from_static(KEEP_ALIVE)));
                    }
                };
                match outcome {
                    Ok(Answer::Stream(relay)) => {
                        *self = Self::Relaying(relay);
                        self.poll(cx)
                    }
                    Ok(Answer::Whole(body)) => {
                        *self = Self::Done;
                        Poll::Ready(Some(body))
                    }
                    Err(failure) => {
                        let out = late_failure(&failure, stamp);
                        *self = Self::Done;
                        Poll::Ready(Some(out))
                    }
                }
            }
        }
    }
}

/// An error after the status has been sent: an event of the stream.
fn late_failure(
    failure: &Failure,
    (id, model, created): &(std::sync::Arc<str>, String, u64),
) -> Bytes {
    let provider = failure
        .upstream
        .as_ref()
        .and_then(|u| u.provider.as_deref())
        .unwrap_or("");
    let stamp = Stamp {
        id,
        model,
        provider,
        created: *created,
        metadata: None,
    };
    let mut out = Vec::new();
    let mut writer = codec(Format::OpenAiChat).stream_writer(&stamp);
    writer.event(&Event::Error(Box::new(failure.clone())), &mut out);
    out.into()
}

impl http_body::Body for StreamBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(ready!(self.get_mut().poll(cx)).map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Done)
    }
}
