//! `GET /activity`: what the account used, day by day.

use std::cmp::Reverse;

use axum::Json;
use axum::extract::State;
use bourse_policy::KeyHash;
use bourse_store::{ActivityQuery, ActivityRow};
use bourse_vocab::Nanos;
use serde::Serialize;
use serde_json::Value;

use crate::Shared;
use crate::args::Args;
use crate::auth::Manager;
use crate::error::{Answer, invalid, not_found};
use crate::route::{Access, Route};
use crate::schema::{Operation, data, dollars, integer, list, named, object, text};
use crate::time::{DAY_MS, date, day};

/// How many completed days can be asked for, as at OpenRouter (API document,
/// October 2026).
const DAYS: u64 = 30;

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get(
        "/activity",
        Access::Management,
        show,
        Operation::new(
            "Activity",
            "Shows what was used, by day, model and endpoint",
            data(list(named("ActivityItem"))),
        )
        .about(
            "The last 30 completed UTC days, newest first. A call counts on the day on which it \
             was settled. date may also be today: then the sums are those of today so far.",
        )
        .query("date", "One UTC day only, YYYY-MM-DD", text())
        .query("api_key_hash", "One key only", text()),
    )]
}

/// One row (OpenRouter's API document, October 2026).
#[derive(Debug, Serialize)]
struct Item {
    date: String,
    model: String,
    model_permaslug: String,
    endpoint_id: String,
    provider_name: String,
    usage: Nanos,
    byok_usage_inference: Nanos,
    requests: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    reasoning_tokens: u64,
    cached_tokens: u64,
}

#[derive(Debug, Serialize)]
struct Items {
    data: Vec<Item>,
}

async fn show(State(desk): State<Shared>, manager: Manager, args: Args) -> Answer<Json<Items>> {
    let why = "there are no members and no workspaces";
    args.refuse(&["user_id", "workspace_id", "group_by"], why)?;
    let today = desk.office.now_ms() / DAY_MS;
    let earliest = today.saturating_sub(DAYS);
    let (first_day, last_day) = match args.text("date") {
        None => (earliest, today.saturating_sub(1)),
        Some(text) => {
            let wanted = day("date", text)?;
            if !(earliest..=today).contains(&wanted) {
                return Err(invalid(format!(
                    "date: must be one of the last {DAYS} completed UTC days, or today"
                )));
            }
            (wanted, wanted)
        }
    };
    let store = desk.office.store();
    let account = manager.account();
    let key = match args.text("api_key_hash") {
        None => None,
        Some(text) => {
            let no_such_key = || not_found("There is no such key");
            let hash: KeyHash = text.parse().map_err(|_| no_such_key())?;
            let row = store.key_by_hash(hash).await?;
            let row = row.filter(|row| row.key.account == account);
            Some(row.ok_or_else(no_such_key)?.id)
        }
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
    let catalog = desk.office.catalog();
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
            model: of.model.into(),
            endpoint_id: of.endpoint.into(),
            provider_name: provider.unwrap_or_else(|| of.provider.into()),
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
    Ok(Json(Items { data }))
}

/// Describes the shapes.
pub(crate) fn schemas() -> Vec<(&'static str, Value)> {
    let item = object([
        ("date", text()),
        ("model", text()),
        ("model_permaslug", text()),
        ("endpoint_id", text()),
        ("provider_name", text()),
        ("usage", dollars()),
        ("byok_usage_inference", dollars()),
        ("requests", integer()),
        ("prompt_tokens", integer()),
        ("completion_tokens", integer()),
        ("reasoning_tokens", integer()),
        ("cached_tokens", integer()),
    ]);
    vec![("ActivityItem", item)]
}
