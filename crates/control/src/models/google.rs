//! The same models in the words of Google's API, for its SDKs: `GET
//! /v1beta/models` and what is below it (ai.google.dev/api/models, November
//! 2026; read by google-genai 3.6.1 as `models.list` and `models.get`).
//!
//! That SDK asks for `/v1/models` unless it is told otherwise, and that is
//! OpenRouter's list. Google's clients say who they are by headers that nobody
//! else sends, and are led here.

use axum::http::uri::PathAndQuery;
use axum::http::{Method, Request, Uri};
use bourse_catalog::{Modality, Snapshot};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::listing::Offer;
use super::no_such_model;
use crate::access::Public;
use crate::args::{Args, Segments};
use crate::error::{Result, invalid};
use crate::reply::Json;
use crate::route::{Operation, Route};
use crate::schema::inline;
use crate::state::Shared;

/// Models of a page unless the caller says otherwise, and at most.
const PAGE: (u64, u64) = (50, 1_000);
/// Who made the models that are named without their maker.
const MAKER: &str = "google";

/// The routes of this noun.
pub(super) fn routes() -> Vec<Route> {
    let operation = |summary| Operation::new("Models", summary);
    let shown = "The same model as at /model, in Google's words.";
    vec![
        Route::get(
            "/v1beta/models",
            operation("Lists models as Google's API does")
                .about("The same models as in /models and /embeddings/models, a page at a time.")
                .query(
                    "pageSize",
                    "Models on a page",
                    &json!({"type": "integer", "minimum": 1, "maximum": PAGE.1, "default": PAGE.0}),
                )
                .query(
                    "pageToken",
                    "The nextPageToken of the page before",
                    &inline::<String>(),
                ),
            list,
        )
        .below_api(),
        Route::get(
            "/v1beta/models/{author}/{slug}",
            operation("Shows a model as Google's API does")
                .about(shown)
                .segment("author", "The part of the model's id before the slash")
                .segment("slug", "The part after it"),
            one,
        )
        .below_api(),
        Route::get(
            "/v1beta/models/{model}",
            operation("Shows a model by one segment as Google's API does")
                .about(shown)
                .segment("model", "The model's id with %2F, or without google/"),
            named,
        )
        .below_api(),
    ]
}

/// Headers of Google's clients: each of its SDKs says its name in the first.
const HEADERS: [&str; 2] = ["x-goog-api-client", "x-goog-api-key"];
/// Where OpenRouter's list is, and where Google's is.
const LISTS: [(&str, &str); 2] = [
    ("/v1/models", "/v1beta/models"),
    ("/api/v1/models", "/api/v1beta/models"),
];

/// Leads Google's clients from OpenRouter's list of models to Google's.
pub fn lead_googles<B>(request: &mut Request<B>) {
    let mut headers = HEADERS.iter();
    let is_googles = headers.any(|name| request.headers().contains_key(*name));
    if request.method() != Method::GET || !is_googles {
        return;
    }
    let target = request.uri().path_and_query().map(PathAndQuery::as_str);
    let other = target.and_then(|target| {
        LISTS.iter().find_map(|(theirs, googles)| {
            let rest = target.strip_prefix(theirs)?;
            let is_within = rest.is_empty() || rest.starts_with(['/', '?']);
            is_within.then(|| format!("{googles}{rest}"))
        })
    });
    // What was a target with another beginning is one.
    if let Some(Ok(uri)) = other.map(|other| other.parse::<Uri>()) {
        *request.uri_mut() = uri;
    }
}

/// A model in Google's words.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "GoogleModel")]
struct GoogleModel {
    /// models/author/slug
    name: String,
    /// The name that never moves
    version: String,
    display_name: String,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_token_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_token_limit: Option<u64>,
    supported_generation_methods: &'static [&'static str],
    thinking: bool,
}

const CHAT: &[&str] = &["generateContent", "streamGenerateContent", "countTokens"];
const VECTORS: &[&str] = &["embedContent", "batchEmbedContents"];

