//! What the control plane asks of a running server.

use std::sync::Arc;

use axum::Router;
use bourse_dataplane::gateway::Gateway;
use bourse_store::Store;

use crate::office::LiveOffice;

/// The control plane of a running server.
pub fn router(_: &Arc<Gateway>, _: &Arc<LiveOffice>, _: &Arc<dyn Store>, _: bool) -> Router {
    Router::new().route("/healthz", axum::routing::get(|| async { "ok" }))
}
