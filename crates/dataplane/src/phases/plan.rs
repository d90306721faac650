//! Targets in order: which endpoints may serve, and which first.

mod refusal;

use std::sync::Arc;

use bourse_catalog::Resolution;
use bourse_ledger::price;
use bourse_routing::arrange::{Lot, arrange};
use bourse_routing::bucket::Bucket;
use bourse_routing::candidate::Candidate;
use bourse_routing::filter::{self, Excluded, Needs, PREFERRED};
use bourse_routing::health::Percentiles;
use bourse_routing::lengths::Thought;
use bourse_routing::preferences::{Cutoffs, Partition, Preferences, Sort};
use bourse_routing::strategies::{self, Measurements};
use bourse_vocab::{Failure, PromptFacts};

pub(super) use refusal::{at_capacity, no_capacity};

use crate::ask::{Ask, Thinking};
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
    /// Whether the prompt points to an address that only some providers are
    /// sent.
    pub private_url: bool,
    /// What the prompt contains.
    pub facts: &'a PromptFacts,
    /// Whether to stream.
    pub stream: bool,
    /// How much is to be thought.
    pub thinking: Thinking,
    /// The same for all calls of a session.
    pub lot: Lot,
    /// Now, in milliseconds since 1970.
    pub now_ms: u64,
}

/// Orders the targets of a call, or says why there are none.
pub fn plan(market: &Market, wanted: &Wanted<'_>) -> Result<Plan, Failure> {
    let Some(first) = wanted.models.first() else {
        return Err(Failure::invalid(
            "model: required; GET /api/v1/models lists them",
        ));
    };
    let sort = effective_sort(market, wanted)?;
    let mut ordering = Ordering {
        market,
        wanted,
        measured: measured(wanted.wishes, sort),
        considered: Vec::with_capacity(8),
        candidates: Vec::with_capacity(8),
        excluded: Vec::new(),
    };
    for (rank, name) in wanted.models.iter().enumerate() {
        // OpenRouter refuses an unknown model even where a fallback is known:
        // a typing error must not silently become another model.
        let Some(resolution) = market.catalog.resolve(name) else {
            return Err(refusal::unknown_model(name));
        };
        ordering.consider(&resolution, u16::try_from(rank).unwrap_or(u16::MAX));
    }
    let rest = arrange(&mut ordering.candidates, wanted.wishes, sort, wanted.lot);
    if let Some(plan) = Plan::new(ordering.steps()) {
        return Ok(plan);
    }
    Err(match rest {
        Some(rest_ms) => refusal::at_capacity(first, wanted.models, rest_ms),
        None => refusal::no_candidates(market, first, wanted, &ordering.excluded),
    })
}

/// The caller's order, or that of the first name with a suffix. It holds for
/// the endpoints of all models, so it is known before any is looked at.
fn effective_sort(market: &Market, wanted: &Wanted<'_>) -> Result<Option<Sort>, Failure> {
    let mut sort = wanted.wishes.sort;
    // A plain name, which is nearly every one, is not resolved twice.
    for name in wanted.models.iter().filter(|name| name.contains(':')) {
        let Some(resolution) = market.catalog.resolve(name) else {
            continue;
        };
        if let Some(suffix) = suffix_sort(&resolution, name)? {
            sort = sort.or(Some(suffix));
        }
    }
    Ok(sort)
}

/// What to measure of every candidate: what the strategy looks at, and what
/// the caller's cut-offs do.
fn measured(wishes: &Preferences, sort: Option<Sort>) -> Measurements {
    let needs = sort.map(|sort| sort.by.needs()).unwrap_or_default();
    Measurements {
        latency: needs.latency || wishes.preferred_max_latency.is_some(),
        throughput: needs.throughput || wishes.preferred_min_throughput.is_some(),
    }
}

