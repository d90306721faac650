//! What a plan was made of: every target of the models that were asked for,
//! its place or why it has none, and what was known of it at that moment.
//!
//! It is collected for those who ask how a call was routed and for nobody
//! else: it copies what ordering only looks at.

use std::sync::Arc;

use bourse_routing::breaker::Standing;
use bourse_routing::candidate::Candidate;
use bourse_routing::preferences::Sort;
use bourse_routing::strategies::BALANCED;
use bourse_vocab::{PicosPerUnit, Quality};
use serde::Serialize;

use super::{Ordering, expected_price, kind_of_call, prompt_tokens};
use crate::market::{Market, Target};

/// Why targets were chosen as they were.
#[derive(Default)]
pub struct Decision {
    order: &'static str,
    seen: Vec<Seen>,
}

/// A target that was looked at.
struct Seen {
    target: Arc<Target>,
    /// Why it is not tried; `None` if it has a place. Places are the order of
    /// the list.
    left_out: Option<&'static str>,
    /// Pico-dollars of a typical exchange, as the provider sells it.
    price: u128,
    in_flight: u64,
    /// Zero if nothing is known of late.
    expected_ms: u64,
    standing: &'static str,
    rest_ms: Option<u64>,
    /// Whether it came after others because it failed of late; unknown where a
    /// filter left it out.
    is_unstable: Option<bool>,
    is_deprioritised: Option<bool>,
    /// How many calls at once it is believed to carry, if that is known.
    calls_max: Option<u64>,
    is_full: bool,
    /// How good it is for calls with tools, where the order is by that.
    quality: Option<Quality>,
}

/// One target, as those are told who ask.
#[derive(Serialize)]
struct Line<'a> {
    /// From 1; null if it is not tried.
    place: Option<usize>,
    left_out: Option<&'static str>,
    endpoint: &'a str,
    provider: &'a str,
    model: &'a str,
    credential: u16,
    /// Of a typical exchange, markup included.
    price_usd: String,
    in_flight: u64,
    expected_ms: Option<u64>,
    standing: &'static str,
    rest_ms: Option<u64>,
    is_unstable: Option<bool>,
    is_deprioritised: Option<bool>,
    calls_max: Option<u64>,
    is_full: bool,
    quality: Option<&'static str>,
    quality_why: &'static [&'static str],
}

/// What is told of a decision.
#[derive(Serialize)]
struct Told<'a> {
    order: &'static str,
    candidates: Vec<Line<'a>>,
}

/// A plan whose hold could not pay for a target leaves it out.
const UNAFFORDABLE: &str = "balance";

impl Decision {
    /// What came of ordering the candidates, of which there were those
    /// `before`.
    pub(super) fn of(
        ordering: &Ordering<'_, '_>,
        before: &[Candidate],
        sort: Option<Sort>,
    ) -> Self {
        let now_ms = ordering.wanted.now_ms;
        let moment = (ordering.measured.quality, now_ms);
        let considered = |candidate: &Candidate| {
            let target = ordering.considered.get(candidate.target as usize)?;
            Some(Arc::clone(target))
        };
        let mut seen: Vec<Seen> = ordering
            .candidates
            .iter()
            .filter_map(|candidate| Some(Seen::of(considered(candidate)?, candidate, None, moment)))
            .collect();
        for candidate in before {
            let is_kept = |kept: &Candidate| kept.target == candidate.target;
            if !ordering.candidates.iter().any(is_kept) {
                seen.extend(considered(candidate).map(|target| {
                    let why = dropped(candidate, &target, now_ms);
                    Seen::of(target, candidate, Some(why), moment)
                }));
            }
        }
        for name in ordering.wanted.models {
            let Some(resolution) = ordering.market.catalog.resolve(name) else {
                continue;
            };
            let suffix = ordering.wanted.admitted_by(&resolution);
            for target in ordering.market.targets_of(resolution.model) {
                if !seen.iter().any(|seen| Arc::ptr_eq(&seen.target, target)) {
                    let why = filtered(ordering, target, suffix);
                    seen.push(Seen::filtered(ordering, target, why));
                }
            }
        }
        Self {
            order: sort.map_or(BALANCED, |sort| sort.by).name(),
            seen,
        }
    }

    /// The decision as JSON. `is_planned` says which targets are still to be
    /// tried: setting money aside may leave some out.
    #[must_use]
    pub fn told(
        &self,
        market: &Market,
        is_planned: impl Fn(&Arc<Target>) -> bool,
    ) -> serde_json::Value {
        let mut places = 0;
        let lines = self.seen.iter().map(|seen| {
            let left_out = match seen.left_out {
                None if !is_planned(&seen.target) => Some(UNAFFORDABLE),
                why => why,
            };
            let place = left_out.is_none().then(|| {
                places += 1;
                places
            });
            seen.line(market, place, left_out)
        });
        let told = Told {
            order: self.order,
            candidates: lines.collect(),
        };
        // A value of texts and numbers always becomes JSON.
        serde_json::to_value(told).unwrap_or_default()
    }
}

