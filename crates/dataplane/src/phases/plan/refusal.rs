//! Why there is no target, in words that help: OpenRouter's sentences where
//! clients match on them, and what was excluded by what.

use bourse_routing::filter::{self, Excluded};
use bourse_vocab::{Failure, FailureKind};
use serde_json::json;

use super::Wanted;
use crate::market::{Market, Target};

/// Characters of a model's name that an error repeats.
const NAME_CHARS_MAX: usize = 200;
/// Providers that an error names as examples.
const EXAMPLES_MAX: usize = 5;

/// A name that the catalog does not have.
pub fn unknown_model(name: &str) -> Failure {
    let shown: String = name.chars().take(NAME_CHARS_MAX).collect();
    Failure::invalid(format!("{shown} is not a valid model ID")).availability(json!({
        "code": "model_not_found",
        "retryable": false,
        "requested_models": [shown],
    }))
}

/// Every target was told to slow down; the first may be asked in `rest_ms`.
pub fn at_capacity(model: &str, models: &[String], rest_ms: u64) -> Failure {
    let seconds = rest_ms.div_ceil(1000).max(1);
    Failure::new(
        FailureKind::RateLimited,
        format!("All providers for {model} are at capacity. Retry after {seconds} seconds."),
    )
    .retry_after(std::time::Duration::from_millis(rest_ms))
    .availability(json!({
        "code": "capacity_exhausted",
        "retryable": true,
        "retry_after": seconds,
        "requested_models": models,
    }))
}

/// Every endpoint was excluded, or there was none.
pub fn no_candidates(
    market: &Market,
    model: &str,
    wanted: &Wanted<'_>,
    excluded: &[(Excluded, &Target)],
) -> Failure {
    let mut reasons: Vec<_> = excluded.iter().map(|(reason, _)| *reason).collect();
    reasons.sort_unstable();
    reasons.dedup();
    let mut serving: Vec<&str> = excluded
        .iter()
        .map(|(_, target)| &*target.provider.slug)
        .collect();
    serving.sort_unstable();
    serving.dedup();
    if let Some(failure) = too_large(market, model, wanted, excluded, &reasons) {
        return failure;
    }
    let (code, message) = match reasons.as_slice() {
        [] => ("no_endpoints", no_endpoints(market, model)),
        [Excluded::Training | Excluded::Retention, ..] => (
            "privacy_restricted",
            excluded_by(model, wanted, &reasons, &serving),
        ),
        _ => (
            "constraint_filtered",
            excluded_by(model, wanted, &reasons, &serving),
        ),
    };
    Failure::new(FailureKind::NotFound, message).availability(json!({
        "code": code,
        "retryable": false,
        "requested_models": wanted.models,
        "affected_providers": serving,
        "excluded_by": names(&reasons),
    }))
}

/// The call is too large for every endpoint, and nothing else is wrong with
/// it. Coding agents shorten their prompts when they read this kind, in
/// OpenAI's words (platform.openai.com, error codes, October 2026).
fn too_large(
    market: &Market,
    model: &str,
    wanted: &Wanted<'_>,
    excluded: &[(Excluded, &Target)],
    reasons: &[Excluded],
) -> Option<Failure> {
    let endpoints = || {
        let targets = excluded.iter();
        targets.map(|(_, target)| market.endpoint(target))
    };
    match *reasons {
        [Excluded::ContextLength] => {
            let most = endpoints().map(|endpoint| endpoint.context_length).max()?;
            let least = filter::tokens_at_least(&wanted.needs);
            Some(Failure::new(
                FailureKind::ContextLengthExceeded,
                format!(
                    "This endpoint's maximum context length is {most} tokens. However, you requested at least {least} tokens of input for {model}. Please reduce the length of the messages."
                ),
            ))
        }
        [Excluded::MaxTokens] => {
            let most = endpoints()
                .filter_map(|endpoint| endpoint.max_output)
                .max()?;
            let asked = wanted.needs.max_output?;
            Some(Failure::new(
                FailureKind::MaxTokensExceeded,
                format!("max_tokens: {asked} is more than {model} gives; ask for at most {most}"),
            ))
        }
        _ => None,
    }
}

fn names(reasons: &[Excluded]) -> Vec<&'static str> {
    reasons.iter().map(|reason| reason.name()).collect()
}

/// Nothing was excluded, so there was nothing.
fn no_endpoints(market: &Market, model: &str) -> String {
    let listed = market
        .catalog
        .resolve(model)
        .map(|resolution| market.catalog.endpoints(resolution.model))
        .unwrap_or_default();
    let why = if listed.is_empty() {
        "the catalog lists no endpoint for it".to_owned()
    } else {
        let providers: Vec<_> = listed
            .iter()
            .map(|endpoint| &*market.catalog.provider(endpoint.provider).slug)
            .take(EXAMPLES_MAX)
            .collect();
        format!(
            "no provider that serves it is configured (for example: {})",
            providers.join(", ")
        )
    };
    format!("No endpoints found for {model}: {why}.")
}

/// What excluded the endpoints, with the remedy where there is one.
fn excluded_by(model: &str, wanted: &Wanted<'_>, reasons: &[Excluded], serving: &[&str]) -> String {
    let list = |names: Vec<&str>| names.join(", ");
    match reasons {
        [Excluded::Providers] => format!(
            "No allowed providers are available for the selected model. Providers serving {model}: {}, but your request's provider preferences permit none of them.",
            serving.join(", ")
        ),
        [Excluded::Training | Excluded::Retention, ..] => format!(
            "No endpoints for {model} match your data policy ({}).",
            list(names(reasons))
        ),
        [Excluded::RequireParameters] => format!(
            "No endpoints found for {model} that support every parameter of the request: {}. Remove some, or provider.require_parameters.",
            list(wanted.needs.parameters.names().collect())
        ),
        [Excluded::Search] => format!(
            "web_search_options: no endpoint of {model} has a price for a search, so it cannot be billed. Remove it, or choose a model that lists `web_search` among its prices."
        ),
        [Excluded::Modality] => format!(
            "No endpoints found for {model} that support {} input and {} output.",
            list(wanted.needs.input.names().collect()),
            list(wanted.needs.output.names().collect())
        ),
        _ => format!(
            "No endpoints found for {model} that fit the request: {}.",
            list(names(reasons))
        ),
    }
}
