//! Daily sums: what was called, and what went wrong.

use std::collections::BTreeMap;

use bourse_ledger::fold::{ActivityKey, ActivitySums, FailureOf, FailureSums};
use bourse_vocab::{AccountId, KeyId, NodeId};

use super::text::{Many, texts};
use super::value::{Row, Value};
use super::{Backend, Session, SqlStore};
use crate::activity::{Activity, ActivityQuery, ActivityRow, FailureRow};
use crate::{Reply, StoreError};

texts! {
    FAILURES = "SELECT day, account_id, key_id, model, endpoint, provider, failure, \
        CAST(SUM(calls) AS BIGINT), CAST(SUM(attempts) AS BIGINT) FROM failures \
        WHERE account_id = $1 AND day BETWEEN $2 AND $3 AND ($4 IS NULL OR key_id = $4) \
        GROUP BY account_id, day, key_id, model, endpoint, provider, failure \
        ORDER BY day, model, endpoint, provider, key_id, failure";
    ACTIVITY = "SELECT day, account_id, MIN(key_id), model, endpoint, provider, \
        CAST(SUM(requests) AS BIGINT), CAST(SUM(paid) AS BIGINT), CAST(SUM(byok) AS BIGINT), \
        CAST(SUM(prompt) AS BIGINT), CAST(SUM(completion) AS BIGINT), \
        CAST(SUM(reasoning) AS BIGINT), CAST(SUM(cached) AS BIGINT) FROM activity \
        WHERE account_id = $1 AND day BETWEEN $2 AND $3 AND ($4 IS NULL OR key_id = $4) \
        GROUP BY account_id, day, model, endpoint, provider \
        ORDER BY day, model, endpoint, provider";
}

static COUNT: Many = Many::rows(
    "INSERT INTO activity (day, account_id, key_id, model, endpoint, provider, node_id, \
     requests, paid, byok, prompt, completion, reasoning, cached)",
    14,
    "ON CONFLICT (account_id, day, key_id, model, endpoint, provider, node_id) DO UPDATE SET \
     requests = activity.requests + excluded.requests, \
     paid = activity.paid + excluded.paid, byok = activity.byok + excluded.byok, \
     prompt = activity.prompt + excluded.prompt, \
     completion = activity.completion + excluded.completion, \
     reasoning = activity.reasoning + excluded.reasoning, \
     cached = activity.cached + excluded.cached",
);
static FAIL: Many = Many::rows(
    "INSERT INTO failures (day, account_id, key_id, model, endpoint, provider, failure, node_id, \
     calls, attempts)",
    10,
    "ON CONFLICT (account_id, day, key_id, model, endpoint, provider, failure, node_id) \
     DO UPDATE SET calls = failures.calls + excluded.calls, \
     attempts = failures.attempts + excluded.attempts",
);
/// The statements above that take lists.
#[cfg(test)]
pub(in crate::sql) static LISTS: &[(&str, &Many)] = &[("COUNT", &COUNT), ("FAIL", &FAIL)];

/// Adds a batch to the sums of what was called.
pub(super) async fn write(
    session: &mut dyn Session,
    node: NodeId,
    rows: &BTreeMap<ActivityKey, ActivitySums>,
) -> Result<(), StoreError> {
    let rows: Vec<_> = rows.iter().collect();
    for (text, piece) in COUNT.pieces(&rows) {
        let mut values: Vec<Value<'_>> = Vec::with_capacity(piece.len() * COUNT.width);
        for (of, sums) in piece {
            values.extend([
                of.day.into(),
                of.account.into(),
                of.key.into(),
                (&of.model).into(),
                (&of.endpoint).into(),
                (&of.provider).into(),
                node.into(),
                sums.requests.into(),
                sums.paid.into(),
                sums.byok.into(),
                sums.prompt.into(),
                sums.completion.into(),
                sums.reasoning.into(),
                sums.cached.into(),
            ]);
        }
        session.change(text, &values).await?;
    }
    Ok(())
}

/// Adds a batch to the counts of what went wrong.
pub(super) async fn write_failures(
    session: &mut dyn Session,
    node: NodeId,
    rows: &BTreeMap<FailureOf, FailureSums>,
) -> Result<(), StoreError> {
    let rows: Vec<_> = rows.iter().collect();
    for (text, piece) in FAIL.pieces(&rows) {
        let mut values: Vec<Value<'_>> = Vec::with_capacity(piece.len() * FAIL.width);
        for (of, sums) in piece {
            values.extend([
                of.day.into(),
                of.account.into(),
                of.key.into(),
                (&of.model).into(),
                (&of.endpoint).into(),
                (&of.provider).into(),
                of.failure.into(),
                node.into(),
                sums.calls.into(),
                sums.attempts.into(),
            ]);
        }
        session.change(text, &values).await?;
    }
    Ok(())
}

fn failure_row(mut row: Row) -> Result<FailureRow, StoreError> {
    Ok(FailureRow {
        of: FailureOf {
            day: row.unsigned()?,
            account: AccountId(row.unsigned()?),
            key: KeyId(row.unsigned()?),
            model: row.text()?,
            endpoint: row.text()?,
            provider: row.text()?,
            failure: row.unsigned()?,
        },
        sums: FailureSums {
            calls: row.unsigned()?,
            attempts: row.unsigned()?,
        },
    })
}

fn activity_row(mut row: Row) -> Result<ActivityRow, StoreError> {
    let of = ActivityKey {
        day: row.unsigned()?,
        account: AccountId(row.unsigned()?),
        key: KeyId(row.unsigned()?),
        model: row.text()?,
        endpoint: row.text()?,
        provider: row.text()?,
    };
    let sums = ActivitySums {
        requests: row.unsigned()?,
        paid: row.nanos()?,
        byok: row.nanos()?,
        prompt: row.unsigned()?,
        completion: row.unsigned()?,
        reasoning: row.unsigned()?,
        cached: row.unsigned()?,
    };
    Ok(ActivityRow { of, sums })
}

impl<B: Backend> Activity for SqlStore<B> {
    fn activity(&self, query: ActivityQuery) -> Reply<'_, Vec<ActivityRow>> {
        Box::pin(async move {
            let values = [
                query.account.into(),
                query.first_day.into(),
                query.last_day.into(),
                query.key.map(|key| key.0).into(),
            ];
            let rows = self.read().await?.rows(ACTIVITY, &values).await?;
            rows.into_iter().map(activity_row).collect()
        })
    }

    fn failures(&self, query: ActivityQuery) -> Reply<'_, Vec<FailureRow>> {
        Box::pin(async move {
            let values = [
                query.account.into(),
                query.first_day.into(),
                query.last_day.into(),
                query.key.map(|key| key.0).into(),
            ];
            let rows = self.read().await?.rows(FAILURES, &values).await?;
            rows.into_iter().map(failure_row).collect()
        })
    }
}
