//! Accounts and their credit.

use bourse_ledger::journal::{JournalError, grant as grant_journal};
use bourse_ledger::{GrantKind, Lease};
use bourse_vocab::{AccountId, Nanos, NodeId};

use super::key::{KEYS_CHANGED, key_row, read_days};
use super::text::{Many, texts};
use super::value::{Row, Value, damaged};
use super::{Backend, Session, SqlStore, Writer, book, in_transaction, next_change};
use crate::account::{AccountRow, Accounts, CHANGES_MAX, Changes, Grant, GrantRow};
use crate::texts::{check_grant, check_unique};
use crate::{Reply, StoreError};

/// A statement that returns whole accounts, each once for every node that
/// has a lease of it, with its own end. The purse of an account's credit has
/// the account's id.
macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT leases.node_id, accounts.id, accounts.name, accounts.granted, \
             CAST((SELECT COALESCE(SUM(every.spent), 0) FROM leases AS every \
             WHERE every.purse_id = accounts.id) AS BIGINT), \
             leases.lent, leases.returned, leases.spent, accounts.created_at_ms, \
             accounts.change_seq FROM accounts JOIN leases ON leases.purse_id = accounts.id ",
            $tail
        )
    };
}

texts! {
    BY_ID = select!("WHERE accounts.id = $1 AND leases.node_id = $2");
    BY_NAME = select!("WHERE accounts.name = $1 AND leases.node_id = $2");
    ALL = select!("WHERE leases.node_id = $1 ORDER BY accounts.id");
    CHANGED = select!(
        "WHERE accounts.change_seq > $1 AND leases.node_id = $2 \
         ORDER BY accounts.change_seq LIMIT $3"
    );
    CREATE = "INSERT INTO accounts (id, name, granted, created_at_ms, change_seq) \
        VALUES ($1, $2, 0, $3, $4) ON CONFLICT DO NOTHING RETURNING id";
    NAMED = "SELECT id FROM accounts WHERE name = $1";
    CREATE_PURSE = "INSERT INTO purses (id, kind, subject, period, period_index, cap, lent) \
        VALUES ($1, $2, $1, $3, 0, 0, 0)";
    CREATE_LEASE = "INSERT INTO leases (purse_id, node_id, lent, returned, spent) \
        VALUES ($1, $2, 0, 0, 0)";
    GRANT = "INSERT INTO grants (id, account_id, kind, amount, note, reference, at_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id";
    GRANTED = "SELECT account_id, kind, amount FROM grants WHERE reference = $1";
    GRANTS = "SELECT grants.account_id, grants.kind, grants.amount, grants.note, \
        grants.reference, grants.at_ms, accounts.name FROM grants \
        JOIN accounts ON accounts.id = grants.account_id \
        WHERE ($1 IS NULL OR grants.account_id = $1) \
        ORDER BY grants.at_ms DESC, grants.id DESC LIMIT $2";
    SET_GRANTED = "UPDATE accounts SET granted = $1, change_seq = $2 WHERE id = $3";
    LENT = "SELECT lent FROM purses WHERE id = $1";
    LEND = "UPDATE purses SET cap = $1, lent = lent + $2 WHERE id = $3";
    LEND_NODE = "UPDATE leases SET lent = lent + $1 WHERE purse_id = $2 AND node_id = $3";
    SPEND = "UPDATE leases SET spent = spent + $1 WHERE purse_id = $2 AND node_id = $3 \
        RETURNING spent";
    CHANGE_SEQ = "SELECT seq FROM change_counter WHERE id = 1";
}

static BY_IDS: Many = Many::list(select!("WHERE accounts.id IN"), "");
/// The statements above that take lists.
#[cfg(test)]
pub(in crate::sql) static LISTS: &[(&str, &Many)] = &[("BY_IDS", &BY_IDS)];

/// [`crate::audit::PurseSums`] are of this kind.
pub(super) const PURSE_KIND: &str = "account";
/// A purse that never starts anew.
const NO_PERIOD: &str = "";

/// Which node's lease it is, and the account as that node has it.
fn account_row(mut row: Row) -> Result<(NodeId, AccountRow), StoreError> {
    let node = row.node()?;
    let account = AccountRow {
        id: AccountId(row.unsigned()?),
        name: row.string()?,
        granted: row.nanos()?,
        spent: row.nanos()?,
        lease: Lease {
            lent: row.nanos()?,
            returned: row.nanos()?,
        },
        spent_here: row.nanos()?,
        created_at_ms: row.unsigned()?,
        change_seq: row.unsigned()?,
    };
    Ok((node, account))
}

fn account(row: Row) -> Result<AccountRow, StoreError> {
    Ok(account_row(row)?.1)
}

