//! `GET /models` and what belongs to it.
//!
//! A model is listed if at least one endpoint offers it at a known price:
//! a model whose calls could not be billed cannot be called. Which endpoint
//! stands for it is [`headline`]'s decision.

pub(crate) mod body;
mod filter;
pub(crate) mod google;
mod headline;
pub(crate) mod listing;

use axum::http::Uri;
use bourse_catalog::{Modality, Parameter, Snapshot};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::access::{Caller, Public};
use crate::args::{Args, Segments};
use crate::error::{Refused, Result, not_found};
use crate::page::{LIMIT_DEFAULT, LIMIT_MAX, Page};
use crate::reply::{Data, Json, Written};
use crate::route::{Operation, Route};
use crate::schema::inline;
use crate::state::{ControlState, Shared};
use body::ModelBody;
use filter::{Filter, SORTS, sort};
use listing::{Links, ModelList, Offer, Rendered};

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    let operation = |summary| Operation::new("Models", summary);
    let mut routes = vec![
        Route::get(
            "/models",
            filters(operation("Lists models")).about(
                "Models that at least one endpoint offers at a known price, newest first, and those \
                 whose release is not known last. What only other gateways offer is listed where \
                 one of them is configured. An alias that follows a family's newest model has an \
                 entry of its own, with its target. Without offset and limit the whole list is \
                 returned.",
            ),
            all,
        ),
        Route::get(
            "/embeddings/models",
            filters(operation("Lists models that make vectors")).about(
                "The same list as /models, of models that /embeddings takes. They are in no other \
                 list unless output_modalities asks for them.",
            ),
            embedding,
        ),
        Route::get("/models/count", filters(operation("Counts models")), count),
        Route::get(
            "/models/user",
            filters(operation("Lists models that can be called now"))
                .about("Models with an endpoint whose provider is configured here."),
            callable,
        ),
        Route::get(
            "/model/{author}/{slug}",
            operation("Shows a model")
                .about(
                    "An alias that follows a family's newest model shows what it stands for now \
                     (alias_target); other names lead to the model itself.",
                )
                .segment("author", "The part of the model's id before the slash")
                .segment("slug", "The part after it"),
            one,
        ),
    ];
    routes.extend(google::routes());
    routes
}

