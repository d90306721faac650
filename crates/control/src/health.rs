//! `/healthz`, `/readyz` and `/metrics`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bourse_vocab::{Failure, FailureKind};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::access::{Manager, Public};
use crate::content::Wishes;
use crate::error::{Refused, Result};
use crate::reply::{Json, Reply};
use crate::route::{Operation, Route};
use crate::schema::Schemas;
use crate::state::Shared;

/// Where counters are.
pub(crate) const METRICS: &str = "/metrics";

/// The routes of this noun where everybody who comes may see counters.
pub(crate) fn trusting_routes() -> Vec<Route> {
    let mut routes = routes();
    routes.retain(|route| route.path != METRICS);
    let operation = Operation::new("Health", "Shows counters for Prometheus");
    routes.push(Route::get(METRICS, operation, open_metrics).at_root());
    routes
}

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/healthz",
            Operation::new("Health", "Answers as long as the server runs"),
            health,
        )
        .at_root(),
        Route::get(
            "/readyz",
            Operation::new(
                "Health",
                "Answers 200 if calls can be served, and 503 if not",
            )
            .about("Calls go on while the database is away; what they cost waits in the journal. A server that was told to stop says so with 503 and `status: stopping`, and may serve for a while yet."),
            ready,
        )
        .at_root(),
        Route::get(
            METRICS,
            Operation::new("Health", "Shows counters for Prometheus")
                .about("They tell what all accounts have spent."),
            metrics,
        )
        .at_root(),
    ]
}

struct Alive;

impl Reply for Alive {
    const MEDIA: &'static str = "text/plain";

    fn schema(_: &mut Schemas) -> Value {
        json!({"type": "string"})
    }

    fn send(self, _: &Wishes) -> Response {
        "ok\n".into_response()
    }
}

async fn health(_: Shared, _: Public) -> Result<Alive> {
    Ok(Alive)
}

#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct Readiness {
    status: Status,
    /// Whether answers come from simulated providers
    simulated: bool,
    database: Database,
    /// Seconds since the database last answered
    database_away_s: u64,
    /// Seconds since the database last took over what calls cost, if it does not
    database_behind_s: u64,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Status {
    Ready,
    /// Was told to stop: send new calls elsewhere
    Stopping,
}

/// How it is, with the status that a load balancer goes by.
struct Told(Readiness);

impl Reply for Told {
    fn schema(schemas: &mut Schemas) -> Value {
        Json::<Readiness>::schema(schemas)
    }

    fn send(self, wishes: &Wishes) -> Response {
        let status = match self.0.status {
            Status::Ready => StatusCode::OK,
            Status::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut response = Json(self.0).send(wishes);
        *response.status_mut() = status;
        response
    }
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Database {
    Ok,
    /// Does not answer
    Away,
    /// Answers, and does not take over what calls cost
    Behind,
}

async fn ready(state: Shared, _: Public) -> Result<Told> {
    let is_stopping = state.backend.is_stopping();
    state.backend.ready().map_err(|why| {
        Refused(Failure::new(
            FailureKind::Overloaded,
            format!("Not ready: {why}"),
        ))
    })?;
    let away = state.backend.database_away_s();
    let behind = state.backend.database_behind_s();
    Ok(Told(Readiness {
        status: if is_stopping {
            Status::Stopping
        } else {
            Status::Ready
        },
        simulated: state.backend.is_simulated(),
        database: match (away, behind) {
            (Some(_), _) => Database::Away,
            (None, Some(_)) => Database::Behind,
            (None, None) => Database::Ok,
        },
        database_away_s: away.unwrap_or(0),
        database_behind_s: behind.unwrap_or(0),
    }))
}

/// Prometheus' text format.
struct Metrics(String);

impl Reply for Metrics {
    const MEDIA: &'static str = "text/plain";

    fn schema(_: &mut Schemas) -> Value {
        json!({"type": "string"})
    }

    fn send(self, _: &Wishes) -> Response {
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        ([(header::CONTENT_TYPE, kind)], self.0).into_response()
    }
}

async fn open_metrics(state: Shared, _: Public) -> Result<Metrics> {
    Ok(Metrics(state.backend.metrics_text()))
}

async fn metrics(state: Shared, _: Manager) -> Result<Metrics> {
    Ok(Metrics(state.backend.metrics_text()))
}