/// Why ordering dropped a candidate.
fn dropped(candidate: &Candidate, target: &Target, now_ms: u64) -> &'static str {
    match candidate.standing {
        _ if candidate.cooldown_ms.is_some() && target.health.rests_unrefused(now_ms) => "used_up",
        _ if candidate.cooldown_ms.is_some() => "resting",
        Standing::Open(_) => "broken",
        Standing::Closed | Standing::Probe => "allow_fallbacks",
    }
}

/// Why a target did not become a candidate.
fn filtered(
    ordering: &Ordering<'_, '_>,
    target: &Arc<Target>,
    suffix: Option<bourse_vocab::ServiceTier>,
) -> &'static str {
    let wanted = ordering.wanted;
    let is_it = |other: &Target| std::ptr::eq(other, &raw const **target);
    if let Some((why, _)) = ordering.excluded.iter().find(|(_, other)| is_it(other)) {
        return why.name();
    }
    if target.way(|way| wanted.endpoint.rank(way)).is_none() {
        "operation"
    } else if wanted.fit(target, suffix).is_none() {
        "service_tier"
    } else {
        "supports_fewer_parameters"
    }
}

impl Seen {
    fn of(
        target: Arc<Target>,
        candidate: &Candidate,
        left_out: Option<&'static str>,
        (by_quality, now_ms): (bool, u64),
    ) -> Self {
        let (standing, due_ms) = match candidate.standing {
            Standing::Closed => (CLOSED, None),
            Standing::Probe => ("probe", None),
            Standing::Open(until) => (OPEN, Some(until.saturating_sub(now_ms))),
        };
        Self {
            calls_max: target.health.calls_max(now_ms),
            is_full: target.health.is_full(now_ms),
            target,
            left_out,
            price: candidate.price,
            in_flight: candidate.in_flight,
            expected_ms: candidate.expected_ms,
            standing,
            rest_ms: candidate.cooldown_ms.or(due_ms),
            is_unstable: Some(candidate.unstable),
            is_deprioritised: Some(candidate.deprioritised),
            quality: by_quality.then_some(candidate.quality),
        }
    }

    /// One that a filter left out: what is known of it is read without a trace,
    /// because no call would have liked to use it.
    fn filtered(ordering: &Ordering<'_, '_>, target: &Arc<Target>, why: &'static str) -> Self {
        let (market, wanted) = (ordering.market, ordering.wanted);
        let prompt = prompt_tokens(market.endpoint(target), wanted);
        let bucket = kind_of_call(market, target, wanted, prompt);
        let health = &target.health;
        Self {
            left_out: Some(why),
            price: expected_price(&market.prices(target).base, wanted, prompt),
            in_flight: health.in_flight(),
            expected_ms: health.expected_ms(bucket, wanted.now_ms),
            standing: if health.is_failing() { OPEN } else { CLOSED },
            rest_ms: health.cooldown_ms(wanted.now_ms),
            is_unstable: None,
            is_deprioritised: None,
            calls_max: health.calls_max(wanted.now_ms),
            is_full: health.is_full(wanted.now_ms),
            quality: None,
            target: Arc::clone(target),
        }
    }

    fn line<'a>(
        &'a self,
        market: &'a Market,
        place: Option<usize>,
        left_out: Option<&'static str>,
    ) -> Line<'a> {
        let target = &*self.target;
        Line {
            place,
            left_out,
            endpoint: &target.id,
            provider: &target.provider.slug,
            model: &market.catalog.model(target.model).slug,
            credential: target.credential,
            price_usd: with_markup(self.price, market.markup_ppm).to_string(),
            in_flight: self.in_flight,
            expected_ms: (self.expected_ms > 0).then_some(self.expected_ms),
            standing: self.standing,
            rest_ms: self.rest_ms,
            is_unstable: self.is_unstable,
            is_deprioritised: self.is_deprioritised,
            calls_max: self.calls_max,
            is_full: self.is_full,
            quality: self.quality.map(|quality| quality.tier().name()),
            quality_why: self.quality.map(Quality::why).unwrap_or_default(),
        }
    }
}

const CLOSED: &str = "closed";
const OPEN: &str = "open";
const MILLION: u128 = 1_000_000;

/// What a customer pays where the provider asks for `picos`.
fn with_markup(picos: u128, markup_ppm: u64) -> PicosPerUnit {
    let paid = picos.saturating_mul(MILLION + u128::from(markup_ppm)) / MILLION;
    PicosPerUnit::new(u64::try_from(paid).unwrap_or(u64::MAX))
}