fn filters(operation: Operation) -> Operation {
    let (text, integer) = (inline::<String>(), inline::<u64>());
    let (flag, number) = (inline::<bool>(), inline::<f64>());
    let of = |all: &[&str]| json!({"type": "string", "description": format!("Separated by commas: {}", all.join(", "))});
    let modalities: Vec<&str> = Modality::ALL.iter().map(|m| m.name()).collect();
    let modalities = of(&modalities);
    let parameters: Vec<&str> = Parameter::ALL.iter().map(|p| p.name()).collect();
    let price =
        json!({"type": "string", "description": "US dollars for a million tokens, as a decimal"});
    let orders = json!({"type": "string", "enum": SORTS});
    let limit: Value =
        json!({"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT});
    [
        ("q", "Part of the name or id", &text),
        (
            "supported_parameters",
            "All of these are understood",
            &of(&parameters),
        ),
        ("input_modalities", "All of these go in", &modalities),
        (
            "output_modalities",
            "Any of these comes out; text unless stated, all for everything",
            &modalities,
        ),
        ("context", "Fewest tokens of context", &integer),
        ("min_price", "Lowest price of input", &price),
        ("max_price", "Highest price of input", &price),
        ("min_output_price", "Lowest price of output", &price),
        ("max_output_price", "Highest price of output", &price),
        ("arch", "Family of tokenizers, such as GPT", &text),
        ("model_authors", "Separated by commas", &text),
        (
            "providers",
            "Any of these offers it; separated by commas",
            &text,
        ),
        ("zdr", "Offered with zero data retention", &flag),
        ("min_age_days", "Released at least this long ago", &number),
        ("max_age_days", "Released at most this long ago", &number),
        ("sort", "Order; newest unless stated", &orders),
        ("offset", "Entries to skip", &integer),
        ("limit", "Entries on a page", &limit),
    ]
    .into_iter()
    .fold(operation, |operation, (name, about, schema)| {
        operation.query(name, about, schema)
    })
}

async fn all(state: Shared, _: Public, uri: Uri, args: Args) -> Result<Written<ModelList>> {
    let rendered = state.listing.of(&*state.backend)?;
    if args.is_empty() {
        return Ok(rendered.usual.clone());
    }
    page(&state, &rendered, &uri, &args, |_| true)
}

async fn embedding(state: Shared, _: Public, uri: Uri, args: Args) -> Result<Written<ModelList>> {
    let rendered = state.listing.of(&*state.backend)?;
    let asked = args.with("output_modalities", Modality::Embeddings.name());
    page(&state, &rendered, &uri, &asked, |_| true)
}

async fn callable(state: Shared, _: Caller, uri: Uri, args: Args) -> Result<Written<ModelList>> {
    let rendered = state.listing.of(&*state.backend)?;
    let catalog = &rendered.catalog;
    page(&state, &rendered, &uri, &args, |offer| {
        let mut endpoints = catalog.endpoints(offer.model).iter();
        endpoints.any(|endpoint| endpoint.is_callable() && state.backend.callable(&endpoint.id))
    })
}

fn page(
    state: &ControlState,
    rendered: &Rendered,
    uri: &Uri,
    args: &Args,
    may: impl Fn(&Offer) -> bool,
) -> Result<Written<ModelList>> {
    let page = Page::read(args)?;
    let found = search(state, rendered, args, may)?;
    let (total, next) = (found.len(), page.next(uri, args, found.len()));
    let shown = found.into_iter().skip(page.offset).take(page.limit);
    Written::of(&ModelList {
        data: shown.map(|offer| Arc::clone(&offer.json)).collect(),
        total_count: total,
        links: Links { next },
        object: listing::Object::List,
    })
}

fn search<'a>(
    state: &ControlState,
    rendered: &'a Rendered,
    args: &Args,
    may: impl Fn(&Offer) -> bool,
) -> Result<Vec<&'a Offer>> {
    let filter = Filter::read(args, &rendered.catalog, state.backend.now_ms())?;
    let mut found: Vec<_> = rendered
        .offers
        .iter()
        .filter(|offer| filter.admits(offer, &rendered.catalog) && may(offer))
        .collect();
    sort(&mut found, args, &rendered.catalog, &*state.backend)?;
    Ok(found)
}

#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct Count {
    count: usize,
}

async fn count(state: Shared, _: Public, args: Args) -> Result<Json<Data<Count>>> {
    let rendered = state.listing.of(&*state.backend)?;
    let count = search(&state, &rendered, &args, |_| true)?.len();
    Ok(Json(Data {
        data: Count { count },
    }))
}

/// Finds a model by the two segments of its id, aliases and variants
/// included.
pub(crate) fn find<'a>(
    catalog: &'a Snapshot,
    author: &str,
    slug: &str,
) -> Result<&'a bourse_catalog::Model> {
    catalog
        .resolve(&format!("{author}/{slug}"))
        .map(|found| catalog.model(found.model))
        .ok_or_else(no_such_model)
}

/// The same for a model that is unknown and one without an endpoint.
pub(crate) fn no_such_model() -> Refused {
    not_found("There is no such model, or no provider offers it at a known price")
}

/// A model that was written before.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct WrittenModel(#[schemars(with = "ModelBody<'static>")] Arc<RawValue>);

async fn one(
    state: Shared,
    _: Public,
    Segments([author, slug]): Segments<2>,
) -> Result<Json<Data<WrittenModel>>> {
    let rendered = state.listing.of(&*state.backend)?;
    let model = find(&rendered.catalog, &author, &slug)?;
    let id = format!("{author}/{slug}");
    let named = if model.aliases.iter().any(|alias| **alias == *id) && id.starts_with('~') {
        &*id
    } else {
        &*model.slug
    };
    let offer = rendered.offers.iter().find(|offer| *offer.id == *named);
    let data = WrittenModel(Arc::clone(&offer.ok_or_else(no_such_model)?.json));
    Ok(Json(Data { data }))
}
