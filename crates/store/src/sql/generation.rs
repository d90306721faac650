//! Finished calls, and questions about them.

use bourse_ledger::fold::Unreconciled;
use bourse_ledger::record::VoidReason;
use bourse_ledger::{GenerationRow, Link, RowSum};
use bourse_vocab::{AccountId, FailureKind, GenerationId, KeyId, NodeId, RowId};

use super::text::{Many, texts};
use super::value::{Row, Value, damaged};
use super::{Backend, Session, SqlStore, Writer};
use crate::audit::RowReport;
use crate::generation::{Generations, Left, SettledPage};
use crate::recount::Recount;
use crate::{Reply, StoreError};

/// A statement that returns finished calls, with its own end.
macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, account_id, key_id, created_at_ms, settled_at_ms, model, provider, \
             endpoint, charge, paid, house_loss, upstream, prompt, completion, reasoning, cached, \
             voided, failure, record, link FROM generations ",
            $tail
        )
    };
}

texts! {
    BY_ID = select!("WHERE id = $1");
    OF_ACCOUNT = select!("WHERE account_id = $1 ORDER BY id DESC LIMIT $2");
    SETTLED = select!(
        "WHERE (settled_at_ms, id) > ($1, $2) AND settled_at_ms < $3 \
         ORDER BY settled_at_ms, id LIMIT $4"
    );
    OLDEST = select!("WHERE settled_at_ms < $1 ORDER BY settled_at_ms, id LIMIT $2");
    AFTER = select!("WHERE id > $1 ORDER BY id LIMIT $2");
    UNRECONCILED = "SELECT generation_id, provider, at_most, at_ms FROM reconcile \
        ORDER BY id LIMIT $1";
    // Ids of questions begin with their moment, so that only those of the span
    // are read.
    LEFT = "SELECT generations.account_id, generations.key_id, generations.voided, \
        generations.upstream, reconcile.at_most FROM reconcile \
        JOIN generations ON generations.id = reconcile.generation_id \
        WHERE reconcile.id >= $1 AND reconcile.at_ms >= $2 \
        AND reconcile.provider = generations.provider \
        AND (generations.voided IS NULL OR generations.voided = $3) \
        ORDER BY reconcile.id DESC LIMIT $4";
    ASK = "INSERT INTO reconcile (id, generation_id, provider, at_most, at_ms) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING";
}

static FINISH: Many = Many::rows(
    "INSERT INTO generations (id, account_id, key_id, created_at_ms, settled_at_ms, model, \
     provider, endpoint, charge, paid, house_loss, upstream, prompt, completion, reasoning, \
     cached, voided, failure, record, link)",
    20,
    "",
);
/// The statements above that take lists.
#[cfg(test)]
pub(in crate::sql) static LISTS: &[(&str, &Many)] = &[("FINISH", &FINISH)];

fn generation_row(mut row: Row) -> Result<GenerationRow, StoreError> {
    Ok(GenerationRow {
        id: row.id()?,
        account: AccountId(row.unsigned()?),
        key: KeyId(row.unsigned()?),
        created_at_ms: row.unsigned()?,
        settled_at_ms: row.unsigned()?,
        model: row.text()?,
        provider: row.text()?,
        endpoint: row.text()?,
        charge: row.nanos()?,
        paid: row.nanos()?,
        house_loss: row.nanos()?,
        upstream: row.nanos()?,
        prompt: row.unsigned()?,
        completion: row.unsigned()?,
        reasoning: row.unsigned()?,
        cached: row.unsigned()?,
        voided: row.maybe_unsigned()?.map(reason).transpose()?,
        failure: failure(row.unsigned()?),
        record: row.bytes()?,
        link: row.maybe_array("hash of a row")?.map(Link),
    })
}

/// What a record's failure is read as: a kind that only a later version knows
/// is still a failure.
fn failure(number: u64) -> Option<FailureKind> {
    let known = FailureKind::by_number(number);
    known.or((number != 0).then_some(FailureKind::Unmapped))
}

fn reason(number: u64) -> Result<VoidReason, StoreError> {
    VoidReason::by_number(number).ok_or_else(|| damaged("reason", number))
}

/// Rows held to their records at once.
const CHECKED_AT_ONCE: u64 = 2_000;

/// Holds every row to its record, and the sums beside them to all records.
pub(super) async fn check_rows(
    session: &mut dyn Session,
    expected: RowSum,
) -> Result<RowReport, StoreError> {
    let mut report = RowReport {
        expected,
        ..RowReport::default()
    };
    let mut recount = Recount::default();
    let mut last: Option<GenerationId> = None;
    loop {
        // No id is empty, so nothing is before the first.
        let after = last.map_or(Value::Bytes(&[]), Value::from);
        let rows = session
            .rows(AFTER, &[after, CHECKED_AT_ONCE.into()])
            .await?;
        if rows.is_empty() {
            super::recount::subtract(session, &mut recount).await?;
            (report.sums, report.sums_count) = recount.differences();
            return Ok(report);
        }
        for row in rows {
            let row = generation_row(row)?;
            report.see(&row);
            recount.see(&row);
            last = Some(row.id);
        }
    }
}

