//! `GET /models` and what belongs to it.
//!
//! A model is listed if at least one endpoint offers it at a known price:
//! a model that nobody can be billed for cannot be called.

mod filter;
mod listing;
mod shape;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use bourse_catalog::{Modality, Parameter, Snapshot};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

pub(crate) use filter::SORTS;
pub(crate) use listing::Listing;
pub(crate) use shape::{Architecture, schemas};

use crate::args::{Args, Segments};
use crate::auth::Caller;
use crate::error::{Answer, Refused, not_found};
use crate::page::{LIMIT_DEFAULT, LIMIT_MAX, Links, Page};
use crate::route::{Access, Route};
use crate::schema::{
    Operation, boolean, data, integer, list, named, nullable, number, object, one_of, text,
};
use crate::{Desk, Shared};
use filter::{Filter, sort};
use listing::Rendered;

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    let models = || {
        object([
            ("data", list(named("Model"))),
            ("total_count", integer()),
            ("links", object([("next", nullable(text()))])),
            ("object", one_of(&["list"])),
        ])
    };
    let filtered = |operation| filters(operation);
    vec![
        Route::get(
            "/models",
            Access::Public,
            all,
            filtered(Operation::new("Models", "Lists models", models())).about(
                "Models that at least one endpoint offers at a known price, newest first. \
                 Without offset and limit the whole list is returned.",
            ),
        ),
        Route::get(
            "/models/count",
            Access::Public,
            count,
            filtered(Operation::new(
                "Models",
                "Counts models",
                data(object([("count", integer())])),
            )),
        ),
        Route::get(
            "/models/user",
            Access::AnyKey,
            callable,
            filtered(Operation::new(
                "Models",
                "Lists models that can be called now",
                models(),
            ))
            .about("Models with an endpoint whose provider is configured here."),
        ),
        Route::get(
            "/model/{author}/{slug}",
            Access::Public,
            one,
            Operation::new("Models", "Shows a model", data(named("Model")))
                .about("Aliases lead to the model that they stand for.")
                .segment("author", "The part of the model's id before the slash")
                .segment("slug", "The part after it"),
        ),
    ]
}

fn filters(operation: Operation) -> Operation {
    let names = |all: &[&str]| json!({"type": "string", "description": format!("Separated by commas: {}", all.join(", "))});
    let modalities: Vec<&str> = Modality::ALL.iter().map(|m| m.name()).collect();
    let parameters: Vec<&str> = Parameter::ALL.iter().map(|p| p.name()).collect();
    let dollars = || json!({"type": "string", "description": "US dollars for a million tokens, as a decimal"});
    let limit =
        json!({"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT});
    operation
        .query("q", "Part of the name or id", text())
        .query(
            "supported_parameters",
            "All of these are understood",
            names(&parameters),
        )
        .query("input_modalities", "All of these go in", names(&modalities))
        .query(
            "output_modalities",
            "Any of these comes out; text unless stated, all for everything",
            names(&modalities),
        )
        .query("context", "Fewest tokens of context", integer())
        .query("min_price", "Lowest price of input", dollars())
        .query("max_price", "Highest price of input", dollars())
        .query("min_output_price", "Lowest price of output", dollars())
        .query("max_output_price", "Highest price of output", dollars())
        .query("arch", "Family of tokenizers, such as GPT", text())
        .query("model_authors", "Separated by commas", text())
        .query(
            "providers",
            "Any of these offers it; separated by commas",
            text(),
        )
        .query("zdr", "Offered with zero data retention", boolean())
        .query("min_age_days", "Released at least this long ago", number())
        .query("max_age_days", "Released at most this long ago", number())
        .query("sort", "Order; newest unless stated", one_of(SORTS))
        .query("offset", "Entries to skip", integer())
        .query("limit", "Entries on a page", limit)
}

#[derive(Serialize)]
struct List<'a> {
    data: Vec<&'a RawValue>,
    total_count: usize,
    links: Links,
    object: &'static str,
}

fn json_bytes(body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn all(State(desk): State<Shared>, uri: Uri, args: Args) -> Answer<Response> {
    let rendered = desk.listing.of(&*desk.office)?;
    if args.is_empty() {
        return Ok(json_bytes(rendered.usual.clone()));
    }
    page(&desk, &rendered, &uri, &args, |_| true)
}

async fn callable(State(desk): State<Shared>, _: Caller, uri: Uri, args: Args) -> Answer<Response> {
    let rendered = desk.listing.of(&*desk.office)?;
    let catalog = &rendered.catalog;
    page(&desk, &rendered, &uri, &args, |offer| {
        let mut endpoints = catalog.endpoints(offer.model).iter();
        endpoints.any(|endpoint| endpoint.is_callable() && desk.office.callable(&endpoint.id))
    })
}

fn page(
    desk: &Desk,
    rendered: &Rendered,
    uri: &Uri,
    args: &Args,
    may: impl Fn(&listing::Offer) -> bool,
) -> Answer<Response> {
    let page = Page::read(args)?;
    let found = search(desk, rendered, args, may)?;
    let (total, links) = (found.len(), page.next(uri, args, found.len()));
    let shown = found.into_iter().skip(page.offset).take(page.limit);
    let body = List {
        data: shown.map(|offer| &*offer.json).collect(),
        total_count: total,
        links: Links { next: links },
        object: "list",
    };
    Ok(Json(body).into_response())
}

fn search<'a>(
    desk: &Desk,
    rendered: &'a Rendered,
    args: &Args,
    may: impl Fn(&listing::Offer) -> bool,
) -> Answer<Vec<&'a listing::Offer>> {
    let filter = Filter::read(args, &rendered.catalog, desk.office.now_ms())?;
    let mut found: Vec<_> = rendered
        .offers
        .iter()
        .filter(|offer| filter.admits(offer, &rendered.catalog) && may(offer))
        .collect();
    sort(&mut found, args, &rendered.catalog, &*desk.office)?;
    Ok(found)
}

async fn count(State(desk): State<Shared>, args: Args) -> Answer<Json<Value>> {
    let rendered = desk.listing.of(&*desk.office)?;
    let count = search(&desk, &rendered, &args, |_| true)?.len();
    Ok(Json(json!({"data": {"count": count}})))
}

/// Finds a model by the two segments of its id, aliases and variants
/// included.
pub(crate) fn find<'a>(
    catalog: &'a Snapshot,
    author: &str,
    slug: &str,
) -> Answer<&'a bourse_catalog::Model> {
    catalog
        .resolve(&format!("{author}/{slug}"))
        .map(|found| catalog.model(found.model))
        .ok_or_else(no_such_model)
}

/// The same for a model that is unknown and one that nobody offers.
pub(crate) fn no_such_model() -> Refused {
    not_found("There is no such model, or nobody offers it at a known price")
}

async fn one(
    State(desk): State<Shared>,
    Segments([author, slug]): Segments<2>,
) -> Answer<Response> {
    #[derive(Serialize)]
    struct One<'a> {
        data: &'a RawValue,
    }
    let rendered = desk.listing.of(&*desk.office)?;
    let model = find(&rendered.catalog, &author, &slug)?.ix;
    let offer = rendered.offers.iter().find(|offer| offer.model == model);
    let data = &*offer.ok_or_else(no_such_model)?.json;
    Ok(Json(One { data }).into_response())
}
