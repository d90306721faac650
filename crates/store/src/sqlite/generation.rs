//! Finished calls and daily sums, in SQLite.

use bourse_ledger::fold::{ActivityKey, ActivitySums, GenerationRow, Unreconciled};
use bourse_vocab::{AccountId, GenerationId, KeyId};
use sqlx::sqlite::SqliteRow;

use super::account::concat_sql;
use super::{Columns, SqliteStore, id_bytes, signed};
use crate::activity::{Activity, ActivityQuery, ActivityRow};
use crate::generation::{Generations, SettledPage};
use crate::{Reply, StoreError};

const COLUMNS: &str = "SELECT id, account_id, key_id, created_at_ms, settled_at_ms, model, \
    provider, endpoint, charge, paid, house_loss, upstream, prompt, completion, reasoning, \
    cached, record FROM generations";

fn generation_row(row: &SqliteRow) -> Result<GenerationRow, StoreError> {
    let mut columns = Columns::new(row);
    Ok(GenerationRow {
        id: columns.id()?,
        account: AccountId(columns.unsigned()?),
        key: KeyId(columns.unsigned()?),
        created_at_ms: columns.unsigned()?,
        settled_at_ms: columns.unsigned()?,
        model: columns.text()?,
        provider: columns.text()?,
        endpoint: columns.text()?,
        charge: columns.nanos()?,
        paid: columns.nanos()?,
        house_loss: columns.nanos()?,
        upstream: columns.nanos()?,
        prompt: columns.unsigned()?,
        completion: columns.unsigned()?,
        reasoning: columns.unsigned()?,
        cached: columns.unsigned()?,
        record: columns.get()?,
    })
}

impl Generations for SqliteStore {
    fn generation(&self, id: GenerationId) -> Reply<'_, Option<GenerationRow>> {
        Box::pin(async move {
            let row = sqlx::query(concat_sql(COLUMNS, "WHERE id = $1"))
                .bind(id_bytes(id))
                .fetch_optional(&self.readers)
                .await?;
            row.as_ref().map(generation_row).transpose()
        })
    }

    fn generations(&self, account: AccountId, count_max: u64) -> Reply<'_, Vec<GenerationRow>> {
        Box::pin(async move {
            let sql = concat_sql(COLUMNS, "WHERE account_id = $1 ORDER BY id DESC LIMIT $2");
            let rows = sqlx::query(sql)
                .bind(signed(account.0))
                .bind(signed(count_max))
                .fetch_all(&self.readers)
                .await?;
            rows.iter().map(generation_row).collect()
        })
    }

    fn generations_settled(&self, page: SettledPage) -> Reply<'_, Vec<GenerationRow>> {
        Box::pin(async move {
            let sql = concat_sql(
                COLUMNS,
                "WHERE id > $1 AND settled_at_ms >= $2 AND settled_at_ms < $3 \
                 ORDER BY id LIMIT $4",
            );
            // No id is empty, so nothing is all before the first.
            let after = page.after.map_or_else(Vec::new, id_bytes);
            let rows = sqlx::query(sql)
                .bind(after)
                .bind(signed(page.from_ms))
                .bind(signed(page.before_ms))
                .bind(signed(page.count_max))
                .fetch_all(&self.readers)
                .await?;
            rows.iter().map(generation_row).collect()
        })
    }

    fn unreconciled(&self, count_max: u64) -> Reply<'_, Vec<Unreconciled>> {
        Box::pin(async move {
            let sql = "SELECT generation_id, provider, at_most, at_ms FROM reconcile \
                       ORDER BY id LIMIT $1";
            let rows = sqlx::query(sql)
                .bind(signed(count_max))
                .fetch_all(&self.readers)
                .await?;
            let questions = rows.iter().map(|row| {
                let mut columns = Columns::new(row);
                Ok(Unreconciled {
                    id: columns.id()?,
                    provider: columns.text()?,
                    at_most: columns.nanos()?,
                    at_ms: columns.unsigned()?,
                })
            });
            questions.collect()
        })
    }
}

impl Activity for SqliteStore {
    fn activity(&self, query: ActivityQuery) -> Reply<'_, Vec<ActivityRow>> {
        Box::pin(async move {
            let sql = "SELECT day, account_id, MIN(key_id), model, endpoint, provider, \
                       SUM(requests), SUM(paid), SUM(byok), SUM(prompt), SUM(completion), \
                       SUM(reasoning), SUM(cached) FROM activity \
                       WHERE account_id = $1 AND day BETWEEN $2 AND $3 \
                       AND ($4 IS NULL OR key_id = $4) \
                       GROUP BY account_id, day, model, endpoint, provider \
                       ORDER BY day, model, endpoint, provider";
            let rows = sqlx::query(sql)
                .bind(signed(query.account.0))
                .bind(signed(query.first_day))
                .bind(signed(query.last_day))
                .bind(query.key.map(|key| signed(key.0)))
                .fetch_all(&self.readers)
                .await?;
            let rows = rows.iter().map(|row| {
                let mut columns = Columns::new(row);
                let of = ActivityKey {
                    day: columns.unsigned()?,
                    account: AccountId(columns.unsigned()?),
                    key: KeyId(columns.unsigned()?),
                    model: columns.text()?,
                    endpoint: columns.text()?,
                    provider: columns.text()?,
                };
                let sums = ActivitySums {
                    requests: columns.unsigned()?,
                    paid: columns.nanos()?,
                    byok: columns.nanos()?,
                    prompt: columns.unsigned()?,
                    completion: columns.unsigned()?,
                    reasoning: columns.unsigned()?,
                    cached: columns.unsigned()?,
                };
                Ok(ActivityRow { of, sums })
            });
            rows.collect()
        })
    }
}
