//! Gathering every sum twice.

use std::collections::BTreeMap;

use bourse_spool::Position;
use bourse_vocab::{AccountId, KeyId, NodeId};

use super::Session;
use super::account::PURSE_KIND;
use super::text::texts;
use crate::StoreError;
use crate::audit::{AuditView, CallSums, KeySpending, LeaseSums, PurseSums};

texts! {
    UNBALANCED = "SELECT node_id, seq, CAST(SUM(amount) AS BIGINT) FROM postings \
        GROUP BY node_id, seq HAVING SUM(amount) <> 0 ORDER BY node_id, seq LIMIT 100";
    ACCOUNTS = "SELECT id, granted, CAST((SELECT COALESCE(SUM(spent), 0) FROM leases \
        WHERE purse_id = accounts.id) AS BIGINT) FROM accounts";
    CALLS = "SELECT account_id, CAST(SUM(paid) AS BIGINT), CAST(SUM(house_loss) AS BIGINT), \
        CAST(SUM(upstream) AS BIGINT), \
        CAST(SUM(calls) AS BIGINT) FROM (\
        SELECT account_id, paid, house_loss, upstream, \
        CASE WHEN voided IS NULL OR upstream <> 0 THEN 1 ELSE 0 END AS calls FROM generations \
        UNION ALL SELECT account_id, paid, house_loss, upstream, calls FROM retired_calls) \
        AS every GROUP BY account_id";
    POSTED = "SELECT account, node_id, CAST(SUM(amount) AS BIGINT) FROM postings \
        GROUP BY account, node_id";
    STORED = "SELECT account, node_id, amount FROM balances";
    GRANTS = "SELECT account_id, CAST(SUM(amount) AS BIGINT) FROM grants GROUP BY account_id";
    HELD = "SELECT account_id, CAST(SUM(amount) AS BIGINT) FROM holds GROUP BY account_id";
    ACTIVITY = "SELECT account_id, CAST(SUM(paid) AS BIGINT) FROM activity GROUP BY account_id";
    KEYS = "SELECT account_id, CAST(SUM(key_sums.spent) AS BIGINT) FROM key_sums \
        JOIN api_keys ON api_keys.id = key_sums.key_id GROUP BY account_id";
    PURSES = "SELECT subject, cap, lent FROM purses WHERE kind = $1";
    LEASES = "SELECT purses.subject, leases.node_id, leases.lent, leases.returned, leases.spent \
        FROM leases JOIN purses ON purses.id = leases.purse_id WHERE purses.kind = $1";
    /// In a sound database there are none, whatever the number of keys.
    KEYS_APART = "SELECT key_id, CAST(SUM(calls) AS BIGINT), CAST(SUM(total) AS BIGINT), \
        CAST(SUM(days) AS BIGINT) FROM (\
        SELECT key_id, paid AS calls, 0 AS total, 0 AS days FROM generations UNION ALL \
        SELECT key_id, paid, 0, 0 FROM retired_calls UNION ALL \
        SELECT key_id, 0, spent, 0 FROM key_sums UNION ALL \
        SELECT key_id, 0, 0, spent FROM key_days) AS every GROUP BY key_id \
        HAVING SUM(calls) <> SUM(total) OR SUM(total) <> SUM(days) ORDER BY key_id LIMIT 100";
}

async fn by_slice(
    session: &mut dyn Session,
    text: &'static str,
) -> Result<BTreeMap<(String, NodeId), i128>, StoreError> {
    let rows = session.rows(text, &[]).await?;
    let slices = rows.into_iter().map(|mut row| {
        let slice = (row.string()?, row.node()?);
        Ok((slice, i128::from(row.int()?)))
    });
    slices.collect()
}

async fn by_account(
    session: &mut dyn Session,
    text: &'static str,
) -> Result<BTreeMap<AccountId, i128>, StoreError> {
    let rows = session.rows(text, &[]).await?;
    let pairs = rows
        .into_iter()
        .map(|mut row| Ok((AccountId(row.unsigned()?), i128::from(row.int()?))));
    pairs.collect()
}

/// Gathers the sums, in one transaction so that they belong to one moment.
pub(super) async fn view(
    session: &mut dyn Session,
    applied: Position,
) -> Result<AuditView, StoreError> {
    let mut view = AuditView {
        applied,
        ..AuditView::default()
    };
    for mut row in session.rows(UNBALANCED, &[]).await? {
        let journal = (row.node()?, row.unsigned()?);
        view.unbalanced.push((journal, row.int()?.into()));
    }
    for mut row in session.rows(ACCOUNTS, &[]).await? {
        let id = AccountId(row.unsigned()?);
        view.accounts
            .insert(id, (row.int()?.into(), row.int()?.into()));
    }
    for mut row in session.rows(CALLS, &[]).await? {
        let id = AccountId(row.unsigned()?);
        let sums = CallSums {
            paid: row.int()?.into(),
            house_loss: row.int()?.into(),
            upstream: row.int()?.into(),
        };
        view.calls.insert(id, sums);
        view.generations = view.generations.saturating_add(row.unsigned()?);
    }
    view.posted = by_slice(session, POSTED).await?;
    view.stored = by_slice(session, STORED).await?;
    view.grants = by_account(session, GRANTS).await?;
    view.held = by_account(session, HELD).await?;
    view.activity = by_account(session, ACTIVITY).await?;
    view.keys = by_account(session, KEYS).await?;
    read_purses(session, &mut view).await?;
    for mut row in session.rows(KEYS_APART, &[]).await? {
        let key = KeyId(row.unsigned()?);
        let spending = KeySpending {
            calls: row.int()?.into(),
            sum: row.int()?.into(),
            days: row.int()?.into(),
        };
        view.keys_apart.insert(key, spending);
    }
    Ok(view)
}

async fn read_purses(session: &mut dyn Session, view: &mut AuditView) -> Result<(), StoreError> {
    let kind = [PURSE_KIND.into()];
    for mut row in session.rows(PURSES, &kind).await? {
        let account = AccountId(row.unsigned()?);
        let purse = PurseSums {
            cap: row.int()?.into(),
            lent: row.int()?.into(),
        };
        view.purses.insert(account, purse);
    }
    for mut row in session.rows(LEASES, &kind).await? {
        let account = AccountId(row.unsigned()?);
        let node = row.node()?;
        let lease = LeaseSums {
            lent: row.int()?.into(),
            returned: row.int()?.into(),
            spent: row.int()?.into(),
        };
        view.leases.insert((account, node), lease);
    }
    Ok(())
}
