//! Dropping finished calls, and keeping what they add up to.

use bourse_ledger::fold::{ActivityKey, ActivitySums};
use bourse_ledger::{GenerationRow, RowSum};
use bourse_vocab::{AccountId, KeyId, NodeId, RowId};

use super::Session;
use super::text::{Many, texts};
use super::value::Value;
use crate::StoreError;
use crate::recount::Recount;
use crate::retired::Retired;

texts! {
    /// Ids of questions begin with their moment.
    LOST_QUESTIONS = "DELETE FROM reconcile WHERE id IN (\
        SELECT id FROM reconcile WHERE id < $1 ORDER BY id LIMIT $2)";
    DAYS = "SELECT day, account_id, key_id, model, endpoint, provider, requests, paid, byok, \
        prompt, completion, reasoning, cached FROM retired_days";
    USES = "SELECT key_id, MAX(last_used_at_ms) FROM retired_calls GROUP BY key_id";
    COSTS = "SELECT provider, amount FROM retired_costs";
}

static CALLS_GO: Many = Many::list("DELETE FROM generations WHERE id IN", "");
static QUESTIONS_GO: Many = Many::list("DELETE FROM reconcile WHERE generation_id IN", "");
static CALLS: Many = Many::rows(
    "INSERT INTO retired_calls (account_id, key_id, calls, paid, house_loss, upstream, \
     last_used_at_ms)",
    7,
    "ON CONFLICT (account_id, key_id) DO UPDATE SET calls = retired_calls.calls + excluded.calls, \
     paid = retired_calls.paid + excluded.paid, \
     house_loss = retired_calls.house_loss + excluded.house_loss, \
     upstream = retired_calls.upstream + excluded.upstream, \
     last_used_at_ms = CASE WHEN excluded.last_used_at_ms > retired_calls.last_used_at_ms \
     THEN excluded.last_used_at_ms ELSE retired_calls.last_used_at_ms END",
);
static ADD_DAYS: Many = Many::rows(
    "INSERT INTO retired_days (day, account_id, key_id, model, endpoint, provider, requests, \
     paid, byok, prompt, completion, reasoning, cached)",
    13,
    "ON CONFLICT (account_id, day, key_id, model, endpoint, provider) DO UPDATE SET \
     requests = retired_days.requests + excluded.requests, \
     paid = retired_days.paid + excluded.paid, byok = retired_days.byok + excluded.byok, \
     prompt = retired_days.prompt + excluded.prompt, \
     completion = retired_days.completion + excluded.completion, \
     reasoning = retired_days.reasoning + excluded.reasoning, \
     cached = retired_days.cached + excluded.cached",
);
static ADD_COSTS: Many = Many::rows(
    "INSERT INTO retired_costs (provider, amount)",
    2,
    "ON CONFLICT (provider) DO UPDATE SET amount = retired_costs.amount + excluded.amount",
);
/// The statements above that take lists.
#[cfg(test)]
pub(in crate::sql) static LISTS: &[(&str, &Many)] = &[
    ("CALLS_GO", &CALLS_GO),
    ("QUESTIONS_GO", &QUESTIONS_GO),
    ("CALLS", &CALLS),
    ("ADD_DAYS", &ADD_DAYS),
    ("ADD_COSTS", &ADD_COSTS),
];

/// Drops calls, and their questions. Returns the sum of the hashes that are
/// left.
pub(super) async fn drop_calls(
    session: &mut dyn Session,
    rows: &[GenerationRow],
    mut hashes: RowSum,
) -> Result<RowSum, StoreError> {
    let mut retired = Retired::default();
    for row in rows {
        hashes = retired.take(row, hashes)?;
    }
    let ids: Vec<Value<'_>> = rows.iter().map(|row| row.id.into()).collect();
    for texts in [&CALLS_GO, &QUESTIONS_GO] {
        for (text, ids) in texts.pieces(&ids) {
            session.change(text, ids).await?;
        }
    }
    write(session, &retired).await?;
    Ok(hashes)
}

/// Drops questions from before a moment of calls that left no row, once those
/// that did are gone; at most so many. Returns how many there were.
pub(super) async fn drop_questions(
    session: &mut dyn Session,
    before_ms: u64,
    count_max: u64,
) -> Result<u64, StoreError> {
    let first_kept = RowId::new(before_ms, NodeId(0), 0).0;
    let values = [first_kept.into(), count_max.into()];
    session.change(LOST_QUESTIONS, &values).await
}

async fn write(session: &mut dyn Session, retired: &Retired) -> Result<(), StoreError> {
    let calls: Vec<_> = retired.calls.iter().collect();
    for (text, piece) in CALLS.pieces(&calls) {
        let mut values: Vec<Value<'_>> = Vec::with_capacity(piece.len() * CALLS.width);
        for ((account, key), sums) in piece {
            values.extend([
                (*account).into(),
                (*key).into(),
                sums.calls.into(),
                sums.paid.into(),
                sums.house_loss.into(),
                sums.upstream.into(),
                sums.last_used_at_ms.into(),
            ]);
        }
        session.change(text, &values).await?;
    }
    let days: Vec<_> = retired.days.iter().collect();
    for (text, piece) in ADD_DAYS.pieces(&days) {
        let mut values: Vec<Value<'_>> = Vec::with_capacity(piece.len() * ADD_DAYS.width);
        for (of, sums) in piece {
            values.extend([
                of.day.into(),
                of.account.into(),
                of.key.into(),
                (&of.model).into(),
                (&of.endpoint).into(),
                (&of.provider).into(),
                sums.requests.into(),
                sums.paid.into(),
                sums.byok.into(),
                sums.prompt.into(),
                sums.completion.into(),
                sums.reasoning.into(),
                sums.cached.into(),
            ]);
        }
        session.change(text, &values).await?;
    }
    let costs: Vec<_> = retired.costs.iter().collect();
    for (text, piece) in ADD_COSTS.pieces(&costs) {
        let values = piece.iter();
        let values = values.flat_map(|(provider, amount)| [(*provider).into(), (**amount).into()]);
        session.change(text, &values.collect::<Vec<_>>()).await?;
    }
    Ok(())
}

/// Counts what calls added that are not kept any more.
pub(super) async fn count(
    session: &mut dyn Session,
    recount: &mut Recount,
) -> Result<(), StoreError> {
    for mut row in session.rows(DAYS, &[]).await? {
        let of = ActivityKey {
            day: row.unsigned()?,
            account: AccountId(row.unsigned()?),
            key: KeyId(row.unsigned()?),
            model: row.text()?,
            endpoint: row.text()?,
            provider: row.text()?,
        };
        let sums = ActivitySums {
            requests: row.unsigned()?,
            paid: row.nanos()?,
            byok: row.nanos()?,
            prompt: row.unsigned()?,
            completion: row.unsigned()?,
            reasoning: row.unsigned()?,
            cached: row.unsigned()?,
        };
        recount.retired_day(of, &sums);
    }
    for mut row in session.rows(USES, &[]).await? {
        recount.retired_use(KeyId(row.unsigned()?), row.unsigned()?);
    }
    for mut row in session.rows(COSTS, &[]).await? {
        recount.retired_cost(row.text()?, row.nanos()?);
    }
    Ok(())
}
