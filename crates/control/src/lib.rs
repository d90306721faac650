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

use route::Route;
use state::Shared;

pub use backend::{Backend, BoxFuture, EndpointStats, FileLimits, Film, Percentiles};
pub use error::failure_response;
pub use models::google::lead_googles;

/// Every route of this crate, guarded. Paths and methods that do not exist
/// are answered in the public API's error envelope too.
pub fn router(backend: Arc<dyn Backend>) -> Router {
    public(backend, table::routes())
}

/// The same where only operators see counters, at a listener of their own.
pub fn router_without_metrics(backend: Arc<dyn Backend>) -> Router {
    let mut table = table::routes();
    table.retain(|route| route.path != health::METRICS);
    public(backend, table)
}

/// What an operator's own listener has: counters and health. Where only those
/// come whom the operator trusts, counters ask for no key. No page of another
/// origin may read any of it.
pub fn admin_router(backend: Arc<dyn Backend>, is_trusted: bool) -> Router {
    let table = if is_trusted {
        health::trusting_routes()
    } else {
        health::routes()
    };
    let state = state(backend, &table);
    routed(table).with_state(state)
}

fn public(backend: Arc<dyn Backend>, table: Vec<Route>) -> Router {
    let state = state(backend, &table);
    routed(table)
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&state),
            cors::answer,
        ))
        .with_state(state)
}

fn state(backend: Arc<dyn Backend>, table: &[Route]) -> Shared {
    let document = document::write(table, &calls::operations());
    Arc::new(state::ControlState {
        backend,
        listing: models::listing::Listing::default(),
        zdr: Default::default(),
        providers: kept::Kept::default(),
        uploads: uploads::Uploads::default(),
        document: Arc::new(document.to_string().into_bytes().into()),
    })
}

fn routed(table: Vec<Route>) -> Router<Shared> {
    let mut router = Router::new();
    for route in table {
        for path in route.paths() {
            router = router.route(&path, route.served());
        }
    }
    router
        .method_not_allowed_fallback(error::wrong_method)
        .fallback(error::no_such_path)
}