fn grant_row(mut row: Row) -> Result<GrantRow, StoreError> {
    let account = AccountId(row.unsigned()?);
    let kind = row.string()?;
    let kind = GrantKind::from_name(&kind).ok_or_else(|| damaged("kind of grant", kind))?;
    Ok(GrantRow {
        grant: Grant {
            account,
            kind,
            amount: row.nanos()?,
            note: row.string()?,
            reference: row.maybe_string()?,
            at_ms: row.unsigned()?,
        },
        account_name: row.string()?,
    })
}

async fn find(
    session: &mut dyn Session,
    node: NodeId,
    id: AccountId,
) -> Result<Option<AccountRow>, StoreError> {
    let row = session.maybe(BY_ID, &[id.into(), node.into()]).await?;
    row.map(account).transpose()
}

/// Those of the given accounts that exist, as a node has them.
pub(super) async fn by_ids(
    session: &mut dyn Session,
    node: NodeId,
    ids: &[AccountId],
) -> Result<Vec<AccountRow>, StoreError> {
    let wanted: Vec<Value<'_>> = ids.iter().copied().map(Value::from).collect();
    let mut found = Vec::with_capacity(ids.len());
    for (text, ids) in BY_IDS.pieces(&wanted) {
        for row in session.rows(text, ids).await? {
            let (of, account) = account_row(row)?;
            if of == node {
                found.push(account);
            }
        }
    }
    Ok(found)
}

async fn insert(
    session: &mut dyn Session,
    writer: Writer<'_>,
    name: &str,
    at_ms: u64,
) -> Result<AccountId, StoreError> {
    let seq = next_change(session).await?;
    for id in writer.fresh_ids(at_ms) {
        let values = [id.into(), name.into(), at_ms.into(), seq.into()];
        if let Some(mut row) = session.maybe(CREATE, &values).await? {
            return Ok(AccountId(row.unsigned()?));
        }
        // Either the name or the id is taken.
        if session.maybe(NAMED, &[name.into()]).await?.is_some() {
            break;
        }
    }
    Err(StoreError::Exists("account"))
}

async fn create(
    session: &mut dyn Session,
    writer: Writer<'_>,
    name: &str,
    at_ms: u64,
) -> Result<AccountRow, StoreError> {
    let id = insert(session, writer, name, at_ms).await?;
    let values = [id.into(), PURSE_KIND.into(), NO_PERIOD.into()];
    session.change(CREATE_PURSE, &values).await?;
    let values = [id.into(), writer.node.into()];
    session.change(CREATE_LEASE, &values).await?;
    let row = find(session, writer.node, id).await?;
    row.ok_or(StoreError::NotFound("account"))
}

/// Notes a grant; `None` if it was granted before, under the same reference.
async fn note(
    session: &mut dyn Session,
    writer: Writer<'_>,
    grant: &Grant,
) -> Result<Option<i64>, StoreError> {
    let reference = Value::from(grant.reference.as_deref());
    for id in writer.fresh_ids(grant.at_ms) {
        let values = [
            id.into(),
            grant.account.into(),
            grant.kind.name().into(),
            grant.amount.into(),
            grant.note.as_str().into(),
            reference.clone(),
            grant.at_ms.into(),
        ];
        if let Some(mut row) = session.maybe(GRANT, &values).await? {
            return Ok(Some(row.int()?));
        }
        // Either the reference or the id is taken.
        let known = std::slice::from_ref(&reference);
        let Some(mut row) = session.maybe(GRANTED, known).await? else {
            continue;
        };
        let known = (row.unsigned()?, row.string()?, row.nanos()?);
        let wanted = (grant.account.0, grant.kind.name(), grant.amount);
        if (known.0, known.1.as_str(), known.2) == wanted {
            return Ok(None);
        }
        return Err(StoreError::Exists("another grant with this reference"));
    }
    Err(StoreError::Exists("grant"))
}

async fn grant(
    session: &mut dyn Session,
    writer: Writer<'_>,
    grant: &Grant,
) -> Result<AccountRow, StoreError> {
    let found = find(session, writer.node, grant.account).await?;
    let account = found.ok_or(StoreError::NotFound("account"))?;
    // Granted before, under the same reference: nothing changes.
    let Some(id) = note(session, writer, grant).await? else {
        return Ok(account);
    };
    let journal = grant_journal(grant.kind, grant.account, grant.amount)?;
    let granted = account.granted.checked_add(grant.amount);
    let granted = granted.ok_or(JournalError::OutOfRange)?;
    let source = format!("grant:{id}");
    book(session, writer, &journal, &source, grant.at_ms).await?;
    let seq = next_change(session).await?;
    let values = [granted.into(), seq.into(), grant.account.into()];
    session.change(SET_GRANTED, &values).await?;
    lend(session, writer.node, grant.account, granted).await?;
    let row = find(session, writer.node, grant.account).await?;
    row.ok_or(StoreError::NotFound("account"))
}

