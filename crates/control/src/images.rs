//! `GET /images/models` and `GET /images/models/{author}/{slug}/endpoints`:
//! who makes pictures, and at what price.

use bourse_catalog::{Endpoint, Interface, Modality, Model, PriceKey, Snapshot};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::access::Public;
use crate::args::Segments;
use crate::error::Result;
use crate::models::find;
use crate::pricing::with_markup;
use crate::reply::{Data, Written};
use crate::route::{Operation, Route};
use crate::state::{ControlState, Shared};

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    let operation = |summary| {
        Operation::new("Images", summary).about(
            "Models that /images and /images/generations take. Models that draw in chat are asked \
             at /chat/completions, and are not listed here.",
        )
    };
    vec![
        Route::get(
            "/images/models",
            operation("Lists models that make pictures"),
            all,
        ),
        Route::get(
            "/images/models/{author}/{slug}/endpoints",
            operation("Lists the endpoints of a model that makes pictures")
                .about("The list is empty for a model that makes none, or that draws in chat.")
                .segment("author", "The part of the model's id before the slash")
                .segment("slug", "The part after it"),
            of_model,
        ),
    ]
}

/// Numbers that a parameter may be.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[schemars(inline)]
struct Range {
    #[serde(rename = "type")]
    kind: RangeKind,
    min: u32,
    max: u32,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum RangeKind {
    Range,
}

/// What every endpoint takes. What else may be asked for, a provider that has
/// no word for it is not told, and the caller is told of that.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[schemars(inline)]
struct Supported {
    n: Range,
}

const SUPPORTED: Supported = Supported {
    n: Range {
        kind: RangeKind::Range,
        min: 1,
        max: 10,
    },
};

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct Architecture {
    input_modalities: Vec<&'static str>,
    output_modalities: Vec<&'static str>,
}

/// A model that makes pictures.
// OpenRouter's API document, October 2026.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ImageModel")]
struct ModelBody<'a> {
    id: &'a str,
    name: &'a str,
    description: &'a str,
    /// Unix seconds of its release; 0 if that is not known
    created: u64,
    architecture: Architecture,
    supported_parameters: Supported,
    supports_streaming: bool,
    /// The path of its endpoints
    endpoints: String,
}

/// What is charged for.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Billable {
    OutputImage,
    InputImage,
    InputText,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Unit {
    Image,
    Token,
}

/// A price.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct Price {
    billable: Billable,
    unit: Unit,
    /// What a customer pays for one
    #[schemars(with = "f64")]
    cost_usd: Box<RawValue>,
}

/// A provider's offer of a model that makes pictures.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ImageEndpoint")]
struct EndpointBody<'a> {
    provider_name: &'a str,
    provider_slug: &'a str,
    provider_tag: &'a str,
    supported_parameters: Supported,
    allowed_passthrough_parameters: [&'static str; 0],
    supports_streaming: bool,
    pricing: Vec<Price>,
}

/// Whether an endpoint makes pictures, and may be called.
fn draws(endpoint: &Endpoint) -> bool {
    endpoint.interface == Interface::Images && endpoint.is_callable()
}

fn endpoints<'a>(catalog: &'a Snapshot, model: &Model) -> impl Iterator<Item = &'a Endpoint> {
    catalog.endpoints(model.ix).iter().filter(|one| draws(one))
}

/// The models of a catalog that make pictures, by their ids.
fn models(catalog: &Snapshot) -> Vec<ModelBody<'_>> {
    let makes = |model: &&Model| {
        model.output_modalities.contains(Modality::Image)
            && endpoints(catalog, model).next().is_some()
    };
    let mut bodies: Vec<_> = catalog
        .models()
        .filter(makes)
        .map(|model| ModelBody {
            id: &model.slug,
            name: &model.name,
            description: &model.description,
            created: model.created.unwrap_or(0),
            architecture: Architecture {
                input_modalities: model.input_modalities.names().collect(),
                output_modalities: model.output_modalities.names().collect(),
            },
            supported_parameters: SUPPORTED,
            supports_streaming: false,
            endpoints: format!("/api/v1/images/models/{}/endpoints", model.slug),
        })
        .collect();
    bodies.sort_by(|one, other| one.id.cmp(other.id));
    bodies
}

async fn all(state: Shared, _: Public) -> Result<Written<Data<Vec<ModelBody<'static>>>>> {
    let catalog = state.backend.catalog();
    Written::of(&Data {
        data: models(&catalog),
    })
}

/// A model with its endpoints.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct OfModel<'a> {
    id: &'a str,
    endpoints: Vec<EndpointBody<'a>>,
}

async fn of_model(
    state: Shared,
    _: Public,
    Segments([author, slug]): Segments<2>,
) -> Result<Written<OfModel<'static>>> {
    let catalog = state.backend.catalog();
    let model = find(&catalog, &author, &slug)?;
    let bodies: Vec<_> = endpoints(&catalog, model)
        .map(|endpoint| body(&state, &catalog, endpoint))
        .collect();
    Written::of(&OfModel {
        id: &model.slug,
        endpoints: bodies,
    })
}

fn body<'a>(
    state: &ControlState,
    catalog: &'a Snapshot,
    endpoint: &'a Endpoint,
) -> EndpointBody<'a> {
    let provider = catalog.provider(endpoint.provider);
    let prices = &endpoint.prices.base;
    let markup_ppm = state.backend.markup_ppm();
    let price = |key: PriceKey, billable, unit| {
        let price = prices.get(key).filter(|price| price.get() > 0)?;
        let decimal = key.write_public(with_markup(price, markup_ppm));
        Some(Price {
            billable,
            unit,
            cost_usd: RawValue::from_string(decimal).ok()?,
        })
    };
    let pricing = [
        price(PriceKey::Picture, Billable::OutputImage, Unit::Image),
        price(PriceKey::ImageOutput, Billable::OutputImage, Unit::Token),
        price(PriceKey::ImageInput, Billable::InputImage, Unit::Token),
        price(PriceKey::Prompt, Billable::InputText, Unit::Token),
    ];
    EndpointBody {
        provider_name: &provider.name,
        provider_slug: &provider.slug,
        provider_tag: &endpoint.tag,
        supported_parameters: SUPPORTED,
        allowed_passthrough_parameters: [],
        supports_streaming: false,
        pricing: pricing.into_iter().flatten().collect(),
    }
}
