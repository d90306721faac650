//! Going on with an answer that broke, on another target.
//!
//! Whoever asks for it gets a stream that is told event by event
//! ([`crate::relay::continued`]), so that what was said is known when it
//! breaks. Then another target of the same model, of which it is documented
//! that it goes on with an answer (`bourse_wire::dialect::prefill`), is asked
//! for the rest, once. Where there is none, or it fails as well, the stream ends
//! with the error that it broke with.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use bourse_net::Upstream;
use bourse_routing::classes::{Class, Place, Then};
use bourse_routing::health::Ticket;
use bourse_vocab::{Failure, Nanos, UsageReport};
use bourse_wire::dialect::Prefill;
use bourse_wire::{Stamp, WriteTarget};
use bytes::Bytes;

use super::attempt::attempt;
use super::exchange::Opened;
use super::hold::prompt_estimate;
use super::one::{is_within_budget, one};
use super::plan::{Plan, Step, bucket};
use crate::endpoints::{ClientRequest, Kept, Prepared, Rest, WholeReply};
use crate::limit::{self, Limit};
use crate::market::Target;
use crate::relay::body::Relay;
use crate::relay::continued;
use crate::relay::reply::Reply;
use crate::relay::resuming::{Found, Search, Sequel};
use crate::relay::told::Told;
use crate::relay::{Feed, Report};
use crate::running::Running;
use crate::tariff::Tariff;
use crate::way::Way;

/// From the first dispatch to a stream that has begun, and that is gone on
/// with if it breaks.
///
/// # Errors
/// No target answered.
pub async fn pursue<U: Upstream>(
    client: U,
    mut running: Running,
    kept: Kept,
    mut plan: Plan,
) -> Result<Reply, Failure> {
    let request: Arc<dyn ClientRequest> = Arc::new(Followed(Arc::clone(&kept.request)));
    let request = running.call.recorded(&request).unwrap_or(request);
    let attempted = attempt(&client, &mut running, &request, &mut plan).await;
    let opened = attempted.inspect_err(|failure| running.fail(failure))?;
    running.keep_tools(&opened, &*request);
    let Opened::Stream { body, feed, out } = opened else {
        let failure = Failure::server("a stream was answered as a whole");
        running.fail(&failure);
        return Err(failure);
    };
    // The prompt is kept as long as somebody may need it.
    let sequel = feed.told().map(|told| {
        let rest = Resume {
            client,
            kept,
            plan,
            told,
        };
        Box::new(rest) as Box<dyn Sequel>
    });
    let live = Relay::live((body, feed, out), running, sequel);
    Ok(Reply::Stream(live))
}

/// A request whose answer is followed, to be gone on with if it breaks.
struct Followed(Arc<dyn ClientRequest>);

impl ClientRequest for Followed {
    fn bytes(&self) -> usize {
        self.0.bytes()
    }

    fn translates(&self, way: &Way) -> bool {
        self.0.translates(way)
    }

    fn write(&self, way: &Way, target: &WriteTarget<'_>) -> Result<Prepared, Failure> {
        self.0.write(way, target)
    }

    fn feed(&self, way: &Way, stamp: &Stamp<'_>) -> Box<dyn Feed> {
        let Some((writer, hide_reasoning)) = self.0.writer(stamp) else {
            return self.0.feed(way, stamp);
        };
        continued::begin(Told::new(writer, hide_reasoning), way)
    }

    fn tools(&self) -> Option<Cow<'_, [u8]>> {
        self.0.tools()
    }

    fn whole(&self, way: &Way, stamp: &Stamp<'_>, body: &Bytes) -> Result<WholeReply, Failure> {
        self.0.whole(way, stamp, body)
    }
}

/// A request for the rest of an answer.
struct Remainder {
    request: Arc<dyn ClientRequest>,
    told: Told,
    said: String,
    max_tokens: Option<u64>,
    /// What the target that is asked says again.
    repeats: Mutex<String>,
}

impl ClientRequest for Remainder {
    fn bytes(&self) -> usize {
        self.request.bytes()
    }

    fn translates(&self, _: &Way) -> bool {
        true
    }

    fn write(&self, way: &Way, target: &WriteTarget<'_>) -> Result<Prepared, Failure> {
        let rest = Rest {
            said: &self.said,
            max_tokens: self.max_tokens,
        };
        let written = self.request.write_rest(way, target, &rest)?;
        let mut repeats = self.repeats.lock().unwrap_or_else(PoisonError::into_inner);
        *repeats = written.repeats;
        Ok(written.prepared)
    }

    fn feed(&self, way: &Way, stamp: &Stamp<'_>) -> Box<dyn Feed> {
        let repeats = self.repeats.lock().unwrap_or_else(PoisonError::into_inner);
        continued::go_on(self.told.clone(), way, stamp, repeats.clone())
    }

