//! `/healthz`, `/readyz` and `/metrics`.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bourse_vocab::{Failure, FailureKind};
use serde_json::{Value, json};

use crate::Shared;
use crate::error::{Answer, Refused};
use crate::route::{Access, Route};
use crate::schema::{Operation, boolean, integer, object, one_of, text};

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/healthz",
            Access::Public,
            health,
            Operation::new("Health", "Answers as long as the server runs", text())
                .media("text/plain"),
        )
        .at_root(),
        Route::get(
            "/readyz",
            Access::Public,
            ready,
            Operation::new(
                "Health",
                "Answers 200 if calls can be served, and 503 if not",
                object([
                    ("status", one_of(&["ready"])),
                    ("simulated", boolean()),
                    ("database", one_of(&["ok", "away"])),
                    ("database_away_s", integer()),
                ]),
            )
            .about("Calls go on while the database is away; what they cost waits in the journal."),
        )
        .at_root(),
        Route::get(
            "/metrics",
            Access::Metrics,
            metrics,
            Operation::new("Health", "Shows counters for Prometheus", text())
                .about("Needs a management key unless the operator made it public.")
                .media("text/plain"),
        )
        .at_root(),
    ]
}

async fn health() -> &'static str {
    "ok\n"
}

async fn ready(State(desk): State<Shared>) -> Answer<Json<Value>> {
    desk.office.ready().map_err(|why| {
        Refused(Failure::new(
            FailureKind::Overloaded,
            format!("Not ready: {why}"),
        ))
    })?;
    let simulated = desk.office.is_simulated();
    let away = desk.office.database_away_s();
    Ok(Json(json!({
        "status": "ready",
        "simulated": simulated,
        "database": if away.is_some() { "away" } else { "ok" },
        "database_away_s": away.unwrap_or(0),
    })))
}

async fn metrics(State(desk): State<Shared>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], desk.office.metrics_text()).into_response()
}