/// The calls that were settled first, before a moment.
pub(super) async fn oldest(
    session: &mut dyn Session,
    before_ms: u64,
    count_max: u64,
) -> Result<Vec<GenerationRow>, StoreError> {
    let values = [before_ms.into(), count_max.into()];
    let rows = session.rows(OLDEST, &values).await?;
    rows.into_iter().map(generation_row).collect()
}

/// Writes calls that have ended.
pub(super) async fn write(
    session: &mut dyn Session,
    rows: &[GenerationRow],
) -> Result<(), StoreError> {
    // In the order of the table, so that its pages are filled one by one.
    let mut rows: Vec<&GenerationRow> = rows.iter().collect();
    rows.sort_unstable_by_key(|row| row.id);
    for (text, piece) in FINISH.pieces(&rows) {
        let mut values: Vec<Value<'_>> = Vec::with_capacity(piece.len() * FINISH.width);
        for row in piece {
            values.extend([
                row.id.into(),
                row.account.into(),
                row.key.into(),
                row.created_at_ms.into(),
                row.settled_at_ms.into(),
                (&row.model).into(),
                (&row.provider).into(),
                (&row.endpoint).into(),
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

/// Notes a question for reconciliation.
pub(super) async fn ask(
    session: &mut dyn Session,
    writer: Writer<'_>,
    question: &Unreconciled,
) -> Result<(), StoreError> {
    for id in writer.fresh_ids(question.at_ms) {
        let values = [
            id.into(),
            question.id.into(),
            (&question.provider).into(),
            question.at_most.into(),
            question.at_ms.into(),
        ];
        if session.change(ASK, &values).await? > 0 {
            return Ok(());
        }
    }
    Err(StoreError::Exists("question for reconciliation"))
}

fn question(mut row: Row) -> Result<Unreconciled, StoreError> {
    Ok(Unreconciled {
        id: row.id()?,
        provider: row.text()?,
        at_most: row.nanos()?,
        at_ms: row.unsigned()?,
    })
}

fn left(mut row: Row) -> Result<Left, StoreError> {
    let (account, key) = (AccountId(row.unsigned()?), KeyId(row.unsigned()?));
    let is_void = row.maybe_int()?.is_some();
    let counted = row.nanos()?;
    Ok(Left {
        account,
        key,
        counted: (!is_void).then_some(counted),
        at_most: row.nanos()?,
    })
}

impl<B: Backend> Generations for SqlStore<B> {
    fn generation(&self, id: GenerationId) -> Reply<'_, Option<GenerationRow>> {
        Box::pin(async move {
            let row = self.read().await?.maybe(BY_ID, &[id.into()]).await?;
            row.map(generation_row).transpose()
        })
    }

    fn generations(&self, account: AccountId, count_max: u64) -> Reply<'_, Vec<GenerationRow>> {
        Box::pin(async move {
            let values = [account.into(), count_max.into()];
            let rows = self.read().await?.rows(OF_ACCOUNT, &values).await?;
            rows.into_iter().map(generation_row).collect()
        })
    }

    fn generations_settled(&self, page: SettledPage) -> Reply<'_, Vec<GenerationRow>> {
        Box::pin(async move {
            // No id is empty, so nothing of a moment is before the first.
            let (at_ms, id) = page
                .after
                .map_or((page.from_ms, Value::Bytes(&[])), |(at_ms, id)| {
                    (at_ms, id.into())
                });
            let values = [
                at_ms.into(),
                id,
                page.before_ms.into(),
                page.count_max.into(),
            ];
            let rows = self.read().await?.rows(SETTLED, &values).await?;
            rows.into_iter().map(generation_row).collect()
        })
    }

    fn unreconciled(&self, count_max: u64) -> Reply<'_, Vec<Unreconciled>> {
        Box::pin(async move {
            let rows = self
                .read()
                .await?
                .rows(UNRECONCILED, &[count_max.into()])
                .await?;
            rows.into_iter().map(question).collect()
        })
    }

    fn left_since(&self, at_ms: u64, count_max: u64) -> Reply<'_, Vec<Left>> {
        Box::pin(async move {
            let values = [
                RowId::new(at_ms, NodeId(0), 0).0.into(),
                at_ms.into(),
                VoidReason::CallerLeft.number().into(),
                count_max.into(),
            ];
            let rows = self.read().await?.rows(LEFT, &values).await?;
            rows.into_iter().map(left).collect()
        })
    }
}