    fn whole(&self, way: &Way, stamp: &Stamp<'_>, body: &Bytes) -> Result<WholeReply, Failure> {
        self.request.whole(way, stamp, body)
    }
}

/// Looks for somebody who goes on with a stream.
struct Resume<U> {
    client: U,
    kept: Kept,
    plan: Plan,
    told: Told,
}

impl<U: Upstream> Sequel for Resume<U> {
    fn go_on<'a>(
        self: Box<Self>,
        running: &'a mut Running,
        report: &'a Report,
        failure: &'a Failure,
    ) -> Search<'a> {
        Box::pin(self.search(running, report, failure))
    }
}

impl<U: Upstream> Resume<U> {
    async fn search(
        mut self: Box<Self>,
        running: &mut Running,
        report: &Report,
        failure: &Failure,
    ) -> Found {
        let said = self.told.said()?;
        if matches!(
            Class::of(failure, Place::Sent).then(failure),
            Then::Stop | Then::AnotherModel
        ) {
            return Err("another provider would say the same".to_owned());
        }
        let broke = Arc::clone(running.target());
        let mut next = self.next(running, &broke);
        if next.is_none() {
            return Err("no other provider goes on with answers of this model".to_owned());
        }
        running.break_off(report, failure);
        let request: Arc<dyn ClientRequest> = Arc::new(Remainder {
            request: Arc::clone(&self.kept.request),
            told: self.told.clone(),
            said,
            max_tokens: match running.limit {
                Limit::Asked(tokens) => Some(tokens),
                Limit::Set(_) | Limit::Model => None,
            },
            repeats: Mutex::default(),
        });
        while let Some((step, ticket)) = next {
            if !is_within_budget(&running.call.gateway, &step) {
                return Err("there were too many second attempts of late".to_owned());
            }
            if !set_aside(running, &step.target) {
                return Err("there is no money for it".to_owned());
            }
            let opened = one(&self.client, running, &request, &step, ticket, &self.plan).await;
            if let Ok(opened) = opened {
                return Ok(opened);
            }
            next = self.next(running, &broke);
        }
        Err("no other provider went on with it".to_owned())
    }

    /// Whom to ask next, with leave to.
    fn next(&mut self, running: &Running, broke: &Arc<Target>) -> Option<(Step, Ticket)> {
        let call = &*running.call;
        let now_ms = call.gateway.clock.now_ms();
        let bucket_of = |target: &Target| bucket(&call.market, target, &call.ask);
        let suits = |target: &Arc<Target>| {
            !Arc::ptr_eq(target, broke)
                && target.model == broke.model
                && target.health.cooldown_ms(now_ms).is_none()
                && goes_on(running, target)
        };
        let is_well = |target: &Arc<Target>| target.health.is_well(bucket_of(target));
        loop {
            let step = self.plan.next(suits);
            let step = step.or_else(|| self.plan.back(suits, is_well))?;
            let sort = bucket_of(&step.target);
            if let Some(ticket) = step.target.health.enter(sort, now_ms, step.is_last) {
                return Some((step, ticket));
            }
            self.plan.pass_over();
        }
    }
}

/// Whether it is documented that a target goes on with an answer.
fn goes_on(running: &Running, target: &Target) -> bool {
    let call = &*running.call;
    let Some(way) = target.way(|way| call.endpoint.rank(way)) else {
        return false;
    };
    let model = &call.market.endpoint(target).upstream_model;
    Prefill::of(way.format, &way.dialect, model) != Prefill::None
}

/// Whether all that the answer can cost with the rest of a target is set
/// aside: more is, where it has to be.
fn set_aside(running: &mut Running, target: &Arc<Target>) -> bool {
    let most = most(running, target);
    let missing = most.saturating_sub(running.tab.held());
    missing <= Nanos::ZERO || running.tab.extend_by(missing).is_ok()
}

/// The most that the answer can cost with the rest of a target. That the
/// input is sent again costs the customer nothing.
fn most(running: &Running, target: &Arc<Target>) -> Nanos {
    let call = &running.call;
    let at = (&*call.market, &**target);
    let limit = limit::output_max(running.limit, at, call.endpoint);
    let tariff = Tariff {
        market: Arc::clone(&call.market),
        target: Arc::clone(target),
        served: None,
        images: u64::from(call.ask.facts.images.count()),
        units: call.ask.units,
        search: call.ask.search,
        prompt: prompt_estimate(&call.ask, call.market.endpoint(target), None),
        completion_max: limit,
        limit,
        begun: running.begun.clone(),
    };
    let (_, charge) = tariff.worth(&UsageReport::default(), limit);
    charge.total
}
