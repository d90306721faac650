//! API keys.

use std::collections::{BTreeMap, HashMap};

use bourse_ledger::fold::KeyUse;
use bourse_policy::{CallDefaults, KeyHash, KeyKind, Period, SpentByDay};
use bourse_vocab::{AccountId, KeyId, Nanos, NodeId};

use super::text::{Many, texts};
use super::value::{Row, Value, damaged};
use super::{Backend, Session, SqlStore, Writer, in_transaction, next_change};
use crate::key::{External, KeyPatch, KeyRow, Keys, NewKey};
use crate::texts::{check, check_key};
use crate::{Reply, StoreError};

/// A statement that returns whole keys, with its own end.
macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, account_id, hash, label, name, is_management, is_disabled, limit_nanos, \
             limit_reset, include_byok_in_limit, expires_at_ms, created_at_ms, updated_at_ms, \
             (SELECT MAX(last_used_at_ms) FROM key_sums WHERE key_id = api_keys.id), \
             deleted_at_ms, \
             CAST((SELECT COALESCE(SUM(spent), 0) FROM key_sums WHERE key_id = api_keys.id) \
             AS BIGINT), change_seq, external_user, external_key_hash, continues, hedges, \
             is_strict FROM api_keys ",
            $tail
        )
    };
}

texts! {
    BY_HASH = select!("WHERE hash = $1 AND deleted_at_ms IS NULL");
    pub(super) KEYS_CHANGED = select!("WHERE change_seq > $1 ORDER BY change_seq LIMIT $2");
    USED_SINCE = select!(
        "JOIN (SELECT key_id, MAX(last_used_at_ms) AS used FROM key_sums GROUP BY key_id) AS uses \
         ON uses.key_id = api_keys.id WHERE uses.used >= $1 ORDER BY uses.used DESC LIMIT $2"
    );
    PAGE = select!(
        "WHERE deleted_at_ms IS NULL AND ($1 IS NULL OR account_id = $1) \
         AND is_disabled <= $2 ORDER BY id DESC LIMIT $3 OFFSET $4"
    );
    ACCOUNT = "SELECT id FROM accounts WHERE id = $1";
    CREATE = "INSERT INTO api_keys (id, account_id, hash, label, name, is_management, \
        is_disabled, limit_nanos, limit_reset, include_byok_in_limit, expires_at_ms, \
        created_at_ms, change_seq, external_user, external_key_hash, continues, hedges, \
        is_strict) VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10, $11, $12, $13, $14, $15, \
        $16, $17) \
        ON CONFLICT DO NOTHING RETURNING id";
    HASHED = "SELECT id FROM api_keys WHERE hash = $1";
    UPDATE = "UPDATE api_keys SET name = $1, is_disabled = $2, limit_nanos = $3, \
        limit_reset = $4, include_byok_in_limit = $5, updated_at_ms = $6, change_seq = $7, \
        continues = $8, hedges = $9, expires_at_ms = $10, is_strict = $11 WHERE id = $12";
    DELETE = "UPDATE api_keys SET deleted_at_ms = $1, change_seq = $2 \
        WHERE hash = $3 AND deleted_at_ms IS NULL";
}

static BY_HASHES: Many = Many::list(select!("WHERE hash IN"), "");
static KNOWN: Many = Many::list("SELECT id FROM api_keys WHERE id IN", "");
static BY_IDS: Many = Many::list(select!("WHERE id IN"), "");
/// [`SpentByDay::DAYS_MAX`] of each key.
static DAYS: Many = Many::list(
    "SELECT key_id, day, spent FROM (SELECT key_id, day, CAST(SUM(spent) AS BIGINT) AS spent, \
     ROW_NUMBER() OVER (PARTITION BY key_id ORDER BY day DESC) AS nth FROM key_days \
     WHERE key_id IN",
    "GROUP BY key_id, day) AS latest WHERE nth <= 62 ORDER BY key_id, day",
);
static SPEND: Many = Many::rows(
    "INSERT INTO key_sums (key_id, node_id, spent, last_used_at_ms)",
    4,
    "ON CONFLICT (key_id, node_id) DO UPDATE SET spent = key_sums.spent + excluded.spent, \
     last_used_at_ms = CASE WHEN excluded.last_used_at_ms > key_sums.last_used_at_ms \
     THEN excluded.last_used_at_ms ELSE key_sums.last_used_at_ms END",
);
static SPEND_DAY: Many = Many::rows(
    "INSERT INTO key_days (key_id, day, node_id, spent)",
    4,
    "ON CONFLICT (key_id, day, node_id) DO UPDATE SET spent = key_days.spent + excluded.spent",
);
/// The statements above that take lists.
#[cfg(test)]
pub(in crate::sql) static LISTS: &[(&str, &Many)] = &[
    ("BY_HASHES", &BY_HASHES),
    ("BY_IDS", &BY_IDS),
    ("KNOWN", &KNOWN),
    ("DAYS", &DAYS),
    ("SPEND", &SPEND),
    ("SPEND_DAY", &SPEND_DAY),
];

