//! Everything that a call chooses from, at one moment.
//!
//! A market is built from a catalog snapshot, the configured providers and
//! the prices' markup, and swapped whole: a call that started under one
//! market ends under it. Health outlives markets.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use bourse_catalog::{Endpoint, EndpointIx, Interface, Model, ModelIx, Snapshot};
use bourse_net::{Http2, Origin, Via};
use bourse_policy::Principal;
use bourse_providers::{Credential, Disconnect, Provider, Secrets};
use bourse_routing::breaker::Breaker;
use bourse_routing::budget::{Demand, Hedges};
use bourse_routing::candidate::WHOLE;
use bourse_routing::health::{Destination, Health};
use bourse_routing::lengths::Lengths;
use bourse_routing::patience::Patience;
use bourse_vocab::chat::{Effort, Efforts};
use bourse_vocab::{Operation, ServiceTier, TierWish};

use crate::ask::Defaults;
use crate::metrics::TargetMetrics;
use crate::way::Way;

mod tiers;

pub use tiers::Tiers;

/// A provider that may be called: who and where.
pub struct ProviderHandle {
    /// How to call it.
    pub provider: Arc<dyn Provider>,
    /// Slug, for records and lists.
    pub slug: Arc<str>,
    /// Display name, for clients.
    pub name: Arc<str>,
    /// Scheme, host and port.
    pub origin: Origin,
    /// Path of the base URL, without a trailing slash.
    pub base_path: String,
    /// What to do upstream when the client has left.
    pub on_disconnect: Disconnect,
    /// Whether it is sent private addresses that callers wrote.
    pub private_urls: bool,
    /// Whether this is one of our own simulated providers.
    pub simulated: bool,
}

/// A credential, and how much of its provider's calls go to it.
#[derive(Clone)]
pub struct Weighted {
    /// What the provider knows us by.
    pub credential: Credential,
    /// How often it is drawn, to the other credentials of the provider. At
    /// least 1.
    pub weight: u32,
}

impl From<Credential> for Weighted {
    /// One that weighs as much as another.
    fn from(credential: Credential) -> Self {
        Self {
            credential,
            weight: 1,
        }
    }
}

/// What it takes to set a provider up.
pub struct ProviderSetup {
    /// How to call it.
    pub provider: Arc<dyn Provider>,
    /// What it knows us by, at least one: [`Credential::None`] if it does not
    /// ask. Each makes a target of its own of every endpoint.
    pub credentials: Vec<Weighted>,
    /// Where it answers.
    pub base_url: String,
    /// Whether HTTP/2 is used.
    pub http2: Http2,
    /// What to do upstream when the client has left.
    pub on_disconnect: Disconnect,
    /// Whether it is sent private addresses that callers wrote.
    pub private_urls: bool,
    /// Its own road, if it has one.
    pub via: Option<Via>,
    /// Whether this is one of our own simulated providers.
    pub simulated: bool,
}

/// How often the endpoints of a model are compared for calls with tools: what
/// they are compared by takes half an hour and more to change.
const RATED_EVERY_MS: u64 = 10_000;

/// What an attempt needs to know: an endpoint, its credential and its request
/// heads. Calls hold it by itself, so that it outlives its market.
pub struct Target {
    /// The endpoint in the catalog.
    pub endpoint: EndpointIx,
    /// The id in records and lists: the endpoint's, with the tier of service
    /// behind it if it is another than the usual one.
    pub id: Arc<str>,
    /// How callers name it in preferences, made in the same way.
    pub tag: Arc<str>,
    /// The tier of service that it sells; `None` for the usual one.
    pub tier: Option<ServiceTier>,
    /// Every tier that its endpoint has a price for.
    pub tiers: Arc<Tiers>,
    /// The model it serves.
    pub model: ModelIx,
    /// Whom to call.
    pub provider: Arc<ProviderHandle>,
    /// How it can be called, the provider's preference first.
    pub ways: Box<[Arc<Way>]>,
    /// What the provider must not make us repeat.
    pub secrets: Arc<Secrets>,
    /// Which of the provider's credentials it is called with, from 0.
    pub credential: u16,
    /// How much of its endpoint it is, in parts of [`WHOLE`]: the weight of its
    /// credential among those of the provider.
    pub share: u32,
    /// How it has been doing. Shared with earlier and later markets.
    pub health: Arc<Health>,
    /// Its counters.
    pub metrics: Arc<TargetMetrics>,
    /// How long the model's answers are, wherever they come from.
    pub lengths: Arc<Lengths>,
}

