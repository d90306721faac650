//! Gathering every sum twice, in SQLite.

use std::collections::BTreeMap;

use bourse_spool::Position;
use bourse_vocab::AccountId;
use sqlx::SqliteConnection;

use super::unsigned;
use crate::StoreError;
use crate::audit::{AuditView, CallSums};

async fn by_name(
    connection: &mut SqliteConnection,
    sql: &'static str,
) -> Result<BTreeMap<String, i128>, StoreError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(sql).fetch_all(connection).await?;
    Ok(rows
        .into_iter()
        .map(|(name, sum)| (name, i128::from(sum)))
        .collect())
}

async fn by_account(
    connection: &mut SqliteConnection,
    sql: &'static str,
) -> Result<BTreeMap<AccountId, i128>, StoreError> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(sql).fetch_all(connection).await?;
    let pairs = rows
        .into_iter()
        .map(|(id, sum)| Ok((AccountId(unsigned(id)?), i128::from(sum))));
    pairs.collect()
}

/// Gathers the sums, in one transaction so that they belong to one moment.
pub(super) async fn view(
    connection: &mut SqliteConnection,
    applied: Position,
) -> Result<AuditView, StoreError> {
    let sql = "SELECT journal_id, SUM(amount) FROM postings GROUP BY journal_id \
               HAVING SUM(amount) <> 0 ORDER BY journal_id LIMIT 100";
    let unbalanced: Vec<(i64, i64)> = sqlx::query_as(sql).fetch_all(&mut *connection).await?;
    let sql = "SELECT id, granted, spent FROM accounts";
    let accounts: Vec<(i64, i64, i64)> = sqlx::query_as(sql).fetch_all(&mut *connection).await?;
    let sql = "SELECT account_id, SUM(paid), SUM(house_loss), SUM(upstream), COUNT(*) \
               FROM generations GROUP BY account_id";
    let calls: Vec<(i64, i64, i64, i64, i64)> =
        sqlx::query_as(sql).fetch_all(&mut *connection).await?;
    let mut view = AuditView {
        applied,
        ..AuditView::default()
    };
    for (journal, sum) in unbalanced {
        view.unbalanced.push((unsigned(journal)?, i128::from(sum)));
    }
    for (id, granted, spent) in accounts {
        let sums = (i128::from(granted), i128::from(spent));
        view.accounts.insert(AccountId(unsigned(id)?), sums);
    }
    for (id, paid, house_loss, upstream, count) in calls {
        let sums = CallSums {
            paid: paid.into(),
            house_loss: house_loss.into(),
            upstream: upstream.into(),
        };
        view.calls.insert(AccountId(unsigned(id)?), sums);
        view.generations = view.generations.saturating_add(unsigned(count)?);
    }
    let sql = "SELECT account, SUM(amount) FROM postings GROUP BY account";
    view.posted = by_name(connection, sql).await?;
    view.stored = by_name(connection, "SELECT account, amount FROM balances").await?;
    let sql = "SELECT account_id, SUM(amount) FROM grants GROUP BY account_id";
    view.grants = by_account(connection, sql).await?;
    let sql = "SELECT account_id, SUM(amount) FROM holds GROUP BY account_id";
    view.held = by_account(connection, sql).await?;
    let sql = "SELECT account_id, SUM(paid) FROM activity GROUP BY account_id";
    view.activity = by_account(connection, sql).await?;
    let sql = "SELECT account_id, SUM(spent_total) FROM api_keys GROUP BY account_id";
    view.keys = by_account(connection, sql).await?;
    Ok(view)
}