/// Brings the account's purse up to what was granted, and lends the one node
/// that there is all of it. A correction lowers the cap only: what the node
/// was told it may spend, it may have spent.
async fn lend(
    session: &mut dyn Session,
    node: NodeId,
    account: AccountId,
    granted: Nanos,
) -> Result<(), StoreError> {
    let lent = session.one(LENT, &[account.into()]).await?.nanos()?;
    let more = granted.saturating_sub(lent).max(Nanos::ZERO);
    let values = [granted.into(), more.into(), account.into()];
    session.change(LEND, &values).await?;
    let values = [more.into(), account.into(), node.into()];
    session.change(LEND_NODE, &values).await?;
    Ok(())
}

/// Counts what an account paid on this node.
pub(super) async fn spend(
    session: &mut dyn Session,
    node: NodeId,
    account: AccountId,
    paid: Nanos,
) -> Result<(), StoreError> {
    let values = [paid.into(), account.into(), node.into()];
    let row = session.maybe(SPEND, &values).await?;
    row.ok_or(StoreError::NotFound("account"))?.int()?;
    Ok(())
}

async fn changes(session: &mut dyn Session, node: NodeId, seq: u64) -> Result<Changes, StoreError> {
    let mut changes = Changes {
        seq: session.one(CHANGE_SEQ, &[]).await?.unsigned()?,
        ..Changes::default()
    };
    if changes.seq == seq {
        return Ok(changes);
    }
    let count_max = Value::from(CHANGES_MAX as u64);
    let values = [seq.into(), node.into(), count_max.clone()];
    let rows = session.rows(CHANGED, &values).await?;
    changes.accounts = rows.into_iter().map(account).collect::<Result<_, _>>()?;
    let rows = session.rows(KEYS_CHANGED, &[seq.into(), count_max]).await?;
    changes.keys = rows.into_iter().map(key_row).collect::<Result<_, _>>()?;
    read_days(session, &mut changes.keys).await?;
    changes.cut();
    Ok(changes)
}

impl<B: Backend> Accounts for SqlStore<B> {
    fn create_account<'a>(&'a self, name: &'a str, at_ms: u64) -> Reply<'a, AccountRow> {
        Box::pin(async move {
            check_unique("account name", name)?;
            let writer = self.writer();
            in_transaction!(self, session => create(session, writer, name, at_ms))
        })
    }

    fn account(&self, id: AccountId) -> Reply<'_, Option<AccountRow>> {
        Box::pin(async move { find(&mut *self.read().await?, self.node, id).await })
    }

    fn account_by_name<'a>(&'a self, name: &'a str) -> Reply<'a, Option<AccountRow>> {
        Box::pin(async move {
            let values = [name.into(), self.node.into()];
            let row = self.read().await?.maybe(BY_NAME, &values).await?;
            row.map(account).transpose()
        })
    }

    fn accounts(&self) -> Reply<'_, Vec<AccountRow>> {
        Box::pin(async move {
            let rows = self.read().await?.rows(ALL, &[self.node.into()]).await?;
            rows.into_iter().map(account).collect()
        })
    }

    fn grant(&self, wanted: Grant) -> Reply<'_, AccountRow> {
        Box::pin(async move {
            check_grant(&wanted)?;
            let writer = self.writer();
            in_transaction!(self, session => grant(session, writer, &wanted))
        })
    }

    fn grants(&self, account: Option<AccountId>, count_max: u64) -> Reply<'_, Vec<GrantRow>> {
        Box::pin(async move {
            let values = [account.map(|account| account.0).into(), count_max.into()];
            let rows = self.read().await?.rows(GRANTS, &values).await?;
            rows.into_iter().map(grant_row).collect()
        })
    }

    fn accounts_by_id<'a>(&'a self, ids: &'a [AccountId]) -> Reply<'a, Vec<AccountRow>> {
        Box::pin(async move {
            let mut session = self.lookup().await?;
            let found = by_ids(&mut *session, self.node, ids).await?;
            session.rollback().await?;
            Ok(found)
        })
    }

    fn change_seq(&self) -> Reply<'_, u64> {
        Box::pin(async move { self.read().await?.one(CHANGE_SEQ, &[]).await?.unsigned() })
    }

    fn changes_since(&self, seq: u64) -> Reply<'_, Changes> {
        Box::pin(async move {
            let mut session = self.lookup().await?;
            let changes = changes(&mut *session, self.node, seq).await?;
            session.rollback().await?;
            Ok(changes)
        })
    }
}
