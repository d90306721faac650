//! `GET /key`: what a key may know about itself.

use axum::Json;
use axum::extract::State;
use bourse_ledger::KeyBalance;
use bourse_policy::{KeyKind, Period};
use bourse_store::KeyRow;
use bourse_vocab::{Failure, FailureKind, Nanos};
use serde::Serialize;
use serde_json::Value;

use crate::auth::Caller;
use crate::error::{Answer, Refused};
use crate::route::{Access, Route};
use crate::schema::{
    Operation, boolean, data, dollars, integer, list, named, null, nullable, object, one_of, text,
    text_about,
};
use crate::time::{DAY_MS, iso};
use crate::{Desk, Shared};

/// The routes of this noun. `/auth/key` is the older name of `/key`.
pub(crate) fn routes() -> Vec<Route> {
    ["/key", "/auth/key"]
        .map(|path| {
            let operation =
                Operation::new("Keys", "Shows the key that asks", data(named("CurrentKey")));
            Route::get(path, Access::AnyKey, show, operation)
        })
        .into()
}

/// What a key may spend and has spent. A period's sum is zero once it is
/// over, as the limit starts anew with it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Spending {
    limit: Option<Nanos>,
    limit_remaining: Option<Nanos>,
    limit_reset: Option<Period>,
    include_byok_in_limit: bool,
    usage: Nanos,
    usage_daily: Nanos,
    usage_weekly: Nanos,
    usage_monthly: Nanos,
    byok_usage: Nanos,
    byok_usage_daily: Nanos,
    byok_usage_weekly: Nanos,
    byok_usage_monthly: Nanos,
    expires_at: Option<String>,
}

impl Spending {
    /// Reads the live books, or the stored sums if the books do not know the
    /// key. Money on hold for running calls is not counted, so that limit,
    /// usage and remainder add up.
    pub(crate) fn of(desk: &Desk, row: &KeyRow) -> Self {
        let now_ms = desk.office.now_ms();
        let live = desk.office.key_balance(row.key.account, row.id);
        let spent = live.map_or(row.spent, |KeyBalance { spent, .. }| spent);
        let remaining = row
            .limit()
            .map(|limit| limit.remaining(&spent, Nanos::ZERO, now_ms));
        Self {
            limit: row.key.limit,
            limit_remaining: remaining,
            limit_reset: row.key.limit_reset,
            include_byok_in_limit: row.key.include_byok_in_limit,
            usage: spent.total,
            usage_daily: spent.within(Some(Period::Daily), now_ms),
            usage_weekly: spent.within(Some(Period::Weekly), now_ms),
            usage_monthly: spent.within(Some(Period::Monthly), now_ms),
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
#[derive(Debug, Serialize)]
struct RateLimit {
    requests: i64,
    interval: &'static str,
    note: &'static str,
}

/// Free models have no daily quota here: -1.
#[derive(Debug, Serialize)]
struct FreeRequests {
    limit: i64,
    remaining: i64,
    used: i64,
}

/// A limit on spending, as OpenRouter's budgets.
#[derive(Debug, Clone, Serialize)]
struct Budget {
    scope: &'static str,
    budget_id: Option<()>,
    guardrail_id: Option<()>,
    limit_usd: Nanos,
    spend_usd: Nanos,
    remaining_usd: Nanos,
    reset_interval: Option<Period>,
    resets_at: Option<String>,
    include_byok: bool,
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
            scope: "key_limit",
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

/// The key that asks (OpenRouter's API document, October 2026).
#[derive(Debug, Serialize)]
struct CurrentKey {
    label: String,
    #[serde(flatten)]
    spending: Spending,
    is_free_tier: bool,
    is_management_key: bool,
    is_provisioning_key: bool,
    rate_limit: RateLimit,
    creator_user_id: Option<()>,
    organization_id: Option<()>,
    workspace_id: Option<()>,
    allowed_data_regions: [&'static str; 1],
    free_model_daily_requests: FreeRequests,
    budgets: Vec<Budget>,
    effective_budget: Option<Budget>,
}

#[derive(Debug, Serialize)]
struct Shown {
    data: CurrentKey,
}

async fn show(State(desk): State<Shared>, Caller(principal): Caller) -> Answer<Json<Shown>> {
    let row = desk.office.store().key_by_hash(principal.hash).await?;
    // Deleted since the guard looked.
    let gone = || {
        Refused(Failure::new(
            FailureKind::Authentication,
            "This API key does not exist any more",
        ))
    };
    let row = row.ok_or_else(gone)?;
    let spending = Spending::of(&desk, &row);
    let budget = Budget::of(&spending, desk.office.now_ms());
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
        workspace_id: None,
        allowed_data_regions: ["global"],
        free_model_daily_requests: FreeRequests {
            limit: -1,
            remaining: -1,
            used: 0,
        },
        budgets: budget.iter().cloned().collect(),
        effective_budget: budget,
    };
    Ok(Json(Shown { data }))
}

/// The members of [`Spending`].
pub(crate) fn spending_members() -> Vec<(&'static str, Value)> {
    vec![
        ("limit", nullable(dollars())),
        ("limit_remaining", nullable(dollars())),
        (
            "limit_reset",
            nullable(one_of(&["daily", "weekly", "monthly"])),
        ),
        ("include_byok_in_limit", boolean()),
        ("usage", dollars()),
        ("usage_daily", dollars()),
        ("usage_weekly", dollars()),
        ("usage_monthly", dollars()),
        ("byok_usage", dollars()),
        ("byok_usage_daily", dollars()),
        ("byok_usage_weekly", dollars()),
        ("byok_usage_monthly", dollars()),
        ("expires_at", nullable(text())),
    ]
}

/// Describes the shapes.
pub(crate) fn schemas() -> Vec<(&'static str, Value)> {
    let budget = object([
        ("scope", one_of(&["key_limit"])),
        ("budget_id", null()),
        ("guardrail_id", null()),
        ("limit_usd", dollars()),
        ("spend_usd", dollars()),
        ("remaining_usd", dollars()),
        (
            "reset_interval",
            nullable(one_of(&["daily", "weekly", "monthly"])),
        ),
        ("resets_at", nullable(text())),
        ("include_byok", boolean()),
    ]);
    let members = [
        ("label", text_about("The key's first and last digits")),
        ("is_free_tier", boolean()),
        ("is_management_key", boolean()),
        ("is_provisioning_key", boolean()),
        (
            "rate_limit",
            object([
                ("requests", integer()),
                ("interval", text()),
                ("note", text()),
            ]),
        ),
        ("creator_user_id", null()),
        ("organization_id", null()),
        ("workspace_id", null()),
        ("allowed_data_regions", list(text())),
        (
            "free_model_daily_requests",
            object([
                ("limit", integer()),
                ("remaining", integer()),
                ("used", integer()),
            ]),
        ),
        ("budgets", list(named("KeyBudget"))),
        ("effective_budget", nullable(named("KeyBudget"))),
    ];
    vec![
        ("KeyBudget", budget),
        (
            "CurrentKey",
            object(members.into_iter().chain(spending_members())),
        ),
    ]
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
