//! Targets in order: which endpoints may serve, and which first.

mod refusal;

use std::sync::Arc;

use bourse_catalog::{Parameters, Resolution, SortVariant};
use bourse_ledger::price;
use bourse_routing::candidate::Candidate;
use bourse_routing::filter::{self, Excluded, Needs, PREFERRED};
use bourse_routing::health::Percentiles;
use bourse_routing::preferences::{Cutoffs, Partition, Preferences, Sort, SortBy};
use bourse_routing::strategies;
use bourse_vocab::{Failure, PromptFacts};

pub(super) use refusal::at_capacity;

use crate::endpoints::Endpoint;
use crate::market::{Market, Target, context_length};

/// The targets of a call, in order.
pub type Plan = bourse_routing::plan::Plan<Arc<Target>>;
/// One of them, to be tried.
pub type Step = bourse_routing::plan::Step<Arc<Target>>;

/// Output tokens that a price comparison assumes where the caller sets no
/// limit.
const TYPICAL_OUTPUT: u64 = 512;

/// What the caller asks for, as far as choosing is concerned.
pub struct Wanted<'a> {
    /// What the client speaks: some way to a target must suit it.
    pub endpoint: &'a dyn Endpoint,
    /// Model names in order of preference, as typed.
    pub models: &'a [String],
    /// The `provider` object.
    pub wishes: &'a Preferences,
    /// What an endpoint must be able to do.
    pub needs: Needs,
    /// What the prompt contains.
    pub facts: &'a PromptFacts,
    /// Uniform in [0, 1).
    pub random: f64,
    /// Now, in milliseconds since 1970.
    pub now_ms: u64,
}

/// Orders the targets of a call, or says why there are none.
pub fn plan(market: &Market, wanted: &Wanted<'_>) -> Result<Plan, Failure> {
    let mut considered = Vec::with_capacity(8);
    let mut candidates = Vec::with_capacity(8);
    let mut excluded: Vec<(Excluded, &Target)> = Vec::new();
    let mut sort = wanted.wishes.sort;
    let mut known = None;
    let mut unknown = None;
    for (rank, name) in wanted.models.iter().enumerate() {
        let Some(resolution) = market.catalog.resolve(name) else {
            unknown = unknown.or(Some(name));
            continue;
        };
        known = known.or(Some(name));
        if let Some(variant) = variant_sort(&resolution, name)? {
            sort = sort.or(Some(variant));
        }
        let rank = u16::try_from(rank).unwrap_or(u16::MAX);
        consider(
            market,
            wanted,
            &resolution,
            rank,
            &mut considered,
            &mut candidates,
            &mut excluded,
        );
    }
    // OpenRouter refuses an unknown model even where a fallback is known:
    // a typing error must not silently become another model.
    if let Some(name) = unknown {
        return Err(refusal::unknown_model(name));
    }
    let Some(first) = known else {
        return Err(Failure::invalid(
            "model: required; GET /api/v1/models lists them",
        ));
    };
    let rest = strategies::arrange(&mut candidates, wanted.wishes, sort, wanted.random);
    let steps = candidates.iter().filter_map(|candidate| {
        let target = considered.get(candidate.target as usize)?;
        Some((Arc::clone(target), candidate.model_rank))
    });
    if let Some(plan) = Plan::new(steps) {
        return Ok(plan);
    }
    Err(match rest {
        Some(rest_ms) => refusal::at_capacity(first, wanted.models, rest_ms),
        None => refusal::no_candidates(market, first, wanted, &excluded),
    })
}

fn consider<'m>(
    market: &'m Market,
    wanted: &Wanted<'_>,
    resolution: &Resolution,
    rank: u16,
    considered: &mut Vec<&'m Arc<Target>>,
    candidates: &mut Vec<Candidate>,
    excluded: &mut Vec<(Excluded, &'m Target)>,
) {
    let from = candidates.len();
    let soft = wanted.needs.parameters.intersection(PREFERRED);
    let mut supporting = false;
    for target in market.targets_of(resolution.model) {
        if target.way(|way| wanted.endpoint.rank(way)).is_none() {
            continue;
        }
        let endpoint = market.endpoint(target);
        if let Err(reason) = filter::check(
            endpoint,
            &target.provider.slug,
            &wanted.needs,
            wanted.wishes,
        ) {
            excluded.push((reason, target));
            continue;
        }
        let supports = endpoint.parameters.contains_all(soft);
        if supports && !supporting && soft != Parameters::EMPTY {
            // The first that supports what others do not: they step back.
            candidates.truncate(from);
        }
        if supporting && !supports {
            continue;
        }
        supporting |= supports && soft != Parameters::EMPTY;
        let index = u32::try_from(considered.len()).unwrap_or(u32::MAX);
        considered.push(target);
        candidates.push(candidate(market, target, index, rank, wanted));
    }
}

