//! Batches of calls.

use bourse_policy::KeyHash;
use bourse_vocab::{AccountId, BatchId, FileId, NodeId};

use super::text::texts;
use super::value::{Row, damaged};
use super::{Backend, Session, SqlStore, file, in_transaction};
use crate::batch::{
    BatchPatch, BatchRow, BatchState, Batches, BatchesPage, CLAIMABLE_MAX, Claim, LineCounts,
    Shape, chosen,
};
use crate::texts::check;
use crate::{Reply, StoreError};

/// A statement that returns whole batches, with its own end.
macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, account_id, key_hash, shape, endpoint, input_file_id, output_file_id, \
             error_file_id, state, metadata, faults, paused, lines_total, lines_completed, \
             lines_failed, lines_expired, lines_cancelled, created_at_ms, expires_at_ms, \
             began_at_ms, finalizing_at_ms, cancelling_at_ms, ended_at_ms, lines_at_vendor, \
             at_vendor, node_id, lease_until_ms FROM batches ",
            $tail
        )
    };
}

texts! {
    CREATE = "INSERT INTO batches (id, account_id, key_hash, shape, endpoint, input_file_id, \
        state, is_ended, metadata, faults, paused, lines_total, lines_completed, lines_failed, \
        lines_expired, lines_cancelled, created_at_ms, expires_at_ms, node_id, lease_until_ms, \
        lines_at_vendor, at_vendor) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, 0, 0, 0, $13, $14, 0, 0, \
        0, $15) \
        ON CONFLICT DO NOTHING RETURNING account_id";
    OPEN = "SELECT COUNT(*) FROM batches WHERE account_id = $1 AND is_ended = 0";
    OWNER = "SELECT id FROM accounts WHERE id = $1";
    ONE = select!("WHERE id = $1");
    NEWEST = select!(
        "WHERE ($1 IS NULL OR account_id = $1) AND ($2 IS NULL OR shape = $2) \
         AND id < $3 ORDER BY id DESC LIMIT $4"
    );
    NEXT = select!(
        "WHERE ($1 IS NULL OR account_id = $1) AND ($2 IS NULL OR shape = $2) \
         AND id > $3 ORDER BY id LIMIT $4"
    );
    DELETE = "DELETE FROM batches WHERE id = $1 AND is_ended = 1";
    ANY = "SELECT id FROM batches WHERE is_ended = 0 LIMIT 1";
    CLAIMABLE = select!(
        "WHERE is_ended = 0 AND (node_id = $1 OR lease_until_ms <= $2) ORDER BY id LIMIT $3"
    );
    LEASE = "UPDATE batches SET node_id = $1, lease_until_ms = $2 WHERE id = $3";
    WRITE = "UPDATE batches SET state = $1, is_ended = $2, faults = $3, paused = $4, \
        lines_total = $5, lines_completed = $6, lines_failed = $7, lines_expired = $8, \
        lines_cancelled = $9, began_at_ms = $10, finalizing_at_ms = $11, \
        cancelling_at_ms = $12, ended_at_ms = $13, output_file_id = $14, error_file_id = $15, \
        lines_at_vendor = $16 WHERE id = $17";
    READING = "SELECT id FROM batches WHERE input_file_id = $1 AND is_ended = 0 LIMIT 1";
}

