//! Everything that a call chooses from, at one moment.
//!
//! A market is built from a catalog snapshot, the configured providers and
//! the prices' markup, and swapped whole: a call that started under one
//! market ends under it. Health outlives markets.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bourse_catalog::{Endpoint, EndpointIx, Model, ModelIx, Snapshot};
use bourse_net::{HeadTemplate, Http2, Origin};
use bourse_providers::{Attempt, Disconnect, Key, Outgoing, Provider};
use bourse_routing::health::Health;
use bourse_vocab::Format;
use bourse_wire::Dialect;
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};

use crate::metrics::TargetMetrics;

/// A provider that may be called: who, where, with which key.
pub struct ProviderHandle {
    /// How to call it.
    pub provider: Arc<dyn Provider>,
    /// Slug, for records and lists.
    pub slug: Arc<str>,
    /// Display name, for clients.
    pub name: Arc<str>,
    /// The credential.
    pub key: Key,
    /// Scheme, host and port.
    pub origin: Origin,
    /// Path of the base URL, without a trailing slash.
    pub base_path: String,
    /// What to do upstream when the client has left.
    pub on_disconnect: Disconnect,
    /// Whether this is one of our own simulated providers.
    pub simulated: bool,
}

/// What it takes to set a provider up.
pub struct ProviderSetup {
    /// How to call it.
    pub provider: Arc<dyn Provider>,
    /// The credential; empty if none is needed.
    pub key: Key,
    /// Where it answers.
    pub base_url: String,
    /// Whether HTTP/2 is used.
    pub http2: Http2,
    /// What to do upstream when the client has left.
    pub on_disconnect: Disconnect,
    /// Whether this is one of our own simulated providers.
    pub simulated: bool,
}

/// What an attempt needs to know: an endpoint, its credential and its request
/// heads. Calls hold it by itself, so that it outlives its market.
pub struct Target {
    /// The endpoint in the catalog.
    pub endpoint: EndpointIx,
    /// The model it serves.
    pub model: ModelIx,
    /// Whom to call.
    pub provider: Arc<ProviderHandle>,
    /// The format to call it in.
    pub format: Format,
    /// How the vendor strays from the format for this model.
    pub dialect: Dialect,
    /// Request head without streaming.
    pub head: HeadTemplate,
    /// Request head with streaming.
    pub head_stream: HeadTemplate,
    /// How it has been doing. Shared with earlier and later markets.
    pub health: Arc<Health>,
    /// Its counters.
    pub metrics: Arc<TargetMetrics>,
}

type Remembered = (Arc<Health>, Arc<TargetMetrics>);

/// Health and counters by endpoint id, kept across markets.
#[derive(Default)]
pub struct Memory {
    known: Mutex<HashMap<Arc<str>, Remembered>>,
}

impl Memory {
    fn of(&self, endpoint: &Endpoint, model: &str, provider: &str) -> Remembered {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .entry(Arc::clone(&endpoint.id))
            .or_insert_with(|| {
                (
                    Arc::default(),
                    Arc::new(TargetMetrics::new(model, provider, &endpoint.id)),
                )
            })
            .clone()
    }

    /// Calls `each` with the counters of every endpoint that was ever in a
    /// market.
    pub fn for_each(&self, mut each: impl FnMut(&TargetMetrics)) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().for_each(|(_, metrics)| each(metrics));
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
            match handle(setup, &catalog) {
                Ok(handle) => {
                    let handle = Arc::new(handle);
                    if let Some(listed) = catalog.provider_by_slug(&slug) {
                        by_provider.insert(listed.ix, Arc::clone(&handle));
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
                let Some(provider) = by_provider.get(&endpoint.provider) else {
                    continue;
                };
                if !endpoint.is_callable() {
                    continue;
                }
                match target(model, endpoint, provider, memory) {
                    Ok(target) => {
                        let target = Arc::new(target);
                        by_endpoint.insert(Arc::clone(&endpoint.id), Arc::clone(&target));
                        targets.push(target);
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
                by_model,
                providers,
            },
            problems,
        )
    }

    /// The targets of a model.
    #[must_use]
    pub fn targets_of(&self, model: ModelIx) -> &[Arc<Target>] {
        let range = self.by_model.get(model.0 as usize).cloned().unwrap_or(0..0);
        self.targets
            .get(range.start as usize..range.end as usize)
            .unwrap_or(&[])
    }

    /// The target behind a catalog endpoint, if it can be called.
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
        key: setup.key,
        origin: origin.with_http2(setup.http2),
        base_path: path.trim_end_matches('/').to_owned(),
        on_disconnect: setup.on_disconnect,
        simulated: setup.simulated,
        provider: setup.provider,
    })
}

fn target(
    model: &Model,
    endpoint: &Endpoint,
    handle: &Arc<ProviderHandle>,
    memory: &Memory,
) -> Result<Target, String> {
    let upstream = &*endpoint.upstream_model;
    let format = handle
        .provider
        .speaks(upstream)
        .first()
        .copied()
        .ok_or_else(|| "the provider speaks no format that we know".to_owned())?;
    let head = |stream: bool| {
        let attempt = Attempt {
            format,
            model: upstream,
            stream,
            base_path: &handle.base_path,
        };
        let Outgoing { path, headers } =
            handle
                .provider
                .address(&attempt, &handle.key)
                .map_err(|failure| {
                    failure
                        .inside
                        .map_or(failure.message.into_owned(), String::from)
                })?;
        let mut map: HeaderMap = headers.into_iter().collect();
        map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accept = if stream {
            "text/event-stream"
        } else {
            "application/json"
        };
        map.insert(ACCEPT, HeaderValue::from_static(accept));
        map.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("bourse/", env!("CARGO_PKG_VERSION"))),
        );
        HeadTemplate::new(&handle.origin, Method::POST, &path, map)
            .map_err(|error| error.to_string())
    };
    let (health, metrics) = memory.of(endpoint, &model.slug, &handle.slug);
    Ok(Target {
        endpoint: endpoint.ix,
        model: model.ix,
        provider: Arc::clone(handle),
        format,
        dialect: handle.provider.dialect(upstream).clone(),
        head: head(false)?,
        head_stream: head(true)?,
        health,
        metrics,
    })
}
