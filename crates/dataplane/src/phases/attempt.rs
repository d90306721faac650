//! Trying targets until one begins to answer.
//!
//! Failover is free until the first content reaches the client: everything
//! before it (a role, an empty delta, the headers) is held back here. Once
//! [`attempt`] returns, there is no second try.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bourse_ledger::who_pays::{Attempt, End};
use bourse_net::Deadlines;
use bourse_providers::Disconnect;
use bourse_routing::health::Outcome;
use bourse_vocab::chat::Loss;
use bourse_vocab::{Failure, FailureKind};
use serde_json::json;

use super::exchange::{Exchange, Opened};
use super::plan::{Plan, Step};
use super::settle::{ended, void};
use super::write::write;
use crate::call::{Call, Delivered};
use crate::clock::now_ms;
use crate::endpoints::ClientRequest;
use crate::facts::of_abandoned;
use crate::market::Target;
use crate::tab::Tab;

/// Tries the plan's targets in order. Whatever was tried is noted in the
/// call and on the tab, also when all of it failed.
pub async fn attempt(
    call: &mut Call,
    request: &Arc<dyn ClientRequest>,
    plan: &mut Plan,
    tab: &mut Tab,
) -> Result<(Opened, Delivered), Failure> {
    let mut previous = Vec::new();
    let Some(mut step) = plan.next(may_use) else {
        return Err(everybody_rests(call, plan));
    };
    loop {
        let failure = match one(call, request, &step, tab, plan).await {
            Ok(opened) => return Ok(opened),
            Err(failure) => failure,
        };
        previous.push(slim(&step, &failure));
        if call.status.client_left() {
            return Err(failure);
        }
        match plan.after(&step, &failure, may_use) {
            Some(another) => step = another,
            None => return Err(last_word(failure, previous)),
        }
    }
}

fn may_use(target: &Arc<Target>) -> bool {
    target.health.cooldown_ms(now_ms()).is_none()
}

async fn one(
    call: &mut Call,
    request: &Arc<dyn ClientRequest>,
    step: &Step,
    tab: &mut Tab,
    plan: &Plan,
) -> Result<(Opened, Delivered), Failure> {
    let market = Arc::clone(&call.market);
    let target = &step.target;
    let way = target
        .way(|way| call.endpoint.rank(way))
        .ok_or_else(|| unfit(target))?;
    let endpoint = market.endpoint(target);
    let prepared = write(request, endpoint, way).await?;
    if call.ask.wishes.require_parameters && !prepared.losses.is_empty() {
        return Err(inexpressible(target, &prepared.losses));
    }
    call.losses.clone_from(&prepared.losses);
    tab.dispatch(&market, target)?;
    let drain = target.provider.on_disconnect == Disconnect::Drain;
    call.status.drain.store(drain, Relaxed);
    target.health.begin();
    let metadata = call
        .ask
        .wants_metadata
        .then(|| call.metadata(target, plan).to_string());
    let limits = call.gateway.limits;
    let first_content = if step.is_last {
        limits.last_first_token_timeout
    } else {
        limits.first_token_timeout
    };
    let deadlines = Deadlines {
        connect: limits.connect_timeout,
        head: first_content,
        idle: limits.idle_timeout.max(Duration::from_millis(1)),
    };
    let began_ms = now_ms();
    let outcome = {
        let mut watch = Watch {
            call: &*call,
            target,
            tab: &*tab,
            sent_ms: began_ms,
            done: false,
        };
        let stamp = call.stamp(target, metadata.as_deref());
        let exchange = Exchange {
            client: &call.client,
            request: &**request,
            stream: call.ask.stream,
            target,
            way,
            stamp: &stamp,
        };
        let exchange = exchange.run(prepared, &deadlines, limits.reply_bytes_max);
        let outcome = tokio::time::timeout(first_content, exchange).await;
        watch.done = true;
        outcome.unwrap_or_else(|_| {
            Err(Failure::new(
                FailureKind::Timeout,
                "The provider did not begin to answer in time",
            ))
        })
    };
    let at_ms = now_ms();
    match outcome {
        Ok((opened, report, head_at_ms)) => {
            call.note_answer(target, began_ms, head_at_ms, at_ms);
            let delivered = Delivered {
                target: Arc::clone(target),
                report,
                sent_ms: began_ms,
                first_content_ms: at_ms.saturating_sub(began_ms),
            };
            Ok((opened, delivered))
        }
        Err(failure) => {
            let seen = Outcome::of(&failure);
            target.health.end(at_ms, seen);
            let count = match seen {
                Outcome::RateLimited { .. } => &target.metrics.rate_limited,
                _ => &target.metrics.failed,
            };
            count.fetch_add(1, Relaxed);
            // A provider that refused with a status has not generated; one
            // that fell silent may have, and may charge for it.
            let refused = failure
                .upstream
                .as_ref()
                .is_some_and(|u| u.status.is_some());
            call.note_failure(target, &failure, (began_ms, at_ms), !refused);
            tracing::debug!(
                id = %call.id,
                endpoint = %market.endpoint(target).id,
                error = failure.kind.error_type(),
                message = %failure.message,
                inside = failure.inside.as_deref().unwrap_or(""),
                "an attempt failed"
            );
            Err(failure)
        }
    }
}

/// Ends an attempt if its future is dropped: the client left before any
/// content. That says nothing about the endpoint and costs the customer
/// nothing, but the provider may charge for what it has read: a question
/// that stays in the books.
struct Watch<'a> {
    call: &'a Call,
    target: &'a Target,
    tab: &'a Tab,
    sent_ms: u64,
    done: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let now_ms = now_ms();
        self.target.health.end(now_ms, Outcome::Neutral);
        self.target.metrics.cancelled.fetch_add(1, Relaxed);
        let last = Attempt {
            provider: &self.target.provider.slug,
            end: End::LeftBeforeContent,
        };
        let ended = ended(self.call, self.tab.held(), Some(last));
        let facts = of_abandoned(self.call, self.target, self.sent_ms, now_ms);
        void(&ended, self.tab, facts);
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

fn inexpressible(target: &Target, losses: &[Loss]) -> Failure {
    let fields: Vec<_> = losses.iter().map(|loss| loss.field.as_str()).collect();
    Failure::new(
        FailureKind::NotFound,
        format!(
            "{} cannot express every parameter of the request: {}. Remove them, or provider.require_parameters.",
            target.provider.name,
            fields.join(", ")
        ),
    )
    .next(bourse_vocab::Next::TryAnother)
    .availability(json!({
        "code": "constraint_filtered",
        "retryable": false,
        "excluded_by": ["require_parameters"],
    }))
}

fn everybody_rests(call: &Call, plan: &Plan) -> Failure {
    let now = now_ms();
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

/// One entry of `previous_errors`: never a provider's raw body.
fn slim(step: &Step, failure: &Failure) -> serde_json::Value {
    let upstream = failure.upstream.as_deref();
    json!({
        "provider": &*step.target.provider.name,
        "code": failure.kind.error_type(),
        "status": upstream.and_then(|u| u.status).unwrap_or(failure.status()),
    })
}

fn last_word(failure: Failure, mut previous: Vec<serde_json::Value>) -> Failure {
    // The last of them is the failure itself.
    previous.pop();
    if previous.is_empty() {
        failure
    } else {
        failure.metadata("previous_errors", previous)
    }
}