/// A batch, and which node has it.
fn batch_row(mut row: Row) -> Result<(BatchRow, i64), StoreError> {
    let mut batch = BatchRow {
        id: row.batch_id()?,
        account: AccountId(row.unsigned()?),
        key: KeyHash(row.array("key hash")?),
        shape: {
            let name = row.string()?;
            Shape::from_name(&name).ok_or_else(|| damaged("shape", name))?
        },
        endpoint: row.string()?,
        at_vendor: false,
        input: row.file_id()?,
        output: row.maybe_file_id()?,
        error: row.maybe_file_id()?,
        state: {
            let name = row.string()?;
            BatchState::from_name(&name).ok_or_else(|| damaged("state", name))?
        },
        metadata: row.string()?,
        faults: row.string()?,
        paused: row.string()?,
        counts: LineCounts {
            total: row.unsigned()?,
            completed: row.unsigned()?,
            failed: row.unsigned()?,
            expired: row.unsigned()?,
            cancelled: row.unsigned()?,
            at_vendor: 0,
        },
        created_at_ms: row.unsigned()?,
        expires_at_ms: row.unsigned()?,
        began_at_ms: row.maybe_unsigned()?,
        finalizing_at_ms: row.maybe_unsigned()?,
        cancelling_at_ms: row.maybe_unsigned()?,
        ended_at_ms: row.maybe_unsigned()?,
    };
    batch.counts.at_vendor = row.unsigned()?;
    batch.at_vendor = row.flag()?;
    Ok((batch, row.int()?))
}

async fn create(
    session: &mut dyn Session,
    batch: &BatchRow,
    open_max: u64,
) -> Result<bool, StoreError> {
    check("metadata", &batch.metadata)?;
    let owner = session.maybe(OWNER, &[batch.account.into()]).await?;
    if owner.is_none() {
        return Err(StoreError::NotFound("account"));
    }
    let mut open = session.one(OPEN, &[batch.account.into()]).await?;
    if open.unsigned()? >= open_max {
        return Ok(false);
    }
    let values = [
        batch.id.into(),
        batch.account.into(),
        batch.key.0.as_slice().into(),
        batch.shape.name().into(),
        batch.endpoint.as_str().into(),
        batch.input.into(),
        batch.state.name().into(),
        batch.state.is_ended().into(),
        batch.metadata.as_str().into(),
        batch.faults.as_str().into(),
        batch.paused.as_str().into(),
        batch.counts.total.into(),
        batch.created_at_ms.into(),
        batch.expires_at_ms.into(),
        batch.at_vendor.into(),
    ];
    match session.maybe(CREATE, &values).await? {
        Some(_) => Ok(true),
        None => Err(StoreError::Exists("batch")),
    }
}

async fn find(
    session: &mut dyn Session,
    id: BatchId,
) -> Result<Option<(BatchRow, i64)>, StoreError> {
    let row = session.maybe(ONE, &[id.into()]).await?;
    row.map(batch_row).transpose()
}

/// Writes what may have changed.
async fn write(session: &mut dyn Session, row: &BatchRow) -> Result<(), StoreError> {
    let values = [
        row.state.name().into(),
        row.state.is_ended().into(),
        row.faults.as_str().into(),
        row.paused.as_str().into(),
        row.counts.total.into(),
        row.counts.completed.into(),
        row.counts.failed.into(),
        row.counts.expired.into(),
        row.counts.cancelled.into(),
        row.began_at_ms.into(),
        row.finalizing_at_ms.into(),
        row.cancelling_at_ms.into(),
        row.ended_at_ms.into(),
        row.output.into(),
        row.error.into(),
        row.counts.at_vendor.into(),
        row.id.into(),
    ];
    session.change(WRITE, &values).await?;
    Ok(())
}

async fn cancel(
    session: &mut dyn Session,
    id: BatchId,
    now_ms: u64,
) -> Result<Option<BatchRow>, StoreError> {
    let Some((mut row, _)) = find(session, id).await? else {
        return Ok(None);
    };
    if matches!(row.state, BatchState::Validating | BatchState::InProgress) {
        row.take(&BatchPatch {
            state: Some((BatchState::Cancelling, now_ms)),
            ..BatchPatch::default()
        });
        write(session, &row).await?;
    }
    Ok(Some(row))
}

async fn update(
    session: &mut dyn Session,
    node: NodeId,
    id: BatchId,
    patch: &BatchPatch,
) -> Result<Option<BatchRow>, StoreError> {
    let Some((mut row, holder)) = find(session, id).await? else {
        return Ok(None);
    };
    if holder != i64::from(node.0) {
        return Ok(None);
    }
    for one in [&patch.output, &patch.error].into_iter().flatten() {
        file::note(session, node, one).await?;
    }
    row.take(patch);
    write(session, &row).await?;
    Ok(Some(row))
}

