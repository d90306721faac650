//! Applying batches of the journal.

use std::collections::{BTreeMap, BTreeSet};

use bourse_ledger::fold::{ActivityKey, ActivitySums, FailureOf, FailureSums, Unreconciled};
use bourse_ledger::journal::JournalError;
use bourse_ledger::record::{Checkpoint, VoidReason};
use bourse_ledger::{Effects, Fold, GenerationRow, Link, OpenHold, Record, RowSum, record};
use bourse_spool::Position;
use bourse_vocab::{AccountId, FailureKind, GenerationId, KeyId, Nanos, NodeId, StoreId};

use super::text::{Many, texts};
use super::value::{Row, Value};
use super::{Backend, Session, SqlStore, Writer, account, book, in_transaction, key};
use crate::audit::{AuditView, RowReport};
use crate::journal::{Applied, Batch, History, Journals};
use crate::{Reply, StoreError};

/// A statement that returns open holds, with its own end.
macro_rules! select_holds {
    ($tail:literal) => {
        concat!(
            "SELECT node_id, id, account_id, key_id, amount, at_ms, model, provider, endpoint, \
             earlier, ck_charge, ck_upstream, ck_prompt, ck_completion FROM holds ",
            $tail
        )
    };
}

texts! {
    HISTORY = "SELECT store_id, applied, chain, batch_from, chain_before, rows_sum \
        FROM node_spools INNER JOIN installation ON installation.id = 1 WHERE node_id = $1";
    ADVANCE = "UPDATE node_spools SET applied = $1, chain = $2, batch_from = $3, \
        chain_before = $4 WHERE node_id = $5 AND applied = $3";
    SUM_ROWS = "UPDATE node_spools SET rows_sum = $1 WHERE node_id = $2";
    CONSUMERS = "SELECT name, position FROM consumers WHERE node_id = $1 ORDER BY name";
    CONSUMED = "INSERT INTO consumers (name, node_id, position) VALUES ($1, $2, $3) \
        ON CONFLICT (name, node_id) DO UPDATE SET position = excluded.position";
    FORGET = "DELETE FROM consumers WHERE name = $1 AND node_id = $2";
    OPEN_HOLDS = select_holds!("WHERE node_id = $1 ORDER BY id");
    ASK = "INSERT INTO reconcile (id, generation_id, provider, at_most, at_ms) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING";
}

static HOLDS: Many = Many::list(select_holds!("WHERE id IN"), "");
static CLOSE: Many = Many::list("DELETE FROM holds WHERE id IN", "");
static OPEN: Many = Many::rows(
    "INSERT INTO holds (id, node_id, account_id, key_id, amount, at_ms, model, provider, \
     endpoint, earlier, ck_charge, ck_upstream, ck_prompt, ck_completion)",
    14,
    "ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, model = excluded.model, \
     provider = excluded.provider, endpoint = excluded.endpoint, earlier = excluded.earlier, \
     ck_charge = excluded.ck_charge, ck_upstream = excluded.ck_upstream, \
     ck_prompt = excluded.ck_prompt, ck_completion = excluded.ck_completion",
);
static FINISH: Many = Many::rows(
    "INSERT INTO generations (id, account_id, key_id, created_at_ms, settled_at_ms, model, \
     provider, endpoint, charge, paid, house_loss, upstream, prompt, completion, reasoning, \
     cached, voided, failure, record, link)",
    20,
    "",
);
static COUNT: Many = Many::rows(
    "INSERT INTO activity (day, account_id, key_id, model, endpoint, provider, node_id, \
     requests, paid, byok, prompt, completion, reasoning, cached)",
    14,
    "ON CONFLICT (account_id, day, key_id, model, endpoint, provider, node_id) DO UPDATE SET \
     requests = activity.requests + excluded.requests, \
     paid = activity.paid + excluded.paid, byok = activity.byok + excluded.byok, \
     prompt = activity.prompt + excluded.prompt, \
     completion = activity.completion + excluded.completion, \
     reasoning = activity.reasoning + excluded.reasoning, \
     cached = activity.cached + excluded.cached",
);
static FAIL: Many = Many::rows(
    "INSERT INTO failures (day, account_id, key_id, model, endpoint, provider, failure, node_id, \
     calls, attempts)",
    10,
    "ON CONFLICT (account_id, day, key_id, model, endpoint, provider, failure, node_id) \
     DO UPDATE SET calls = failures.calls + excluded.calls, \
     attempts = failures.attempts + excluded.attempts",
);
/// The statements above that take lists.
#[cfg(test)]
pub(in crate::sql) static LISTS: &[(&str, &Many)] = &[
    ("HOLDS", &HOLDS),
    ("CLOSE", &CLOSE),
    ("OPEN", &OPEN),
    ("FINISH", &FINISH),
    ("COUNT", &COUNT),
    ("FAIL", &FAIL),
];

