//! `GET /key`: what a key may know about itself.

use bourse_ledger::KeyBalance;
use bourse_policy::{KeyKind, Period};
use bourse_store::KeyRow;
use bourse_vocab::{Failure, FailureKind, Nanos};
use schemars::JsonSchema;
use serde::Serialize;

use crate::access::Caller;
use crate::error::{Refused, Result};
use crate::reply::{Data, Json};
use crate::route::{Operation, Route};
use crate::schema::{Dollars, Interval, Null};
use crate::state::{ControlState, Shared};
use crate::time::{DAY_MS, iso};

/// There is one workspace; OpenRouter's SDKs insist on its id being a text.
pub(crate) const WORKSPACE: &str = "default";

/// The routes of this noun. `/auth/key` is the older name of `/key`.
pub(crate) fn routes() -> Vec<Route> {
    ["/key", "/auth/key"]
        .map(|path| {
            let operation = Operation::new("Keys", "Shows the key that asks");
            Route::get(path, operation, show)
        })
        .into()
}

/// What a key may spend and has spent. A period's sum is zero once it is
/// over, as the limit starts anew with it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Spending {
    #[schemars(with = "Option<Dollars>")]
    limit: Option<Nanos>,
    #[schemars(with = "Option<Dollars>")]
    limit_remaining: Option<Nanos>,
    #[schemars(with = "Option<Interval>")]
    limit_reset: Option<Period>,
    include_byok_in_limit: bool,
    #[schemars(with = "Dollars")]
    usage: Nanos,
    #[schemars(with = "Dollars")]
    usage_daily: Nanos,
    #[schemars(with = "Dollars")]
    usage_weekly: Nanos,
    #[schemars(with = "Dollars")]
    usage_monthly: Nanos,
    #[schemars(with = "Dollars")]
    byok_usage: Nanos,
    #[schemars(with = "Dollars")]
    byok_usage_daily: Nanos,
    #[schemars(with = "Dollars")]
    byok_usage_weekly: Nanos,
    #[schemars(with = "Dollars")]
    byok_usage_monthly: Nanos,
    expires_at: Option<String>,
}

impl Spending {
    /// Reads the live books, or the stored sums if the books do not know the
    /// key. Money on hold for running calls is not counted, so that limit,
    /// usage and remainder add up.
    pub(crate) fn of(state: &ControlState, row: &KeyRow) -> Self {
        let now_ms = state.backend.now_ms();
        let live = state.backend.key_balance(row.key.account, row.id);
        let spent = live.map_or_else(|| row.spent.at(now_ms), |KeyBalance { spent, .. }| spent);
        let remaining = row
            .limit()
            .map(|limit| limit.remaining(&spent, Nanos::ZERO));
        Self {
            limit: row.key.limit,
            limit_remaining: remaining,
            limit_reset: row.key.limit_reset,
            include_byok_in_limit: row.key.include_byok_in_limit,
            usage: spent.total,
            usage_daily: spent.day,
            usage_weekly: spent.week,
            usage_monthly: spent.month,
            // Calls with a customer's own provider key cost no credit and
            // are summed by day and model, not by key.
            byok_usage: Nanos::ZERO,
            byok_usage_daily: Nanos::ZERO,
            byok_usage_weekly: Nanos::ZERO,
            byok_usage_monthly: Nanos::ZERO,
            expires_at: row.key.expires_at_ms.map(iso),
        }
    }
}

/// Long obsolete at OpenRouter, and still required by its SDKs.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct RateLimit {
    requests: i64,
    interval: &'static str,
    note: &'static str,
}

/// As good as no limit.
const FREE_REQUESTS: u32 = i32::MAX as u32;

/// Free models have no daily quota here. The document has no word for that
/// and strict clients read no negative number, so it is the largest that
/// every one of them reads, 2^31 - 1.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct FreeRequests {
    limit: u32,
    remaining: u32,
    used: u32,
}

