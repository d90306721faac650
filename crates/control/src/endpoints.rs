//! `GET /models/{author}/{slug}/endpoints` and `GET /endpoints/zdr`: who
//! offers a model, at what price, and how they have been doing.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bourse_catalog::{Endpoint, Parameter, Parameters, Snapshot};
use serde::Serialize;
use serde_json::Value;

use crate::args::Segments;
use crate::auth::Visitor;
use crate::error::Answer;
use crate::models::{Architecture, find, no_such_model};
use crate::office::Percentiles;
use crate::pricing::Pricing;
use crate::route::{Access, Route};
use crate::schema::{
    Operation, boolean, data, integer, list, named, nullable, number, object, one_of, partial,
    text, text_about,
};
use crate::{Desk, Shared};

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    let about = "Disabled endpoints and those without a known price are not listed. \
                 Latency and throughput are shown to holders of a key.";
    vec![
        Route::get(
            "/models/{author}/{slug}/endpoints",
            Access::Public,
            of_model,
            Operation::new(
                "Endpoints",
                "Lists the endpoints of a model",
                data(object([
                    ("id", text()),
                    ("name", text()),
                    ("created", integer()),
                    ("description", text()),
                    ("architecture", named("Architecture")),
                    ("endpoints", list(named("Endpoint"))),
                ])),
            )
            .about(about)
            .segment("author", "The part of the model's id before the slash")
            .segment("slug", "The part after it"),
        ),
        Route::get(
            "/endpoints/zdr",
            Access::Public,
            zdr,
            Operation::new(
                "Endpoints",
                "Lists endpoints with zero data retention",
                data(list(named("Endpoint"))),
            )
            .about(about),
        ),
    ]
}

/// Forms of `tool_choice`.
#[derive(Debug, Serialize)]
struct ToolChoice {
    auto: bool,
    function: bool,
    none: bool,
    required: bool,
}

#[derive(Debug, Serialize)]
struct NativeTools {}

/// An endpoint as JSON (OpenRouter's API document, October 2026).
/// `is_callable` and `endpoint_id` are ours.
#[derive(Debug, Serialize)]
struct Shape<'a> {
    name: String,
    model_id: &'a str,
    model_name: &'a str,
    context_length: u64,
    pricing: Pricing<'a>,
    provider_name: &'a str,
    tag: &'a str,
    quantization: &'static str,
    max_completion_tokens: Option<u64>,
    max_prompt_tokens: Option<u64>,
    #[serde(serialize_with = "names")]
    supported_parameters: Parameters,
    /// 0: in use. Nothing else is listed.
    status: i8,
    uptime_last_5m: Option<f64>,
    uptime_last_30m: Option<f64>,
    uptime_last_1d: Option<f64>,
    latency_last_30m: Option<Percentiles>,
    throughput_last_30m: Option<Percentiles>,
    service_tier: Option<&'static str>,
    native_tools: NativeTools,
    supports_implicit_caching: bool,
    supports_diarization: bool,
    supports_tool_choice: ToolChoice,
    endpoint_id: &'a str,
    is_callable: bool,
}

fn names<S: serde::Serializer>(set: &Parameters, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(set.names())
}

/// The tier that an endpoint sells, from its tag (`provider/tier`).
fn service_tier(tag: &str) -> Option<&'static str> {
    let (_, kind) = tag.split_once('/')?;
    ["flex", "priority", "ultrafast"]
        .into_iter()
        .find(|tier| *tier == kind)
}

impl<'a> Shape<'a> {
    fn of(desk: &Desk, catalog: &'a Snapshot, endpoint: &'a Endpoint, visitor: Visitor) -> Self {
        let model = catalog.model(endpoint.model);
        let provider = catalog.provider(endpoint.provider);
        let stats = desk.office.endpoint_stats(&endpoint.id).unwrap_or_default();
        let chooses = endpoint.parameters.contains(Parameter::ToolChoice);
        Self {
            name: format!("{} | {}", provider.name, model.slug),
            model_id: &model.slug,
            model_name: &model.name,
            context_length: endpoint.context_length,
            pricing: Pricing {
                prices: &endpoint.prices,
                markup_ppm: desk.office.markup_ppm(),
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
            is_callable: desk.office.callable(&endpoint.id),
        }
    }
}

#[derive(Serialize)]
struct Data<T> {
    data: T,
}

async fn of_model(
    State(desk): State<Shared>,
    Segments([author, slug]): Segments<2>,
    visitor: Visitor,
) -> Answer<Response> {
    #[derive(Serialize)]
    struct OfModel<'a> {
        id: &'a str,
        name: &'a str,
        created: u64,
        description: &'a str,
        architecture: Architecture<'a>,
        endpoints: Vec<Shape<'a>>,
    }
    let catalog = desk.office.catalog();
    let model = find(&catalog, &author, &slug)?;
    let endpoints: Vec<_> = catalog
        .endpoints(model.ix)
        .iter()
        .filter(|endpoint| endpoint.is_callable())
        .map(|endpoint| Shape::of(&desk, &catalog, endpoint, visitor))
        .collect();
    if endpoints.is_empty() {
        return Err(no_such_model());
    }
    let data = OfModel {
        id: &model.slug,
        name: &model.name,
        created: model.created,
        description: &model.description,
        architecture: Architecture::of(model),
        endpoints,
    };
    Ok(Json(Data { data }).into_response())
}

async fn zdr(State(desk): State<Shared>, visitor: Visitor) -> Response {
    let catalog = desk.office.catalog();
    let data: Vec<_> = catalog
        .all_endpoints()
        .filter(|endpoint| endpoint.is_callable() && endpoint.data_policy.zdr)
        .map(|endpoint| Shape::of(&desk, &catalog, endpoint, visitor))
        .collect();
    Json(Data { data }).into_response()
}

/// Describes the shapes.
pub(crate) fn schemas() -> Vec<(&'static str, Value)> {
    let endpoint = object([
        ("name", text()),
        ("model_id", text()),
        ("model_name", text()),
        ("context_length", integer()),
        ("pricing", named("Pricing")),
        ("provider_name", text()),
        ("tag", text_about("How callers name it in preferences")),
        ("quantization", text()),
        ("max_completion_tokens", nullable(integer())),
        ("max_prompt_tokens", nullable(integer())),
        ("supported_parameters", list(text())),
        ("status", integer()),
        ("uptime_last_5m", nullable(number())),
        ("uptime_last_30m", nullable(number())),
        ("uptime_last_1d", nullable(number())),
        ("latency_last_30m", nullable(named("Percentiles"))),
        ("throughput_last_30m", nullable(named("Percentiles"))),
        (
            "service_tier",
            nullable(one_of(&["flex", "priority", "ultrafast"])),
        ),
        ("native_tools", partial([])),
        ("supports_implicit_caching", boolean()),
        ("supports_diarization", boolean()),
        (
            "supports_tool_choice",
            object([
                ("auto", boolean()),
                ("function", boolean()),
                ("none", boolean()),
                ("required", boolean()),
            ]),
        ),
        ("endpoint_id", text_about("As in generations and activity")),
        ("is_callable", boolean()),
    ]);
    vec![("Endpoint", endpoint)]
}
