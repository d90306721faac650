//! API keys, in SQLite.

use bourse_policy::{KeyHash, KeyKind, Period, Spent};
use bourse_vocab::{AccountId, KeyId, Nanos};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::account::concat_sql;
use super::{Columns, SqliteStore, damaged, next_change, signed};
use crate::key::{KeyPatch, KeyRow, Keys, NewKey};
use crate::{Reply, StoreError};

pub(super) const KEY_COLUMNS: &str = "SELECT id, account_id, hash, label, name, is_management, \
    is_disabled, limit_nanos, limit_reset, include_byok_in_limit, expires_at_ms, created_at_ms, \
    updated_at_ms, last_used_at_ms, deleted_at_ms, spent_total, spent_day, spent_day_index, \
    spent_week, spent_week_index, spent_month, spent_month_index FROM api_keys";

pub(super) fn key_row(row: &SqliteRow) -> Result<KeyRow, StoreError> {
    let mut columns = Columns::new(row);
    let id = KeyId(columns.unsigned()?);
    let account = AccountId(columns.unsigned()?);
    let hash: &[u8] = columns.get()?;
    let hash = KeyHash(
        hash.try_into()
            .map_err(|_| damaged("key hash", hash.len()))?,
    );
    let label = columns.get()?;
    let name = columns.get()?;
    let kind = if columns.flag()? {
        KeyKind::Management
    } else {
        KeyKind::Inference
    };
    let disabled = columns.flag()?;
    let limit = columns.get::<Option<i64>>()?.map(Nanos);
    let reset: Option<&str> = columns.get()?;
    let limit_reset = match reset {
        None => None,
        Some(name) => Some(Period::from_name(name).ok_or_else(|| damaged("limit reset", name))?),
    };
    let include_byok_in_limit = columns.flag()?;
    let expires_at_ms = columns.maybe_unsigned()?;
    Ok(KeyRow {
        id,
        key: NewKey {
            account,
            hash,
            label,
            name,
            kind,
            limit,
            limit_reset,
            include_byok_in_limit,
            expires_at_ms,
        },
        disabled,
        created_at_ms: columns.unsigned()?,
        updated_at_ms: columns.maybe_unsigned()?,
        last_used_at_ms: columns.maybe_unsigned()?,
        deleted_at_ms: columns.maybe_unsigned()?,
        spent: Spent {
            total: columns.nanos()?,
            day: columns.nanos()?,
            day_index: columns.unsigned()?,
            week: columns.nanos()?,
            week_index: columns.unsigned()?,
            month: columns.nanos()?,
            month_index: columns.unsigned()?,
        },
    })
}

async fn find(
    connection: &mut SqliteConnection,
    hash: KeyHash,
) -> Result<Option<KeyRow>, StoreError> {
    let sql = concat_sql(KEY_COLUMNS, "WHERE hash = $1 AND deleted_at_ms IS NULL");
    let row = sqlx::query(sql)
        .bind(hash.0.as_slice())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(key_row).transpose()
}

/// Reads what a key has spent, adds to it, writes it back.
pub(super) async fn spend(
    connection: &mut SqliteConnection,
    key: KeyId,
    paid: &[(u64, Nanos)],
) -> Result<(), StoreError> {
    let sql = concat_sql(KEY_COLUMNS, "WHERE id = $1");
    let row = sqlx::query(sql)
        .bind(signed(key.0))
        .fetch_optional(&mut *connection)
        .await?;
    let mut row = key_row(&row.ok_or(StoreError::NotFound("key"))?)?;
    for &(at_ms, amount) in paid {
        row.spent.add(amount, at_ms);
        row.last_used_at_ms = row.last_used_at_ms.max(Some(at_ms));
    }
    let spent = row.spent;
    let sql = "UPDATE api_keys SET last_used_at_ms = $1, spent_total = $2, spent_day = $3, \
               spent_day_index = $4, spent_week = $5, spent_week_index = $6, spent_month = $7, \
               spent_month_index = $8 WHERE id = $9";
    sqlx::query(sql)
        .bind(row.last_used_at_ms.map(signed))
        .bind(spent.total.0)
        .bind(spent.day.0)
        .bind(signed(spent.day_index))
        .bind(spent.week.0)
        .bind(signed(spent.week_index))
        .bind(spent.month.0)
        .bind(signed(spent.month_index))
        .bind(signed(key.0))
        .execute(connection)
        .await?;
    Ok(())
}

