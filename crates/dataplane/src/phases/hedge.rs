//! Asking a second target while the first is late.
//!
//! When 95 of 100 streams of a sort have begun, one that has not is probably
//! of the slow kind. Whoever asks for it gets another target of the same model
//! asked beside it, if the money for both is there and not too many calls have
//! had that of late. The first content wins; the other one is let go of at
//! once, and what it charges is the house's.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bourse_ledger::who_pays::End;
use bourse_net::Upstream;
use bourse_routing::health::{Outcome, Ticket};
use bourse_vocab::Failure;
use bourse_vocab::chat::Loss;
use bourse_vocab::trace::Parent;
use futures_util::future::{Either, select};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::exchange::{Exchange, Opened};
use super::first_content;
use super::hold::offers::cost_at;
use super::one::{
    conclude, given_up, input_cost, is_within_budget, learned_deadline, note_failed, one,
    prepare_beside, redacted, say_what_leaving_costs, way_to,
};
use super::plan::{Plan, Step, bucket};
use crate::attempts::Attempt;
use crate::call::Call;
use crate::endpoints::{ClientRequest, Prepared};
use crate::limit::Limit;
use crate::market::Target;
use crate::running::Running;
use crate::tab::Tab;
use crate::way::Way;

/// One attempt of a call that may have another beside it.
pub(super) struct Race<'a> {
    pub running: &'a mut Running,
    pub request: &'a Arc<dyn ClientRequest>,
    pub plan: &'a mut Plan,
    /// What is told of attempts that failed.
    pub previous: &'a mut Vec<Value>,
}

/// How far a race has come.
#[derive(Default)]
struct Finish {
    /// What came of the first; `None` if it was let go of.
    first: Option<Result<Opened, Failure>>,
    second: Option<Result<Opened, Failure>>,
    /// The second failed first.
    second_failed_first: bool,
    /// Who ran beside the first, and what it could not be told.
    beside: Option<(Step, Vec<Loss>)>,
}

impl<'a> Race<'a> {
    /// Makes the attempt. `step` is then the one that answered, or that failed
    /// last.
    pub fn run<U: Upstream>(
        self,
        upstream: &'a U,
        step: &'a mut Step,
        ticket: Ticket,
    ) -> Pin<Box<dyn Future<Output = Result<Opened, Failure>> + Send + 'a>> {
        Box::pin(self.attempt(upstream, step, ticket))
    }

    async fn attempt<U: Upstream>(
        self,
        upstream: &U,
        step: &mut Step,
        ticket: Ticket,
    ) -> Result<Opened, Failure> {
        let Self {
            running,
            request,
            plan,
            previous,
        } = self;
        let Some(wait) = wait(&running.call, step) else {
            return one(upstream, running, request, step, ticket, plan).await;
        };
        let finish = race(upstream, (running, request, plan), (step, ticket), wait).await?;
        let opened = finish.settle(running, step, previous);
        conclude(running, opened, step).await
    }
}

/// How long a target is alone.
fn wait(call: &Call, step: &Step) -> Option<Duration> {
    let sort = bucket(&call.market, &step.target, &call.ask);
    let ms = step.target.health.hedge_after_ms(sort)?;
    (!step.is_last).then(|| Duration::from_millis(ms))
}