impl GoogleModel {
    fn of(offer: &Offer, catalog: &Snapshot) -> Self {
        let model = catalog.model(offer.model);
        let makes_vectors = model.output_modalities.contains(Modality::Embeddings);
        let mut endpoints = catalog.endpoints(offer.model).iter();
        let best = endpoints.find(|endpoint| endpoint.ix == offer.best);
        let known = |tokens: u64| (tokens > 0).then_some(tokens);
        Self {
            name: format!("models/{}", offer.id),
            version: model.canonical_slug.to_string(),
            display_name: model.name.to_string(),
            description: model.description.to_string(),
            input_token_limit: known(offer.limits.context_length),
            output_token_limit: best.and_then(|endpoint| endpoint.max_output),
            supported_generation_methods: if makes_vectors { VECTORS } else { CHAT },
            thinking: model.reasoning.is_some(),
        }
    }
}

/// A page of models.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
struct Models {
    models: Vec<GoogleModel>,
    /// Nothing on the last page
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

async fn list(state: Shared, _: Public, args: Args) -> Result<Json<Models>> {
    let rendered = state.listing.of(&*state.backend)?;
    let (usual, most) = PAGE;
    // Google takes more for the most.
    let size = args.number("pageSize")?.unwrap_or(usual).clamp(1, most);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let from = match args.text("pageToken") {
        None | Some("") => 0,
        Some(token) => token
            .parse::<usize>()
            .map_err(|_| invalid("pageToken: is not one of this list"))?,
    };
    let end = from.saturating_add(size);
    let models = rendered.offers.iter().skip(from).take(size);
    Ok(Json(Models {
        models: models
            .map(|offer| GoogleModel::of(offer, &rendered.catalog))
            .collect(),
        next_page_token: (end < rendered.offers.len()).then(|| end.to_string()),
    }))
}

async fn one(
    state: Shared,
    _: Public,
    Segments([author, slug]): Segments<2>,
) -> Result<Json<GoogleModel>> {
    shown(&state, &format!("{author}/{slug}"))
}

async fn named(
    state: Shared,
    _: Public,
    Segments([model]): Segments<1>,
) -> Result<Json<GoogleModel>> {
    // A slash that was escaped is one.
    if model.contains('/') {
        return shown(&state, &model);
    }
    shown(&state, &format!("{MAKER}/{model}"))
}

fn shown(state: &Shared, id: &str) -> Result<Json<GoogleModel>> {
    let rendered = state.listing.of(&*state.backend)?;
    let resolved = rendered.catalog.resolve(id).ok_or_else(no_such_model)?;
    let model = rendered.catalog.model(resolved.model);
    let mut offers = rendered.offers.iter();
    let offer = offers.find(|offer| *offer.id == *model.slug);
    let offer = offer.ok_or_else(no_such_model)?;
    Ok(Json(GoogleModel::of(offer, &rendered.catalog)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_googles_clients_are_led_elsewhere_and_only_from_the_list() {
        let led = |method: &str, path: &str, header: &str| {
            let mut request = Request::builder()
                .method(method)
                .uri(path)
                .header(header, "x")
                .body(())
                .unwrap();
            lead_googles(&mut request);
            request.uri().to_string()
        };
        for (path, to) in [
            ("/v1/models", "/v1beta/models"),
            ("/v1/models?pageSize=3", "/v1beta/models?pageSize=3"),
            ("/api/v1/models/a%2Fb", "/api/v1beta/models/a%2Fb"),
            ("/v1/modelsx", "/v1/modelsx"),
            ("/v1/key", "/v1/key"),
        ] {
            for header in HEADERS {
                assert_eq!(led("GET", path, header), to);
            }
            assert_eq!(led("GET", path, "x-api-key"), path);
            assert_eq!(led("POST", path, "x-goog-api-key"), path);
        }
    }
}
