//! What a limit on an answer can cost, and which one the money allows.

use bourse_catalog::{Endpoint, Modality};
use bourse_ledger::books::Room;
use bourse_ledger::price;
use bourse_routing::lengths::{Form, Need, Sort};
use bourse_vocab::{Failure, FailureKind, Nanos};

use super::super::plan::{Plan, thought};
use crate::ask::Ask;
use crate::call::Call;
use crate::limit::{Limit, OUTPUT_UNKNOWN, output_max, takes_limit, whole};
use crate::market::{Target, context_length};
use crate::search;

/// A call may hold all that the model can say if it is at most this part of
/// what the purse has; otherwise it holds what such answers take, and no more
/// than this part where that is enough for most of them: an eighth, so that a
/// dozen more calls can begin before the first has ended.
pub(super) const SHARES: i64 = 8;
/// The same where nothing of the purse is on hold: nobody has to share yet,
/// but the next call may come at any time.
const SHARES_ALONE: i64 = 2;

/// What sort of answer a call asks for.
#[must_use]
pub fn sort(call: &Call, target: &Target) -> Sort {
    let (market, ask) = (&*call.market, &call.ask);
    let endpoint = market.endpoint(target);
    let form = if draws(ask, endpoint) {
        Form::Media
    } else {
        ask.form
    };
    Sort {
        streamed: ask.stream,
        form,
        thought: thought(market, target, ask.thinking),
    }
}

/// Whether the answer may have pictures or sound: some models draw without
/// being asked to.
fn draws(ask: &Ask, endpoint: &Endpoint) -> bool {
    let media = |of: bourse_catalog::Modalities| {
        of.contains(Modality::Image) || of.contains(Modality::Audio)
    };
    media(ask.needs.output) || media(endpoint.output_modalities)
}

/// The most searches that are expected of a target: of a model that searches
/// for every answer also where nobody asks for one.
fn searches_max(call: &Call, target: &Target) -> u64 {
    let always = search::is_always(target, call.endpoint);
    call.ask.searches_max(always)
}

/// A call and the targets that may answer it.
#[derive(Clone, Copy)]
pub(super) struct Offers<'a> {
    pub call: &'a Call,
    pub plan: &'a Plan,
}

/// The most that a call can cost at a target.
pub(crate) fn cost_at(call: &Call, target: &Target, limit: Limit) -> Result<Nanos, Failure> {
    let (market, ask) = (&*call.market, &call.ask);
    let endpoint = market.endpoint(target);
    let bounds = price::Bounds {
        prompt: &ask.facts,
        image_tokens: endpoint.image_tokens,
        completion_max: output_max(limit, (market, target), call.endpoint),
        choices: ask.answers,
        context_length: context_length(endpoint),
        media_output: draws(ask, endpoint),
        web_searches: searches_max(call, target),
        units: ask.units,
    };
    let mut most = Nanos::ZERO;
    for list in market.may_bill(target, ask.tier) {
        let list = list.searching(ask.search);
        let bound = price::upper_bound(&bounds, &list, market.markup_ppm);
        most = most.max(bound.map_err(|_| unpriced(&target.id))?);
    }
    Ok(most)
}

/// Whether a target can be told a limit, or all that it may say is paid for
/// by an amount.
pub(super) fn is_within(call: &Call, target: &Target, money: Nanos) -> bool {
    takes_limit(target, call.endpoint)
        || cost_at(call, target, Limit::Model).is_ok_and(|cost| cost <= money)
}

impl<'a> Offers<'a> {
    /// The most that the call can cost at any of its targets.
    pub fn cost(&self, limit: Limit) -> Result<Nanos, Failure> {
        let mut most = Nanos::ZERO;
        for target in self.plan.targets() {
            most = most.max(cost_at(self.call, target, limit)?);
        }
        Ok(most)
    }

    /// The most that any target may say.
    pub fn whole(&self) -> u64 {
        let endpoints = self.endpoints();
        endpoints.map(whole).max().unwrap_or(OUTPUT_UNKNOWN)
    }

    fn endpoints(&self) -> impl Iterator<Item = &'a Endpoint> {
        let market = &*self.call.market;
        self.plan.targets().map(|target| market.endpoint(target))
    }

    /// What such answers take, at whichever target takes most.
    fn need(&self) -> Need {
        let mut need = Need {
            most: 0,
            nearly_all: 0,
        };
        for target in self.plan.targets() {
            let of = target.lengths.need(sort(self.call, target));
            need.most = need.most.max(of.most);
            need.nearly_all = need.nearly_all.max(of.nearly_all);
        }
        // Whoever says how much is to be thought gets that much, and the
        // answer besides.
        let budget = self.call.ask.thinking.budget.unwrap_or(0);
        Need {
            most: need.most.saturating_add(budget),
            nearly_all: need.nearly_all.saturating_add(budget),
        }
    }

    /// The most output tokens that an amount pays for, input included.
    pub fn affordable(&self, money: Nanos) -> u64 {
        let fits = |tokens| {
            let cost = self.cost(Limit::Set(tokens));
            cost.is_ok_and(|cost| cost <= money)
        };
        let whole = self.whole();
        if fits(whole) {
            return whole;
        }
        // The cost grows with the tokens, so halving finds the most that fits.
        let (mut affordable, mut too_many) = (0, whole);
        while too_many.saturating_sub(affordable) > 1 {
            let middle = affordable.midpoint(too_many);
            if fits(middle) {
                affordable = middle;
            } else {
                too_many = middle;
            }
        }
        affordable
    }

    /// The limit of a call that has none, where the purse has no plenty, and
    /// what it can cost. It may be more than there is.
    pub fn fair(&self, room: Room) -> Result<(Limit, Nanos), Failure> {
        let affordable = |money| self.affordable(money);
        let tokens = fair_tokens(room, self.need(), self.whole(), affordable);
        let limit = Limit::Set(tokens);
        Ok((limit, self.cost(limit)?))
    }
}

/// The limit of a call that has none, where the purse has no plenty; `most` is
/// all that a model may say, and `affordable` the tokens that money pays for.
pub(super) fn fair_tokens(
    room: Room,
    need: Need,
    most: u64,
    affordable: impl Fn(Nanos) -> u64,
) -> u64 {
    let part = |shares: i64| affordable(Nanos(room.free.0 / shares));
    let wanted = if room.held <= Nanos::ZERO {
        part(SHARES_ALONE).max(need.nearly_all)
    } else {
        part(SHARES).clamp(need.most, need.nearly_all)
    };
    // Where there is less, what there is, if that is enough for most.
    let there = part(1).max(need.most);
    wanted.min(there).min(most)
}

fn unpriced(endpoint: &str) -> Failure {
    Failure::new(
        FailureKind::NotFound,
        format!("The price of {endpoint} is unknown, so it cannot be billed and is not called."),
    )
}