async fn history(session: &mut dyn Session, node: NodeId) -> Result<History, StoreError> {
    let mut row = session.one(HISTORY, &[node.into()]).await?;
    let store = StoreId(row.array("installation id")?);
    let new = History::new(store, node);
    Ok(History {
        applied: Position(row.unsigned()?),
        chain: row.maybe_array("hash")?.map_or(new.chain, Link),
        batch_from: Position(row.unsigned()?),
        chain_before: row.maybe_array("hash")?.map_or(new.chain_before, Link),
        rows: row
            .maybe_array("sum of hashes")?
            .map_or(new.rows, |sum| RowSum(u128::from_be_bytes(sum))),
        ..new
    })
}

/// Whose call it is, and its hold.
fn open_hold(mut row: Row) -> Result<(NodeId, OpenHold), StoreError> {
    let node = row.node()?;
    let mut hold = OpenHold {
        id: row.id()?,
        account: AccountId(row.unsigned()?),
        key: KeyId(row.unsigned()?),
        amount: row.nanos()?,
        at_ms: row.unsigned()?,
        model: row.text()?,
        provider: row.text()?,
        endpoint: row.text()?,
        earlier: Vec::new(),
        checkpoint: None,
    };
    // Slugs contain no spaces, so a list of them needs no table.
    let earlier = row.string()?;
    hold.earlier = earlier.split_whitespace().map(Into::into).collect();
    if let Some(charge) = row.maybe_int()? {
        hold.checkpoint = Some(Checkpoint {
            id: hold.id,
            charge: Nanos(charge),
            upstream: row.nanos()?,
            prompt: row.unsigned()?,
            completion: row.unsigned()?,
        });
    }
    Ok((node, hold))
}

