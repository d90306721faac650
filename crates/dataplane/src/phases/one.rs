//! One attempt at one target: write the request, send it, await what the
//! client sees first, and note what came of it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bourse_ledger::price;
use bourse_ledger::who_pays::End;
use bourse_net::Upstream;
use bourse_providers::Disconnect;
use bourse_routing::classes::Class;
use bourse_routing::health::{Outcome, Ticket};
use bourse_routing::patience::SURE;
use bourse_routing::preferences::Preferences;
use bourse_vocab::chat::Loss;
use bourse_vocab::{Failure, FailureKind, Nanos, ServiceTier};
use bourse_wire::dialect::service;
use serde_json::json;

use super::exchange::{Exchange, Opened, read_on};
use super::first_content;
use super::hold::prompt_estimate;
use super::options;
use super::plan::{Plan, Step, bucket};
use super::silence;
use super::write::write;
use crate::alarms::Alarms;
use crate::alarms::kind::Kind;
use crate::attempts::Attempt;
use crate::call::Call;
use crate::checkpoints::Checkpoints;
use crate::deadlines::Deadlines;
use crate::endpoints::{ClientRequest, Prepared};
use crate::gateway::Gateway;
use crate::limit::Limit;
use crate::market::Target;
use crate::running::Running;
use crate::way::Way;

/// Longer than any vendor's batch: a day, and one more to be cancelled in.
const BATCH_MAX: Duration = Duration::from_secs(2 * 86_400);

/// Whether the call may have one more attempt, there.
pub(crate) fn is_within_budget(gateway: &Gateway, step: &Step) -> bool {
    let health = &step.target.health;
    gateway.memory.demand.allows(
        health.second_attempts(),
        health.is_failing(),
        gateway.clock.now_ms(),
    )
}

/// Writes the request for a target, and notes what it cannot be told.
async fn prepare(
    call: &mut Call,
    request: &Arc<dyn ClientRequest>,
    (target, way): (&Target, &Arc<Way>),
    limit: Limit,
) -> Result<Prepared, Failure> {
    let endpoint = call.market.endpoint(target);
    let said = (limit.set_for(endpoint), target.told(call.ask.tier));
    let prepared = write(request, endpoint, said, way).await?;
    let prepared = options::put(prepared, &call.ask.wishes, (target, way))?;
    let prepared = with_losses(call, &**request, (target, way), prepared)?;
    call.losses.clone_from(&prepared.losses);
    Ok(prepared)
}

/// Writes the request for a target that may be asked beside another.
pub(super) async fn prepare_beside(
    call: &Call,
    request: &Arc<dyn ClientRequest>,
    (target, way): (&Target, &Arc<Way>),
    limit: Limit,
) -> Result<Prepared, Failure> {
    let endpoint = call.market.endpoint(target);
    let said = (limit.set_for(endpoint), target.told(call.ask.tier));
    let prepared = write(request, endpoint, said, way).await?;
    let prepared = options::put(prepared, &call.ask.wishes, (target, way))?;
    with_losses(call, &**request, (target, way), prepared)
}

/// Adds what the target cannot be told of the call itself.
fn with_losses(
    call: &Call,
    request: &dyn ClientRequest,
    (target, way): (&Target, &Way),
    mut prepared: Prepared,
) -> Result<Prepared, Failure> {
    let name = request.name_of(service::MEMBER);
    prepared.losses.extend(target.loss_of(call.ask.tier, name));
    if let Some(betas) = way.dialect.betas {
        let asked = &call.ask.attribution.betas;
        prepared.losses.extend(betas.lost(asked));
    }
    if call.ask.wishes.require_parameters && prepared.losses.iter().any(Loss::is_less) {
        return Err(inexpressible(target, &call.ask.wishes, &prepared.losses));
    }
    Ok(prepared)
}

/// Tells whoever watches the client what happens if it leaves now. Whoever does
/// not stream is billed to the end, whether anybody waits for it or not
/// (openrouter.ai/docs, streaming, stream cancellation, November 2026).
pub(super) fn say_what_leaving_costs(call: &Call, target: &Target) {
    let drain = !call.ask.stream || target.provider.on_disconnect == Disconnect::Drain;
    call.status.drain.store(drain, Relaxed);
    call.status.is_at_stake(input_cost(call, target));
}