impl Target {
    /// The way that `rank` puts first, lowest number wins; `None` if it takes
    /// none of them.
    pub fn way(&self, rank: impl Fn(&Way) -> Option<u8>) -> Option<&Arc<Way>> {
        self.ways
            .iter()
            .filter_map(|way| Some((rank(way)?, way)))
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, way)| way)
    }
}

/// Health and counters, kept across markets: counters by endpoint, health by
/// endpoint and credential, because a limit that is reached is one key's, and
/// lengths of answers by model. What breaks all of a credential or a provider
/// is known once for each.
#[derive(Default)]
pub struct Memory {
    known: Mutex<Known>,
    /// How many calls there are, and how many second attempts.
    pub demand: Demand,
    /// How many calls may be hedged, and how many were.
    pub hedges: Hedges,
}

#[derive(Default)]
struct Known {
    metrics: HashMap<Arc<str>, Arc<TargetMetrics>>,
    health: HashMap<(Arc<str>, u16), Arc<Health>>,
    lengths: HashMap<Box<str>, Arc<Lengths>>,
    providers: HashMap<Arc<str>, Arc<Destination>>,
    credentials: HashMap<(Arc<str>, u16), Arc<Breaker>>,
    patience: HashMap<Box<str>, Arc<Patience>>,
}

impl Memory {
    fn metrics(&self, id: &Arc<str>, model: &str, provider: &str) -> Arc<TargetMetrics> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let metrics = known
            .metrics
            .entry(Arc::clone(id))
            .or_insert_with(|| Arc::new(TargetMetrics::new(model, provider, id)));
        Arc::clone(metrics)
    }

    fn health(
        &self,
        id: &Arc<str>,
        credential: u16,
        model: &str,
        provider: &Arc<str>,
    ) -> Arc<Health> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known {
            health,
            providers,
            credentials,
            patience,
            ..
        } = &mut *known;
        let key = (Arc::clone(id), credential);
        let of = || {
            let provider_s = providers.entry(Arc::clone(provider)).or_default();
            let credential_s = credentials
                .entry((Arc::clone(provider), credential))
                .or_default();
            let model_s = patience.entry(model.into()).or_default();
            Arc::new(Health::of(provider_s, credential_s, model_s))
        };
        Arc::clone(health.entry(key).or_insert_with(of))
    }

    fn lengths(&self, model: &str) -> Arc<Lengths> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.lengths.entry(model.into()).or_default())
    }

    /// Calls `each` with the counters of every endpoint that was ever in a
    /// market.
    pub fn for_each(&self, mut each: impl FnMut(&TargetMetrics)) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.metrics.values().for_each(|metrics| each(metrics));
    }
}

/// Everything that a call chooses from.
pub struct Market {
    /// The catalog.
    pub catalog: Arc<Snapshot>,
    /// What is added to upstream prices, in parts per million.
    pub markup_ppm: u64,
    targets: Vec<Arc<Target>>,
    by_endpoint: HashMap<Arc<str>, Arc<Target>>,
    by_model: Vec<Range<u32>>,
    providers: Vec<Arc<ProviderHandle>>,
    /// When the endpoints of each model were last rated.
    rated_ms: Vec<AtomicU64>,
    /// Models whose calls have something without asking for it: few.
    defaults: Vec<(ModelIx, Defaults)>,
}

/// Why a provider could not be set up.
#[derive(Debug)]
pub struct SetupProblem {
    /// Which.
    pub provider: String,
    /// Why.
    pub message: String,
}

