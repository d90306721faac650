//! `GET /models/{author}/{slug}/endpoints` and `GET /endpoints/zdr`: who
//! offers a model, at what price, and how they have been doing.

use bourse_catalog::{Endpoint, Parameter, Parameters, PriceList, Snapshot};
use bourse_vocab::ServiceTier;
use schemars::JsonSchema;
use serde::Serialize;

use crate::access::Visitor;
use crate::args::Segments;
use crate::backend::Percentiles;
use crate::error::Result;
use crate::kept::Edition;
use crate::models::body::Architecture;
use crate::models::{find, no_such_model};
use crate::pricing::Pricing;
use crate::reply::{Data, Written};
use crate::route::{Operation, Route};
use crate::state::{ControlState, Shared};

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    let operation = |summary| {
        Operation::new("Endpoints", summary).about(
            "Disabled endpoints and those without a known price are not listed. A tier of service \
             with a price of its own is an entry of its own, tagged provider/tier. Those who run \
             the model come before other gateways. Latency, throughput and the rate of bad tool \
             calls are shown to holders of a key.",
        )
    };
    vec![
        Route::get(
            "/models/{author}/{slug}/endpoints",
            operation("Lists the endpoints of a model")
                .segment("author", "The part of the model's id before the slash")
                .segment("slug", "The part after it"),
            of_model,
        ),
        Route::get(
            "/endpoints/zdr",
            operation("Lists endpoints with zero data retention"),
            zdr,
        ),
    ]
}

/// Forms of `tool_choice`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct ToolChoice {
    auto: bool,
    function: bool,
    none: bool,
    required: bool,
}

/// Tools that the provider runs itself; none is known.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct NativeTools {}

/// A provider's offer of a model.
// OpenRouter's API document, October 2026. `is_callable`, `endpoint_id` and
// `tool_call_error_rate` are ours: the document has that rate as a filter of
// models (`min_tool_success_rate`) and shows it nowhere.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Endpoint")]
pub(crate) struct EndpointBody<'a> {
    name: String,
    model_id: &'a str,
    model_name: &'a str,
    context_length: u64,
    pricing: Pricing<'a>,
    provider_name: &'a str,
    /// How callers name it in preferences
    tag: &'a str,
    quantization: &'static str,
    max_completion_tokens: Option<u64>,
    max_prompt_tokens: Option<u64>,
    #[serde(serialize_with = "names")]
    #[schemars(with = "Vec<String>")]
    supported_parameters: Parameters,
    /// 0 means in use; others are not listed
    status: i32,
    uptime_last_5m: Option<f64>,
    uptime_last_30m: Option<f64>,
    uptime_last_1d: Option<f64>,
    latency_last_30m: Option<Percentiles>,
    throughput_last_30m: Option<Percentiles>,
    /// Answers with a bad tool call among those that end with tool calls, as a
    /// fraction, of the last two hours
    tool_call_error_rate: Option<f64>,
    service_tier: Option<Tier>,
    native_tools: NativeTools,
    supports_implicit_caching: bool,
    supports_diarization: bool,
    supports_tool_choice: ToolChoice,
    /// As in generations and activity
    endpoint_id: &'a str,
    /// Whether its provider is configured here
    is_callable: bool,
}

fn names<S: serde::Serializer>(set: &Parameters, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(set.names())
}

/// Tiers of service that have names of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Tier {
    Batch,
    Flex,
    Priority,
    Ultrafast,
}

impl From<ServiceTier> for Tier {
    fn from(tier: ServiceTier) -> Self {
        match tier {
            ServiceTier::Batch => Self::Batch,
            ServiceTier::Flex => Self::Flex,
            ServiceTier::Priority => Self::Priority,
            ServiceTier::Ultrafast => Self::Ultrafast,
        }
    }
}

/// The tier that an endpoint sells, from its tag (`provider/tier`).
fn service_tier(tag: &str) -> Option<Tier> {
    ServiceTier::by_name(tag.split_once('/')?.1).map(Tier::from)
}

/// An endpoint, and one for each other tier of service that it has a price
/// for.
struct Rows<'a> {
    endpoint: &'a Endpoint,
    services: Vec<Service>,
}

/// A tier of service of an endpoint.
struct Service {
    tier: ServiceTier,
    tag: String,
    id: String,
    prices: PriceList,
}

impl<'a> Rows<'a> {
    fn of(catalog: &Snapshot, endpoint: &'a Endpoint) -> Self {
        let model = catalog.model(endpoint.model);
        let service = |tier: ServiceTier| {
            let tag = format!("{}/{}", endpoint.tag, tier.name());
            Some(Service {
                tier,
                id: format!("{}@{tag}", model.slug),
                tag,
                prices: endpoint.prices.of_service(tier)?,
            })
        };
        Self {
            endpoint,
            services: ServiceTier::ALL.into_iter().filter_map(service).collect(),
        }
    }