/// The way to a target that suits the client best.
pub(crate) fn way_to<'a>(call: &Call, target: &'a Target) -> Result<&'a Arc<Way>, Failure> {
    let way = target.way(|way| call.endpoint.rank(way));
    way.ok_or_else(|| unfit(target))
}

/// One attempt, up to the first content that the client sees.
pub(super) async fn one<U: Upstream>(
    upstream: &U,
    running: &mut Running,
    request: &Arc<dyn ClientRequest>,
    step: &Step,
    ticket: Ticket,
    plan: &Plan,
) -> Result<Opened, Failure> {
    let Running {
        call,
        tab,
        attempts,
        limit,
        ..
    } = &mut *running;
    let target = &step.target;
    let way = way_to(call, target)?;
    let prepared = prepare(call, request, (target, way), *limit).await?;
    tab.dispatch(&call.market, target)?;
    say_what_leaving_costs(call, target);
    let call = &**call;
    let clock = call.gateway.clock;
    attempts.push(Attempt::begin(target, ticket, clock.now_ms()));
    let metadata = call
        .ask
        .options
        .metadata
        .then(|| call.metadata(target, plan, attempts, *limit).to_string());
    let trace = call.span_of_attempt(attempts.len());
    let Some(tried) = attempts.last_mut() else {
        return Err(Failure::server("an attempt that has just begun is gone"));
    };
    let limits = &call.gateway.limits;
    let deadlines = &limits.deadlines;
    let exchange = Exchange {
        request: &**request,
        stream: call.ask.stream,
        target,
        way,
        stamp: &call.stamp(target, metadata.as_deref()),
        deadlines: &deadlines.of_exchange(call.ask.stream, step.is_last),
        reply_bytes_max: limits.reply_bytes_max,
        replies: &call.gateway.replies,
        clock,
        trace,
        betas: &call.ask.attribution.betas,
    };
    let begun = {
        // Pinned here, because the time limit would move it: it is large.
        let run = std::pin::pin!(exchange.run(upstream, prepared, tried));
        let learned = || learned_deadline(call, step, plan);
        first_content::wait(run, whole_of(target, deadlines), learned).await
    };
    // As in `conclude`, which would keep the answer twice.
    let opened = match begun.unwrap_or_else(|| Err(given_up(call, step, plan))) {
        Ok(opened) => {
            note_answer(tried, &opened, clock.now_ms(), &call.gateway.alarms);
            until_shown(running, opened, step.is_last).await
        }
        Err(failure) => Err(failure),
    };
    opened.map_err(|failure| note_failure(running, step, failure))
}

/// How long a whole answer of a target may take: one that comes out of a batch
/// takes as long as the batch, which whoever made it ends.
fn whole_of(target: &Target, deadlines: &Deadlines) -> Duration {
    match target.tier {
        Some(ServiceTier::Batch) => BATCH_MAX,
        _ => deadlines.whole,
    }
}

/// The end of the attempt under way, up to the first content that the client
/// sees.
pub(super) async fn conclude(
    running: &mut Running,
    begun: Result<Opened, Failure>,
    step: &Step,
) -> Result<Opened, Failure> {
    let opened = match begun {
        Ok(opened) => {
            let gateway = &running.call.gateway;
            if let Some(tried) = running.attempts.last_mut() {
                note_answer(tried, &opened, gateway.clock.now_ms(), &gateway.alarms);
            }
            until_shown(running, opened, step.is_last).await
        }
        Err(failure) => Err(failure),
    };
    opened.map_err(|failure| note_failure(running, step, failure))
}

/// Notes that an attempt begins to answer.
fn note_answer(tried: &mut Attempt, opened: &Opened, at_ms: u64, alarms: &Alarms) {
    tried.answered(at_ms, alarms);
    if opened.has_answered() {
        tried.stops_thinking(at_ms);
    }
}

