//! Targets in order: which endpoints may serve, and which first.

mod decision;
mod quality;
mod refusal;

use std::sync::Arc;

use bourse_catalog::{Endpoint as Offered, Parameter, Prices, Resolution};
use bourse_ledger::price;
use bourse_routing::arrange::{Lot, arrange};
use bourse_routing::bucket::Bucket;
use bourse_routing::candidate::Candidate;
use bourse_routing::filter::{self, Excluded, Needs, Offer, PREFERRED};
use bourse_routing::health::Percentiles;
use bourse_routing::lengths::Thought;
use bourse_routing::preferences::{Cutoffs, Partition, Preferences, Sort};
use bourse_routing::strategies::{self, Measurements};
use bourse_vocab::{Failure, PromptFacts, Quality, ServiceTier, TierWish, Units};

pub use decision::Decision;
pub(crate) use refusal::unknown_model;
pub(super) use refusal::{at_capacity, no_capacity};

use super::options;
use crate::ask::{Ask, Thinking};
use crate::endpoints::Endpoint;
use crate::market::{Market, Target, context_length};
use crate::stickiness::Stuck;

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
    /// Which tier of service is asked for.
    pub tier: TierWish,
    /// Whether the prompt points to an address that only some providers are
    /// sent.
    pub private_url: bool,
    /// What the prompt contains.
    pub facts: &'a PromptFacts,
    /// The most that may be used of what is no token.
    pub units: &'a Units,
    /// Whether to stream.
    pub stream: bool,
    /// How much is to be thought.
    pub thinking: Thinking,
    /// The same for all calls of a session.
    pub lot: Lot,
    /// Where the conversation has been read before.
    pub stuck: Option<&'a Stuck>,
    /// Now, in milliseconds since 1970.
    pub now_ms: u64,
}

/// Orders the targets of a call, or says why there are none. Whoever is to be
/// told how gives a `decision` to be filled in.
///
/// # Errors
/// Nobody may serve the call, or nobody may be asked now.
pub fn plan(
    market: &Market,
    wanted: &Wanted<'_>,
    decision: Option<&mut Decision>,
) -> Result<Plan, Failure> {
    let Some(first) = wanted.models.first() else {
        return Err(Failure::invalid(
            "model: required; GET /api/v1/models lists them",
        ));
    };
    options::check(market, wanted.wishes)?;
    let sort = effective_sort(market, wanted)?;
    let mut ordering = Ordering {
        market,
        wanted,
        measured: measured(wanted.wishes, sort),
        considered: Vec::with_capacity(8),
        candidates: Vec::with_capacity(8),
        excluded: Vec::new(),
        unsold: false,
    };
    for (rank, name) in wanted.models.iter().enumerate() {
        // OpenRouter refuses an unknown model even where a fallback is known:
        // a typing error must not silently become another model.
        let Some(resolution) = market.catalog.resolve(name) else {
            return Err(refusal::unknown_model(market, name));
        };
        ordering.consider(&resolution, u16::try_from(rank).unwrap_or(u16::MAX));
    }
    if let TierWish::Tier(tier) = wanted.tier
        && ordering.unsold
        && !ordering.sells_a_tier()
    {
        return Err(refusal::unsold_tier(first, wanted.models, tier));
    }
    let before = decision.is_some().then(|| ordering.candidates.clone());
    let rest = arrange(&mut ordering.candidates, wanted.wishes, sort, wanted.lot);
    if let Some((decision, before)) = decision.zip(before) {
        *decision = Decision::of(&ordering, &before, sort);
    }
    if let Some(plan) = Plan::new(ordering.steps()) {
        return Ok(plan);
    }
    Err(match rest {
        Some(rest_ms) => refusal::at_capacity(first, wanted.models, rest_ms),
        None => refusal::no_candidates(market, first, wanted, &ordering.excluded),
    })
}

/// The target at an endpoint, if it may serve a call that is like one that it
/// served: who else would come first and how it is doing is no question.
#[must_use]
pub fn may_serve<'m>(
    market: &'m Market,
    wanted: &Wanted<'_>,
    endpoint_id: &str,
) -> Option<&'m Arc<Target>> {
    let target = market.target_of(endpoint_id)?;
    let mut may = false;
    for name in wanted.models {
        let resolution = market.catalog.resolve(name)?;
        may |= resolution.model == target.model && {
            let suffix = wanted.admitted_by(&resolution);
            wanted.takes(market, target, suffix).is_ok()
        };
    }
    may.then_some(target)
}

