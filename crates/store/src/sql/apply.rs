//! Applying batches of the journal.

use std::collections::{BTreeMap, BTreeSet};

use bourse_ledger::fold::{ActivityKey, ActivitySums, GenerationRow};
use bourse_ledger::journal::JournalError;
use bourse_ledger::record::Checkpoint;
use bourse_ledger::{Effects, Fold, OpenHold, Record, record};
use bourse_spool::Position;
use bourse_vocab::{AccountId, GenerationId, KeyId, Nanos};

use super::text::{Many, texts};
use super::value::{Row, Value};
use super::{Backend, Session, SqlStore, book, in_transaction, key};
use crate::audit::AuditView;
use crate::journal::{Applied, Batch, Journals};
use crate::{Reply, StoreError};

/// A statement that returns open holds, with its own end.
macro_rules! select_holds {
    ($tail:literal) => {
        concat!(
            "SELECT id, account_id, key_id, amount, at_ms, model, provider, endpoint, earlier, \
             ck_charge, ck_upstream, ck_prompt, ck_completion FROM holds ",
            $tail
        )
    };
}

texts! {
    APPLIED = "SELECT spool_applied FROM progress WHERE id = 1";
    ADVANCE = "UPDATE progress SET spool_applied = $1 WHERE id = 1 AND spool_applied = $2";
    OPEN_HOLDS = select_holds!("ORDER BY id");
    SPEND = "UPDATE accounts SET spent = spent + $1 WHERE id = $2 RETURNING spent";
    ASK = "INSERT INTO reconcile (id, generation_id, provider, at_most, at_ms) \
        SELECT COALESCE(MAX(id), 0) + 1, $1, $2, $3, $4 FROM reconcile";
}

static HOLDS: Many = Many::list(select_holds!("WHERE id IN"), "");
static CLOSE: Many = Many::list("DELETE FROM holds WHERE id IN", "");
static OPEN: Many = Many::rows(
    "INSERT INTO holds (id, account_id, key_id, amount, at_ms, model, provider, endpoint, \
     earlier, ck_charge, ck_upstream, ck_prompt, ck_completion)",
    13,
    "ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, model = excluded.model, \
     provider = excluded.provider, endpoint = excluded.endpoint, earlier = excluded.earlier, \
     ck_charge = excluded.ck_charge, ck_upstream = excluded.ck_upstream, \
     ck_prompt = excluded.ck_prompt, ck_completion = excluded.ck_completion",
);
static FINISH: Many = Many::rows(
    "INSERT INTO generations (id, account_id, key_id, created_at_ms, settled_at_ms, model, \
     provider, endpoint, charge, paid, house_loss, upstream, prompt, completion, reasoning, \
     cached, record)",
    17,
    "",
);
static COUNT: Many = Many::rows(
    "INSERT INTO activity (day, account_id, key_id, model, endpoint, provider, requests, paid, \
     byok, prompt, completion, reasoning, cached)",
    13,
    "ON CONFLICT (account_id, day, key_id, model, endpoint, provider) DO UPDATE SET \
     requests = activity.requests + excluded.requests, \
     paid = activity.paid + excluded.paid, byok = activity.byok + excluded.byok, \
     prompt = activity.prompt + excluded.prompt, \
     completion = activity.completion + excluded.completion, \
     reasoning = activity.reasoning + excluded.reasoning, \
     cached = activity.cached + excluded.cached",
);
/// The statements above that take lists.
#[cfg(test)]
pub(in crate::sql) static LISTS: &[(&str, &Many)] = &[
    ("HOLDS", &HOLDS),
    ("CLOSE", &CLOSE),
    ("OPEN", &OPEN),
    ("FINISH", &FINISH),
    ("COUNT", &COUNT),
];

async fn applied(session: &mut dyn Session) -> Result<Position, StoreError> {
    let position = session.one(APPLIED, &[]).await?.unsigned()?;
    Ok(Position(position))
}

fn open_hold(mut row: Row) -> Result<OpenHold, StoreError> {
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
    Ok(hold)
}