/// Sends to one target, and to another beside it if it is late.
async fn race<U: Upstream>(
    upstream: &U,
    (running, request, plan): (&mut Running, &Arc<dyn ClientRequest>, &mut Plan),
    (step, ticket): (&Step, Ticket),
    wait: Duration,
) -> Result<Finish, Failure> {
    let planned = plan.clone();
    let Running {
        call,
        tab,
        attempts,
        rival,
        limit,
        ..
    } = running;
    let way = way_to(call, &step.target)?;
    let prepared = prepare_beside(call, request, (&step.target, way), *limit).await?;
    call.losses.clone_from(&prepared.losses);
    tab.dispatch(&call.market, &step.target)?;
    say_what_leaving_costs(call, &step.target);
    let call = &**call;
    let now_ms = || call.gateway.clock.now_ms();
    attempts.push(Attempt::begin(&step.target, ticket, now_ms()));
    let wants_metadata = call.ask.options.metadata;
    let metadata = wants_metadata.then(|| call.metadata(&step.target, &planned, attempts, *limit));
    let trace = call.span_of_attempt(attempts.len());
    let beside_trace = call.span_of_attempt(attempts.len().saturating_add(1));
    let Some((tried, earlier)) = attempts.split_last_mut() else {
        return Err(Failure::server("an attempt that has just begun is gone"));
    };
    let sending = Sending {
        call,
        request: &**request,
        step,
        plan: &planned,
        way,
        metadata,
        trace,
    };
    let mut first = pin!(sending.run(upstream, prepared, tried));
    let leave = |very_late| enter(call, plan, (step, tab), (*limit, very_late));
    let (beside, ticket) = match late(first.as_mut(), wait, leave).await {
        Lateness::InTime(begun) => return Ok(Finish::alone(begun)),
        Lateness::Alone => return Ok(Finish::alone(first.await)),
        Lateness::Beside(beside) => *beside,
    };
    let mut losses = Vec::new();
    let second = async {
        let way = way_to(call, &beside.target)?;
        let prepared = prepare_beside(call, request, (&beside.target, way), *limit).await?;
        losses.clone_from(&prepared.losses);
        tab.dispatch(&call.market, &beside.target)?;
        both_are_at_stake(call, step, &beside);
        let tried = rival.insert(Box::new(Attempt::begin(&beside.target, ticket, now_ms())));
        let sending = Sending {
            call,
            request: &**request,
            step: &beside,
            plan: &planned,
            way,
            metadata: wants_metadata
                .then(|| told(call, &planned, (step, &beside), earlier, *limit)),
            trace: beside_trace,
        };
        sending.run(upstream, prepared, tried).await
    };
    let mut finish = contest(first, pin!(second)).await;
    finish.beside = Some((beside, losses));
    Ok(finish)
}

/// What comes of waiting for the first.
enum Lateness<T> {
    InTime(Result<Opened, Failure>),
    /// Late, and nobody may be asked beside it.
    Alone,
    Beside(Box<T>),
}

/// The part of the usual wait after which a late one is later than those that
/// are only a little late.
const LATER: u32 = 4;

/// Waits until the first is late, and asks for leave to send to another; once
/// more when it is a quarter later, for which half of all hedges are kept.
async fn late<F, T>(
    mut first: Pin<&mut F>,
    wait: Duration,
    mut leave: impl FnMut(bool) -> Option<T>,
) -> Lateness<T>
where
    F: Future<Output = Result<Opened, Failure>>,
{
    for (very_late, wait) in [(false, wait), (true, wait / LATER)] {
        if let Ok(begun) = timeout(wait, first.as_mut()).await {
            return Lateness::InTime(begun);
        }
        if let Some(beside) = leave(very_late) {
            return Lateness::Beside(Box::new(beside));
        }
    }
    Lateness::Alone
}

/// The first content wins; a failure waits for the other one.
async fn contest<A, B>(first: Pin<&mut A>, second: Pin<&mut B>) -> Finish
where
    A: Future<Output = Result<Opened, Failure>>,
    B: Future<Output = Result<Opened, Failure>>,
{
    match select(first, second).await {
        Either::Left((Err(failure), second)) => Finish {
            first: Some(Err(failure)),
            second: Some(second.await),
            ..Finish::default()
        },
        Either::Right((Err(failure), first)) => Finish {
            first: Some(first.await),
            second: Some(Err(failure)),
            second_failed_first: true,
            ..Finish::default()
        },
        Either::Left((won, _)) => Finish::alone(won),
        Either::Right((won, _)) => Finish {
            second: Some(won),
            ..Finish::default()
        },
    }
}