/// The caller's order, or that of the first name with a suffix, or that which
/// goes with the tier of service, or that of calls with tools. It holds for the endpoints of all models, so
/// it is known before any is looked at.
fn effective_sort(market: &Market, wanted: &Wanted<'_>) -> Result<Option<Sort>, Failure> {
    let mut sort = wanted.wishes.sort;
    // A plain name, which is nearly every one, is not resolved twice.
    for name in wanted.models.iter().filter(|name| name.contains(':')) {
        let Some(resolution) = market.catalog.resolve(name) else {
            continue;
        };
        if let Some(suffix) = suffix_sort(wanted, &resolution, name)? {
            sort = sort.or(Some(suffix));
        }
    }
    Ok(sort
        .or_else(|| sort_of_tier(wanted.tier))
        .or_else(|| wanted.offers_tools().then_some(quality::AUTO)))
}

/// Whoever asks for a faster tier wants the fastest endpoint, and for the
/// cheaper one the cheapest (openrouter.ai/docs, service tiers, October 2026).
fn sort_of_tier(wish: TierWish) -> Option<Sort> {
    let name = match wish {
        TierWish::Tier(ServiceTier::Flex | ServiceTier::Batch) => "price",
        TierWish::Tier(ServiceTier::Priority | ServiceTier::Ultrafast) => "throughput",
        TierWish::None | TierWish::Auto | TierWish::Standard => return None,
    };
    let by = strategies::by_name(name).ok()?;
    Some(Sort {
        by,
        partition: Partition::Model,
    })
}

/// What to measure of every candidate: what the strategy looks at, and what
/// the caller's cut-offs do.
fn measured(wishes: &Preferences, sort: Option<Sort>) -> Measurements {
    let needs = sort.map(|sort| sort.by.needs()).unwrap_or_default();
    Measurements {
        latency: needs.latency || wishes.preferred_max_latency.is_some(),
        throughput: needs.throughput || wishes.preferred_min_throughput.is_some(),
        quality: needs.quality,
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
    /// Whether somebody may serve, and does not sell the tier of service that
    /// was asked for.
    unsold: bool,
}

/// How the tier of service that a target sells fits what is asked for.
#[derive(Clone, Copy)]
struct Fit {
    /// See [`Candidate::service_rank`].
    rank: u8,
    /// See [`Offer::is_asked_for`].
    is_asked_for: bool,
}

/// Why a target does not serve a call.
enum Unfit {
    /// The client's endpoint cannot be served by it.
    NoWay,
    /// It does not sell the tier of service that is asked for.
    Unsold,
    /// It may not.
    Excluded(Excluded),
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
        let suffix = wanted.admitted_by(resolution);
        if self.measured.quality {
            quality::rate_of_late(self.market, resolution.model, wanted.now_ms);
        }
        for target in self.market.targets_of(resolution.model) {
            let (fit, offer) = match wanted.takes(self.market, target, suffix) {
                Ok(taken) => taken,
                Err(Unfit::NoWay) => continue,
                Err(Unfit::Unsold) => {
                    self.unsold |= target.tier.is_none();
                    continue;
                }
                Err(Unfit::Excluded(reason)) => {
                    self.excluded.push((reason, target));
                    continue;
                }
            };
            self.unsold |= target.tier.is_none();
            let supported = offer.endpoint.parameters.intersection(preferred).len();
            if supported < most {
                continue;
            }
            if supported > most {
                most = supported;
                self.candidates.truncate(from);
            }
            let index = u32::try_from(self.considered.len()).unwrap_or(u32::MAX);
            self.considered.push(target);
            let candidate = candidate(self.market, target, &offer, index, wanted, self.measured);
            self.candidates.push(Candidate {
                model_rank: rank,
                service_rank: fit.rank,
                ..candidate
            });
        }
    }

    /// Whether any candidate is another tier of service than the usual one.
    fn sells_a_tier(&self) -> bool {
        let mut targets = self.considered.iter();
        targets.any(|target| target.tier.is_some())
    }

    /// The targets behind the candidates, in their order.
    fn steps(&self) -> impl Iterator<Item = (Arc<Target>, u16)> {
        self.candidates.iter().filter_map(|candidate| {
            let target = self.considered.get(candidate.target as usize)?;
            Some((Arc::clone(target), candidate.model_rank))
        })
    }
}

