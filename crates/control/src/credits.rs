//! `GET /credits`: the account's credit, for management keys.

use axum::Json;
use axum::extract::State;
use bourse_vocab::{Failure, Nanos};
use serde::Serialize;
use serde_json::Value;

use crate::Shared;
use crate::auth::Manager;
use crate::error::{Answer, Refused};
use crate::route::{Access, Route};
use crate::schema::{Operation, data, dollars, named, object};

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get(
        "/credits",
        Access::Management,
        show,
        Operation::new(
            "Credits",
            "Shows credit granted and used",
            data(named("Credits")),
        ),
    )]
}

#[derive(Debug, Serialize)]
struct Credits {
    total_credits: Nanos,
    total_usage: Nanos,
}

#[derive(Debug, Serialize)]
struct Shown {
    data: Credits,
}

async fn show(State(desk): State<Shared>, manager: Manager) -> Answer<Json<Shown>> {
    let account = manager.account();
    let data = match desk.office.balance(account) {
        Some(live) => Credits {
            total_credits: live.granted,
            total_usage: live.spent,
        },
        None => {
            let row = desk.office.store().account(account).await?;
            let row = row.ok_or_else(|| {
                Refused(Failure::server("a key's account is not in the database"))
            })?;
            Credits {
                total_credits: row.granted,
                total_usage: row.spent,
            }
        }
    };
    Ok(Json(Shown { data }))
}

/// Describes the shapes.
pub(crate) fn schemas() -> Vec<(&'static str, Value)> {
    let credits = object([("total_credits", dollars()), ("total_usage", dollars())]);
    vec![("Credits", credits)]
}
