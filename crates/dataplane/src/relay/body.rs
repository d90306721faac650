//! The streamed body of a reply: it pulls the upstream as the client reads.
//!
//! There is no channel and no second task between the two sides. A slow
//! reader slows the provider down; a reader that leaves drops this body, and
//! that ends the call by the provider's policy: the upstream is closed, or
//! read to its end for the true usage.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bourse_net::UpstreamBody;
use bourse_providers::Disconnect;
use bourse_vocab::Failure;
use bourse_vocab::failure::CONTINUATION;
use bourse_wire::Stamp;
use bytes::Bytes;
use futures_util::future::poll_fn;
use http::HeaderValue;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::pursuit::{Pursuit, Unread};
use super::replay::Replay;
use super::resuming::{Found, Next, Resuming, Sequel};
use super::waits::Waits;
use super::{Feed, Report};
use crate::checkpoints::Watch;
use crate::ending::Ending;
use crate::endpoints::Endpoint;
use crate::gateway::Gateway;
use crate::phases::exchange::{Opened, cut_short, unreachable};
use crate::phases::silence;
use crate::running::Running;
use crate::unknown::error_of;

/// How long the end of a provider's response is waited for after the end of
/// its answer. It follows at once where it follows at all.
const RESPONSE_END_WAIT: Duration = Duration::from_secs(1);

/// How long the usage is waited for after the end of an answer whose client
/// has left. It follows within milliseconds, and costs nothing to wait for.
const USAGE_WAIT: Duration = Duration::from_secs(5);

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
    /// It broke, and somebody is looked for who goes on with it.
    Resuming(Box<Resuming<Box<Live>>>),
    /// An answer that was kept is told once more.
    Replaying(Box<Replay>),
    /// Nothing more comes.
    Over,
    /// The same, but not as the end of an answer: it broke, and only a
    /// connection that breaks off says so.
    BrokenOff,
}

/// A stream that waits for its first content.
struct Pursuing {
    pursuit: Pursuit<Relay>,
    gateway: Arc<Gateway>,
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
    /// Gone once the provider is not to be read any more.
    upstream: Option<UpstreamBody>,
    feed: Box<dyn Feed>,
    running: Running,
    watch: Watch,
    /// The model has only thought so far.
    thinks: bool,
    waits: Waits,
    /// Who looks for somebody to go on with it if it breaks.
    sequel: Option<Box<dyn Sequel>>,
}

/// What reading on brought.
enum Step {
    /// Perhaps something for the client.
    Going,
    /// The provider has said all.
    Complete,
    /// The stream is broken.
    Broken(Failure),
    /// What was set aside is used up, and there is no more.
    OutOfMoney(Failure),
}

impl Live {
    /// Reads on, once there is money for it.
    fn step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let Self {
            watch,
            running,
            feed,
            ..
        } = self;
        if let Err(failure) = watch.look(running, &**feed) {
            return Poll::Ready(Step::OutOfMoney(failure));
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
        let Some(upstream) = &mut self.upstream else {
            return Poll::Ready(Step::Complete);
        };
        let polled = upstream.poll_data(cx);
        if let Some(gap_ms) = self.waits.see(&polled)
            && !self.thinks
        {
            self.running.target().health.note_gap(gap_ms);
        }
        let step = match ready!(polled) {
            Some(Ok(piece)) => {
                out.reserve(piece.len().saturating_add(256));
                let fed = self.feed.feed(&piece, out).map(|()| Step::Going);
                if self.thinks && self.feed.has_answered() {
                    self.thinks = false;
                    self.running.stops_thinking();
                    let call = &self.running.call;
                    upstream.set_idle_timeout(silence::longest(call, self.running.target()));
                }
                fed
            }
            // Of what has no end of its own nobody knows that it had ended.
            Some(Err(error)) if self.feed.breaks_off() => Err(unreachable(&error)),
            // An answer that had ended is not spoilt by what came after it.
            Some(Err(error)) => self
                .feed
                .end(out)
                .map(|()| Step::Complete)
                .map_err(|_| unreachable(&error)),
            None => self
                .feed
                .end(out)
                .map(|()| Step::Complete)
                .map_err(cut_short),
        };
        Poll::Ready(step.unwrap_or_else(Step::Broken))
    }

    /// Reads the rest for its usage. The client is gone.
    async fn drain(mut self) {
        let mut unseen = Vec::new();
        let ending = loop {
            unseen.clear();
            match poll_fn(|cx| self.poll(cx, &mut unseen)).await {
                Step::Going => {}
                Step::Complete => break Ending::Drained,
                Step::Broken(_) | Step::OutOfMoney(_) => break Ending::DrainCapped,
            }
        };
        let report = self.feed.report();
        let is_whole = matches!(ending, Ending::Drained);
        self.running.tools.take(self.feed.calls());
        let (_, bill) = self.running.end(&report, ending);
        if is_whole {
            self.running.keep(self.feed.record(), &report, bill.total);
        }
        self.release();
    }