/// Loads the open holds of the calls that the batch mentions without
/// beginning them. Another node's are none of its business: only the node
/// that runs a call closes its hold.
async fn earlier_holds(
    session: &mut dyn Session,
    node: NodeId,
    records: &[(Record<'_>, &[u8])],
) -> Result<Vec<OpenHold>, StoreError> {
    let mut begun = BTreeSet::new();
    let mut wanted = BTreeSet::new();
    for (record, _) in records {
        match record {
            Record::Hold(hold) => {
                begun.insert(hold.id);
            }
            Record::Refused(_) => {}
            other => {
                if !begun.contains(&other.id()) {
                    wanted.insert(other.id());
                }
            }
        }
    }
    let wanted: Vec<Value<'_>> = wanted.into_iter().map(Value::from).collect();
    let mut holds = Vec::with_capacity(wanted.len());
    for (text, ids) in HOLDS.pieces(&wanted) {
        for row in session.rows(text, ids).await? {
            let (of, hold) = open_hold(row)?;
            if of == node {
                holds.push(hold);
            }
        }
    }
    Ok(holds)
}

async fn write_holds(
    session: &mut dyn Session,
    node: NodeId,
    opened: &[OpenHold],
    closed: &[GenerationId],
) -> Result<(), StoreError> {
    let closed: Vec<Value<'_>> = closed.iter().copied().map(Value::from).collect();
    for (text, ids) in CLOSE.pieces(&closed) {
        session.change(text, ids).await?;
    }
    for (text, piece) in OPEN.pieces(opened) {
        let mut values: Vec<Value<'_>> = Vec::with_capacity(piece.len() * OPEN.width);
        for hold in piece {
            let checkpoint = hold.checkpoint;
            values.extend([
                hold.id.into(),
                node.into(),
                hold.account.into(),
                hold.key.into(),
                hold.amount.into(),
                hold.at_ms.into(),
                (&*hold.model).into(),
                (&*hold.provider).into(),
                (&*hold.endpoint).into(),
                hold.earlier.join(" ").into(),
                checkpoint.map(|at| at.charge).into(),
                checkpoint.map(|at| at.upstream).into(),
                checkpoint.map(|at| at.prompt).into(),
                checkpoint.map(|at| at.completion).into(),
            ]);
        }
        session.change(text, &values).await?;
    }
    Ok(())
}

async fn write_generations(
    session: &mut dyn Session,
    rows: &[GenerationRow],
) -> Result<(), StoreError> {
    for (text, piece) in FINISH.pieces(rows) {
        let mut values: Vec<Value<'_>> = Vec::with_capacity(piece.len() * FINISH.width);
        for row in piece {
            values.extend([
                row.id.into(),
                row.account.into(),
                row.key.into(),
                row.created_at_ms.into(),
                row.settled_at_ms.into(),
                (&*row.model).into(),
                (&*row.provider).into(),
                (&*row.endpoint).into(),
                row.charge.into(),
                row.paid.into(),
                row.house_loss.into(),
                row.upstream.into(),
                row.prompt.into(),
                row.completion.into(),
                row.reasoning.into(),
                row.cached.into(),
                row.voided.map(VoidReason::number).into(),
                row.failure.map_or(0, FailureKind::number).into(),
                row.record.as_slice().into(),
                // Every new row has one.
                Value::Bytes(row.link.as_ref().map_or(&[], |link| &link.0)),
            ]);
        }
        session.change(text, &values).await?;
    }
    Ok(())
}

async fn write_activity(
    session: &mut dyn Session,
    node: NodeId,
    rows: &BTreeMap<ActivityKey, ActivitySums>,
) -> Result<(), StoreError> {
    let rows: Vec<_> = rows.iter().collect();
    for (text, piece) in COUNT.pieces(&rows) {
        let mut values: Vec<Value<'_>> = Vec::with_capacity(piece.len() * COUNT.width);
        for (of, sums) in piece {
            values.extend([
                of.day.into(),
                of.account.into(),
                of.key.into(),
                (&*of.model).into(),
                (&*of.endpoint).into(),
                (&*of.provider).into(),
                node.into(),
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
    Ok(())
}

async fn write_failures(
    session: &mut dyn Session,
    node: NodeId,
    rows: &BTreeMap<FailureOf, FailureSums>,
) -> Result<(), StoreError> {
    let rows: Vec<_> = rows.iter().collect();
    for (text, piece) in FAIL.pieces(&rows) {
        let mut values: Vec<Value<'_>> = Vec::with_capacity(piece.len() * FAIL.width);
        for (of, sums) in piece {
            values.extend([
                of.day.into(),
                of.account.into(),
                of.key.into(),
                (&*of.model).into(),
                (&*of.endpoint).into(),
                (&*of.provider).into(),
                of.failure.into(),
                node.into(),
                sums.calls.into(),
                sums.attempts.into(),
            ]);
        }
        session.change(text, &values).await?;
    }
    Ok(())
}

/// Adds the links of new rows to the sum of all.
async fn sum_rows(
    session: &mut dyn Session,
    node: NodeId,
    before: RowSum,
    rows: &[GenerationRow],
) -> Result<(), StoreError> {
    let links = rows.iter().filter_map(|row| row.link);
    let sum = links.fold(before, RowSum::with);
    if sum != before {
        let sum = sum.0.to_be_bytes();
        session
            .change(SUM_ROWS, &[Value::Bytes(&sum), node.into()])
            .await?;
    }
    Ok(())
}

async fn write(
    session: &mut dyn Session,
    writer: Writer<'_>,
    effects: &Effects,
    batch: &Batch<'_>,
) -> Result<(), StoreError> {
    let node = writer.node;
    if !effects.journal.is_empty() {
        let source = format!("spool:{}:{}-{}", node.0, batch.from, batch.to);
        book(session, writer, &effects.journal, &source, effects.at_ms).await?;
    }
    write_holds(session, node, &effects.opened, &effects.closed).await?;
    write_generations(session, &effects.generations).await?;
    for (id, paid) in &effects.spent {
        account::spend(session, node, *id, *paid).await?;
    }
    key::spend(session, node, &effects.keys).await?;
    write_activity(session, node, &effects.activity).await?;
    write_failures(session, node, &effects.failures).await?;
    for question in &effects.unreconciled {
        ask(session, writer, question).await?;
    }
    Ok(())
}

/// Notes a question for reconciliation.
async fn ask(
    session: &mut dyn Session,
    writer: Writer<'_>,
    question: &Unreconciled,
) -> Result<(), StoreError> {
    for id in writer.fresh_ids(question.at_ms) {
        let values = [
            id.into(),
            question.id.into(),
            (&*question.provider).into(),
            question.at_most.into(),
            question.at_ms.into(),
        ];
        if session.change(ASK, &values).await? > 0 {
            return Ok(());
        }
    }
    Err(StoreError::Exists("question for reconciliation"))
}

async fn apply(
    session: &mut dyn Session,
    writer: Writer<'_>,
    batch: &Batch<'_>,
    records: &[(Record<'_>, &[u8])],
) -> Result<Applied, StoreError> {
    let before = history(session, writer.node).await?;
    let position = before.applied;
    if batch.to <= position {
        return Ok(Applied {
            position,
            chain: before.chain,
            records: 0,
            repeated: 0,
        });
    }
    let gap = || StoreError::Gap {
        applied: position.0,
        from: batch.from.0,
    };
    if batch.from != position {
        return Err(gap());
    }
    before.expect(batch.chain)?;
    let chain = before.chain.after_all(batch.records.iter().copied());
    let to = i64::try_from(batch.to.0).map_err(|_| JournalError::OutOfRange)?;
    // Compared once more where it is written: whatever happened since the
    // line above, a batch goes where the one before it ended.
    let advance = [
        to.into(),
        Value::Bytes(&chain.0),
        position.0.into(),
        Value::Bytes(&before.chain.0),
        writer.node.into(),
    ];
    if session.change(ADVANCE, &advance).await? == 0 {
        return Err(gap());
    }
    let mut fold = Fold::new(earlier_holds(session, writer.node, records).await?);
    for (record, bytes) in records {
        fold.push(record, bytes);
    }
    let effects = fold.finish()?;
    write(session, writer, &effects, batch).await?;
    sum_rows(session, writer.node, before.rows, &effects.generations).await?;
    Ok(Applied {
        position: batch.to,
        chain,
        records: batch.records.len() as u64,
        repeated: effects.repeated,
    })
}

async fn note_consumer(
    session: &mut dyn Session,
    node: NodeId,
    name: &str,
    position: Option<Position>,
) -> Result<(), StoreError> {
    match position {
        Some(position) => {
            let values = [name.into(), node.into(), position.0.into()];
            session.change(CONSUMED, &values).await?
        }
        None => session.change(FORGET, &[name.into(), node.into()]).await?,
    };
    Ok(())
}

impl<B: Backend> Journals for SqlStore<B> {
    fn history(&self) -> Reply<'_, History> {
        Box::pin(async move { history(&mut *self.read().await?, self.node).await })
    }

    fn open_holds(&self) -> Reply<'_, Vec<OpenHold>> {
        Box::pin(async move {
            let rows = self
                .read()
                .await?
                .rows(OPEN_HOLDS, &[self.node.into()])
                .await?;
            let holds = rows.into_iter().map(|row| Ok(open_hold(row)?.1));
            holds.collect()
        })
    }

    fn apply<'a>(&'a self, batch: Batch<'a>) -> Reply<'a, Applied> {
        Box::pin(async move {
            let mut records = Vec::with_capacity(batch.records.len());
            for &bytes in batch.records {
                records.push((record::decode(bytes)?, bytes));
            }
            let writer = self.writer();
            in_transaction!(self, session => apply(session, writer, &batch, &records))
        })
    }

    fn audit(&self) -> Reply<'_, AuditView> {
        Box::pin(async move {
            let mut session = self.survey().await?;
            let position = history(&mut *session, self.node).await?.applied;
            let view = super::audit::view(&mut *session, position).await?;
            session.rollback().await?;
            Ok(view)
        })
    }

    fn check_rows(&self) -> Reply<'_, RowReport> {
        Box::pin(async move {
            // At one moment, so that rows and sum belong together.
            let mut session = self.survey().await?;
            let expected = history(&mut *session, self.node).await?.rows;
            let report = super::generation::check_rows(&mut *session, expected).await?;
            session.rollback().await?;
            Ok(report)
        })
    }

    fn consumers(&self) -> Reply<'_, Vec<(String, Position)>> {
        Box::pin(async move {
            let rows = self
                .read()
                .await?
                .rows(CONSUMERS, &[self.node.into()])
                .await?;
            let named = rows.into_iter();
            named
                .map(|mut row| Ok((row.string()?, Position(row.unsigned()?))))
                .collect()
        })
    }

    fn note_consumer<'a>(&'a self, name: &'a str, position: Option<Position>) -> Reply<'a, ()> {
        Box::pin(async move {
            in_transaction!(self, session => note_consumer(session, self.node, name, position))
        })
    }
}
