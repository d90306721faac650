//! `/ledger/books`: whether the books in memory say what journal and database
//! say.

use bourse_store::LiveReport;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Manager;
use crate::error::{Refused, Result};
use crate::reply::{Data, Json};
use crate::route::{Operation, Route};
use crate::state::Shared;

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get(
        "/ledger/books",
        Operation::new(
            "Ledger",
            "Compares the books in memory with journal and database",
        )
        .about(
            "Every purse in memory (credit, what was lent, spent by period, on hold) and every \
             running call, of all accounts, each at one position of the journal. Calls go on \
             meanwhile. Only one comparison runs at a time.",
        ),
        books,
    )]
}

async fn books(state: Shared, _: Manager) -> Result<Json<Data<BooksCompared>>> {
    let report = state.backend.compare_books().await.map_err(Refused)?;
    Ok(Json(Data {
        data: report.into(),
    }))
}

/// What comparing the books in memory found
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BooksCompared {
    /// Whether nothing differs
    pub agree: bool,
    /// How far the journal was written, in bytes since its beginning
    pub position: u64,
    /// Accounts in memory
    pub accounts: u64,
    /// Keys in memory
    pub keys: u64,
    /// Calls that ran
    pub running_calls: u64,
    /// Numbers that were compared
    pub compared: u64,
    /// What differs, a sentence each; at most a hundred
    pub differences: Vec<String>,
    /// How much does
    pub difference_count: u64,
}

impl From<LiveReport> for BooksCompared {
    fn from(report: LiveReport) -> Self {
        Self {
            agree: report.agrees(),
            position: report.position.0,
            accounts: report.accounts,
            keys: report.keys,
            running_calls: report.running,
            compared: report.compared,
            differences: report.differences.iter().map(ToString::to_string).collect(),
            difference_count: report.difference_count,
        }
    }
}