    /// Whether the rest is read although the client has left, and for how
    /// long: of a provider that bills to the end; of an answer of which only the
    /// end tells how much it was; if whoever left has left too
    /// much that nobody knows the cost of; and, wherever the answer has ended
    /// and only its usage is missing.
    fn worth_reading_on(&self) -> Option<Duration> {
        let gateway = &self.running.call.gateway;
        let report = self.feed.report();
        if self.running.target().provider.on_disconnect == Disconnect::Drain
            || self.feed.counts_at_its_end()
            || !self.may_be_left(&report)
        {
            return Some(gateway.limits.deadlines.drain);
        }
        (report.finish.is_some() && !report.usage.is_complete()).then_some(USAGE_WAIT)
    }

    /// Whether what nobody will know of it is within what its caller may
    /// leave in a day.
    fn may_be_left(&self, report: &Report) -> bool {
        if report.usage.is_complete() && report.finish.is_some() {
            return true;
        }
        let call = &self.running.call;
        let tokens = report.delivered().tokens();
        let (_, counted) = self.running.worth(report, tokens);
        let (who, at_ms) = (call.admitted.key.principal(), call.gateway.clock.now_ms());
        let stake = error_of(counted.upstream_total);
        call.gateway.unknown.may_leave(who.into(), stake, at_ms)
    }

    /// What is known of the part of the answer that is under way. Once it
    /// broke, the call has that part, and nothing came after it.
    fn report(&self) -> Report {
        if self.upstream.is_none() && self.running.is_continued() {
            return Report::default();
        }
        self.feed.report()
    }

    /// Goes on with what was found. A stream that nobody goes on with ends as
    /// it broke.
    fn resume(&mut self, failure: Failure, found: Found) -> Step {
        let [yes, no] = &self.running.call.gateway.counters.continuations;
        let count = if found.is_ok() { yes } else { no };
        count.fetch_add(1, Relaxed);
        match found {
            Ok(Opened::Stream { body, feed, out }) => {
                (self.upstream, self.feed, self.out) = (Some(body), feed, out);
                self.watch = Watch::default();
                Step::Going
            }
            Ok(Opened::Whole(..)) => Step::Broken(failure),
            Err(why) => Step::Broken(failure.metadata(CONTINUATION, why)),
        }
    }

    /// Lets go of a provider that has said all, in a way that its connection
    /// can be used again.
    fn release(&mut self) {
        if let Some(upstream) = self.upstream.take() {
            upstream.finish(RESPONSE_END_WAIT);
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if self.running.is_ended() {
            return;
        }
        let report = self.report();
        // Closed first: the provider should not wait for our books.
        self.upstream = None;
        let ending = self.running.ending_if_dropped();
        self.running.end(&report, ending);
    }
}

impl Relay {
    /// Keeps a client waiting for an answer, with a sign of life at once and
    /// `every` so often. An error will be stamped with id, model and seconds.
    #[must_use]
    pub fn pursue(
        pursuit: Pursuit<Self>,
        gateway: &Arc<Gateway>,
        endpoint: &'static dyn Endpoint,
        (id, model, created): (Arc<str>, String, u64),
    ) -> Self {
        let every = gateway.limits.deadlines.keep_alive;
        let mut ticks = interval_at(Instant::now(), every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stage = Stage::Pursuing(Box::new(Pursuing {
            pursuit,
            gateway: Arc::clone(gateway),
            ticks,
            endpoint,
            id,
            model,
            created,
        }));
        Self { stage }
    }

    /// Continues a stream whose first content is in `out`. Should it break, a
    /// `sequel` looks for somebody who goes on with it.
    #[must_use]
    pub fn live(
        (upstream, feed, out): (UpstreamBody, Box<dyn Feed>, Vec<u8>),
        running: Running,
        sequel: Option<Box<dyn Sequel>>,
    ) -> Self {
        let tried = running.attempts.last();
        let thinks = tried.is_some_and(|tried| tried.answered_ms.is_none());
        let stage = Stage::Live(Box::new(Live {
            out,
            upstream: Some(upstream),
            feed,
            running,
            watch: Watch::default(),
            thinks,
            waits: Waits::default(),
            sequel,
        }));
        Self { stage }
    }

    /// Tells an answer that was kept once more.
    #[must_use]
    pub fn replay(replay: Replay) -> Self {
        let stage = Stage::Replaying(Box::new(replay));
        Self { stage }
    }

    /// Whether nothing more comes.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Whether the connection must be closed without an end of the answer.
    #[must_use]
    pub const fn is_broken_off(&self) -> bool {
        matches!(self.stage, Stage::BrokenOff)
    }

    /// What the answer is called, where it is no stream of events.
    #[must_use]
    pub fn media_type(&self) -> Option<HeaderValue> {
        match &self.stage {
            Stage::Live(live) => live.feed.media_type(),
            _ => None,
        }
    }

    /// All that was handed over so far is with the kernel, and so probably
    /// with the client: its customer pays for it, even if nobody is left to
    /// end the call.
    pub fn written(&mut self) {
        if let Stage::Live(live) = &mut self.stage
            // What waits here was not handed over.
            && live.out.is_empty()
        {
            live.watch.written(&live.running, &*live.feed);
        }
    }

    /// The next bytes for the client; `None` when there are no more.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            match &mut self.stage {
                Stage::Over | Stage::BrokenOff => return Poll::Ready(None),
                Stage::Pursuing(pursuing) => match pursuing.pursuit.poll(cx) {
                    Poll::Ready(Ok(relay)) => *self = relay,
                    Poll::Ready(Err(failure)) => {
                        pursuing.gateway.counters.fail(failure.blame);
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
                    match ready!(live.step(cx)) {
                        Step::Going => {}
                        Step::Broken(failure) if live.sequel.is_some() => {
                            if let Some(out) = self.look_for_the_rest(failure) {
                                return Poll::Ready(Some(out));
                            }
                        }
                        step => return Poll::Ready(self.end(step)),
                    }
                }
                Stage::Replaying(replay) => {
                    let next = replay.next_bytes();
                    if replay.is_over() {
                        self.stage = Stage::Over;
                    }
                    return Poll::Ready(next);
                }
                Stage::Resuming(resuming) => match ready!(resuming.poll(cx)) {
                    Next::Alive(bytes) => return Poll::Ready(Some(Bytes::from_static(bytes))),
                    Next::Found(given_back) => {
                        let (mut live, failure, found) = *given_back;
                        let step = live.resume(failure, found);
                        self.stage = Stage::Live(live);
                        if !matches!(step, Step::Going) {
                            return Poll::Ready(self.end(step));
                        }
                    }
                },
            }
        }
    }

