//! `/openapi.json`, and `/docs`, a page that shows it to people.

use std::sync::Arc;

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};

use crate::access::Public;
use crate::content::{Content, Wishes};
use crate::error::Result;
use crate::reply::Reply;
use crate::route::{Operation, Route};
use crate::schema::Schemas;
use crate::state::Shared;

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/openapi.json",
            Operation::new("Documents", "Describes this API"),
            document,
        )
        .at_root(),
        Route::get(
            "/docs",
            Operation::new("Documents", "Shows the description to people"),
            page,
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

struct Page;

impl Reply for Page {
    const MEDIA: &'static str = "text/html";

    fn schema(_: &mut Schemas) -> Value {
        json!({"type": "string"})
    }

    fn send(self, _: &Wishes) -> Response {
        ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE)).into_response()
    }
}

async fn page(_: Shared, _: Public) -> Result<Page> {
    Ok(Page)
}

/// An OpenAPI document, which another document describes.
struct Document(Arc<Content>);

impl Reply for Document {
    fn schema(_: &mut Schemas) -> Value {
        json!({"type": "object"})
    }

    fn send(self, wishes: &Wishes) -> Response {
        self.0.answer(Self::MEDIA, wishes)
    }
}

async fn document(state: Shared, _: Public) -> Result<Document> {
    Ok(Document(Arc::clone(&state.document)))
}