async fn claim(
    session: &mut dyn Session,
    node: NodeId,
    claim: Claim,
) -> Result<Vec<BatchRow>, StoreError> {
    let values = [
        node.into(),
        claim.now_ms.into(),
        (CLAIMABLE_MAX as u64).into(),
    ];
    let rows = session.rows(CLAIMABLE, &values).await?;
    let open = rows.into_iter().map(|row| {
        let (row, holder) = batch_row(row)?;
        Ok((row, holder == i64::from(node.0)))
    });
    let chosen = chosen(open.collect::<Result<_, StoreError>>()?, claim.count_max);
    for row in &chosen {
        let values = [node.into(), claim.until_ms.into(), row.id.into()];
        session.change(LEASE, &values).await?;
    }
    Ok(chosen)
}

impl<B: Backend> Batches for SqlStore<B> {
    fn create_batch(&self, batch: BatchRow, open_max: u64) -> Reply<'_, bool> {
        Box::pin(async move { in_transaction!(self, session => create(session, &batch, open_max)) })
    }

    fn batch(&self, id: BatchId) -> Reply<'_, Option<BatchRow>> {
        Box::pin(async move {
            let mut session = self.read().await?;
            Ok(find(&mut *session, id).await?.map(|(row, _)| row))
        })
    }

    fn batches(&self, page: BatchesPage) -> Reply<'_, Vec<BatchRow>> {
        Box::pin(async move {
            let mut session = self.read().await?;
            let (text, edge) = match page.before {
                Some(before) => (NEXT, before),
                None => {
                    let newest = BatchId::from_bits(u128::MAX);
                    (NEWEST, page.after.unwrap_or(newest))
                }
            };
            let values = [
                page.account.map(|account| account.0).into(),
                page.shape.map(Shape::name).into(),
                edge.into(),
                page.count_max.into(),
            ];
            let rows = session.rows(text, &values).await?;
            let rows = rows.into_iter().map(|row| Ok(batch_row(row)?.0));
            let mut found: Vec<BatchRow> = rows.collect::<Result<_, StoreError>>()?;
            if page.before.is_some() {
                found.reverse();
                // Both ends of a span: what is too new was read last.
                found.retain(|row| page.after.is_none_or(|after| row.id < after));
            }
            Ok(found)
        })
    }

    fn cancel_batch(&self, id: BatchId, now_ms: u64) -> Reply<'_, Option<BatchRow>> {
        Box::pin(async move { in_transaction!(self, session => cancel(session, id, now_ms)) })
    }

    fn delete_batch(&self, id: BatchId) -> Reply<'_, bool> {
        Box::pin(async move {
            let gone = in_transaction!(self, session => session.change(DELETE, &[id.into()]))?;
            Ok(gone > 0)
        })
    }

    fn claim_batches(&self, wanted: Claim) -> Reply<'_, Vec<BatchRow>> {
        Box::pin(async move {
            // The usual answer is that there is nothing to do, and takes no lock.
            let any = {
                let mut session = self.read().await?;
                session.maybe(ANY, &[]).await?
            };
            if any.is_none() {
                return Ok(Vec::new());
            }
            in_transaction!(self, session => claim(session, self.node, wanted))
        })
    }

    fn update_batch(&self, id: BatchId, patch: BatchPatch) -> Reply<'_, Option<BatchRow>> {
        Box::pin(
            async move { in_transaction!(self, session => update(session, self.node, id, &patch)) },
        )
    }

    fn batch_reading(&self, file: FileId) -> Reply<'_, Option<BatchId>> {
        Box::pin(async move {
            let mut session = self.read().await?;
            let row = session.maybe(READING, &[file.into()]).await?;
            row.map(|mut row| row.batch_id()).transpose()
        })
    }
}
