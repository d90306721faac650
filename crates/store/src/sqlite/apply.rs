//! Applying batches of the journal, in SQLite.

use std::collections::{BTreeMap, BTreeSet};

use bourse_ledger::fold::{ActivityKey, ActivitySums, GenerationRow};
use bourse_ledger::journal::JournalError;
use bourse_ledger::record::Checkpoint;
use bourse_ledger::{Effects, Fold, OpenHold, Record, record};
use bourse_spool::Position;
use bourse_vocab::{AccountId, GenerationId, KeyId, Nanos};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, SqliteConnection};

use super::{Columns, SqliteStore, book, id_bytes, key, pieces, signed};
use crate::audit::AuditView;
use crate::journal::{Applied, Batch, Journals};
use crate::{Reply, StoreError};

const HOLD_COLUMNS: &str = "SELECT id, account_id, key_id, amount, at_ms, model, provider, \
    endpoint, earlier, ck_charge, ck_upstream, ck_prompt, ck_completion FROM holds";

async fn applied(connection: &mut SqliteConnection) -> Result<Position, StoreError> {
    let sql = "SELECT spool_applied FROM progress WHERE id = 1";
    let position: i64 = sqlx::query_scalar(sql).fetch_one(connection).await?;
    Ok(Position(super::unsigned(position)?))
}

fn open_hold(row: &SqliteRow) -> Result<OpenHold, StoreError> {
    let mut columns = Columns::new(row);
    let mut hold = OpenHold {
        id: columns.id()?,
        account: AccountId(columns.unsigned()?),
        key: KeyId(columns.unsigned()?),
        amount: columns.nanos()?,
        at_ms: columns.unsigned()?,
        model: columns.text()?,
        provider: columns.text()?,
        endpoint: columns.text()?,
        earlier: Vec::new(),
        checkpoint: None,
    };
    // Slugs contain no spaces, so a list of them needs no table.
    let earlier: &str = columns.get()?;
    hold.earlier = earlier.split_whitespace().map(Into::into).collect();
    if let Some(charge) = columns.get::<Option<i64>>()? {
        hold.checkpoint = Some(Checkpoint {
            id: hold.id,
            charge: Nanos(charge),
            upstream: columns.nanos()?,
            prompt: columns.unsigned()?,
            completion: columns.unsigned()?,
        });
    }
    Ok(hold)
}

