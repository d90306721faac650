//! The read and admin API: models, keys, credits, activity, one file per
//! noun.
//!
//! [`router`] serves OpenRouter's paths and shapes under `/api/v1` and
//! `/v1`. A route is said once, beside its handler (`route.rs`): path and
//! method in words, and by types who may use it, what it reads and what it
//! answers. A handler without a proof of access does not compile. The same
//! routes become `/openapi.json`.
//!
//! Nothing here calls a model, and nothing runs on the path of a call.

mod absent;
mod access;
mod activity;
mod args;
mod backend;
mod batches;
mod calls;
mod content;
pub mod cors;
mod credits;
mod docs;
mod document;
mod endpoints;
mod error;
mod files;
mod generation;
mod health;
mod home;
mod images;
mod kept;
mod key;
mod keys;
pub mod ledger;
mod message_batches;
mod models;
mod page;
mod pricing;
mod providers;
mod reply;
mod route;
mod routing;
mod schema;
mod state;
pub mod status;
mod table;
mod time;
mod uploads;
mod videos;
mod webhooks;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;

pub use backend::{Backend, BoxFuture, EndpointStats, FileLimits, Film, Percentiles};
pub use error::failure_response;
pub use models::google::lead_googles;

/// Every route of this crate, guarded. Paths and methods that do not exist
/// are answered in the public API's error envelope too.
pub fn router(backend: Arc<dyn Backend>) -> Router {
    let table = table::routes();
    let document = document::write(&table, &calls::operations());
    let state = Arc::new(state::ControlState {
        backend,
        listing: models::listing::Listing::default(),
        zdr: Default::default(),
        providers: kept::Kept::default(),
        uploads: uploads::Uploads::default(),
        document: Arc::new(document.to_string().into_bytes().into()),
    });
    let mut router = Router::new();
    for route in table {
        for path in route.paths() {
            router = router.route(&path, route.served());
        }
    }
    router
        .method_not_allowed_fallback(error::wrong_method)
        .fallback(error::no_such_path)
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&state),
            cors::answer,
        ))
        .with_state(state)
}