/// Loads the open holds of the calls that the batch mentions without
/// beginning them.
async fn earlier_holds(
    session: &mut dyn Session,
    records: &[(Record<'_>, &[u8])],
) -> Result<Vec<OpenHold>, StoreError> {
    let mut begun = BTreeSet::new();
    let mut wanted = BTreeSet::new();
    for (record, _) in records {
        match record {
            Record::Hold(hold) => {
                begun.insert(hold.id);
            }
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
            holds.push(open_hold(row)?);
        }
    }
    Ok(holds)
}

async fn write_holds(
    session: &mut dyn Session,
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
                row.record.as_slice().into(),
            ]);
        }
        session.change(text, &values).await?;
    }
    Ok(())
}

async fn write_activity(
    session: &mut dyn Session,
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

async fn write(
    session: &mut dyn Session,
    effects: &Effects,
    batch: &Batch<'_>,
) -> Result<(), StoreError> {
    if !effects.journal.is_empty() {
        let source = format!("spool:{}-{}", batch.from, batch.to);
        book(session, &effects.journal, &source, effects.at_ms).await?;
    }
    write_holds(session, &effects.opened, &effects.closed).await?;
    write_generations(session, &effects.generations).await?;
    for (account, paid) in &effects.spent {
        let values = [(*paid).into(), (*account).into()];
        let row = session.maybe(SPEND, &values).await?;
        row.ok_or(StoreError::NotFound("account"))?.int()?;
    }
    let mut keys: BTreeMap<KeyId, Vec<(u64, Nanos)>> = BTreeMap::new();
    for ((id, _), used) in &effects.keys {
        keys.entry(*id).or_default().push((used.at_ms, used.paid));
    }
    for (id, paid) in keys {
        key::spend(session, id, &paid).await?;
    }
    write_activity(session, &effects.activity).await?;
    for question in &effects.unreconciled {
        let values = [
            question.id.into(),
            (&*question.provider).into(),
            question.at_most.into(),
            question.at_ms.into(),
        ];
        session.change(ASK, &values).await?;
    }
    Ok(())
}

async fn apply(
    session: &mut dyn Session,
    batch: &Batch<'_>,
    records: &[(Record<'_>, &[u8])],
) -> Result<Applied, StoreError> {
    let position = applied(session).await?;
    if batch.to <= position {
        return Ok(Applied {
            position,
            ..Applied::default()
        });
    }
    let gap = || StoreError::Gap {
        applied: position.0,
        from: batch.from.0,
    };
    if batch.from != position {
        return Err(gap());
    }
    let to = i64::try_from(batch.to.0).map_err(|_| JournalError::OutOfRange)?;
    // Compared once more where it is written: whatever happened since the
    // line above, a batch goes where the one before it ended.
    if session
        .change(ADVANCE, &[to.into(), position.0.into()])
        .await?
        == 0
    {
        return Err(gap());
    }
    let mut fold = Fold::new(earlier_holds(session, records).await?);
    for (record, bytes) in records {
        fold.push(record, bytes);
    }
    let effects = fold.finish()?;
    write(session, &effects, batch).await?;
    Ok(Applied {
        position: batch.to,
        records: batch.records.len() as u64,
        repeated: effects.repeated,
    })
}

impl<B: Backend> Journals for SqlStore<B> {
    fn applied(&self) -> Reply<'_, Position> {
        Box::pin(async move { applied(&mut *self.read().await?).await })
    }

    fn open_holds(&self) -> Reply<'_, Vec<OpenHold>> {
        Box::pin(async move {
            let rows = self.read().await?.rows(OPEN_HOLDS, &[]).await?;
            rows.into_iter().map(open_hold).collect()
        })
    }

    fn apply<'a>(&'a self, batch: Batch<'a>) -> Reply<'a, Applied> {
        Box::pin(async move {
            let mut records = Vec::with_capacity(batch.records.len());
            for &bytes in batch.records {
                records.push((record::decode(bytes)?, bytes));
            }
            in_transaction!(self, session => apply(session, &batch, &records))
        })
    }

    fn audit(&self) -> Reply<'_, AuditView> {
        Box::pin(async move {
            let mut session = self.survey().await?;
            let position = applied(&mut *session).await?;
            let view = super::audit::view(&mut *session, position).await?;
            session.rollback().await?;
            Ok(view)
        })
    }
}