impl Market {
    /// Puts a market together. Providers that cannot be set up are left out
    /// and reported.
    pub fn build(
        catalog: Arc<Snapshot>,
        setups: Vec<ProviderSetup>,
        markup_ppm: u64,
        memory: &Memory,
    ) -> (Self, Vec<SetupProblem>) {
        let mut problems = Vec::new();
        let mut by_provider = HashMap::new();
        let mut providers = Vec::new();
        for setup in setups {
            let slug = setup.provider.slug().to_owned();
            let credentials = secured(&setup);
            match handle(setup, &catalog) {
                Ok(handle) => {
                    let handle = Arc::new(handle);
                    if let Some(listed) = catalog.provider_by_slug(&slug) {
                        by_provider.insert(listed.ix, (Arc::clone(&handle), credentials));
                    }
                    providers.push(handle);
                }
                Err(message) => problems.push(SetupProblem {
                    provider: slug,
                    message,
                }),
            }
        }
        let mut targets = Vec::new();
        let mut by_endpoint = HashMap::new();
        let mut by_model = Vec::with_capacity(catalog.models().len());
        for model in catalog.models() {
            let start = targets.len();
            for endpoint in catalog.endpoints(model.ix) {
                let Some((provider, credentials)) = by_provider.get(&endpoint.provider) else {
                    continue;
                };
                let is_here = provider.provider.serves(&endpoint.upstream_model);
                if !endpoint.is_callable() || !is_here {
                    continue;
                }
                match endpoint_targets(model, endpoint, provider, credentials, memory) {
                    Ok(more) => {
                        for first in more.iter().filter(|target| target.credential == 0) {
                            by_endpoint.insert(Arc::clone(&first.id), Arc::clone(first));
                        }
                        targets.extend(more);
                    }
                    Err(message) => problems.push(SetupProblem {
                        provider: provider.slug.to_string(),
                        message: format!("{}: {message}", endpoint.id),
                    }),
                }
            }
            let index = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
            by_model.push(index(start)..index(targets.len()));
        }
        (
            Self {
                catalog,
                markup_ppm,
                targets,
                by_endpoint,
                rated_ms: by_model.iter().map(|_| AtomicU64::new(0)).collect(),
                by_model,
                providers,
                defaults: Vec::new(),
            },
            problems,
        )
    }

    /// The same market, where calls of these models have something without
    /// asking for it.
    #[must_use]
    pub fn with_defaults(mut self, defaults: Vec<(ModelIx, Defaults)>) -> Self {
        self.defaults = defaults;
        self
    }

    /// What calls of a model with a key have that say nothing of it.
    #[must_use]
    pub fn defaults_of(&self, model: ModelIx, principal: &Principal) -> Defaults {
        let mut all = self.defaults.iter();
        let found = all.find(|(of, _)| *of == model);
        let of_model = found.map_or(Defaults::default(), |(_, defaults)| *defaults);
        of_model.below(principal.calls)
    }

    /// Whether any target takes requests many at once.
    #[must_use]
    pub fn takes_batches(&self) -> bool {
        let mut targets = self.targets.iter();
        targets.any(|target| target.tier == Some(ServiceTier::Batch))
    }

    /// The targets of a model.
    #[must_use]
    pub fn targets_of(&self, model: ModelIx) -> &[Arc<Target>] {
        let range = self.by_model.get(model.0 as usize).cloned().unwrap_or(0..0);
        self.targets
            .get(range.start as usize..range.end as usize)
            .unwrap_or(&[])
    }

    /// Whether the endpoints of a model are to be rated now, by whoever asks.
    #[must_use]
    pub fn is_due_for_rating(&self, model: ModelIx, now_ms: u64) -> bool {
        let Some(rated_ms) = self.rated_ms.get(model.0 as usize) else {
            return false;
        };
        let last = rated_ms.load(Relaxed);
        (last == 0 || now_ms >= last.saturating_add(RATED_EVERY_MS))
            && rated_ms
                .compare_exchange(last, now_ms, Relaxed, Relaxed)
                .is_ok()
    }