/// How long the first content of a stream is waited for by what is learned of
/// such calls. The last target has all the time there is, unless meanwhile
/// one has been found well that was tried before it.
pub(super) fn learned_deadline(call: &Call, step: &Step, plan: &Plan) -> Option<Duration> {
    if !call.ask.stream || (step.is_last && !can_go_back(call, step, plan)) {
        return None;
    }
    let most = call.gateway.limits.deadlines.first_sign;
    let most_ms = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
    let bucket = bucket(&call.market, &step.target, &call.ask);
    let ms = step.target.health.deadline_ms(bucket, most_ms)?;
    Some(Duration::from_millis(ms))
}

fn can_go_back(call: &Call, step: &Step, plan: &Plan) -> bool {
    let now_ms = call.gateway.clock.now_ms();
    let may_use = |target: &Arc<Target>| {
        !Arc::ptr_eq(target, &step.target) && target.health.cooldown_ms(now_ms).is_none()
    };
    let is_well = |target: &Arc<Target>| {
        target
            .health
            .is_well(bucket(&call.market, target, &call.ask))
    };
    plan.can_go_back(may_use, is_well)
}

/// What a provider may charge for the input of a call, roughly: caches are
/// left out.
pub(super) fn input_cost(call: &Call, target: &Target) -> Nanos {
    let endpoint = call.market.endpoint(target);
    let tokens = prompt_estimate(&call.ask, endpoint, None);
    price::input_cost(call.market.prices(target), tokens)
}

/// Reads on until the client sees something. A model may think before that,
/// out of the caller's sight and for as long as it likes: that is work which
/// the caller ordered, so it is metered like any other, but there may still
/// be another attempt.
async fn until_shown(
    running: &mut Running,
    mut opened: Opened,
    is_last: bool,
) -> Result<Opened, Failure> {
    let Opened::Stream { body, feed, out } = &mut opened else {
        return Ok(opened);
    };
    let mut checkpoints = Checkpoints::begin();
    let mut silent_bytes = 0;
    while !feed.has_content() && !feed.is_complete() {
        let checkpoint = checkpoints.extend_and_checkpoint(running, &**feed)?;
        if let Some(tried) = running.attempts.last_mut() {
            let before = tried.thought.take();
            tried.thought = checkpoint.or(before).or_else(|| Some(feed.report()));
        }
        if !read_on(body, &mut **feed, out, &mut silent_bytes).await? {
            break;
        }
    }
    if let Some(tried) = running.attempts.last_mut() {
        tried.thought = None;
        if feed.has_answered() {
            tried.stops_thinking(running.call.gateway.clock.now_ms());
        }
    }
    let idle = running.call.gateway.limits.deadlines.idle;
    let silence = if feed.has_answered() {
        silence::longest(&running.call, running.target())
    } else {
        idle
    };
    if !is_last || silence != idle {
        body.set_idle_timeout(silence);
    }
    Ok(opened)
}

/// What an attempt fails with whose time is up. A deadline that few answers
/// have taught may be wrong, so the operator hears of it.
pub(super) fn given_up(call: &Call, step: &Step, plan: &Plan) -> Failure {
    if let Some(deadline) = learned_deadline(call, step, plan) {
        let bucket = bucket(&call.market, &step.target, &call.ask);
        let answers = step.target.health.deadline_answers(bucket);
        if let Some(answers) = answers.filter(|answers| *answers < SURE) {
            let message = format!(
                "no content came within {} ms, and {} was given up: only {answers} answers of such calls have taught that deadline",
                deadline.as_millis(),
                step.target.id
            );
            let gateway = &call.gateway;
            let now_ms = gateway.clock.now_ms();
            let alarms = &gateway.alarms;
            alarms.raise(Kind::DeadlineUnsure, &step.target.id, &message, now_ms);
        }
    }
    Failure::new(FailureKind::Timeout, "The provider did not answer in time")
}

