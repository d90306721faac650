//! Setting aside the most that a call can cost.
//!
//! The most is known before anything is sent: what the prompt contains bounds
//! its tokens, no answer is longer than the limit, and of the targets that
//! may be tried the dearest counts. Where the caller sets no limit, a stream
//! starts with a part of what the model could say and is extended as it
//! grows; a whole answer cannot be watched, so all of it is set aside.

use std::sync::Arc;

use bourse_catalog::{Endpoint, Modality};
use bourse_ledger::price;
use bourse_ledger::{Exhausted, Refusal, Subject};
use bourse_store::TillError;
use bourse_vocab::{Failure, FailureKind, Nanos};

use super::plan::Plan;
use crate::ask::Ask;
use crate::call::Call;
use crate::market::{Market, context_length};
use crate::refusing::Refusing;
use crate::running::Running;
use crate::tab::Tab;

/// Output tokens that a stream without a limit starts with.
const STREAM_OUTPUT_FIRST: u64 = 4_096;
/// Output tokens of a model whose limit is unknown.
pub const OUTPUT_UNKNOWN: u64 = 65_536;

/// Input tokens, as well as can be told without the provider's tokenizer.
#[must_use]
pub fn prompt_estimate(ask: &Ask, endpoint: &Endpoint) -> u64 {
    let context = context_length(endpoint);
    price::prompt_tokens_estimate(&ask.facts, &endpoint.image_tokens, context)
}

/// Reserves the upper bound of the call's cost; on refusal says how many
/// tokens the balance covers. From here on the call has an end.
///
/// # Errors
/// Too little money, an unknown price, or a journal that takes no more.
pub async fn hold(call: Box<Call>, plan: &Plan) -> Result<Running, Failure> {
    let tab = open(&call, plan).await.map_err(|failure| {
        let model = call.market.catalog.model(plan.first().model);
        let refusing = Refusing::new(&call.gateway, call.id, &call.admitted);
        refusing.note(failure, &model.slug, &call.ask.attribution.title)
    })?;
    let wait_for_disk = call.gateway.wait_for_disk;
    let mut running = Running::new(call, tab);
    if wait_for_disk {
        let till = Arc::clone(&running.call.gateway.till);
        if let Err(error) = till.spool().wait_durable(running.tab.opened).await {
            let story = format!("the journal failed before a dispatch: {error}");
            let failure = Failure::server(story);
            running.fail(&failure);
            return Err(failure);
        }
    }
    Ok(running)
}

async fn open(call: &Call, plan: &Plan) -> Result<Tab, Failure> {
    let (gateway, market, ask) = (&call.gateway, &call.market, &call.ask);
    let principal = call.admitted.key.principal();
    let payer = (principal.account, principal.key);
    let amount = most(market, plan, ask)?;
    let first = (&**market, plan.first());
    let open = || {
        let at_ms = gateway.clock.now_ms();
        Tab::open(&gateway.till, call.id, payer, amount, at_ms, first)
    };
    let opened = match open() {
        // A purse that memory does not know is loaded. Credit or a limit may
        // have been raised a moment ago, by a command beside the server:
        // before anyone is refused, look.
        Err(TillError::Refused(refusal)) if refusal.may_be_stale() => {
            if refusal.is_unknown() {
                let loaded = gateway.office.load(&[principal.hash]).await;
                loaded.map_err(|unavailable| unavailable.failure())?;
            } else {
                gateway.office.refresh().await;
            }
            open()
        }
        opened => opened,
    };
    opened.map_err(|error| match &error {
        TillError::Refused(Refusal::Exhausted(Exhausted {
            purse: Subject::Account(_),
            room,
            ..
        })) => afford(market, plan, ask, error.failure(), *room),
        _ => error.failure(),
    })
}

/// The most that the call can cost at any of its targets.
fn most(market: &Market, plan: &Plan, ask: &Ask) -> Result<Nanos, Failure> {
    let mut most = Nanos::ZERO;
    for target in plan.targets() {
        let endpoint = market.endpoint(target);
        let amount = price::upper_bound(&bound(ask, endpoint), &endpoint.prices, market.markup_ppm)
            .map_err(|_| unpriced(&endpoint.id))?;
        most = most.max(amount);
    }
    Ok(most)
}

/// Output tokens of one answer that are set aside at first.
#[must_use]
pub fn output_first(ask: &Ask, endpoint: &Endpoint) -> u64 {
    let limit = endpoint
        .max_output
        .or(context_length(endpoint))
        .unwrap_or(OUTPUT_UNKNOWN);
    match ask.max_output {
        Some(asked) => asked,
        None if ask.stream => limit.min(STREAM_OUTPUT_FIRST),
        None => limit,
    }
}

/// What is known of the call at one endpoint.
fn bound<'a>(ask: &'a Ask, endpoint: &Endpoint) -> price::Bounds<'a> {
    let context_length = context_length(endpoint);
    let completion_max = output_first(ask, endpoint);
    // A model that draws or speaks may do so unasked.
    let output = endpoint.output_modalities;
    price::Bounds {
        prompt: &ask.facts,
        image_tokens: endpoint.image_tokens,
        completion_max,
        choices: ask.answers,
        context_length,
        media_output: output.contains(Modality::Image) || output.contains(Modality::Audio),
        web_searches: ask.searches_max(),
    }
}

fn unpriced(endpoint: &str) -> Failure {
    Failure::new(
        FailureKind::NotFound,
        format!("The price of {endpoint} is unknown, so it cannot be billed and is not called."),
    )
}

/// OpenRouter's sentence about what would be affordable; clients match on it.
fn afford(market: &Market, plan: &Plan, ask: &Ask, failure: Failure, available: Nanos) -> Failure {
    let endpoint = market.endpoint(plan.first());
    let bound = bound(ask, endpoint);
    let fits = |tokens: u64| {
        let less = price::Bounds {
            completion_max: tokens,
            ..bound
        };
        price::upper_bound(&less, &endpoint.prices, market.markup_ppm)
            .is_ok_and(|amount| amount <= available)
    };
    // The cost grows with the tokens, so halving finds the most that fits.
    let (mut affordable, mut too_many) = (0, bound.completion_max);
    while too_many - affordable > 1 {
        let middle = affordable + (too_many - affordable) / 2;
        if fits(middle) {
            affordable = middle;
        } else {
            too_many = middle;
        }
    }
    let message = format!(
        "This request requires more credits, or fewer max_tokens. You requested up to {} tokens, but can only afford {affordable}. To increase, add credits with `bourse credit grant`.",
        bound.completion_max
    );
    Failure {
        message: message.into(),
        ..failure
    }
    .metadata("provider_name", serde_json::Value::Null)
}
