//! What a call's record says of it beside its money: the same for calls that
//! were answered, failed, or were given up.

use bourse_ledger::record::{AttemptFact, Facts, Flags};
use bourse_vocab::{Count, Counts, FailureKind};

use crate::call::{Call, Tried};
use crate::market::{Market, Target};

/// Milliseconds between two moments, as records hold them.
#[must_use]
pub fn span_ms(from_ms: u64, to_ms: u64) -> u32 {
    u32::try_from(to_ms.saturating_sub(from_ms)).unwrap_or(u32::MAX)
}

/// What is known of a call whose last attempt went to `target`, if any did.
/// What its answer said is for the caller to add.
#[must_use]
pub fn of_call<'a>(call: &'a Call, target: Option<&'a Target>) -> Facts<'a> {
    let market = &call.market;
    let who = &call.ask.attribution;
    let model: &str = target.map_or("", |target| &market.catalog.model(target.model).slug);
    let asked = call.ask.models.first().map_or("", String::as_str);
    let dispatched_ms = call.dispatched_ms();
    Facts {
        model,
        provider: target.map_or("", |target| &target.provider.slug),
        provider_name: target.map_or("", |target| &target.provider.name),
        endpoint: target.map_or("", |target| &market.endpoint(target).id),
        requested: if asked == model { "" } else { asked },
        session_id: &who.session_id,
        user: &who.user,
        referer: &who.referer,
        app: &who.title,
        user_agent: &who.user_agent,
        flags: Flags {
            streamed: call.ask.stream,
            cancelled: call.status.client_left(),
            ..Flags::default()
        },
        counts: Counts::default().with(Count::MediaIn, call.ask.facts.media().into()),
        queue_ms: dispatched_ms.map_or(0, |at_ms| span_ms(call.started_ms, at_ms)),
        attempts: call
            .tried
            .iter()
            .map(|tried| attempt(market, tried, dispatched_ms))
            .collect(),
        price_book: market.catalog.version(),
        ..Facts::default()
    }
}

fn attempt<'a>(market: &'a Market, tried: &'a Tried, first_ms: Option<u64>) -> AttemptFact<'a> {
    AttemptFact {
        request_id: tried.request_id.as_deref().unwrap_or(""),
        status: tried.status,
        failure: tried.failure,
        dispatch_ms: first_ms.map_or(0, |first_ms| span_ms(first_ms, tried.sent_ms)),
        head_ms: tried.head_ms,
        latency_ms: tried.latency_ms,
        end_ms: tried.latency_ms,
        ..names(market, &tried.target)
    }
}

fn names<'a>(market: &'a Market, target: &'a Target) -> AttemptFact<'a> {
    AttemptFact {
        provider: &target.provider.slug,
        endpoint: &market.endpoint(target).id,
        model: &market.catalog.model(target.model).slug,
        ..AttemptFact::default()
    }
}

/// What is known of a call that its client left while `target`, called at
/// `sent_ms`, had not begun to answer.
#[must_use]
pub fn of_abandoned<'a>(
    call: &'a Call,
    target: &'a Target,
    sent_ms: u64,
    now_ms: u64,
) -> Facts<'a> {
    let mut facts = of_call(call, Some(target));
    let first_ms = call.dispatched_ms().unwrap_or(sent_ms);
    let waited_ms = span_ms(sent_ms, now_ms);
    facts.flags.cancelled = true;
    facts.queue_ms = span_ms(call.started_ms, first_ms);
    facts.attempts.push(AttemptFact {
        status: 0,
        dispatch_ms: span_ms(first_ms, sent_ms),
        latency_ms: waited_ms,
        end_ms: waited_ms,
        ..names(&call.market, target)
    });
    facts
}

/// What is known of a call that nobody answered.
#[must_use]
pub fn of_failed(call: &Call, failure: FailureKind) -> Facts<'_> {
    let target = call.tried.last().map(|tried| &*tried.target);
    Facts {
        finish: "error",
        failure: Some(failure),
        ..of_call(call, target)
    }
}