impl<'a> Wanted<'a> {
    /// What a call asks for.
    #[must_use]
    pub fn of(
        ask: &'a Ask,
        endpoint: &'a dyn Endpoint,
        private_url: bool,
        lot: Lot,
        now_ms: u64,
    ) -> Self {
        Self {
            endpoint,
            models: &ask.models,
            wishes: &ask.wishes,
            needs: ask.needs,
            tier: ask.tier,
            private_url,
            facts: &ask.facts,
            units: &ask.units,
            stream: ask.stream,
            thinking: ask.thinking,
            lot,
            stuck: None,
            now_ms,
        }
    }
}

impl Wanted<'_> {
    /// The tier of service that the suffix of a model's name admits. An order
    /// or a tier of the caller's own cancels that.
    fn admitted_by(&self, resolution: &Resolution) -> Option<ServiceTier> {
        let is_free =
            matches!(self.tier, TierWish::None | TierWish::Auto) && self.wishes.order.is_empty();
        let suffix = resolution.routing.sort.filter(|_| is_free)?;
        strategies::by_suffix(suffix).ok()?.admits()
    }

    /// Whether the provider is asked to search.
    const fn searches(&self) -> bool {
        self.needs.parameters.contains(Parameter::WebSearchOptions)
    }

    /// Whether the model is offered tools.
    const fn offers_tools(&self) -> bool {
        self.needs.parameters.contains(Parameter::Tools)
    }

    /// What a target offers for the call, and how its tier of service fits.
    #[inline]
    fn takes<'m>(
        &self,
        market: &'m Market,
        target: &'m Target,
        suffix: Option<ServiceTier>,
    ) -> Result<(Fit, Offer<'m>), Unfit> {
        let way = target.way(|way| self.endpoint.rank(way));
        let way = way.ok_or(Unfit::NoWay)?;
        let fit = self.fit(target, suffix).ok_or(Unfit::Unsold)?;
        if self.private_url && !target.provider.private_urls {
            return Err(Unfit::Excluded(Excluded::PrivateUrl));
        }
        // An answer from memory would look like one that was looked up.
        if self.searches() && !way.takes_searches() {
            return Err(Unfit::Excluded(Excluded::Search));
        }
        let offer = Offer {
            endpoint: market.endpoint(target),
            provider: &target.provider.slug,
            tag: &target.tag,
            prices: &market.prices(target).base,
            is_asked_for: fit.is_asked_for,
        };
        filter::check(&offer, &self.needs, self.wishes).map_err(Unfit::Excluded)?;
        Ok((fit, offer))
    }

    /// How a target's tier of service fits; `None` if it does not. The cheaper
    /// tier is all that is wanted of whoever asks for it; the others are
    /// preferred (openrouter.ai/docs, service tiers, October 2026).
    fn fit(&self, target: &Target, suffix: Option<ServiceTier>) -> Option<Fit> {
        let fit = |rank| {
            Some(Fit {
                rank,
                is_asked_for: true,
            })
        };
        let Some(tier) = target.tier else {
            return match self.tier {
                TierWish::Tier(ServiceTier::Flex | ServiceTier::Batch) => None,
                TierWish::Tier(_) => fit(2),
                TierWish::None | TierWish::Auto | TierWish::Standard => fit(0),
            };
        };
        if [Some(tier), wanted_tier(self.tier)].contains(&Some(ServiceTier::Batch)) {
            return (self.tier == TierWish::Tier(tier)).then_some(Fit {
                rank: 0,
                is_asked_for: true,
            });
        }
        match (self.tier, tier) {
            (TierWish::Tier(wanted), _) if wanted == tier => fit(0),
            (TierWish::Tier(ServiceTier::Ultrafast), ServiceTier::Priority) => fit(1),
            _ if suffix == Some(tier) => fit(0),
            _ => {
                let mut named = self.wishes.only.iter().chain(&self.wishes.order);
                named.any(|slug| *slug == *target.tag).then_some(Fit {
                    rank: 0,
                    is_asked_for: false,
                })
            }
        }
    }
}