/// Candidates as they are collected.
struct Ordering<'m, 'w> {
    market: &'m Market,
    wanted: &'w Wanted<'w>,
    measured: Measurements,
    considered: Vec<&'m Arc<Target>>,
    candidates: Vec<Candidate>,
    excluded: Vec<(Excluded, &'m Target)>,
}

impl<'m> Ordering<'m, '_> {
    /// Takes those targets of a model that may serve. Among them, those that
    /// support most of the preferred parameters of this request keep the
    /// others out: a model whose endpoints differ is asked where it can use
    /// tools, and one that can nowhere is asked all the same.
    fn consider(&mut self, resolution: &Resolution, rank: u16) {
        let wanted = self.wanted;
        let from = self.candidates.len();
        let preferred = wanted.needs.parameters.intersection(PREFERRED);
        let mut most = 0;
        for target in self.market.targets_of(resolution.model) {
            if target.way(|way| wanted.endpoint.rank(way)).is_none() {
                continue;
            }
            if wanted.private_url && !target.provider.private_urls {
                self.excluded.push((Excluded::PrivateUrl, target));
                continue;
            }
            let endpoint = self.market.endpoint(target);
            let slug = &target.provider.slug;
            if let Err(reason) = filter::check(endpoint, slug, &wanted.needs, wanted.wishes) {
                self.excluded.push((reason, target));
                continue;
            }
            let supported = endpoint.parameters.intersection(preferred).len();
            if supported < most {
                continue;
            }
            if supported > most {
                most = supported;
                self.candidates.truncate(from);
            }
            let index = u32::try_from(self.considered.len()).unwrap_or(u32::MAX);
            self.considered.push(target);
            let candidate = candidate(self.market, target, index, rank, wanted, self.measured);
            self.candidates.push(candidate);
        }
    }

    /// The targets behind the candidates, in their order.
    fn steps(&self) -> impl Iterator<Item = (Arc<Target>, u16)> {
        self.candidates.iter().filter_map(|candidate| {
            let target = self.considered.get(candidate.target as usize)?;
            Some((Arc::clone(target), candidate.model_rank))
        })
    }
}

fn candidate(
    market: &Market,
    target: &Target,
    index: u32,
    model_rank: u16,
    wanted: &Wanted<'_>,
    measured: Measurements,
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
    let thought = thought(market, target, wanted.thinking);
    let bucket = Bucket::of(prompt, thought, wanted.stream);
    // Percentiles take a lock and a sum; only those who ask pay for them.
    let latency = measured
        .latency
        .then(|| target.health.recent_latency_ms(wanted.now_ms))
        .flatten();
    let throughput = measured
        .throughput
        .then(|| target.health.recent_throughput(wanted.now_ms))
        .flatten();
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
        standing: target.health.standing(wanted.now_ms),
        in_flight: target.health.in_flight(),
        expected_ms: target.health.expected_ms(bucket, wanted.now_ms),
        cooldown_ms: target.health.cooldown_ms(wanted.now_ms),
        latency_ms: latency.map(|latency| latency.p50),
        throughput: throughput.map(|throughput| throughput.p50),
        deprioritised: slow || weak,
        share: u32::from(target.credentials),
    }
}

/// How much a target thinks about a call.
pub fn thought(market: &Market, target: &Target, thinking: Thinking) -> Thought {
    match &market.catalog.model(target.model).reasoning {
        Some(_) if !thinking.is_off => Thought::of(thinking.effort),
        _ => Thought::None,
    }
}

/// What sort of call it is for a target, as far as its time to the first
/// content depends on it.
pub fn bucket(market: &Market, target: &Target, ask: &Ask) -> Bucket {
    let endpoint = market.endpoint(target);
    let context = context_length(endpoint);
    let prompt = price::prompt_tokens_estimate(&ask.facts, &endpoint.image_tokens, context);
    Bucket::of(prompt, thought(market, target, ask.thinking), ask.stream)
}

fn misses(limits: &Cutoffs, have: &Percentiles, is_worse: impl Fn(f64, f64) -> bool) -> bool {
    #[allow(clippy::cast_precision_loss)] // Milliseconds and tokens, far below 2^52.
    let is_worse = |limit: Option<f64>, have: u64| limit.is_some_and(|l| is_worse(l, have as f64));
    is_worse(limits.p50, have.p50)
        || is_worse(limits.p75, have.p75)
        || is_worse(limits.p90, have.p90)
        || is_worse(limits.p99, have.p99)
}

/// The order that a model's name asks for.
fn suffix_sort(resolution: &Resolution, name: &str) -> Result<Option<Sort>, Failure> {
    if resolution.routing.online {
        return Err(Failure::invalid(format!(
            "model: `{name}` asks for web search, which this server does not offer; remove `:online`"
        )));
    }
    let Some(suffix) = resolution.routing.sort else {
        return Ok(None);
    };
    let by = strategies::by_suffix(suffix)
        .map_err(|why| Failure::invalid(format!("model: `{name}`: {why}")))?;
    Ok(Some(Sort {
        by,
        partition: Partition::Model,
    }))
}

#[cfg(test)]
mod tests;