/// Notes that the attempt under way failed.
fn note_failure(running: &mut Running, step: &Step, failure: Failure) -> Failure {
    let failure = step.target.secrets.clean(failure);
    let Running { call, attempts, .. } = running;
    if let Some(tried) = attempts.last_mut() {
        note_failed(call, tried, &failure);
    }
    failure
}

/// Notes that an attempt failed, unless that is noted.
pub(crate) fn note_failed(call: &Call, tried: &mut Attempt, failure: &Failure) {
    if tried.end.is_some() {
        return;
    }
    let at_ms = call.gateway.clock.now_ms();
    let upstream = failure.upstream.as_deref();
    let end = failed_end(tried, failure);
    tried.end = Some(end);
    tried.ended_ms = Some(at_ms);
    tried.status = upstream.and_then(|upstream| upstream.status).unwrap_or(0);
    tried.failure = Some(failure.kind);
    let reason = failure.why();
    tried.reason = Some(reason);
    tried.class = Some(Class::of(failure, tried.place()));
    tried.rest_ms = failure
        .retry_after
        .map(|rest| u64::try_from(rest.as_millis()).unwrap_or(u64::MAX));
    tried.request_id = upstream.and_then(|upstream| upstream.request_id.clone());
    if end != End::MoneyRanOut {
        // The client saw nothing of it, so it pays for nothing of it.
        tried.thought = None;
    }
    let seen = Outcome::of(failure, tried.place());
    let ticket = tried.take_ticket();
    tried.is_unpaid = upstream.is_some_and(|upstream| upstream.is_unpaid);
    tried.note(ticket, at_ms, seen, &call.gateway.alarms);
    let metrics = &tried.target.metrics;
    let count = if seen.is_rate_limit() {
        &metrics.rate_limited
    } else {
        &metrics.failed
    };
    count.fetch_add(1, Relaxed);
    metrics.note_reason(reason);
    tracing::debug!(
        id = %call.id,
        endpoint = %tried.target.id,
        error = failure.kind.error_type(),
        reason = reason.name(),
        said = ?failure.message,
        inside = failure.inside.as_deref().unwrap_or(""),
        "an attempt failed"
    );
}

/// The row of an attempt that failed.
fn failed_end(tried: &Attempt, failure: &Failure) -> End {
    let upstream = failure.upstream.as_deref();
    let was_refused = upstream.is_some_and(|upstream| upstream.status.is_some());
    if failure.kind == FailureKind::PaymentRequired && upstream.is_none() {
        End::MoneyRanOut
    } else if !tried.is_sent {
        End::Unreached
    } else if was_refused && tried.thought.is_none() {
        // A provider that refused with a status has not generated; one that
        // fell silent may have, and may charge for it.
        End::FailedBeforeContent
    } else {
        End::GivenUp
    }
}

/// A target that cannot be called for what the client asks. Plans have none.
fn unfit(target: &Target) -> Failure {
    Failure::new(
        FailureKind::NotFound,
        format!("{} does not offer this operation", target.provider.name),
    )
    .next(bourse_vocab::Next::TryAnother)
}

fn inexpressible(target: &Target, wishes: &Preferences, losses: &[Loss]) -> Failure {
    let less = losses.iter().filter(|loss| loss.is_less());
    let fields: Vec<_> = less.map(|loss| loss.field.as_str()).collect();
    Failure::new(
        FailureKind::NotFound,
        format!(
            "{} cannot express every parameter of the request: {}. Remove them, or {}.",
            target.provider.name,
            fields.join(", "),
            wishes.instead_of_strict()
        ),
    )
    .next(bourse_vocab::Next::TryAnother)
    .availability(json!({
        "code": "constraint_filtered",
        "retryable": false,
        "excluded_by": ["require_parameters"],
    }))
}

/// One entry of `previous_errors`: never a provider's raw body.
pub(super) fn redacted(step: &Step, failure: &Failure) -> serde_json::Value {
    let upstream = failure.upstream.as_deref();
    json!({
        "provider": &*step.target.provider.name,
        "code": failure.kind.error_type(),
        "status": upstream.and_then(|u| u.status).unwrap_or(failure.status()),
        "reason": failure.why().name(),
    })
}
