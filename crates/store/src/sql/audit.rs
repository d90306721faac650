//! Gathering every sum twice.

use std::collections::BTreeMap;

use bourse_spool::Position;
use bourse_vocab::AccountId;

use super::Session;
use super::text::texts;
use crate::StoreError;
use crate::audit::{AuditView, CallSums};

texts! {
    UNBALANCED = "SELECT journal_id, CAST(SUM(amount) AS BIGINT) FROM postings \
        GROUP BY journal_id HAVING SUM(amount) <> 0 ORDER BY journal_id LIMIT 100";
    ACCOUNTS = "SELECT id, granted, spent FROM accounts";
    CALLS = "SELECT account_id, CAST(SUM(paid) AS BIGINT), CAST(SUM(house_loss) AS BIGINT), \
        CAST(SUM(upstream) AS BIGINT), \
        CAST(SUM(CASE WHEN voided IS NULL OR upstream <> 0 THEN 1 ELSE 0 END) AS BIGINT) \
        FROM generations GROUP BY account_id";
    POSTED = "SELECT account, CAST(SUM(amount) AS BIGINT) FROM postings GROUP BY account";
    STORED = "SELECT account, amount FROM balances";
    GRANTS = "SELECT account_id, CAST(SUM(amount) AS BIGINT) FROM grants GROUP BY account_id";
    HELD = "SELECT account_id, CAST(SUM(amount) AS BIGINT) FROM holds GROUP BY account_id";
    ACTIVITY = "SELECT account_id, CAST(SUM(paid) AS BIGINT) FROM activity GROUP BY account_id";
    KEYS = "SELECT account_id, CAST(SUM(spent_total) AS BIGINT) FROM api_keys \
        GROUP BY account_id";
}

async fn by_name(
    session: &mut dyn Session,
    text: &'static str,
) -> Result<BTreeMap<String, i128>, StoreError> {
    let rows = session.rows(text, &[]).await?;
    let pairs = rows
        .into_iter()
        .map(|mut row| Ok((row.string()?, i128::from(row.int()?))));
    pairs.collect()
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
        view.unbalanced.push((row.unsigned()?, row.int()?.into()));
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
    view.posted = by_name(session, POSTED).await?;
    view.stored = by_name(session, STORED).await?;
    view.grants = by_account(session, GRANTS).await?;
    view.held = by_account(session, HELD).await?;
    view.activity = by_account(session, ACTIVITY).await?;
    view.keys = by_account(session, KEYS).await?;
    Ok(view)
}