fn candidate(
    market: &Market,
    target: &Target,
    index: u32,
    model_rank: u16,
    wanted: &Wanted<'_>,
) -> Candidate {
    let endpoint = market.endpoint(target);
    let prices = &endpoint.prices.base;
    let context = context_length(endpoint);
    let prompt = price::prompt_tokens_estimate(wanted.facts, &endpoint.image_tokens, context);
    let images = u64::from(wanted.facts.images.count());
    let completion = wanted
        .needs
        .max_output
        .unwrap_or(TYPICAL_OUTPUT)
        .min(4 * TYPICAL_OUTPUT);
    let price = prices.prompt.unwrap_or_default().times(prompt)
        + prices.completion.unwrap_or_default().times(completion)
        + prices.image.unwrap_or_default().times(images)
        + prices.request.unwrap_or_default().times(1);
    let order_rank = wanted
        .wishes
        .order
        .iter()
        .position(|slug| filter::names_endpoint(slug, &target.provider.slug, &endpoint.tag))
        .and_then(|position| u16::try_from(position).ok());
    let sorts_by = wanted.wishes.sort.map(|sort| sort.by);
    // Percentiles take a lock and a sum; only those who ask pay for them.
    let latency = (sorts_by == Some(SortBy::Latency)
        || wanted.wishes.preferred_max_latency.is_some())
    .then(|| target.health.recent_latency_ms(wanted.now_ms))
    .flatten();
    let throughput = target_throughput(target, wanted);
    let slow = wanted.wishes.preferred_max_latency.is_some_and(|limits| {
        latency.is_some_and(|have| misses(&limits, &have, |limit, have| have > limit * 1000.0))
    });
    let weak = wanted
        .wishes
        .preferred_min_throughput
        .is_some_and(|limits| {
            throughput.is_some_and(|have| misses(&limits, &have, |limit, have| have < limit))
        });
    Candidate {
        target: index,
        model_rank,
        order_rank,
        price,
        unstable: target.health.is_unstable(wanted.now_ms),
        cooldown_ms: target.health.cooldown_ms(wanted.now_ms),
        latency_ms: latency.map(|latency| latency.p50),
        throughput: throughput.map(|throughput| throughput.p50),
        deprioritised: slow || weak,
        share: u32::from(target.credentials),
    }
}

fn target_throughput(target: &Target, wanted: &Wanted<'_>) -> Option<Percentiles> {
    let asked = wanted.wishes.preferred_min_throughput.is_some()
        || wanted
            .wishes
            .sort
            .is_some_and(|sort| sort.by == SortBy::Throughput)
        || wanted.models.iter().any(|name| name.contains(":nitro"));
    asked
        .then(|| target.health.recent_throughput(wanted.now_ms))
        .flatten()
}

fn misses(limits: &Cutoffs, have: &Percentiles, is_worse: impl Fn(f64, f64) -> bool) -> bool {
    #[allow(clippy::cast_precision_loss)] // Milliseconds and tokens, far below 2^52.
    let is_worse = |limit: Option<f64>, have: u64| limit.is_some_and(|l| is_worse(l, have as f64));
    is_worse(limits.p50, have.p50)
        || is_worse(limits.p75, have.p75)
        || is_worse(limits.p90, have.p90)
        || is_worse(limits.p99, have.p99)
}

fn variant_sort(resolution: &Resolution, name: &str) -> Result<Option<Sort>, Failure> {
    if resolution.routing.online {
        return Err(Failure::invalid(format!(
            "model: `{name}` asks for web search, which this server does not offer; remove `:online`"
        )));
    }
    let by = match resolution.routing.sort {
        None => return Ok(None),
        Some(SortVariant::Nitro) => SortBy::Throughput,
        Some(SortVariant::Floor) => SortBy::Price,
        Some(SortVariant::Exacto) => {
            return Err(Failure::invalid(format!(
                "model: `{name}` asks for an order by quality, which is not measured here; use :nitro, :floor or no suffix"
            )));
        }
    };
    Ok(Some(Sort {
        by,
        partition: Partition::Model,
    }))
}
