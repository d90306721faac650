//! Trying targets until one begins to answer.
//!
//! Failover is free until the first content reaches the client: everything
//! before it (a role, an empty delta, the headers, thoughts that it is not to
//! see) is held back here. Once [`attempt`] returns, there is no second try.

use std::sync::Arc;

use bourse_ledger::who_pays::End;
use bourse_net::Upstream;
use bourse_routing::classes::{Class, Place};
use bourse_routing::health::Ticket;
use bourse_vocab::{Failure, FailureKind};

use super::exchange::Opened;
use super::hedge::Race;
use super::one::{is_within_budget, one, redacted};
use super::plan::{Plan, Step, bucket};
use crate::attempts::Attempt;
use crate::call::Call;
use crate::endpoints::ClientRequest;
use crate::market::Target;
use crate::rest;
use crate::running::Running;

/// Tries the plan's targets in order. Whatever was tried is noted in the
/// running call, also when all of it failed.
///
/// # Errors
/// What the last attempt failed with, or that no target may be called.
pub async fn attempt<U: Upstream>(
    upstream: &U,
    running: &mut Running,
    request: &Arc<dyn ClientRequest>,
    plan: &mut Plan,
) -> Result<Opened, Failure> {
    let clock = running.call.gateway.clock;
    let may_use = |target: &Arc<Target>| target.health.cooldown_ms(clock.now_ms()).is_none();
    let mut previous = Vec::new();
    let next = plan.next(may_use);
    let Some((mut step, mut ticket)) = enter(&running.call, plan, next) else {
        return Err(all_cooling_down(&running.call, plan));
    };
    let memory = &running.call.gateway.memory;
    memory.demand.begins(clock.now_ms());
    let hedges = running.call.ask.stream && running.call.ask.options.hedges;
    if hedges {
        memory.hedges.begins(clock.now_ms());
    }
    loop {
        let mut failure = if hedges {
            // Boxed: few callers ask for it, and every call would carry it.
            let race = Race {
                running,
                request,
                plan,
                previous: &mut previous,
            };
            match race.run(upstream, &mut step, ticket).await {
                Ok(opened) => return Ok(opened),
                Err(failure) => failure,
            }
        } else {
            match one(upstream, running, request, &step, ticket, plan).await {
                Ok(opened) => return Ok(opened),
                Err(failure) => failure,
            }
        };
        previous.push(redacted(&step, &failure));
        if running.call.status.is_detached() {
            return Err(failure);
        }
        if request.job().is_some() && is_unclear(running) {
            // Somebody may be at work on it: it is not sent again.
            return Err(with_previous_errors(failure, previous));
        }
        let then = Class::of(&failure, place(running)).then(&failure);
        let bucket_of = |target: &Target| bucket(&running.call.market, target, &running.call.ask);
        let is_well = |target: &Arc<Target>| target.health.is_well(bucket_of(target));
        let another = plan.after(&step, then, may_use, is_well);
        let another = enter(&running.call, plan, another);
        let gateway = &running.call.gateway;
        match another.filter(|(step, _)| is_within_budget(gateway, step)) {
            Some(another) => (step, ticket) = another,
            None => {
                failure.retry_after = rest::told(&failure, &running.attempts, clock.now_ms());
                let failure = with_previous_errors(failure, previous);
                return Err(with_capacity(failure, &running.call.ask.models));
            }
        }
    }
}

/// Leave to send to a step, or else to the first one after it that gives it.
pub(crate) fn enter(
    call: &Call,
    plan: &mut Plan,
    mut step: Option<Step>,
) -> Option<(Step, Ticket)> {
    let clock = call.gateway.clock;
    loop {
        let tried = step?;
        let target = &tried.target;
        let bucket_of = |target: &Target| bucket(&call.market, target, &call.ask);
        let (sort, now_ms) = (bucket_of(target), clock.now_ms());
        let ticket = target.health.enter(sort, now_ms, tried.is_last);
        if let Some(ticket) = ticket {
            return Some((tried, ticket));
        }
        plan.pass_over();
        let may_use = |target: &Arc<Target>| target.health.cooldown_ms(clock.now_ms()).is_none();
        let is_well = |target: &Arc<Target>| target.health.is_well(bucket_of(target));
        step = plan.next(may_use).or_else(|| plan.back(may_use, is_well));
    }
}

/// Whether nobody knows if the attempt that failed was taken: there was no
/// answer, or one of somebody in between.
fn is_unclear(running: &Running) -> bool {
    running.attempts.last().is_some_and(|attempt| {
        attempt.end == Some(End::GivenUp) || matches!(attempt.status, 502 | 504)
    })
}

/// How far the attempt that failed had come; one that was not even begun was
/// not sent.
pub(crate) fn place(running: &Running) -> Place {
    running
        .attempts
        .last()
        .map_or(Place::Unsent, Attempt::place)
}

pub(crate) fn all_cooling_down(call: &Call, plan: &Plan) -> Failure {
    let now = call.gateway.clock.now_ms();
    let rest_ms = plan
        .targets()
        .filter_map(|target| target.health.cooldown_ms(now))
        .min()
        .unwrap_or(1000);
    super::plan::at_capacity(
        call.ask.models.first().map_or("", String::as_str),
        &call.ask.models,
        rest_ms,
    )
}

fn with_previous_errors(failure: Failure, mut previous: Vec<serde_json::Value>) -> Failure {
    // The last of them is the failure itself.
    previous.pop();
    if previous.is_empty() {
        failure
    } else {
        failure.metadata("previous_errors", previous)
    }
}

/// A provider that is at its limit, said like one that we know to be: clients
/// look there for whether, and when, to ask again.
fn with_capacity(failure: Failure, models: &[String]) -> Failure {
    if failure.kind != FailureKind::RateLimited {
        return failure;
    }
    let seconds = failure.retry_after_seconds();
    failure.availability(super::plan::no_capacity(models, seconds))
}
