//! Accounts and their credit.

use bourse_ledger::journal::{JournalError, grant as grant_journal};
use bourse_vocab::AccountId;

use super::key::{KEYS_CHANGED, key_row};
use super::text::texts;
use super::value::Row;
use super::{Backend, Session, SqlStore, book, in_transaction, next_change};
use crate::account::{AccountRow, Accounts, Changes, Grant};
use crate::texts::{check_grant, check_unique};
use crate::{Reply, StoreError};

texts! {
    BY_ID = "SELECT id, name, granted, spent, created_at_ms FROM accounts WHERE id = $1";
    BY_NAME = "SELECT id, name, granted, spent, created_at_ms FROM accounts WHERE name = $1";
    ALL = "SELECT id, name, granted, spent, created_at_ms FROM accounts ORDER BY id";
    CHANGED = "SELECT id, name, granted, spent, created_at_ms FROM accounts \
        WHERE change_seq > $1 ORDER BY id";
    CREATE = "INSERT INTO accounts (id, name, granted, spent, created_at_ms, change_seq) \
        SELECT COALESCE(MAX(id), 0) + 1, $1, 0, 0, $2, $3 FROM accounts WHERE TRUE \
        ON CONFLICT (name) DO NOTHING RETURNING id, name, granted, spent, created_at_ms";
    GRANT = "INSERT INTO grants (id, account_id, kind, amount, note, reference, at_ms) \
        SELECT COALESCE(MAX(id), 0) + 1, $1, $2, $3, $4, $5, $6 FROM grants WHERE TRUE \
        ON CONFLICT (reference) DO NOTHING RETURNING id";
    GRANTED = "SELECT account_id, kind, amount FROM grants WHERE reference = $1";
    SET_GRANTED = "UPDATE accounts SET granted = $1, change_seq = $2 WHERE id = $3";
    CHANGE_SEQ = "SELECT change_seq FROM progress WHERE id = 1";
}

fn account_row(mut row: Row) -> Result<AccountRow, StoreError> {
    Ok(AccountRow {
        id: AccountId(row.unsigned()?),
        name: row.string()?,
        granted: row.nanos()?,
        spent: row.nanos()?,
        created_at_ms: row.unsigned()?,
    })
}

async fn find(session: &mut dyn Session, id: AccountId) -> Result<Option<AccountRow>, StoreError> {
    let row = session.maybe(BY_ID, &[id.into()]).await?;
    row.map(account_row).transpose()
}

async fn create(
    session: &mut dyn Session,
    name: &str,
    at_ms: u64,
) -> Result<AccountRow, StoreError> {
    let seq = next_change(session).await?;
    let values = [name.into(), at_ms.into(), seq.into()];
    let row = session.maybe(CREATE, &values).await?;
    account_row(row.ok_or(StoreError::Exists("account"))?)
}

async fn grant(session: &mut dyn Session, grant: &Grant) -> Result<AccountRow, StoreError> {
    let found = find(session, grant.account).await?;
    let mut account = found.ok_or(StoreError::NotFound("account"))?;
    let values = [
        grant.account.into(),
        grant.kind.name().into(),
        grant.amount.into(),
        grant.note.as_str().into(),
        grant.reference.as_deref().into(),
        grant.at_ms.into(),
    ];
    let Some(mut row) = session.maybe(GRANT, &values).await? else {
        // Granted before, under the same reference: nothing changes.
        let mut row = session
            .one(GRANTED, &[grant.reference.as_deref().into()])
            .await?;
        let known = (row.unsigned()?, row.string()?, row.nanos()?);
        let wanted = (grant.account.0, grant.kind.name(), grant.amount);
        return if (known.0, known.1.as_str(), known.2) == wanted {
            Ok(account)
        } else {
            Err(StoreError::Exists("another grant with this reference"))
        };
    };
    let id = row.int()?;
    let journal = grant_journal(grant.kind, grant.account, grant.amount)?;
    account.granted = account
        .granted
        .checked_add(grant.amount)
        .ok_or(JournalError::OutOfRange)?;
    book(session, &journal, &format!("grant:{id}"), grant.at_ms).await?;
    let seq = next_change(session).await?;
    let values = [account.granted.into(), seq.into(), grant.account.into()];
    session.change(SET_GRANTED, &values).await?;
    Ok(account)
}

impl<B: Backend> Accounts for SqlStore<B> {
    fn create_account<'a>(&'a self, name: &'a str, at_ms: u64) -> Reply<'a, AccountRow> {
        Box::pin(async move {
            check_unique("account name", name)?;
            in_transaction!(self, session => create(session, name, at_ms))
        })
    }

    fn account(&self, id: AccountId) -> Reply<'_, Option<AccountRow>> {
        Box::pin(async move { find(&mut *self.read().await?, id).await })
    }

    fn account_by_name<'a>(&'a self, name: &'a str) -> Reply<'a, Option<AccountRow>> {
        Box::pin(async move {
            let row = self.read().await?.maybe(BY_NAME, &[name.into()]).await?;
            row.map(account_row).transpose()
        })
    }

    fn accounts(&self) -> Reply<'_, Vec<AccountRow>> {
        Box::pin(async move {
            let rows = self.read().await?.rows(ALL, &[]).await?;
            rows.into_iter().map(account_row).collect()
        })
    }

    fn grant(&self, wanted: Grant) -> Reply<'_, AccountRow> {
        Box::pin(async move {
            check_grant(&wanted)?;
            in_transaction!(self, session => grant(session, &wanted))
        })
    }

    fn changes_since(&self, seq: u64) -> Reply<'_, Changes> {
        Box::pin(async move {
            let mut session = self.snapshot().await?;
            let mut changes = Changes {
                seq: session.one(CHANGE_SEQ, &[]).await?.unsigned()?,
                ..Changes::default()
            };
            if changes.seq != seq {
                let rows = session.rows(CHANGED, &[seq.into()]).await?;
                changes.accounts = rows
                    .into_iter()
                    .map(account_row)
                    .collect::<Result<_, _>>()?;
                let rows = session.rows(KEYS_CHANGED, &[seq.into()]).await?;
                changes.keys = rows.into_iter().map(key_row).collect::<Result<_, _>>()?;
            }
            session.rollback().await?;
            Ok(changes)
        })
    }
}
