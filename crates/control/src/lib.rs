//! The read and admin API: models, keys, credits, activity, one file per
//! noun.
//!
//! [`router`] serves OpenRouter's paths and shapes under `/api/v1` and
//! `/v1`. Every route is a row of one table ([`route::table`]) that says who
//! may use it, and a guard in front of the handler enforces what the row
//! says, so a handler cannot be reached by someone whom the table does not
//! name. The same rows become `/openapi.json`.
//!
//! Nothing here calls a model, and nothing runs on the path of a call.

mod activity;
mod args;
mod auth;
mod calls;
mod cors;
mod credits;
mod docs;
mod endpoints;
mod error;
mod generation;
mod health;
mod key;
mod keys;
mod models;
mod office;
mod page;
mod pricing;
mod providers;
mod route;
mod schema;
mod time;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;

pub use error::failure_response;
pub use office::{Answer, EndpointStats, Office, Percentiles};

/// What every handler has at hand.
pub(crate) struct Desk {
    pub(crate) office: Arc<dyn Office>,
    pub(crate) listing: models::Listing,
}

/// Handlers' state.
pub(crate) type Shared = Arc<Desk>;

/// Every route of this crate, guarded. Paths and methods that do not exist
/// are answered in the public API's error envelope too.
pub fn router(office: Arc<dyn Office>) -> Router {
    let desk = Arc::new(Desk {
        office,
        listing: models::Listing::default(),
    });
    let mut router = Router::new();
    for route in route::table() {
        for path in route.paths() {
            router = router.route(&path, route.guarded(&desk));
        }
    }
    router
        .method_not_allowed_fallback(error::wrong_method)
        .fallback(error::no_such_path)
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&desk),
            cors::answer,
        ))
        .with_state(desk)
}
