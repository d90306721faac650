//! `/routing/explain`: how a call would be routed now, without making it; and
//! `/routing/status`: how the server and its endpoints are doing.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::Method;
use axum::http::request::Parts;
use bourse_vocab::{Failure, FailureKind};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::access::Manager;
use crate::error::{Refused, Result, invalid};
use crate::reply::{Data, Json};
use crate::route::{Input, Operation, Route};
use crate::schema::Schemas;
use crate::state::Shared;
use crate::status::Status;

/// Longest request that is explained: long prompts are routed by their length
/// alone, and this is past the longest that targets are told apart by.
const BODY_BYTES_MAX: usize = 1 << 20;
/// The longest that it may take to arrive.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            Method::POST,
            "/routing/explain",
            Operation::new("Routing", "Says how a chat request would be routed now").about(
                "Nothing is sent and no money is set aside. The body is that of a chat request. \
                 Every endpoint of the models that it names is listed: those that would be tried \
                 in their order, the others with the reason.",
            ),
            explain,
        ),
        Route::get(
            "/routing/status",
            Operation::new(
                "Routing",
                "Shows how the server and its endpoints are doing now",
            )
            .about(
                "Counters grow from the start of the server on. They tell what all accounts have \
                 spent. Endpoints that were never asked are left out. To look leaves no trace: a \
                 breaker does not count it as a call.",
            ),
            status,
        ),
    ]
}

async fn status(state: Shared, _: Manager) -> Result<Json<Data<Status>>> {
    Ok(Json(Data {
        data: state.backend.status(),
    }))
}

/// How a call would be routed
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct Explanation {
    /// The models that are asked for
    requested: Value,
    /// The strategy that orders the endpoints
    order: Value,
    /// Every endpoint that was looked at
    candidates: Value,
    /// What the caller would be told, if nobody may be asked
    refused: Value,
}

async fn explain(
    state: Shared,
    manager: Manager,
    request: ChatText,
) -> Result<Json<Data<Explanation>>> {
    let explaining = state.backend.explain(manager.account(), request.0);
    let mut told = explaining.await.map_err(Refused)?;
    let mut take = |name: &str| told.get_mut(name).map(Value::take).unwrap_or_default();
    Ok(Json(Data {
        data: Explanation {
            requested: take("requested"),
            order: take("order"),
            candidates: take("candidates"),
            refused: take("refused"),
        },
    }))
}

/// A chat request, as it would be sent.
struct ChatText(String);

impl Input for ChatText {
    async fn read(_: &mut Parts, body: &mut Body, _: &Shared) -> Result<Self> {
        let reading = to_bytes(std::mem::take(body), BODY_BYTES_MAX);
        let failed = |kind, why: String| Refused(Failure::new(kind, why));
        let bytes = tokio::time::timeout(BODY_TIME_MAX, reading)
            .await
            .map_err(|_| {
                failed(
                    FailureKind::RequestTimeout,
                    "The body did not arrive in time".to_owned(),
                )
            })?
            .map_err(|_| {
                let why = format!(
                    "The body was cut off or is larger than {BODY_BYTES_MAX} bytes; a shorter prompt is routed alike"
                );
                failed(FailureKind::PayloadTooLarge, why)
            })?;
        let text = String::from_utf8(bytes.into());
        text.map(Self)
            .map_err(|_| invalid("The body must be JSON in UTF-8"))
    }

    fn body(_: &mut Schemas) -> Option<Value> {
        Some(json!({"$ref": "#/components/schemas/ChatRequest"}))
    }
}