/// A key without its days: see [`read_days`].
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
    let mut row_of = KeyRow {
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
            external: None,
            calls: CallDefaults::default(),
        },
        disabled,
        created_at_ms: row.unsigned()?,
        updated_at_ms: row.maybe_unsigned()?,
        last_used_at_ms: row.maybe_unsigned()?,
        deleted_at_ms: row.maybe_unsigned()?,
        spent: SpentByDay {
            total: row.nanos()?,
            days: Vec::new(),
        },
        change_seq: row.unsigned()?,
    };
    let user = row.maybe_string()?;
    let key_hash = row.maybe_string()?;
    let key_hash = key_hash.map(|text| {
        text.parse()
            .map_err(|_| damaged("hash of an external key", text))
    });
    let key_hash = key_hash.transpose()?;
    row_of.key.external = user.map(|user| External { user, key_hash });
    row_of.key.calls = CallDefaults {
        continues: row.maybe_int()?.map(|flag| flag != 0),
        hedges: row.maybe_int()?.map(|flag| flag != 0),
        strict: row.flag()?,
    };
    Ok(row_of)
}

/// Reads what keys spent on each day of late.
pub(super) async fn read_days(
    session: &mut dyn Session,
    rows: &mut [KeyRow],
) -> Result<(), StoreError> {
    let ids: Vec<Value<'_>> = rows.iter().map(|row| row.id.into()).collect();
    let mut days: HashMap<KeyId, Vec<(u64, Nanos)>> = HashMap::new();
    for (text, ids) in DAYS.pieces(&ids) {
        for mut row in session.rows(text, ids).await? {
            let key = KeyId(row.unsigned()?);
            let day = (row.unsigned()?, row.nanos()?);
            days.entry(key).or_default().push(day);
        }
    }
    for row in rows {
        row.spent.days = days.remove(&row.id).unwrap_or_default();
    }
    Ok(())
}

/// Whole keys, with their days.
async fn keys(session: &mut dyn Session, rows: Vec<Row>) -> Result<Vec<KeyRow>, StoreError> {
    let keys = rows.into_iter().map(key_row);
    let mut keys: Vec<KeyRow> = keys.collect::<Result<_, _>>()?;
    read_days(session, &mut keys).await?;
    Ok(keys)
}

async fn find(session: &mut dyn Session, hash: KeyHash) -> Result<Option<KeyRow>, StoreError> {
    let rows = session.rows(BY_HASH, &[hash.0.as_slice().into()]).await?;
    Ok(keys(session, rows).await?.pop())
}

/// Counts what was paid with keys on this node, by the day of the hold.
pub(super) async fn spend(
    session: &mut dyn Session,
    node: NodeId,
    days: &BTreeMap<(KeyId, u64), KeyUse>,
) -> Result<(), StoreError> {
    let mut sums: BTreeMap<KeyId, KeyUse> = BTreeMap::new();
    for ((key, _), used) in days {
        let sum = sums.entry(*key).or_default();
        sum.paid = sum.paid.saturating_add(used.paid);
        sum.at_ms = sum.at_ms.max(used.at_ms);
    }
    let names: Vec<Value<'_>> = sums.keys().copied().map(Value::from).collect();
    let mut known = 0;
    for (text, names) in KNOWN.pieces(&names) {
        known += session.rows(text, names).await?.len();
    }
    if known < names.len() {
        return Err(StoreError::NotFound("key"));
    }
    let sums: Vec<_> = sums.into_iter().collect();
    for (text, piece) in SPEND.pieces(&sums) {
        let mut values: Vec<Value<'_>> = Vec::with_capacity(piece.len() * SPEND.width);
        for (key, sum) in piece {
            values.extend([
                (*key).into(),
                node.into(),
                sum.paid.into(),
                sum.at_ms.into(),
            ]);
        }
        session.change(text, &values).await?;
    }
    let days: Vec<_> = days.iter().collect();
    for (text, piece) in SPEND_DAY.pieces(&days) {
        let mut values: Vec<Value<'_>> = Vec::with_capacity(piece.len() * SPEND_DAY.width);
        for ((key, day), used) in piece {
            values.extend([(*key).into(), (*day).into(), node.into(), used.paid.into()]);
        }
        session.change(text, &values).await?;
    }
    Ok(())
}

