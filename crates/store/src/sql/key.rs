//! API keys.

use bourse_policy::{KeyHash, KeyKind, Period, Spent};
use bourse_vocab::{AccountId, KeyId, Nanos};

use super::text::texts;
use super::value::{Row, damaged};
use super::{Backend, Session, SqlStore, in_transaction, next_change};
use crate::key::{KeyPatch, KeyRow, Keys, NewKey};
use crate::texts::{check, check_key};
use crate::{Reply, StoreError};

/// A statement that returns whole keys, with its own end.
macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, account_id, hash, label, name, is_management, is_disabled, limit_nanos, \
             limit_reset, include_byok_in_limit, expires_at_ms, created_at_ms, updated_at_ms, \
             last_used_at_ms, deleted_at_ms, spent_total, spent_day, spent_day_index, spent_week, \
             spent_week_index, spent_month, spent_month_index FROM api_keys ",
            $tail
        )
    };
}

texts! {
    BY_HASH = select!("WHERE hash = $1 AND deleted_at_ms IS NULL");
    BY_ID = select!("WHERE id = $1");
    pub(super) KEYS_CHANGED = select!("WHERE change_seq > $1 ORDER BY id");
    PAGE = select!(
        "WHERE deleted_at_ms IS NULL AND ($1 IS NULL OR account_id = $1) \
         AND is_disabled <= $2 ORDER BY id DESC LIMIT $3 OFFSET $4"
    );
    ACCOUNT = "SELECT id FROM accounts WHERE id = $1";
    CREATE = "INSERT INTO api_keys (id, account_id, hash, label, name, is_management, \
        is_disabled, limit_nanos, limit_reset, include_byok_in_limit, expires_at_ms, \
        created_at_ms, spent_total, spent_day, spent_day_index, spent_week, spent_week_index, \
        spent_month, spent_month_index, change_seq) \
        SELECT COALESCE(MAX(id), 0) + 1, $1, $2, $3, $4, $5, 0, $6, $7, $8, $9, $10, \
        0, 0, 0, 0, 0, 0, 0, $11 FROM api_keys WHERE TRUE \
        ON CONFLICT (hash) DO NOTHING RETURNING id";
    UPDATE = "UPDATE api_keys SET name = $1, is_disabled = $2, limit_nanos = $3, \
        limit_reset = $4, include_byok_in_limit = $5, updated_at_ms = $6, change_seq = $7 \
        WHERE id = $8";
    DELETE = "UPDATE api_keys SET deleted_at_ms = $1, change_seq = $2 \
        WHERE hash = $3 AND deleted_at_ms IS NULL";
    SPEND = "UPDATE api_keys SET last_used_at_ms = $1, spent_total = $2, spent_day = $3, \
        spent_day_index = $4, spent_week = $5, spent_week_index = $6, spent_month = $7, \
        spent_month_index = $8 WHERE id = $9";
}

pub(super) fn key_row(mut row: Row) -> Result<KeyRow, StoreError> {
    let id = KeyId(row.unsigned()?);
    let account = AccountId(row.unsigned()?);
    let hash = KeyHash(row.array("key hash")?);
    let label = row.string()?;
    let name = row.string()?;
    let kind = if row.flag()? {
        KeyKind::Management
    } else {
        KeyKind::Inference
    };
    let disabled = row.flag()?;
    let limit = row.maybe_int()?.map(Nanos);
    let limit_reset = match row.maybe_string()? {
        None => None,
        Some(name) => Some(Period::from_name(&name).ok_or_else(|| damaged("limit reset", name))?),
    };
    let include_byok_in_limit = row.flag()?;
    let expires_at_ms = row.maybe_unsigned()?;
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
        created_at_ms: row.unsigned()?,
        updated_at_ms: row.maybe_unsigned()?,
        last_used_at_ms: row.maybe_unsigned()?,
        deleted_at_ms: row.maybe_unsigned()?,
        spent: Spent {
            total: row.nanos()?,
            day: row.nanos()?,
            day_index: row.unsigned()?,
            week: row.nanos()?,
            week_index: row.unsigned()?,
            month: row.nanos()?,
            month_index: row.unsigned()?,
        },
    })
}

async fn find(session: &mut dyn Session, hash: KeyHash) -> Result<Option<KeyRow>, StoreError> {
    let row = session.maybe(BY_HASH, &[hash.0.as_slice().into()]).await?;
    row.map(key_row).transpose()
}

