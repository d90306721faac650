//! `GET /credits`: the account's credit, for management keys.

use bourse_vocab::{Failure, Nanos};
use schemars::JsonSchema;
use serde::Serialize;

use crate::access::Manager;
use crate::error::{Refused, Result};
use crate::reply::{Data, Json};
use crate::route::{Operation, Route};
use crate::schema::Dollars;
use crate::state::Shared;

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get(
        "/credits",
        Operation::new("Credits", "Shows credit granted and used"),
        show,
    )]
}

/// The account's credit since it was opened.
#[derive(Debug, Serialize, JsonSchema)]
struct Credits {
    #[schemars(with = "Dollars")]
    total_credits: Nanos,
    #[schemars(with = "Dollars")]
    total_usage: Nanos,
}

async fn show(state: Shared, manager: Manager) -> Result<Json<Data<Credits>>> {
    let account = manager.account();
    let data = match state.backend.balance(account) {
        Some(live) => Credits {
            total_credits: live.granted,
            total_usage: live.spent,
        },
        None => {
            let row = state.backend.store().account(account).await?;
            let row = row.ok_or_else(|| {
                Refused(Failure::server("a key's account is not in the database"))
            })?;
            Credits {
                total_credits: row.granted,
                total_usage: row.spent,
            }
        }
    };
    Ok(Json(Data { data }))
}
