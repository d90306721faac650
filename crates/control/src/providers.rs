//! `GET /providers`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use crate::Shared;
use crate::route::{Access, Route};
use crate::schema::{Operation, data, list, named, null, nullable, object, text};

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get(
        "/providers",
        Access::Public,
        all,
        Operation::new(
            "Providers",
            "Lists providers",
            data(list(named("Provider"))),
        )
        .about("Everyone whom the catalog knows, configured here or not."),
    )]
}

/// A provider as JSON (OpenRouter's API document, October 2026).
#[derive(Serialize)]
struct Shape<'a> {
    name: &'a str,
    slug: &'a str,
    privacy_policy_url: Option<&'a str>,
    terms_of_service_url: Option<&'a str>,
    status_page_url: Option<&'a str>,
    headquarters: Option<&'a str>,
    /// Not in the catalog.
    datacenters: Option<()>,
}

async fn all(State(desk): State<Shared>) -> Response {
    #[derive(Serialize)]
    struct All<'a> {
        data: Vec<Shape<'a>>,
    }
    let catalog = desk.office.catalog();
    let data = catalog.providers().map(|provider| Shape {
        name: &provider.name,
        slug: &provider.slug,
        privacy_policy_url: provider.privacy_url.as_deref(),
        terms_of_service_url: provider.terms_url.as_deref(),
        status_page_url: provider.status_url.as_deref(),
        headquarters: provider.headquarters.as_deref(),
        datacenters: None,
    });
    let data = data.collect();
    Json(All { data }).into_response()
}

/// Describes the shapes.
pub(crate) fn schemas() -> Vec<(&'static str, Value)> {
    let provider = object([
        ("name", text()),
        ("slug", text()),
        ("privacy_policy_url", nullable(text())),
        ("terms_of_service_url", nullable(text())),
        ("status_page_url", nullable(text())),
        ("headquarters", nullable(text())),
        ("datacenters", null()),
    ]);
    vec![("Provider", provider)]
}