    fn bodies(
        &'a self,
        state: &'a ControlState,
        catalog: &'a Snapshot,
        visitor: Visitor,
    ) -> impl Iterator<Item = EndpointBody<'a>> {
        let usual = move || EndpointBody::of(state, catalog, self.endpoint, visitor);
        let services = self.services.iter().map(move |service| EndpointBody {
            tag: &service.tag,
            endpoint_id: &service.id,
            is_callable: state.backend.callable(&service.id),
            service_tier: Some(service.tier.into()),
            pricing: Pricing {
                prices: &service.prices,
                markup_ppm: state.backend.markup_ppm(),
            },
            ..usual()
        });
        std::iter::once_with(usual).chain(services)
    }
}

impl<'a> EndpointBody<'a> {
    fn of(
        state: &ControlState,
        catalog: &'a Snapshot,
        endpoint: &'a Endpoint,
        visitor: Visitor,
    ) -> Self {
        let model = catalog.model(endpoint.model);
        let provider = catalog.provider(endpoint.provider);
        let stats = state
            .backend
            .endpoint_stats(&endpoint.id)
            .unwrap_or_default();
        let chooses = endpoint.parameters.contains(Parameter::ToolChoice);
        Self {
            name: format!("{} | {}", provider.name, model.slug),
            model_id: &model.slug,
            model_name: &model.name,
            context_length: endpoint.context_length,
            pricing: Pricing {
                prices: &endpoint.prices,
                markup_ppm: state.backend.markup_ppm(),
            },
            provider_name: &provider.name,
            tag: &endpoint.tag,
            quantization: endpoint.quantization.name(),
            max_completion_tokens: endpoint.max_output,
            max_prompt_tokens: endpoint.max_prompt,
            supported_parameters: endpoint.parameters,
            status: 0,
            uptime_last_5m: stats.uptime_last_5m,
            uptime_last_30m: stats.uptime_last_30m,
            uptime_last_1d: stats.uptime_last_1d,
            latency_last_30m: stats.latency_last_30m.filter(|_| visitor.has_key),
            throughput_last_30m: stats.throughput_last_30m.filter(|_| visitor.has_key),
            tool_call_error_rate: stats.tool_call_error_rate.filter(|_| visitor.has_key),
            service_tier: service_tier(&endpoint.tag),
            native_tools: NativeTools {},
            supports_implicit_caching: endpoint.supports_implicit_caching,
            supports_diarization: false,
            supports_tool_choice: ToolChoice {
                auto: chooses,
                function: chooses,
                none: chooses,
                required: chooses,
            },
            endpoint_id: &endpoint.id,
            is_callable: state.backend.callable(&endpoint.id),
        }
    }
}

/// A model with its endpoints.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct OfModel<'a> {
    id: &'a str,
    name: &'a str,
    /// 0 if it is not known
    created: u64,
    description: &'a str,
    architecture: Architecture<'a>,
    endpoints: Vec<EndpointBody<'a>>,
}

async fn of_model(
    state: Shared,
    visitor: Visitor,
    Segments([author, slug]): Segments<2>,
) -> Result<Written<Data<OfModel<'static>>>> {
    let catalog = state.backend.catalog();
    let model = find(&catalog, &author, &slug)?;
    let mut listed: Vec<_> = catalog.endpoints(model.ix).iter().collect();
    listed.retain(|endpoint| endpoint.is_listed());
    if listed.is_empty() {
        return Err(no_such_model());
    }
    // In order of ids otherwise.
    listed.sort_by_key(|endpoint| catalog.provider(endpoint.provider).is_gateway);
    let rows: Vec<_> = listed.into_iter().map(|e| Rows::of(&catalog, e)).collect();
    let endpoints = rows.iter();
    let endpoints = endpoints
        .flat_map(|row| row.bodies(&state, &catalog, visitor))
        .collect();
    let data = OfModel {
        id: &model.slug,
        name: &model.name,
        created: model.created.unwrap_or(0),
        description: &model.description,
        architecture: Architecture::of(model),
        endpoints,
    };
    Written::of(&Data { data })
}

type ZdrList = Written<Data<Vec<EndpointBody<'static>>>>;

/// For how long the list is kept. It has hundreds of entries, and what
/// changes in it by itself are measurements of minutes.
const ZDR_KEPT_MS: u64 = 10_000;

async fn zdr(state: Shared, visitor: Visitor) -> Result<ZdrList> {
    let edition = Edition::of(&*state.backend);
    let moment = state.backend.now_ms() / ZDR_KEPT_MS;
    let [for_all, for_holders] = &state.zdr;
    let kept = if visitor.has_key {
        for_holders
    } else {
        for_all
    };
    let written = || Ok(zdr_list(&state, visitor)?.into_content());
    kept.of((edition, moment), written)
        .map(Written::from_content)
}

fn zdr_list(state: &ControlState, visitor: Visitor) -> Result<ZdrList> {
    let catalog = state.backend.catalog();
    let data: Vec<_> = catalog
        .all_endpoints()
        .filter(|endpoint| endpoint.is_listed() && endpoint.data_policy.zdr)
        .map(|endpoint| EndpointBody::of(state, &catalog, endpoint, visitor))
        .collect();
    Written::of(&Data { data })
}
