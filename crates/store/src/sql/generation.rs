//! Finished calls and daily sums.

use bourse_ledger::fold::{ActivityKey, ActivitySums, FailureOf, FailureSums, Unreconciled};
use bourse_ledger::record::VoidReason;
use bourse_ledger::{GenerationRow, Link, RowSum};
use bourse_vocab::{AccountId, FailureKind, GenerationId, KeyId};

use super::text::texts;
use super::value::{Row, Value, damaged};
use super::{Backend, Session, SqlStore};
use crate::activity::{Activity, ActivityQuery, ActivityRow, FailureRow};
use crate::audit::RowReport;
use crate::generation::{Generations, SettledPage};
use crate::{Reply, StoreError};

/// A statement that returns finished calls, with its own end.
macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, account_id, key_id, created_at_ms, settled_at_ms, model, provider, \
             endpoint, charge, paid, house_loss, upstream, prompt, completion, reasoning, cached, \
             voided, failure, record, link FROM generations ",
            $tail
        )
    };
}

texts! {
    BY_ID = select!("WHERE id = $1");
    OF_ACCOUNT = select!("WHERE account_id = $1 ORDER BY id DESC LIMIT $2");
    SETTLED = select!(
        "WHERE id > $1 AND settled_at_ms >= $2 AND settled_at_ms < $3 ORDER BY id LIMIT $4"
    );
    AFTER = select!("WHERE id > $1 ORDER BY id LIMIT $2");
    FAILURES = "SELECT day, account_id, key_id, model, endpoint, provider, failure, \
        CAST(SUM(calls) AS BIGINT), CAST(SUM(attempts) AS BIGINT) FROM failures \
        WHERE account_id = $1 AND day BETWEEN $2 AND $3 AND ($4 IS NULL OR key_id = $4) \
        GROUP BY account_id, day, key_id, model, endpoint, provider, failure \
        ORDER BY day, model, endpoint, provider, key_id, failure";
    UNRECONCILED = "SELECT generation_id, provider, at_most, at_ms FROM reconcile \
        ORDER BY id LIMIT $1";
    ACTIVITY = "SELECT day, account_id, MIN(key_id), model, endpoint, provider, \
        CAST(SUM(requests) AS BIGINT), CAST(SUM(paid) AS BIGINT), CAST(SUM(byok) AS BIGINT), \
        CAST(SUM(prompt) AS BIGINT), CAST(SUM(completion) AS BIGINT), \
        CAST(SUM(reasoning) AS BIGINT), CAST(SUM(cached) AS BIGINT) FROM activity \
        WHERE account_id = $1 AND day BETWEEN $2 AND $3 AND ($4 IS NULL OR key_id = $4) \
        GROUP BY account_id, day, model, endpoint, provider \
        ORDER BY day, model, endpoint, provider";
}

fn generation_row(mut row: Row) -> Result<GenerationRow, StoreError> {
    Ok(GenerationRow {
        id: row.id()?,
        account: AccountId(row.unsigned()?),
        key: KeyId(row.unsigned()?),
        created_at_ms: row.unsigned()?,
        settled_at_ms: row.unsigned()?,
        model: row.text()?,
        provider: row.text()?,
        endpoint: row.text()?,
        charge: row.nanos()?,
        paid: row.nanos()?,
        house_loss: row.nanos()?,
        upstream: row.nanos()?,
        prompt: row.unsigned()?,
        completion: row.unsigned()?,
        reasoning: row.unsigned()?,
        cached: row.unsigned()?,
        voided: row.maybe_unsigned()?.map(reason).transpose()?,
        failure: FailureKind::by_number(row.unsigned()?),
        record: row.bytes()?,
        link: row.maybe_array("hash of a row")?.map(Link),
    })
}

fn reason(number: u64) -> Result<VoidReason, StoreError> {
    VoidReason::by_number(number).ok_or_else(|| damaged("reason", number))
}

/// Rows held to their records at once.
const CHECKED_AT_ONCE: u64 = 2_000;

/// Holds every row to its record.
pub(super) async fn check_rows(
    session: &mut dyn Session,
    expected: RowSum,
) -> Result<RowReport, StoreError> {
    let mut report = RowReport {
        expected,
        ..RowReport::default()
    };
    let mut last: Option<GenerationId> = None;
    loop {
        // No id is empty, so nothing is before the first.
        let after = last.map_or(Value::Bytes(&[]), Value::from);
        let rows = session
            .rows(AFTER, &[after, CHECKED_AT_ONCE.into()])
            .await?;
        if rows.is_empty() {
            return Ok(report);
        }
        for row in rows {
            let row = generation_row(row)?;
            report.see(&row);
            last = Some(row.id);
        }
    }
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

fn question(mut row: Row) -> Result<Unreconciled, StoreError> {
    Ok(Unreconciled {
        id: row.id()?,
        provider: row.text()?,
        at_most: row.nanos()?,
        at_ms: row.unsigned()?,
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

impl<B: Backend> Generations for SqlStore<B> {
    fn generation(&self, id: GenerationId) -> Reply<'_, Option<GenerationRow>> {
        Box::pin(async move {
            let row = self.read().await?.maybe(BY_ID, &[id.into()]).await?;
            row.map(generation_row).transpose()
        })
    }

    fn generations(&self, account: AccountId, count_max: u64) -> Reply<'_, Vec<GenerationRow>> {
        Box::pin(async move {
            let values = [account.into(), count_max.into()];
            let rows = self.read().await?.rows(OF_ACCOUNT, &values).await?;
            rows.into_iter().map(generation_row).collect()
        })
    }

    fn generations_settled(&self, page: SettledPage) -> Reply<'_, Vec<GenerationRow>> {
        Box::pin(async move {
            let values = [
                // No id is empty, so nothing is before the first.
                page.after.map_or(Value::Bytes(&[]), Value::from),
                page.from_ms.into(),
                page.before_ms.into(),
                page.count_max.into(),
            ];
            let rows = self.read().await?.rows(SETTLED, &values).await?;
            rows.into_iter().map(generation_row).collect()
        })
    }

    fn unreconciled(&self, count_max: u64) -> Reply<'_, Vec<Unreconciled>> {
        Box::pin(async move {
            let rows = self
                .read()
                .await?
                .rows(UNRECONCILED, &[count_max.into()])
                .await?;
            rows.into_iter().map(question).collect()
        })
    }
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