impl Keys for SqliteStore {
    fn create_key(&self, key: NewKey, at_ms: u64) -> Reply<'_, KeyRow> {
        Box::pin(async move {
            let mut tx = self.begin().await?;
            let known: Option<i64> = sqlx::query_scalar("SELECT id FROM accounts WHERE id = $1")
                .bind(signed(key.account.0))
                .fetch_optional(&mut *tx)
                .await?;
            known.ok_or(StoreError::NotFound("account"))?;
            let seq = next_change(&mut tx).await?;
            let sql = "INSERT INTO api_keys (id, account_id, hash, label, name, is_management, \
                       is_disabled, limit_nanos, limit_reset, include_byok_in_limit, expires_at_ms, \
                       created_at_ms, spent_total, spent_day, spent_day_index, spent_week, \
                       spent_week_index, spent_month, spent_month_index, change_seq) \
                       SELECT COALESCE(MAX(id), 0) + 1, $1, $2, $3, $4, $5, 0, $6, $7, $8, $9, $10, \
                       0, 0, 0, 0, 0, 0, 0, $11 FROM api_keys WHERE TRUE \
                       ON CONFLICT (hash) DO NOTHING RETURNING id";
            let id: Option<i64> = sqlx::query_scalar(sql)
                .bind(signed(key.account.0))
                .bind(key.hash.0.as_slice())
                .bind(&key.label)
                .bind(&key.name)
                .bind(i64::from(key.kind == KeyKind::Management))
                .bind(key.limit.map(|limit| limit.0))
                .bind(key.limit_reset.map(Period::name))
                .bind(i64::from(key.include_byok_in_limit))
                .bind(key.expires_at_ms.map(signed))
                .bind(signed(at_ms))
                .bind(seq)
                .fetch_optional(&mut *tx)
                .await?;
            id.ok_or(StoreError::Exists("key"))?;
            let row = find(&mut tx, key.hash)
                .await?
                .ok_or(StoreError::NotFound("key"))?;
            tx.commit().await?;
            Ok(row)
        })
    }

    fn key_by_hash(&self, hash: KeyHash) -> Reply<'_, Option<KeyRow>> {
        Box::pin(async move { find(&mut *self.readers.acquire().await?, hash).await })
    }

    fn keys(
        &self,
        account: Option<AccountId>,
        include_disabled: bool,
        offset: u64,
        count_max: u64,
    ) -> Reply<'_, Vec<KeyRow>> {
        Box::pin(async move {
            let sql = concat_sql(
                KEY_COLUMNS,
                "WHERE deleted_at_ms IS NULL AND ($1 IS NULL OR account_id = $1) \
                 AND is_disabled <= $2 ORDER BY id DESC LIMIT $3 OFFSET $4",
            );
            let rows = sqlx::query(sql)
                .bind(account.map(|account| signed(account.0)))
                .bind(i64::from(include_disabled))
                .bind(signed(count_max))
                .bind(signed(offset))
                .fetch_all(&self.readers)
                .await?;
            rows.iter().map(key_row).collect()
        })
    }

    fn update_key(&self, hash: KeyHash, patch: KeyPatch, at_ms: u64) -> Reply<'_, Option<KeyRow>> {
        Box::pin(async move {
            let mut tx = self.begin().await?;
            let Some(mut row) = find(&mut tx, hash).await? else {
                return Ok(None);
            };
            patch.apply(&mut row, at_ms);
            let seq = next_change(&mut tx).await?;
            let sql = "UPDATE api_keys SET name = $1, is_disabled = $2, limit_nanos = $3, \
                       limit_reset = $4, include_byok_in_limit = $5, updated_at_ms = $6, \
                       change_seq = $7 WHERE id = $8";
            sqlx::query(sql)
                .bind(&row.key.name)
                .bind(i64::from(row.disabled))
                .bind(row.key.limit.map(|limit| limit.0))
                .bind(row.key.limit_reset.map(Period::name))
                .bind(i64::from(row.key.include_byok_in_limit))
                .bind(signed(at_ms))
                .bind(seq)
                .bind(signed(row.id.0))
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            Ok(Some(row))
        })
    }

    fn delete_key(&self, hash: KeyHash, at_ms: u64) -> Reply<'_, bool> {
        Box::pin(async move {
            let mut tx = self.begin().await?;
            let seq = next_change(&mut tx).await?;
            let sql = "UPDATE api_keys SET deleted_at_ms = $1, change_seq = $2 \
                       WHERE hash = $3 AND deleted_at_ms IS NULL";
            let done = sqlx::query(sql)
                .bind(signed(at_ms))
                .bind(seq)
                .bind(hash.0.as_slice())
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            Ok(done.rows_affected() > 0)
        })
    }
}