    /// Looks for somebody who goes on with an answer that broke. Returns what
    /// the client sees first.
    fn look_for_the_rest(&mut self, failure: Failure) -> Option<Bytes> {
        let Stage::Live(mut live) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return None;
        };
        let sequel = live.sequel.take()?;
        live.upstream = None;
        let out = std::mem::take(&mut live.out);
        let call = &live.running.call;
        let (every, endpoint) = (call.gateway.limits.deadlines.keep_alive, call.endpoint);
        let search = async move {
            let report = live.feed.report();
            let failure = live.running.target().secrets.clean(failure);
            let found = sequel.go_on(&mut live.running, &report, &failure).await;
            (live, failure, found)
        };
        let resuming = Resuming::begin(search, every, endpoint);
        self.stage = Stage::Resuming(Box::new(resuming));
        (!out.is_empty()).then(|| out.into())
    }

    /// Settles a stream that has ended; returns what the client sees last.
    fn end(&mut self, step: Step) -> Option<Bytes> {
        let Stage::Live(mut live) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return None;
        };
        let report = live.report();
        let Live {
            out, feed, running, ..
        } = &mut *live;
        if matches!(step, Step::Broken(_) | Step::OutOfMoney(_)) && feed.breaks_off() {
            self.stage = Stage::BrokenOff;
        }
        match step {
            Step::Going => {}
            Step::Complete => {
                running.tools.take(feed.calls());
                let (usage, bill) = running.end(&report, Ending::Complete);
                running.keep(feed.record(), &report, bill.total);
                feed.finish(&usage, &bill, out);
                live.release();
            }
            Step::Broken(failure) => {
                let failure = running.target().secrets.clean(failure);
                running.end(&report, Ending::Broke(&failure));
                told_late(running, &failure);
                feed.fail(&failure, out);
            }
            Step::OutOfMoney(failure) => {
                running.end(&report, Ending::OutOfMoney(&failure));
                told_late(running, &failure);
                feed.fail(&failure, out);
            }
        }
        let out = std::mem::take(&mut live.out);
        (!out.is_empty()).then(|| out.into())
    }
}

/// Counts a failure that the client learns of from an event of its stream.
fn told_late(running: &Running, failure: &Failure) {
    running.call.gateway.counters.fail(failure.blame);
    tracing::info!(
        id = %running.call.id,
        said = ?failure.message,
        inside = failure.inside.as_deref().unwrap_or(""),
        "a stream broke"
    );
}

impl Unread for Relay {
    async fn drain(mut self) {
        if let Stage::Live(live) = std::mem::replace(&mut self.stage, Stage::Over) {
            live.drain().await;
        }
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
        let gateway = Arc::clone(&live.running.call.gateway);
        if live.running.is_ended() || gateway.stopping.is_cut_off() {
            return;
        }
        let Some(wait) = live.worth_reading_on() else {
            return;
        };
        let (Ok(runtime), Some(place)) = (
            tokio::runtime::Handle::try_current(),
            // Where no place is left the provider is cancelled.
            gateway.drains.begin(),
        ) else {
            return;
        };
        live.running.call.status.detach();
        runtime.spawn(async move {
            // When time is up the stream is let go of, and that ends it.
            let _ = tokio::time::timeout(wait, live.drain()).await;
            drop(place);
        });
    }
}
