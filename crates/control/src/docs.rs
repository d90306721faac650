//! `/openapi.json`, made from the table of routes, and `/docs`, a page that
//! shows it to people.

use axum::Json;
use axum::http::{HeaderName, header};
use axum::response::Html;
use serde_json::{Map, Value, json};

use crate::route::{Access, PREFIXES, Place, Route, table};
use crate::schema::{Operation, integer, named, object, partial, text};

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/openapi.json",
            Access::Public,
            document_json,
            Operation::new("Documents", "Describes this API", partial([])),
        )
        .at_root(),
        Route::get(
            "/docs",
            Access::Public,
            page,
            Operation::new("Documents", "Shows the description to people", text())
                .media("text/html"),
        )
        .at_root(),
    ]
}

/// The page: one file, nothing from elsewhere.
const PAGE: &str = include_str!("docs/page.html");
/// It may run its own script and read the document, and nothing more.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

async fn page() -> ([(HeaderName, &'static str); 1], Html<&'static str>) {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE))
}

async fn document_json() -> Json<Value> {
    Json(document())
}

/// A name for generated clients, such as `get_keys_by_hash`.
fn operation_id(method: &str, path: &str) -> String {
    let words = path
        .split(['/', '.', '-'])
        .filter(|word| !word.is_empty())
        .map(|word| {
            word.strip_prefix('{')
                .and_then(|word| word.strip_suffix('}'))
                .map_or_else(|| word.to_owned(), |name| format!("by_{name}"))
        });
    std::iter::once(method.to_owned())
        .chain(words)
        .collect::<Vec<_>>()
        .join("_")
}

/// The whole document, OpenAPI 3.1.
pub(crate) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut add = |path: &str, method: &str, place: Place, operation: Value| {
        let item = paths.entry(path).or_insert_with(|| match place {
            Place::Api => json!({}),
            Place::Root => json!({"servers": [{"url": "/"}]}),
        });
        if let Some(methods) = item.as_object_mut() {
            methods.insert(method.to_owned(), operation);
        }
    };
    for route in table() {
        let method = route.method.as_str().to_ascii_lowercase();
        let security = match route.access {
            Access::Public => None,
            Access::AnyKey => Some("key"),
            Access::Management | Access::Metrics => Some("managementKey"),
        };
        let id = operation_id(&method, route.path);
        let operation = route.operation.write(&id, security);
        add(route.path, &method, route.place, operation);
    }
    for (path, operation) in crate::calls::operations() {
        let id = operation_id("post", path);
        let operation = operation.write(&id, Some("inferenceKey"));
        add(path, "post", Place::Api, operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Bourse",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Compatible with OpenRouter's API. Amounts of money are decimal \
                numbers with every digit written out, exact to a nano-dollar.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": PREFIXES.map(|url| json!({"url": url})),
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "responses": {"Error": {
                "description": "What went wrong; code is the HTTP status",
                "content": {"application/json": {"schema": named("Error")}},
            }},
            "securitySchemes": {
                "key": bearer("Any living key"),
                "inferenceKey": bearer("A key that begins with sk-bourse-v1-"),
                "managementKey": bearer("A key that begins with sk-bourse-mgmt-"),
            },
        },
    })
}

fn bearer(about: &str) -> Value {
    json!({"type": "http", "scheme": "bearer", "description": about})
}

fn schemas() -> Map<String, Value> {
    let mut error = object([("code", integer()), ("message", text())]);
    if let Some(members) = error
        .pointer_mut("/properties")
        .and_then(Value::as_object_mut)
    {
        members.insert("metadata".into(), partial([("error_type", text())]));
    }
    [
        crate::models::schemas(),
        crate::endpoints::schemas(),
        crate::providers::schemas(),
        crate::key::schemas(),
        crate::keys::schemas(),
        crate::credits::schemas(),
        crate::generation::schemas(),
        crate::activity::schemas(),
        crate::calls::schemas(),
        vec![("Error", object([("error", error)]))],
    ]
    .into_iter()
    .flatten()
    .map(|(name, schema)| (name.to_owned(), schema))
    .collect()
}
