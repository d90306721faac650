//! Which endpoint stands for a model in a list: whose price and limits are
//! shown as the model's.
//!
//! What a caller can get here, at the price that a call will cost: the cheapest
//! endpoint that can be called. Other gateways' offers are the last resort,
//! and without a key for the gateway they stand for nothing, since they are
//! their price for what someone else runs.

use bourse_catalog::{Endpoint, Model, Parameters, Snapshot};
use bourse_vocab::PicosPerUnit;

/// What may be asked of a model, whoever of those that count serves it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    /// Tokens of context: its maker's word, or else the most that is offered.
    pub(crate) context_length: u64,
    /// Parameters that at least one endpoint understands.
    pub(crate) parameters: Parameters,
}

/// How good a stand-in for its model an endpoint is; lower is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// It can be called here.
    Here,
    /// It can be called here, through another gateway.
    HereByGateway,
    /// It is its maker's own, and would need configuration.
    Makers,
    /// It is someone else's who runs the model.
    Hosted,
    /// It answers other requests than those that we make.
    Elsewhere,
}

fn is_maker(catalog: &Snapshot, model: &Model, endpoint: &Endpoint) -> bool {
    catalog.provider(endpoint.provider).author.as_deref() == Some(model.author())
}

fn standing(
    catalog: &Snapshot,
    model: &Model,
    endpoint: &Endpoint,
    is_here: bool,
) -> Option<Standing> {
    let is_gateway = catalog.provider(endpoint.provider).is_gateway;
    Some(
        match (endpoint.interface.is_spoken(), is_here, is_gateway) {
            _ if !endpoint.is_listed() => return None,
            (true, true, false) => Standing::Here,
            (true, true, true) => Standing::HereByGateway,
            (_, false, true) => return None,
            (true, false, false) if is_maker(catalog, model, endpoint) => Standing::Makers,
            (true, false, false) => Standing::Hosted,
            (false, true, _) | (false, false, false) => Standing::Elsewhere,
        },
    )
}

/// Dollars for an input and an output token together.
fn worth(endpoint: &Endpoint) -> u64 {
    let price = |price: Option<PicosPerUnit>| price.map_or(u64::MAX, |p| p.get());
    let base = &endpoint.prices.base;
    price(base.prompt).saturating_add(price(base.completion))
}

/// The endpoint that stands for `model`, and the limits of all that stand as
/// it does. `None` if no endpoint may.
pub(super) fn of<'a>(
    catalog: &'a Snapshot,
    model: &Model,
    is_here: impl Fn(&Endpoint) -> bool,
) -> Option<(&'a Endpoint, Limits)> {
    let endpoints = catalog.endpoints(model.ix).iter();
    let standing: Vec<_> = endpoints
        .filter_map(|e| Some((standing(catalog, model, e, is_here(e))?, e)))
        .collect();
    let (chosen, best) = standing
        .iter()
        .min_by_key(|(standing, endpoint)| (*standing, worth(endpoint)))
        .copied()?;
    let alike = || {
        standing
            .iter()
            .filter(|(s, _)| *s == chosen)
            .map(|(_, e)| *e)
    };
    let makers = alike().filter(|e| is_maker(catalog, model, e));
    let most = |endpoints: &mut dyn Iterator<Item = &Endpoint>| {
        let lengths = endpoints.map(|endpoint| endpoint.context_length);
        lengths.max().filter(|&tokens| tokens > 0)
    };
    let limits = Limits {
        context_length: most(&mut makers.into_iter())
            .or_else(|| most(&mut alike()))
            .unwrap_or(model.context_length),
        parameters: alike().fold(Parameters::EMPTY, |all, e| all.union(e.parameters)),
    };
    Some((best, limits))
}
