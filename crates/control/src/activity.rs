//! `GET /activity`: what the account used, day by day.

use std::cmp::Reverse;

use bourse_policy::KeyHash;
use bourse_store::{ActivityQuery, ActivityRow, Store};
use bourse_vocab::{AccountId, KeyId, Nanos};
use schemars::JsonSchema;
use serde::Serialize;

use crate::access::Manager;
use crate::args::Args;
use crate::error::{Result, invalid, not_found};
use crate::reply::{Data, Json};
use crate::route::{Operation, Route};
use crate::schema::{Dollars, inline};
use crate::state::Shared;
use crate::time::{DAY_MS, date, day};

/// How many completed days can be asked for, as at OpenRouter (API document,
/// October 2026).
const DAYS: u64 = 30;

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    let text = inline::<String>();
    vec![Route::get(
        "/activity",
        Operation::new(
            "Activity",
            "Shows what was used, by day, model and endpoint",
        )
        .about(
            "The last 30 completed UTC days, newest first. A call counts on the day on which \
                 it was settled. date may also be today: then the sums are those of today so far.",
        )
        .query("date", "One UTC day only, YYYY-MM-DD", &text)
        .query("api_key_hash", "One key only", &text),
        show,
    )]
}

/// One row (OpenRouter's API document, October 2026).
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(
    rename = "ActivityItem",
    description = "What a model used at an endpoint on a day"
)]
struct Item {
    date: String,
    model: String,
    model_permaslug: String,
    endpoint_id: String,
    provider_name: String,
    #[schemars(with = "Dollars")]
    usage: Nanos,
    #[schemars(with = "Dollars")]
    byok_usage_inference: Nanos,
    requests: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    reasoning_tokens: u64,
    cached_tokens: u64,
}

async fn show(state: Shared, manager: Manager, args: Args) -> Result<Json<Data<Vec<Item>>>> {
    let why = "there are no members and no workspaces";
    args.refuse(&["user_id", "workspace_id", "group_by"], why)?;
    let today = state.backend.now_ms() / DAY_MS;
    let (first_day, last_day) = wanted_days(&args, today)?;
    let store = state.backend.store();
    let account = manager.account();
    let key = match args.text("api_key_hash") {
        None => None,
        Some(text) => Some(own_key(&*store, account, text).await?),
    };
    let query = ActivityQuery {
        account,
        key,
        first_day,
        last_day,
    };
    let mut rows = store.activity(query).await?;
    // Stable: within a day the store's order stays.
    rows.sort_by_key(|row| Reverse(row.of.day));
    let catalog = state.backend.catalog();
    let item = |ActivityRow { of, sums }| {
        let canonical = catalog
            .model_ix(&of.model)
            .map(|ix| catalog.model(ix).canonical_slug.to_string());
        let provider = catalog
            .provider_by_slug(&of.provider)
            .map(|provider| provider.name.to_string());
        Item {
            date: date(of.day),
            model_permaslug: canonical.unwrap_or_else(|| of.model.to_string()),
            model: of.model.to_string(),
            endpoint_id: of.endpoint.to_string(),
            provider_name: provider.unwrap_or_else(|| of.provider.to_string()),
            usage: sums.paid,
            byok_usage_inference: sums.byok,
            requests: sums.requests,
            prompt_tokens: sums.prompt,
            completion_tokens: sums.completion,
            reasoning_tokens: sums.reasoning,
            cached_tokens: sums.cached,
        }
    };
    let data = rows.into_iter().map(item).collect();
    Ok(Json(Data { data }))
}

/// The first and the last day that are asked for.
fn wanted_days(args: &Args, today: u64) -> Result<(u64, u64)> {
    let earliest = today.saturating_sub(DAYS);
    let Some(text) = args.text("date") else {
        return Ok((earliest, today.saturating_sub(1)));
    };
    let wanted = day("date", text)?;
    if !(earliest..=today).contains(&wanted) {
        return Err(invalid(format!(
            "date: must be one of the last {DAYS} completed UTC days, or today"
        )));
    }
    Ok((wanted, wanted))
}

/// Finds a key of the account by its hash.
async fn own_key(store: &dyn Store, account: AccountId, hash: &str) -> Result<KeyId> {
    let no_such_key = || not_found("There is no such key");
    let hash: KeyHash = hash.parse().map_err(|_| no_such_key())?;
    let row = store.key_by_hash(hash).await?;
    let row = row.filter(|row| row.key.account == account);
    Ok(row.ok_or_else(no_such_key)?.id)
}
