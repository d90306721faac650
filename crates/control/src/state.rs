//! What every handler has at hand.

use std::sync::Arc;

use axum::body::Bytes;

use crate::backend::Backend;
use crate::models::listing::Listing;

/// Shared by all handlers.
pub(crate) struct ControlState {
    pub(crate) backend: Arc<dyn Backend>,
    /// The rendered list of models.
    pub(crate) listing: Listing,
    /// `/openapi.json`, which never changes while the server runs.
    pub(crate) document: Bytes,
}

/// Handlers' state.
pub(crate) type Shared = Arc<ControlState>;