/// Loads the open holds of the calls that the batch mentions without
/// beginning them.
async fn earlier_holds(
    connection: &mut SqliteConnection,
    records: &[(Record<'_>, &[u8])],
) -> Result<Vec<OpenHold>, StoreError> {
    let mut begun = BTreeSet::new();
    let mut wanted = BTreeSet::new();
    for (record, _) in records {
        match record {
            Record::Hold(hold) => {
                begun.insert(hold.id);
            }
            other => {
                if !begun.contains(&other.id()) {
                    wanted.insert(other.id());
                }
            }
        }
    }
    let wanted: Vec<GenerationId> = wanted.into_iter().collect();
    let mut holds = Vec::with_capacity(wanted.len());
    for piece in pieces(&wanted) {
        let mut query = QueryBuilder::new(HOLD_COLUMNS);
        query.push(" WHERE id IN (");
        let mut list = query.separated(", ");
        for id in piece {
            list.push_bind(id_bytes(*id));
        }
        query.push(")");
        let rows = query.build().fetch_all(&mut *connection).await?;
        for row in &rows {
            holds.push(open_hold(row)?);
        }
    }
    Ok(holds)
}

async fn write_holds(
    connection: &mut SqliteConnection,
    opened: &[OpenHold],
    closed: &[GenerationId],
) -> Result<(), StoreError> {
    for piece in pieces(closed) {
        let mut query = QueryBuilder::new("DELETE FROM holds WHERE id IN (");
        let mut list = query.separated(", ");
        for id in piece {
            list.push_bind(id_bytes(*id));
        }
        query.push(")");
        query.build().execute(&mut *connection).await?;
    }
    for piece in pieces(opened) {
        let mut query = QueryBuilder::new(
            "INSERT INTO holds (id, account_id, key_id, amount, at_ms, model, provider, endpoint, \
             earlier, ck_charge, ck_upstream, ck_prompt, ck_completion) ",
        );
        query.push_values(piece, |mut row, hold| {
            let checkpoint = hold.checkpoint;
            row.push_bind(id_bytes(hold.id))
                .push_bind(signed(hold.account.0))
                .push_bind(signed(hold.key.0))
                .push_bind(hold.amount.0)
                .push_bind(signed(hold.at_ms))
                .push_bind(&*hold.model)
                .push_bind(&*hold.provider)
                .push_bind(&*hold.endpoint)
                .push_bind(hold.earlier.join(" "))
                .push_bind(checkpoint.map(|at| at.charge.0))
                .push_bind(checkpoint.map(|at| at.upstream.0))
                .push_bind(checkpoint.map(|at| signed(at.prompt)))
                .push_bind(checkpoint.map(|at| signed(at.completion)));
        });
        query.push(
            " ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, model = excluded.model, \
             provider = excluded.provider, endpoint = excluded.endpoint, \
             earlier = excluded.earlier, ck_charge = excluded.ck_charge, \
             ck_upstream = excluded.ck_upstream, ck_prompt = excluded.ck_prompt, \
             ck_completion = excluded.ck_completion",
        );
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn write_generations(
    connection: &mut SqliteConnection,
    rows: &[GenerationRow],
) -> Result<(), StoreError> {
    for piece in pieces(rows) {
        let mut query = QueryBuilder::new(
            "INSERT INTO generations (id, account_id, key_id, created_at_ms, settled_at_ms, model, \
             provider, endpoint, charge, paid, house_loss, upstream, prompt, completion, \
             reasoning, cached, record) ",
        );
        query.push_values(piece, |mut values, row| {
            values
                .push_bind(id_bytes(row.id))
                .push_bind(signed(row.account.0))
                .push_bind(signed(row.key.0))
                .push_bind(signed(row.created_at_ms))
                .push_bind(signed(row.settled_at_ms))
                .push_bind(&*row.model)
                .push_bind(&*row.provider)
                .push_bind(&*row.endpoint)
                .push_bind(row.charge.0)
                .push_bind(row.paid.0)
                .push_bind(row.house_loss.0)
                .push_bind(row.upstream.0)
                .push_bind(signed(row.prompt))
                .push_bind(signed(row.completion))
                .push_bind(signed(row.reasoning))
                .push_bind(signed(row.cached))
                .push_bind(row.record.as_slice());
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn write_activity(
    connection: &mut SqliteConnection,
    rows: &BTreeMap<ActivityKey, ActivitySums>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO activity (day, account_id, key_id, model, endpoint, provider, requests, \
               paid, byok, prompt, completion, reasoning, cached) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
               ON CONFLICT (account_id, day, key_id, model, endpoint, provider) DO UPDATE SET \
               requests = activity.requests + excluded.requests, \
               paid = activity.paid + excluded.paid, byok = activity.byok + excluded.byok, \
               prompt = activity.prompt + excluded.prompt, \
               completion = activity.completion + excluded.completion, \
               reasoning = activity.reasoning + excluded.reasoning, \
               cached = activity.cached + excluded.cached";
    for (of, sums) in rows {
        sqlx::query(sql)
            .bind(signed(of.day))
            .bind(signed(of.account.0))
            .bind(signed(of.key.0))
            .bind(&*of.model)
            .bind(&*of.endpoint)
            .bind(&*of.provider)
            .bind(signed(sums.requests))
            .bind(sums.paid.0)
            .bind(sums.byok.0)
            .bind(signed(sums.prompt))
            .bind(signed(sums.completion))
            .bind(signed(sums.reasoning))
            .bind(signed(sums.cached))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn write(
    connection: &mut SqliteConnection,
    effects: &Effects,
    batch: &Batch<'_>,
) -> Result<(), StoreError> {
    if !effects.journal.is_empty() {
        let source = format!("spool:{}-{}", batch.from, batch.to);
        book(connection, &effects.journal, &source, effects.at_ms).await?;
    }
    write_holds(connection, &effects.opened, &effects.closed).await?;
    write_generations(connection, &effects.generations).await?;
    for (account, paid) in &effects.spent {
        let sql = "UPDATE accounts SET spent = spent + $1 WHERE id = $2 RETURNING granted";
        let known: Option<i64> = sqlx::query_scalar(sql)
            .bind(paid.0)
            .bind(signed(account.0))
            .fetch_optional(&mut *connection)
            .await?;
        known.ok_or(StoreError::NotFound("account"))?;
    }
    let mut keys: BTreeMap<KeyId, Vec<(u64, Nanos)>> = BTreeMap::new();
    for ((id, _), used) in &effects.keys {
        keys.entry(*id).or_default().push((used.at_ms, used.paid));
    }
    for (id, paid) in keys {
        key::spend(connection, id, &paid).await?;
    }
    write_activity(connection, &effects.activity).await?;
    for question in &effects.unreconciled {
        let sql = "INSERT INTO reconcile (id, generation_id, provider, at_most, at_ms) \
                   SELECT COALESCE(MAX(id), 0) + 1, $1, $2, $3, $4 FROM reconcile";
        sqlx::query(sql)
            .bind(id_bytes(question.id))
            .bind(&*question.provider)
            .bind(question.at_most.0)
            .bind(signed(question.at_ms))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

impl Journals for SqliteStore {
    fn applied(&self) -> Reply<'_, Position> {
        Box::pin(async move { applied(&mut *self.readers.acquire().await?).await })
    }

    fn open_holds(&self) -> Reply<'_, Vec<OpenHold>> {
        Box::pin(async move {
            let sql = super::account::concat_sql(HOLD_COLUMNS, "ORDER BY id");
            let rows = sqlx::query(sql).fetch_all(&self.readers).await?;
            rows.iter().map(open_hold).collect()
        })
    }

    fn apply<'a>(&'a self, batch: Batch<'a>) -> Reply<'a, Applied> {
        Box::pin(async move {
            let mut records = Vec::with_capacity(batch.records.len());
            for &bytes in batch.records {
                records.push((record::decode(bytes)?, bytes));
            }
            let mut tx = self.begin().await?;
            let position = applied(&mut tx).await?;
            if batch.to <= position {
                return Ok(Applied {
                    position,
                    ..Applied::default()
                });
            }
            if batch.from != position {
                return Err(StoreError::Gap {
                    applied: position.0,
                    from: batch.from.0,
                });
            }
            let mut fold = Fold::new(earlier_holds(&mut tx, &records).await?);
            for (record, bytes) in &records {
                fold.push(record, bytes);
            }
            let effects = fold.finish()?;
            write(&mut tx, &effects, &batch).await?;
            let to = i64::try_from(batch.to.0).map_err(|_| JournalError::OutOfRange)?;
            sqlx::query("UPDATE progress SET spool_applied = $1 WHERE id = 1")
                .bind(to)
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            let records = batch.records.len() as u64;
            Ok(Applied {
                position: batch.to,
                records,
                repeated: effects.repeated,
            })
        })
    }

    fn audit(&self) -> Reply<'_, AuditView> {
        Box::pin(async move {
            let mut tx = self.readers.begin().await?;
            let position = applied(&mut tx).await?;
            super::audit::view(&mut tx, position).await
        })
    }
}