/// The tier that is asked for by its name.
const fn wanted_tier(wish: TierWish) -> Option<ServiceTier> {
    match wish {
        TierWish::Tier(tier) => Some(tier),
        TierWish::None | TierWish::Auto | TierWish::Standard => None,
    }
}

/// What is known of an offer, but for its ranks.
fn candidate(
    market: &Market,
    target: &Target,
    offer: &Offer<'_>,
    index: u32,
    wanted: &Wanted<'_>,
    measured: Measurements,
) -> Candidate {
    let prompt = prompt_tokens(offer.endpoint, wanted);
    let price = expected_price(offer.prices, wanted, prompt);
    let order_rank = wanted
        .wishes
        .order
        .iter()
        .position(|slug| offer.is_named(slug))
        .and_then(|position| u16::try_from(position).ok());
    let bucket = kind_of_call(market, target, wanted, prompt);
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
        model_rank: 0,
        service_rank: 0,
        order_rank,
        price,
        unstable: target.health.is_full(wanted.now_ms) || target.health.is_unstable(wanted.now_ms),
        standing: target.health.standing(wanted.now_ms),
        in_flight: target.health.in_flight(),
        expected_ms: target.health.expected_ms(bucket, wanted.now_ms),
        has_finished: target.health.has_finished(),
        cooldown_ms: target.health.cooldown_ms(wanted.now_ms),
        latency_ms: latency.map(|latency| latency.p50),
        throughput: throughput.map(|throughput| throughput.p50),
        deprioritised: slow || weak,
        is_stuck: wanted.stuck.is_some_and(|stuck| stuck.is(target)),
        share: target.share,
        quality: if measured.quality {
            target.metrics.quality()
        } else {
            Quality::Unknown
        },
    }
}

/// Tokens of the prompt, roughly.
#[inline]
fn prompt_tokens(endpoint: &Offered, wanted: &Wanted<'_>) -> u64 {
    let context = context_length(endpoint);
    price::prompt_tokens_estimate(wanted.facts, &endpoint.image_tokens, context)
}

/// Pico-dollars of a typical exchange: what offers are compared by.
#[inline]
fn expected_price(prices: &Prices, wanted: &Wanted<'_>, prompt: u64) -> u128 {
    let images = u64::from(wanted.facts.images.count());
    let completion = wanted
        .needs
        .max_output
        .unwrap_or(TYPICAL_OUTPUT)
        .min(4 * TYPICAL_OUTPUT);
    prices.prompt.unwrap_or_default().times(prompt)
        + prices.completion.unwrap_or_default().times(completion)
        + prices.image.unwrap_or_default().times(images)
        + prices.request.unwrap_or_default().times(1)
        + units_price(prices, wanted.units)
}

/// The same of what is no token.
#[inline]
fn units_price(prices: &Prices, units: &Units) -> u128 {
    if !units.any() {
        return 0;
    }
    prices.picture.unwrap_or_default().times(units.pictures)
        + prices
            .search_unit
            .unwrap_or_default()
            .times(units.search_units)
        + prices
            .audio_second
            .unwrap_or_default()
            .times(units.audio_ms)
        + prices.character.unwrap_or_default().times(units.characters)
        + prices
            .films(units)
            .into_iter()
            .map(|(_, ms, price)| price.unwrap_or_default().times(ms))
            .sum::<u128>()
}

/// What sort of call it is for a target that is planned for.
#[inline]
fn kind_of_call(market: &Market, target: &Target, wanted: &Wanted<'_>, prompt: u64) -> Bucket {
    let thought = thought(market, target, wanted.thinking);
    Bucket::of(prompt, thought, wanted.stream)
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
fn suffix_sort(
    wanted: &Wanted<'_>,
    resolution: &Resolution,
    name: &str,
) -> Result<Option<Sort>, Failure> {
    // Where a search can be asked for, the request was read so that one is.
    if resolution.routing.online && !wanted.searches() {
        return Err(Failure::invalid(format!(
            "model: `{name}` asks for a web search, which is made for chat completions alone; remove `:online`, or ask there"
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
