//! Accounts and their credit, in SQLite.

use bourse_ledger::journal::{JournalError, grant as grant_journal};
use bourse_vocab::AccountId;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::key::{KEY_COLUMNS, key_row};
use super::{Columns, SqliteStore, book, next_change, signed};
use crate::account::{AccountRow, Accounts, Changes, Grant};
use crate::{Reply, StoreError};

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, name, granted, spent, created_at_ms FROM accounts ",
            $tail
        )
    };
}

fn account_row(row: &SqliteRow) -> Result<AccountRow, StoreError> {
    let mut columns = Columns::new(row);
    Ok(AccountRow {
        id: AccountId(columns.unsigned()?),
        name: columns.get()?,
        granted: columns.nanos()?,
        spent: columns.nanos()?,
        created_at_ms: columns.unsigned()?,
    })
}

async fn find(
    connection: &mut SqliteConnection,
    id: AccountId,
) -> Result<Option<AccountRow>, StoreError> {
    let row = sqlx::query(select!("WHERE id = $1"))
        .bind(signed(id.0))
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(account_row).transpose()
}

impl Accounts for SqliteStore {
    fn create_account<'a>(&'a self, name: &'a str, at_ms: u64) -> Reply<'a, AccountRow> {
        Box::pin(async move {
            let mut tx = self.begin().await?;
            let seq = next_change(&mut tx).await?;
            let sql = "INSERT INTO accounts (id, name, granted, spent, created_at_ms, change_seq) \
                       SELECT COALESCE(MAX(id), 0) + 1, $1, 0, 0, $2, $3 FROM accounts WHERE TRUE \
                       ON CONFLICT (name) DO NOTHING \
                       RETURNING id, name, granted, spent, created_at_ms";
            let row = sqlx::query(sql)
                .bind(name)
                .bind(signed(at_ms))
                .bind(seq)
                .fetch_optional(&mut *tx)
                .await?;
            let row = account_row(&row.ok_or(StoreError::Exists("account"))?)?;
            tx.commit().await?;
            Ok(row)
        })
    }

    fn account(&self, id: AccountId) -> Reply<'_, Option<AccountRow>> {
        Box::pin(async move { find(&mut *self.readers.acquire().await?, id).await })
    }

    fn account_by_name<'a>(&'a self, name: &'a str) -> Reply<'a, Option<AccountRow>> {
        Box::pin(async move {
            let row = sqlx::query(select!("WHERE name = $1"))
                .bind(name)
                .fetch_optional(&self.readers)
                .await?;
            row.as_ref().map(account_row).transpose()
        })
    }

    fn accounts(&self) -> Reply<'_, Vec<AccountRow>> {
        Box::pin(async move {
            let rows = sqlx::query(select!("ORDER BY id"))
                .fetch_all(&self.readers)
                .await?;
            rows.iter().map(account_row).collect()
        })
    }

    fn grant(&self, grant: Grant) -> Reply<'_, AccountRow> {
        Box::pin(async move {
            let mut tx = self.begin().await?;
            let found = find(&mut tx, grant.account).await?;
            let mut account = found.ok_or(StoreError::NotFound("account"))?;
            let sql = "INSERT INTO grants (id, account_id, kind, amount, note, reference, at_ms) \
                       SELECT COALESCE(MAX(id), 0) + 1, $1, $2, $3, $4, $5, $6 FROM grants WHERE TRUE \
                       ON CONFLICT (reference) DO NOTHING RETURNING id";
            let id: Option<i64> = sqlx::query_scalar(sql)
                .bind(signed(grant.account.0))
                .bind(grant.kind.name())
                .bind(grant.amount.0)
                .bind(&grant.note)
                .bind(&grant.reference)
                .bind(signed(grant.at_ms))
                .fetch_optional(&mut *tx)
                .await?;
            // Granted before, under the same reference: nothing changes.
            let Some(id) = id else { return Ok(account) };
            let journal = grant_journal(grant.kind, grant.account, grant.amount)?;
            account.granted = account
                .granted
                .checked_add(grant.amount)
                .ok_or(JournalError::OutOfRange)?;
            book(&mut tx, &journal, &format!("grant:{id}"), grant.at_ms).await?;
            let seq = next_change(&mut tx).await?;
            sqlx::query("UPDATE accounts SET granted = $1, change_seq = $2 WHERE id = $3")
                .bind(account.granted.0)
                .bind(seq)
                .bind(signed(grant.account.0))
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            Ok(account)
        })
    }

    fn changes_since(&self, seq: u64) -> Reply<'_, Changes> {
        Box::pin(async move {
            // One snapshot for all: a transaction that only reads.
            let mut tx = self.readers.begin().await?;
            let sql = "SELECT change_seq FROM progress WHERE id = 1";
            let now: i64 = sqlx::query_scalar(sql).fetch_one(&mut *tx).await?;
            let mut changes = Changes {
                seq: super::unsigned(now)?,
                ..Changes::default()
            };
            if changes.seq == seq {
                return Ok(changes);
            }
            let rows = sqlx::query(select!("WHERE change_seq > $1 ORDER BY id"))
                .bind(signed(seq))
                .fetch_all(&mut *tx)
                .await?;
            changes.accounts = rows.iter().map(account_row).collect::<Result<_, _>>()?;
            let sql = concat_sql(KEY_COLUMNS, "WHERE change_seq > $1 ORDER BY id");
            let rows = sqlx::query(sql)
                .bind(signed(seq))
                .fetch_all(&mut *tx)
                .await?;
            changes.keys = rows.iter().map(key_row).collect::<Result<_, _>>()?;
            Ok(changes)
        })
    }
}

/// Joins two constants of ours into one statement.
pub(super) fn concat_sql(head: &'static str, tail: &'static str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(format!("{head} {tail}"))
}