/// Leave to send to another target beside the one of `step`, with the money
/// for both set aside.
fn enter(
    call: &Call,
    plan: &mut Plan,
    (step, tab): (&Step, &mut Tab),
    (limit, very_late): (Limit, bool),
) -> Option<(Step, Ticket)> {
    if call.status.is_detached() {
        return None;
    }
    let gateway = &call.gateway;
    let now_ms = gateway.clock.now_ms();
    let may_use = |target: &Arc<Target>| {
        !Arc::ptr_eq(target, &step.target) && target.health.cooldown_ms(now_ms).is_none()
    };
    // Looked at before it is taken out of the plan: it stays for failovers.
    let beside = plan.clone().beside(step, may_use)?;
    let cost = cost_at(call, &beside.target, limit).ok()?;
    if !gateway.memory.hedges.allows(very_late, now_ms) || !is_within_budget(gateway, &beside) {
        return None;
    }
    let sort = bucket(&call.market, &beside.target, &call.ask);
    let ticket = beside.target.health.enter(sort, now_ms, false)?;
    tab.extend_by(cost).ok()?;
    let beside = plan.beside(step, may_use)?;
    Some((beside, ticket))
}

/// Tells whoever watches the client that both are called.
fn both_are_at_stake(call: &Call, first: &Step, beside: &Step) {
    let drains = call.status.drain.load(Relaxed);
    say_what_leaving_costs(call, &beside.target);
    call.status.drain.fetch_or(drains, Relaxed);
    let input = |step: &Step| input_cost(call, &step.target);
    call.status
        .is_at_stake(input(first).saturating_add(input(beside)));
}

/// What is told of a call whose answer comes from the second target.
fn told(
    call: &Call,
    plan: &Plan,
    (first, beside): (&Step, &Step),
    earlier: &[Attempt],
    limit: Limit,
) -> Value {
    let mut told = call.metadata(&beside.target, plan, earlier, limit);
    if let Some(members) = told.as_object_mut() {
        members.insert("attempt".to_owned(), earlier.len().saturating_add(2).into());
        let late = &*first.target.provider.name;
        members.insert("hedge".to_owned(), json!({ "late": late }));
    }
    told
}

/// A request on its way to one target.
struct Sending<'a> {
    call: &'a Call,
    request: &'a dyn ClientRequest,
    step: &'a Step,
    plan: &'a Plan,
    way: &'a Way,
    metadata: Option<Value>,
    trace: Option<Parent>,
}

impl Sending<'_> {
    /// Awaits the first content, in time. A failure is noted at once: the race
    /// may go on for long, and other calls must not be sent there meanwhile.
    async fn run<U: Upstream>(
        &self,
        upstream: &U,
        prepared: Prepared,
        tried: &mut Attempt,
    ) -> Result<Opened, Failure> {
        let begun = self.exchange(upstream, prepared, tried).await;
        begun.map_err(|failure| {
            let failure = self.step.target.secrets.clean(failure);
            note_failed(self.call, tried, &failure);
            failure
        })
    }

    async fn exchange<U: Upstream>(
        &self,
        upstream: &U,
        prepared: Prepared,
        tried: &mut Attempt,
    ) -> Result<Opened, Failure> {
        let Self { call, step, .. } = self;
        let limits = &call.gateway.limits;
        let deadlines = &limits.deadlines;
        let metadata = self.metadata.as_ref().map(Value::to_string);
        let exchange = Exchange {
            request: self.request,
            stream: call.ask.stream,
            target: &step.target,
            way: self.way,
            stamp: &call.stamp(&step.target, metadata.as_deref()),
            deadlines: &deadlines.of_exchange(call.ask.stream, step.is_last),
            reply_bytes_max: limits.reply_bytes_max,
            replies: &call.gateway.replies,
            clock: call.gateway.clock,
            trace: self.trace,
            betas: &call.ask.attribution.betas,
        };
        let run = pin!(exchange.run(upstream, prepared, tried));
        let learned = || learned_deadline(call, step, self.plan);
        let begun = first_content::wait(run, deadlines.whole, learned).await;
        begun.unwrap_or_else(|| Err(given_up(call, step, self.plan)))
    }
}