/// A limit on spending, as OpenRouter's budgets.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "KeyBudget")]
struct Budget {
    scope: Scope,
    #[schemars(with = "Null")]
    budget_id: Option<()>,
    #[schemars(with = "Null")]
    guardrail_id: Option<()>,
    #[schemars(with = "Dollars")]
    limit_usd: Nanos,
    #[schemars(with = "Dollars")]
    spend_usd: Nanos,
    #[schemars(with = "Dollars")]
    remaining_usd: Nanos,
    #[schemars(with = "Option<Interval>")]
    reset_interval: Option<Period>,
    resets_at: Option<String>,
    include_byok: bool,
}

/// What a budget limits.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Scope {
    KeyLimit,
}

impl Budget {
    fn of(spending: &Spending, now_ms: u64) -> Option<Self> {
        let limit = spending.limit?;
        let spent = match spending.limit_reset {
            None => spending.usage,
            Some(Period::Daily) => spending.usage_daily,
            Some(Period::Weekly) => spending.usage_weekly,
            Some(Period::Monthly) => spending.usage_monthly,
        };
        Some(Self {
            scope: Scope::KeyLimit,
            budget_id: None,
            guardrail_id: None,
            limit_usd: limit,
            spend_usd: spent,
            remaining_usd: spending.limit_remaining?,
            reset_interval: spending.limit_reset,
            resets_at: spending
                .limit_reset
                .map(|period| iso(turn_after(period, now_ms))),
            include_byok: spending.include_byok_in_limit,
        })
    }
}

/// The first midnight UTC of the next period.
fn turn_after(period: Period, now_ms: u64) -> u64 {
    let current = period.index(now_ms);
    let mut day = now_ms / DAY_MS + 1;
    // At most 31 steps: no period is longer than a month.
    while period.index(day.saturating_mul(DAY_MS)) == current {
        day = day.saturating_add(1);
    }
    day.saturating_mul(DAY_MS)
}

/// The key that asks.
// OpenRouter's API document, October 2026.
#[derive(Debug, Serialize, JsonSchema)]
struct CurrentKey {
    /// The key's first and last digits
    label: String,
    #[serde(flatten)]
    spending: Spending,
    is_free_tier: bool,
    is_management_key: bool,
    is_provisioning_key: bool,
    rate_limit: RateLimit,
    #[schemars(with = "Null")]
    creator_user_id: Option<()>,
    #[schemars(with = "Null")]
    organization_id: Option<()>,
    workspace_id: &'static str,
    allowed_data_regions: [&'static str; 1],
    free_model_daily_requests: FreeRequests,
    budgets: Vec<Budget>,
    effective_budget: Option<Budget>,
}

async fn show(state: Shared, caller: Caller) -> Result<Json<Data<CurrentKey>>> {
    let principal = caller.principal();
    let row = state.backend.store().key_by_hash(principal.hash).await?;
    // Deleted since the caller was identified.
    let gone = || {
        Refused(Failure::new(
            FailureKind::Authentication,
            "This API key does not exist any more",
        ))
    };
    let row = row.ok_or_else(gone)?;
    let spending = Spending::of(&state, &row);
    let budget = Budget::of(&spending, state.backend.now_ms());
    let is_management_key = principal.kind == KeyKind::Management;
    let data = CurrentKey {
        label: row.key.label,
        spending,
        is_free_tier: false,
        is_management_key,
        is_provisioning_key: is_management_key,
        rate_limit: RateLimit {
            requests: -1,
            interval: "10s",
            note: "Obsolete: requests are not limited by count.",
        },
        creator_user_id: None,
        organization_id: None,
        workspace_id: WORKSPACE,
        allowed_data_regions: ["global"],
        free_model_daily_requests: FreeRequests {
            limit: FREE_REQUESTS,
            remaining: FREE_REQUESTS,
            used: 0,
        },
        budgets: budget.iter().cloned().collect(),
        effective_budget: budget,
    };
    Ok(Json(Data { data }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_turns_at_the_next_midnight_monday_or_first() {
        // 21 November 2026, 12:00 UTC, a Saturday.
        let now = 1_795_262_400_000;
        for (period, turn) in [
            (Period::Daily, "2026-11-22T00:00:00Z"),
            (Period::Weekly, "2026-11-23T00:00:00Z"),
            (Period::Monthly, "2026-12-01T00:00:00Z"),
        ] {
            assert_eq!(iso(turn_after(period, now)), turn);
        }
    }
}
