//! The table of routes, and the guard in front of each.

use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::schema::Operation;
use crate::{Shared, auth};

/// Where OpenRouter's paths are served: with OpenRouter's prefix, and with
/// OpenAI's.
pub(crate) const PREFIXES: [&str; 2] = ["/api/v1", "/v1"];

/// Who may use a route. There is no default: every row says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everyone.
    Public,
    /// The holder of a living key of either kind.
    AnyKey,
    /// The holder of a living management key.
    Management,
    /// Everyone if the operator says so, otherwise as `Management`.
    Metrics,
}

/// Where a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Below each of [`PREFIXES`].
    Api,
    /// At the root.
    Root,
}

/// One row of the table.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// In axum's syntax, which is OpenAPI's too.
    pub(crate) path: &'static str,
    pub(crate) place: Place,
    pub(crate) access: Access,
    pub(crate) operation: Operation,
    handler: MethodRouter<Shared>,
}

impl Route {
    /// A route of the API.
    pub(crate) fn new<H, T>(
        method: Method,
        path: &'static str,
        access: Access,
        handler: H,
        operation: Operation,
    ) -> Self
    where
        H: Handler<T, Shared>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        Self {
            method,
            path,
            place: Place::Api,
            access,
            operation,
            handler: on(filter, handler),
        }
    }

    /// A route that only reads.
    pub(crate) fn get<H, T>(
        path: &'static str,
        access: Access,
        handler: H,
        operation: Operation,
    ) -> Self
    where
        H: Handler<T, Shared>,
        T: 'static,
    {
        Self::new(Method::GET, path, access, handler, operation)
    }

    /// Puts the route at the root.
    pub(crate) fn at_root(mut self) -> Self {
        self.place = Place::Root;
        self
    }

    /// Where it is served.
    pub(crate) fn paths(&self) -> Vec<String> {
        match self.place {
            Place::Root => vec![self.path.to_owned()],
            Place::Api => PREFIXES
                .iter()
                .map(|prefix| format!("{prefix}{}", self.path))
                .collect(),
        }
    }

    /// The handler behind its guard.
    pub(crate) fn guarded(&self, desk: &Shared) -> MethodRouter<Shared> {
        let state = (Shared::clone(desk), self.access);
        self.handler
            .clone()
            .route_layer(from_fn_with_state(state, guard))
    }
}

/// Every route of this crate.
pub(crate) fn table() -> Vec<Route> {
    [
        crate::models::routes(),
        crate::endpoints::routes(),
        crate::providers::routes(),
        crate::key::routes(),
        crate::keys::routes(),
        crate::credits::routes(),
        crate::generation::routes(),
        crate::activity::routes(),
        crate::health::routes(),
        crate::docs::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

async fn guard(
    State((desk, access)): State<(Shared, Access)>,
    mut request: Request,
    next: Next,
) -> Response {
    let is_open = match access {
        Access::Public => true,
        Access::Metrics => desk.office.metrics_public(),
        Access::AnyKey | Access::Management => false,
    };
    if is_open {
        return next.run(request).await;
    }
    let admitted =
        match access {
            Access::Public | Access::AnyKey => {
                auth::caller(&desk, request.headers()).await.map(|caller| {
                    request.extensions_mut().insert(caller);
                })
            }
            Access::Management | Access::Metrics => auth::manager(&desk, request.headers())
                .await
                .map(|manager| {
                    request.extensions_mut().insert(manager);
                }),
        };
    let mut response = match admitted {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    // What is for one caller must not be kept for the next.
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}
