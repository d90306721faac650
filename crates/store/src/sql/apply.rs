//! Applying batches of the journal.

use bourse_ledger::journal::JournalError;
use bourse_ledger::{Effects, Fold, GenerationRow, Link, OpenHold, RowSum};
use bourse_spool::Position;
use bourse_vocab::{AccountId, KeyId, NodeId, StoreId};

use super::text::texts;
use super::value::Value;
use super::{Backend, Session, SqlStore, Writer, account, activity, audit, book};
use super::{generation, hold, in_transaction, key, retired};
use crate::audit::{AuditView, RowReport};
use crate::journal::{Applied, Batch, History, Journals, StoredPurses};
use crate::{Dropped, Reply, StoreError};

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
}

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

/// Drops calls, and takes their hashes out of the sum of all.
async fn drop_calls(
    session: &mut dyn Session,
    node: NodeId,
    (before_ms, count_max): (u64, u64),
) -> Result<Dropped, StoreError> {
    let before = history(session, node).await?.rows;
    let rows = generation::oldest(session, before_ms, count_max).await?;
    let after = retired::drop_calls(session, &rows, before).await?;
    let calls = rows.len() as u64;
    let mut questions = 0;
    if calls < count_max {
        questions = retired::drop_questions(session, before_ms, count_max).await?;
    }
    if after != before {
        let sum = after.0.to_be_bytes();
        session
            .change(SUM_ROWS, &[Value::Bytes(&sum), node.into()])
            .await?;
    }
    Ok(Dropped { calls, questions })
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
    hold::write(session, node, &effects.opened, &effects.closed).await?;
    generation::write(session, &effects.generations).await?;
    for (id, paid) in &effects.spent {
        account::spend(session, node, *id, *paid).await?;
    }
    key::spend(session, node, &effects.keys).await?;
    activity::write(session, node, &effects.activity).await?;
    activity::write_failures(session, node, &effects.failures).await?;
    for question in &effects.unreconciled {
        generation::ask(session, writer, question).await?;
    }
    Ok(())
}

async fn apply(
    session: &mut dyn Session,
    writer: Writer<'_>,
    batch: &Batch<'_>,
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
    let chain = before.chain.after_batch(batch.records.iter().copied());
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
    let mut fold = Fold::new(hold::earlier(session, writer.node, batch.records).await?);
    for bytes in batch.records {
        fold.push(bytes)?;
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
        Box::pin(async move { hold::of_node(&mut *self.read().await?, self.node).await })
    }

    fn stored_purses<'a>(
        &'a self,
        accounts: &'a [AccountId],
        keys: &'a [KeyId],
    ) -> Reply<'a, StoredPurses> {
        Box::pin(async move {
            let mut session = self.snapshot().await?;
            let purses = StoredPurses {
                applied: history(&mut *session, self.node).await?.applied,
                accounts: account::by_ids(&mut *session, self.node, accounts).await?,
                keys: key::by_ids(&mut *session, keys).await?,
                open: hold::of_node(&mut *session, self.node).await?,
            };
            session.rollback().await?;
            Ok(purses)
        })
    }

    fn apply<'a>(&'a self, batch: Batch<'a>) -> Reply<'a, Applied> {
        Box::pin(async move {
            let writer = self.writer();
            in_transaction!(self, session => apply(session, writer, &batch))
        })
    }

    fn drop_calls(&self, before_ms: u64, count_max: u64) -> Reply<'_, Dropped> {
        Box::pin(async move {
            let which = (before_ms, count_max);
            in_transaction!(self, session => drop_calls(session, self.node, which))
        })
    }

    fn audit(&self) -> Reply<'_, AuditView> {
        Box::pin(async move {
            let mut session = self.survey().await?;
            let position = history(&mut *session, self.node).await?.applied;
            let view = audit::view(&mut *session, position).await?;
            session.rollback().await?;
            Ok(view)
        })
    }

    fn check_rows(&self) -> Reply<'_, RowReport> {
        Box::pin(async move {
            // At one moment, so that rows and sum belong together.
            let mut session = self.survey().await?;
            let expected = history(&mut *session, self.node).await?.rows;
            let mut report = generation::check_rows(&mut *session, expected).await?;
            session.rollback().await?;
            report.damage = self.backend.damage().await?;
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
