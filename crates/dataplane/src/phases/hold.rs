//! Setting aside the most that a call can cost.
//!
//! The most is known before anything is sent: what the prompt contains bounds
//! its tokens, no answer is longer than the limit, and of the targets that
//! may be tried the dearest counts. Where the caller sets no limit, a stream
//! starts with a part of what the model could say and is extended as it
//! grows; a whole answer cannot be watched, so all of it is set aside.

use std::sync::Arc;

use bourse_catalog::{Endpoint, Modality};
use bourse_ledger::books::Refusal;
use bourse_ledger::price;
use bourse_store::TillError;
use bourse_vocab::{Failure, FailureKind, GenerationId, Nanos};

use super::admit::Admitted;
use super::plan::Plan;
use crate::ask::Ask;
use crate::clock::now_ms;
use crate::gateway::Gateway;
use crate::market::Market;
use crate::tab::Tab;

/// Output tokens that a stream without a limit starts with.
const STREAM_OUTPUT_FIRST: u64 = 4_096;
/// Output tokens of a model whose limit nobody knows.
pub const OUTPUT_UNKNOWN: u64 = 65_536;

/// Input tokens, as well as can be told without the provider's tokenizer.
#[must_use]
pub fn prompt_estimate(ask: &Ask, endpoint: &Endpoint) -> u64 {
    let context = context_length(endpoint);
    price::prompt_tokens_estimate(&ask.facts, &endpoint.image_tokens, context)
}

/// The endpoint's context window, if it is known.
pub fn context_length(endpoint: &Endpoint) -> Option<u64> {
    (endpoint.context_length > 0).then_some(endpoint.context_length)
}

/// Sets money aside, or says what is missing.
pub async fn hold(
    gateway: &Arc<Gateway>,
    market: &Market,
    plan: &Plan,
    ask: &Ask,
    admitted: &Admitted,
    id: GenerationId,
) -> Result<Tab, Failure> {
    let principal = admitted.key.principal();
    let payer = (principal.account, principal.key);
    let amount = most(market, plan, ask)?;
    let first = (market, plan.first());
    let open = || Tab::open(&gateway.till, id, payer, amount, now_ms(), first);
    let opened = match open() {
        // Credit or a limit may have been raised a moment ago, by a command
        // beside the server. Before anyone is refused, look.
        Err(TillError::Refused(
            Refusal::Balance { .. }
            | Refusal::KeyLimit { .. }
            | Refusal::UnknownAccount
            | Refusal::UnknownKey,
        )) => {
            gateway.office.refresh().await;
            open()
        }
        opened => opened,
    };
    let tab = opened.map_err(|error| match error {
        TillError::Refused(refusal @ Refusal::Balance { available, .. }) => {
            afford(market, plan, ask, refusal, available)
        }
        other => other.failure(),
    })?;
    if gateway.wait_for_disk {
        gateway
            .till
            .spool()
            .wait_durable(tab.opened)
            .await
            .map_err(|error| {
                Failure::server(format!("the journal failed before a dispatch: {error}"))
            })?;
    }
    Ok(tab)
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

/// What is known of the call at one endpoint.
fn bound<'a>(ask: &'a Ask, endpoint: &Endpoint) -> price::Bounds<'a> {
    let context_length = context_length(endpoint);
    let limit = endpoint
        .max_output
        .or(context_length)
        .unwrap_or(OUTPUT_UNKNOWN);
    let completion_max = match ask.max_output {
        Some(asked) => asked,
        None if ask.stream => limit.min(STREAM_OUTPUT_FIRST),
        None => limit,
    };
    let output = ask.needs.output;
    price::Bounds {
        prompt: &ask.facts,
        image_tokens: endpoint.image_tokens,
        completion_max,
        choices: ask.answers,
        context_length,
        media_output: output.contains(Modality::Image) || output.contains(Modality::Audio),
        web_searches: 0,
    }
}

fn unpriced(endpoint: &str) -> Failure {
    Failure::new(
        FailureKind::NotFound,
        format!("The price of {endpoint} is unknown, so it cannot be billed and is not called."),
    )
}

/// OpenRouter's sentence about what would be affordable; clients match on it.
fn afford(market: &Market, plan: &Plan, ask: &Ask, refusal: Refusal, available: Nanos) -> Failure {
    let failure = refusal.failure();
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