impl Finish {
    fn alone(begun: Result<Opened, Failure>) -> Self {
        Self {
            first: Some(begun),
            ..Self::default()
        }
    }

    /// Puts the attempts in their order, the one that answered or failed last
    /// at the end, and notes what came of the other one.
    fn settle(
        self,
        running: &mut Running,
        step: &mut Step,
        previous: &mut Vec<Value>,
    ) -> Result<Opened, Failure> {
        let silent = || Err(Failure::server("nobody ran a race"));
        let Some((beside, losses)) = self.beside else {
            return self.first.unwrap_or_else(silent);
        };
        let call = &running.call;
        let now_ms = call.gateway.clock.now_ms();
        if running.rival.is_none() {
            // It could not even be written.
            if let Some(Err(failure)) = &self.second {
                previous.push(redacted(&beside, failure));
            }
            return self.first.unwrap_or_else(silent);
        }
        let second_goes_last = match (&self.first, &self.second) {
            (Some(Ok(_)), _) => false,
            (_, Some(Ok(_))) => true,
            _ => !self.second_failed_first,
        };
        running.seat_rival(second_goes_last);
        let has_answered = [&self.second, &self.first].map(|one| matches!(one, Some(Ok(_))));
        let who = has_answered.iter().position(|has| *has).unwrap_or(2);
        if let Some(count) = running.call.gateway.counters.hedges.get(who) {
            count.fetch_add(1, Relaxed);
        }
        let (last, other, other_step) = if second_goes_last {
            running.call.losses = losses;
            let late = std::mem::replace(step, beside);
            (self.second, self.first, late)
        } else {
            (self.first, self.second, beside)
        };
        let Running { attempts, .. } = &mut *running;
        let before_last = attempts.len().checked_sub(2);
        if let Some(tried) = before_last.and_then(|at| attempts.get_mut(at)) {
            match other {
                Some(Err(failure)) => previous.push(redacted(&other_step, &failure)),
                _ => tried.lose(now_ms),
            }
        }
        say_what_leaving_costs(&running.call, &step.target);
        if !second_goes_last && matches!(last, Some(Ok(_))) {
            // A start must find the one that goes on as the last that was
            // called.
            running.tab.dispatch(&running.call.market, &step.target)?;
        }
        last.unwrap_or_else(silent)
    }
}

impl Attempt {
    /// Another one answered first.
    fn lose(&mut self, at_ms: u64) {
        self.end = Some(End::HedgeLost);
        self.ended_ms = Some(at_ms);
        let ticket = self.take_ticket();
        if let Some(ticket) = &ticket {
            ticket.let_go(at_ms);
        }
        drop(ticket);
        self.target.metrics.count(Outcome::Neutral);
    }
}

impl Running {
    /// Makes the attempt that ran beside the last one of the list.
    fn seat_rival(&mut self, is_last: bool) {
        let Some(rival) = self.rival.take() else {
            return;
        };
        let before_last = self.attempts.len().saturating_sub(1);
        let at = if is_last {
            self.attempts.len()
        } else {
            before_last
        };
        self.attempts.insert(at, *rival);
    }

    /// Ends a race in the middle: one of the two is the call's last attempt, and
    /// that is the first unless it has failed.
    pub(super) fn drop_rival(&mut self, at_ms: u64) {
        let has_failed = self.attempts.last().is_some_and(|one| one.end.is_some());
        if let Some(rival) = &mut self.rival {
            if !has_failed && rival.end.is_none() {
                rival.lose(at_ms);
            }
            self.seat_rival(has_failed);
        }
    }
}
