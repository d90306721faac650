//! The table of routes.

use crate::route::Route;

/// Every route of this crate.
pub(crate) fn routes() -> Vec<Route> {
    [
        crate::models::routes(),
        crate::endpoints::routes(),
        crate::images::routes(),
        crate::providers::routes(),
        crate::key::routes(),
        crate::keys::routes(),
        crate::credits::routes(),
        crate::generation::routes(),
        crate::activity::routes(),
        crate::files::routes(),
        crate::batches::routes(),
        crate::message_batches::routes(),
        crate::videos::routes(),
        crate::webhooks::routes(),
        crate::routing::routes(),
        crate::ledger::routes(),
        crate::health::routes(),
        crate::docs::routes(),
        crate::home::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
