//! Whoever answers requests.

use std::future::Future;

use crate::body::Response;
use crate::client::Client;
use crate::deadline::Deadlines;
use crate::error::NetError;
use crate::origin::Origin;
use crate::request::OutgoingRequest;

/// Whoever answers requests: the network in production, a script where time
/// stands still. Cheap to clone.
pub trait Upstream: Clone + Send + Sync + 'static {
    /// Sends a request and awaits the head of its response, within
    /// `deadlines`. Dropping the future, or the response's body, tells the
    /// upstream to stop.
    ///
    /// # Errors
    /// As [`Client::send`].
    fn send(
        &self,
        origin: &Origin,
        request: &OutgoingRequest,
        deadlines: &Deadlines,
    ) -> impl Future<Output = Result<Response, NetError>> + Send;
}

impl Upstream for Client {
    fn send(
        &self,
        origin: &Origin,
        request: &OutgoingRequest,
        deadlines: &Deadlines,
    ) -> impl Future<Output = Result<Response, NetError>> + Send {
        Self::send(self, origin, request, deadlines)
    }
}