    /// The target behind a catalog endpoint or one of its tiers of service, if
    /// it can be called: that of the first credential where there are several.
    #[must_use]
    pub fn target_of(&self, endpoint_id: &str) -> Option<&Arc<Target>> {
        self.by_endpoint.get(endpoint_id)
    }

    /// All targets.
    #[must_use]
    pub fn targets(&self) -> &[Arc<Target>] {
        &self.targets
    }

    /// The providers that are set up.
    #[must_use]
    pub fn providers(&self) -> &[Arc<ProviderHandle>] {
        &self.providers
    }

    /// The catalog entry behind a target.
    #[must_use]
    pub fn endpoint(&self, target: &Target) -> &Endpoint {
        self.catalog.endpoint(target.endpoint)
    }

    /// Whether answers come from simulated providers.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.providers.iter().any(|provider| provider.simulated)
    }
}

fn handle(setup: ProviderSetup, catalog: &Snapshot) -> Result<ProviderHandle, String> {
    let (origin, path) =
        Origin::parse_operator(&setup.base_url).map_err(|error| format!("base_url: {error}"))?;
    if path.contains('?') {
        return Err("base_url: a query is not supported".to_owned());
    }
    let slug = setup.provider.slug();
    let name = catalog.provider_by_slug(slug).map_or_else(
        || setup.provider.name().to_owned(),
        |listed| listed.name.to_string(),
    );
    Ok(ProviderHandle {
        slug: slug.into(),
        name: name.into(),
        origin: origin.with_http2(setup.http2).with_via(setup.via),
        base_path: path.trim_end_matches('/').to_owned(),
        on_disconnect: setup.on_disconnect,
        private_urls: setup.private_urls,
        simulated: setup.simulated,
        provider: setup.provider,
    })
}

/// A credential, with what must not be repeated of it, and its share.
struct Secured {
    credential: Credential,
    secrets: Arc<Secrets>,
    share: u32,
}

/// What a provider is known by, once for all of its endpoints.
fn secured(setup: &ProviderSetup) -> Vec<Secured> {
    let weights = setup.credentials.iter();
    let all: u64 = weights.map(|weighted| u64::from(weighted.weight)).sum();
    let share = |weight: u32| {
        let share = (u64::from(weight) * u64::from(WHOLE)).checked_div(all);
        // Nothing is drawn that weighs nothing.
        u32::try_from(share.unwrap_or(0)).unwrap_or(WHOLE).max(1)
    };
    let credentials = setup.credentials.iter();
    credentials
        .map(|Weighted { credential, weight }| Secured {
            credential: credential.clone(),
            secrets: Arc::new(Secrets::of(credential)),
            share: share(*weight),
        })
        .collect()
}

/// The efforts of a model in the words of a request.
fn efforts(model: &Model) -> Efforts {
    let names = model.reasoning.iter().flat_map(|r| r.efforts.names());
    names.filter_map(Effort::by_name).collect()
}