async fn insert(
    session: &mut dyn Session,
    writer: Writer<'_>,
    key: &NewKey,
    at_ms: u64,
) -> Result<(), StoreError> {
    let seq = next_change(session).await?;
    let external = key.external.as_ref();
    let external_hash = external.and_then(|external| external.key_hash);
    let external_hash = external_hash.map(|hash| hash.to_string());
    for id in writer.fresh_ids(at_ms) {
        let values = [
            id.into(),
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
            external.map(|external| external.user.as_str()).into(),
            external_hash.as_deref().into(),
            key.calls.continues.map(i64::from).into(),
            key.calls.hedges.map(i64::from).into(),
            key.calls.strict.into(),
        ];
        if session.maybe(CREATE, &values).await?.is_some() {
            return Ok(());
        }
        // Either the hash or the id is taken.
        let known = session
            .maybe(HASHED, &[key.hash.0.as_slice().into()])
            .await?;
        if known.is_some() {
            break;
        }
    }
    Err(StoreError::Exists("key"))
}

async fn create(
    session: &mut dyn Session,
    writer: Writer<'_>,
    key: &NewKey,
    at_ms: u64,
) -> Result<KeyRow, StoreError> {
    let account = session.maybe(ACCOUNT, &[key.account.into()]).await?;
    account.ok_or(StoreError::NotFound("account"))?;
    insert(session, writer, key, at_ms).await?;
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
    row.change_seq = super::value::unsigned(seq)?;
    let values = [
        row.key.name.as_str().into(),
        row.disabled.into(),
        row.key.limit.into(),
        row.key.limit_reset.map(Period::name).into(),
        row.key.include_byok_in_limit.into(),
        at_ms.into(),
        seq.into(),
        row.key.calls.continues.map(i64::from).into(),
        row.key.calls.hedges.map(i64::from).into(),
        row.key.expires_at_ms.into(),
        row.key.calls.strict.into(),
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

async fn among(
    session: &mut dyn Session,
    names: &[Value<'_>],
    texts: &'static Many,
) -> Result<Vec<KeyRow>, StoreError> {
    let mut rows = Vec::with_capacity(names.len());
    for (text, names) in texts.pieces(names) {
        rows.extend(session.rows(text, names).await?);
    }
    keys(session, rows).await
}

/// Those of the given keys that exist, deleted ones included.
pub(super) async fn by_ids(
    session: &mut dyn Session,
    ids: &[KeyId],
) -> Result<Vec<KeyRow>, StoreError> {
    let names: Vec<Value<'_>> = ids.iter().copied().map(Value::from).collect();
    among(session, &names, &BY_IDS).await
}

impl<B: Backend> SqlStore<B> {
    /// Keys by what names them.
    async fn keys_among(
        &self,
        names: &[Value<'_>],
        texts: &'static Many,
    ) -> Result<Vec<KeyRow>, StoreError> {
        let mut session = self.lookup().await?;
        let keys = among(&mut *session, names, texts).await?;
        session.rollback().await?;
        Ok(keys)
    }
}

impl<B: Backend> Keys for SqlStore<B> {
    fn create_key(&self, key: NewKey, at_ms: u64) -> Reply<'_, KeyRow> {
        Box::pin(async move {
            check_key(&key)?;
            let writer = self.writer();
            in_transaction!(self, session => create(session, writer, &key, at_ms))
        })
    }

    fn key_by_hash(&self, hash: KeyHash) -> Reply<'_, Option<KeyRow>> {
        Box::pin(async move {
            let mut session = self.snapshot().await?;
            let key = find(&mut *session, hash).await?;
            session.rollback().await?;
            Ok(key)
        })
    }

    fn keys_by_hash<'a>(&'a self, hashes: &'a [KeyHash]) -> Reply<'a, Vec<KeyRow>> {
        Box::pin(async move {
            let names = hashes.iter().map(|hash| hash.0.as_slice().into());
            self.keys_among(&names.collect::<Vec<_>>(), &BY_HASHES)
                .await
        })
    }

    fn keys_by_id<'a>(&'a self, ids: &'a [KeyId]) -> Reply<'a, Vec<KeyRow>> {
        Box::pin(async move {
            let names = ids.iter().copied().map(Value::from);
            self.keys_among(&names.collect::<Vec<_>>(), &BY_IDS).await
        })
    }

    fn keys_used_since(&self, at_ms: u64, count_max: u64) -> Reply<'_, Vec<KeyRow>> {
        Box::pin(async move {
            let mut session = self.snapshot().await?;
            let values = [at_ms.into(), count_max.into()];
            let rows = session.rows(USED_SINCE, &values).await?;
            let keys = keys(&mut *session, rows).await?;
            session.rollback().await?;
            Ok(keys)
        })
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
            let mut session = self.snapshot().await?;
            let rows = session.rows(PAGE, &values).await?;
            let keys = keys(&mut *session, rows).await?;
            session.rollback().await?;
            Ok(keys)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_days_are_read_as_the_rules_count_on() {
        let limit = format!("nth <= {} ", SpentByDay::DAYS_MAX);
        assert!(DAYS.tail.contains(&limit), "{}", DAYS.tail);
    }
}