/// Reads what a key has spent, adds to it, writes it back.
pub(super) async fn spend(
    session: &mut dyn Session,
    key: KeyId,
    paid: &[(u64, Nanos)],
) -> Result<(), StoreError> {
    let row = session.maybe(BY_ID, &[key.into()]).await?;
    let mut row = key_row(row.ok_or(StoreError::NotFound("key"))?)?;
    for &(at_ms, amount) in paid {
        row.spent.add(amount, at_ms);
        row.last_used_at_ms = row.last_used_at_ms.max(Some(at_ms));
    }
    let spent = row.spent;
    let values = [
        row.last_used_at_ms.into(),
        spent.total.into(),
        spent.day.into(),
        spent.day_index.into(),
        spent.week.into(),
        spent.week_index.into(),
        spent.month.into(),
        spent.month_index.into(),
        key.into(),
    ];
    session.change(SPEND, &values).await?;
    Ok(())
}

async fn create(session: &mut dyn Session, key: &NewKey, at_ms: u64) -> Result<KeyRow, StoreError> {
    let account = session.maybe(ACCOUNT, &[key.account.into()]).await?;
    account.ok_or(StoreError::NotFound("account"))?;
    let seq = next_change(session).await?;
    let values = [
        key.account.into(),
        key.hash.0.as_slice().into(),
        key.label.as_str().into(),
        key.name.as_str().into(),
        (key.kind == KeyKind::Management).into(),
        key.limit.into(),
        key.limit_reset.map(Period::name).into(),
        key.include_byok_in_limit.into(),
        key.expires_at_ms.into(),
        at_ms.into(),
        seq.into(),
    ];
    let row = session.maybe(CREATE, &values).await?;
    row.ok_or(StoreError::Exists("key"))?;
    let row = find(session, key.hash).await?;
    row.ok_or(StoreError::NotFound("key"))
}

async fn update(
    session: &mut dyn Session,
    hash: KeyHash,
    patch: &KeyPatch,
    at_ms: u64,
) -> Result<Option<KeyRow>, StoreError> {
    let Some(mut row) = find(session, hash).await? else {
        return Ok(None);
    };
    patch.clone().apply(&mut row, at_ms);
    let seq = next_change(session).await?;
    let values = [
        row.key.name.as_str().into(),
        row.disabled.into(),
        row.key.limit.into(),
        row.key.limit_reset.map(Period::name).into(),
        row.key.include_byok_in_limit.into(),
        at_ms.into(),
        seq.into(),
        row.id.into(),
    ];
    session.change(UPDATE, &values).await?;
    Ok(Some(row))
}

async fn delete(session: &mut dyn Session, hash: KeyHash, at_ms: u64) -> Result<bool, StoreError> {
    let seq = next_change(session).await?;
    let values = [at_ms.into(), seq.into(), hash.0.as_slice().into()];
    Ok(session.change(DELETE, &values).await? > 0)
}

impl<B: Backend> Keys for SqlStore<B> {
    fn create_key(&self, key: NewKey, at_ms: u64) -> Reply<'_, KeyRow> {
        Box::pin(async move {
            check_key(&key)?;
            in_transaction!(self, session => create(session, &key, at_ms))
        })
    }

    fn key_by_hash(&self, hash: KeyHash) -> Reply<'_, Option<KeyRow>> {
        Box::pin(async move { find(&mut *self.read().await?, hash).await })
    }

    fn keys(
        &self,
        account: Option<AccountId>,
        include_disabled: bool,
        offset: u64,
        count_max: u64,
    ) -> Reply<'_, Vec<KeyRow>> {
        Box::pin(async move {
            let values = [
                account.map(|account| account.0).into(),
                include_disabled.into(),
                count_max.into(),
                offset.into(),
            ];
            let rows = self.read().await?.rows(PAGE, &values).await?;
            rows.into_iter().map(key_row).collect()
        })
    }

    fn update_key(&self, hash: KeyHash, patch: KeyPatch, at_ms: u64) -> Reply<'_, Option<KeyRow>> {
        Box::pin(async move {
            check("name", patch.name.as_deref().unwrap_or_default())?;
            in_transaction!(self, session => update(session, hash, &patch, at_ms))
        })
    }

    fn delete_key(&self, hash: KeyHash, at_ms: u64) -> Reply<'_, bool> {
        Box::pin(async move { in_transaction!(self, session => delete(session, hash, at_ms)) })
    }
}
