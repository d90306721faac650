//! What every handler has at hand.

use std::sync::Arc;

use crate::backend::Backend;
use crate::content::Content;
use crate::kept::{Edition, Kept};
use crate::models::listing::Listing;
use crate::uploads::Uploads;

/// Shared by all handlers.
pub(crate) struct ControlState {
    pub(crate) backend: Arc<dyn Backend>,
    /// The rendered list of models.
    pub(crate) listing: Listing,
    /// `/endpoints/zdr`, without and with what holders of a key see.
    pub(crate) zdr: [Kept<(Edition, u64), Arc<Content>>; 2],
    /// `/providers`.
    pub(crate) providers: Kept<Edition, Arc<Content>>,
    /// Files on their way in.
    pub(crate) uploads: Uploads,
    /// `/openapi.json`, which never changes while the server runs.
    pub(crate) document: Arc<Content>,
}

/// Handlers' state.
pub(crate) type Shared = Arc<ControlState>;