/// The targets of an endpoint: one for each credential, in the usual service
/// and in every tier that has a price and that the vendor can be told.
fn endpoint_targets(
    model: &Model,
    endpoint: &Endpoint,
    handle: &Arc<ProviderHandle>,
    credentials: &[Secured],
    memory: &Memory,
) -> Result<Vec<Arc<Target>>, String> {
    let upstream = &*endpoint.upstream_model;
    let efforts = efforts(model);
    let tiers = Arc::new(Tiers::of(&endpoint.prices, takes_batches(handle, upstream)));
    let count = u16::try_from(credentials.len()).unwrap_or(u16::MAX);
    let mut targets = Vec::with_capacity(credentials.len());
    for (number, secured) in (0..count).zip(credentials) {
        let interfaces = handle.provider.interfaces(upstream).iter();
        let place = (&handle.origin, &*handle.base_path);
        let ways = interfaces
            .filter(|interface| is_sold(endpoint, interface))
            .map(|interface| {
                Way::new(
                    &handle.provider,
                    *interface,
                    upstream,
                    place,
                    &secured.credential,
                )
                .map(|way| Arc::new(way.with_efforts(efforts)))
            })
            .collect::<Result<Box<[_]>, _>>()?;
        if ways.is_empty() && endpoint.interface == Interface::Chat {
            return Err("the provider speaks no format that we know".to_owned());
        }
        let sold = std::iter::once(None).chain(tiers.names().map(Some));
        for tier in sold {
            let ways: Box<[_]> = ways
                .iter()
                .filter(|way| sells(way, tier))
                .cloned()
                .collect();
            if ways.is_empty() {
                continue;
            }
            let id = named(&endpoint.id, tier);
            targets.push(Arc::new(Target {
                endpoint: endpoint.ix,
                tag: named(&endpoint.tag, tier),
                tier,
                tiers: Arc::clone(&tiers),
                model: model.ix,
                provider: Arc::clone(handle),
                ways,
                secrets: Arc::clone(&secured.secrets),
                credential: number,
                share: secured.share,
                health: memory.health(&id, number, &model.slug, &handle.slug),
                metrics: memory.metrics(&id, &model.slug, &handle.slug),
                lengths: memory.lengths(&model.slug),
                id,
            }));
        }
    }
    Ok(targets)
}

/// Whether an endpoint is sold over what its provider speaks: what makes vectors
/// does not chat. Where its provider is not known to do it here, nobody calls it.
fn is_sold(endpoint: &Endpoint, over: &bourse_providers::Interface) -> bool {
    let is_chat = matches!(over.operation, Operation::Chat | Operation::Text);
    match endpoint.interface {
        Interface::Chat => is_chat,
        Interface::Responses => is_chat && over.is_responses(),
        Interface::Embeddings => matches!(over.operation, Operation::Embeddings(_)),
        Interface::Images => matches!(
            over.operation,
            Operation::Images(_) | Operation::ImageEdits(_)
        ),
        Interface::Rerank => matches!(over.operation, Operation::Rerank(_)),
        Interface::Speech => matches!(over.operation, Operation::Speech(_)),
        Interface::Transcription => matches!(
            over.operation,
            Operation::Transcription(_) | Operation::Translation(_)
        ),
        Interface::Realtime => over.operation == Operation::Realtime,
        Interface::Moderations => matches!(over.operation, Operation::Moderations(_)),
        Interface::Videos => matches!(over.operation, Operation::Videos(_)),
    }
}

/// Whether a provider would be asked for an endpoint if it were configured: one
/// that an operator describes may, and one that is known does what it is known
/// to do.
pub(crate) fn may_serve(provider: &str, endpoint: &Endpoint) -> bool {
    let Some(known) = bourse_providers::by_slug(provider) else {
        return true;
    };
    let mut interfaces = known.interfaces(&endpoint.upstream_model).iter();
    interfaces.any(|over| is_sold(endpoint, over))
}

/// Whether a tier can be asked for in this way.
fn sells(way: &Way, tier: Option<ServiceTier>) -> bool {
    match tier {
        None => true,
        Some(ServiceTier::Batch) => way.dialect.batches.is_some(),
        Some(tier) => way.dialect.tier_word(TierWish::Tier(tier)).is_some(),
    }
}

/// Whether a provider takes requests for a model many at once.
fn takes_batches(handle: &ProviderHandle, upstream: &str) -> bool {
    let mut interfaces = handle.provider.interfaces(upstream).iter();
    interfaces.any(|interface| {
        let dialect = handle.provider.dialect(interface.format, upstream);
        dialect.batches.is_some()
    })
}

/// The name of an endpoint that sells a tier.
fn named(endpoint: &Arc<str>, tier: Option<ServiceTier>) -> Arc<str> {
    match tier {
        None => Arc::clone(endpoint),
        Some(tier) => format!("{endpoint}/{}", tier.name()).into(),
    }
}

/// The endpoint's context window in tokens, if it is known.
#[must_use]
pub fn context_length(endpoint: &Endpoint) -> Option<u64> {
    (endpoint.context_length > 0).then_some(endpoint.context_length)
}

#[cfg(test)]
mod tests;
