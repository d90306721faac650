//! Batches of calls.

use bourse_vocab::{BatchId, FileId};

use super::MemoryStore;
use crate::batch::{
    BatchPatch, BatchRow, BatchState, Batches, BatchesPage, CLAIMABLE_MAX, Claim, chosen,
};
use crate::texts::check;
use crate::{Reply, StoreError};

impl Batches for MemoryStore {
    fn create_batch(&self, batch: BatchRow, open_max: u64) -> Reply<'_, bool> {
        self.with(move |state| {
            check("metadata", &batch.metadata)?;
            if !state.accounts.contains_key(&batch.account) {
                return Err(StoreError::NotFound("account"));
            }
            if state.batches.contains_key(&batch.id) {
                return Err(StoreError::Exists("batch"));
            }
            let is_open = |row: &&BatchRow| row.account == batch.account && !row.state.is_ended();
            let open = state.batches.values().filter(is_open).count() as u64;
            if open >= open_max {
                return Ok(false);
            }
            state.batches.insert(batch.id, batch);
            Ok(true)
        })
    }

    fn batch(&self, id: BatchId) -> Reply<'_, Option<BatchRow>> {
        self.with(move |state| Ok(state.batches.get(&id).cloned()))
    }

    fn batches(&self, page: BatchesPage) -> Reply<'_, Vec<BatchRow>> {
        self.with(move |state| {
            let is_wanted = |row: &&BatchRow| {
                page.account.is_none_or(|account| row.account == account)
                    && page.shape.is_none_or(|shape| row.shape == shape)
                    && page.after.is_none_or(|after| row.id < after)
                    && page.before.is_none_or(|before| row.id > before)
            };
            let count_max = usize::try_from(page.count_max).unwrap_or(usize::MAX);
            let found = state.batches.values().filter(is_wanted);
            if page.before.is_none() {
                return Ok(found.rev().take(count_max).cloned().collect());
            }
            let mut nearest: Vec<_> = found.take(count_max).cloned().collect();
            nearest.reverse();
            Ok(nearest)
        })
    }

    fn cancel_batch(&self, id: BatchId, now_ms: u64) -> Reply<'_, Option<BatchRow>> {
        self.with(move |state| {
            let Some(row) = state.batches.get_mut(&id) else {
                return Ok(None);
            };
            if matches!(row.state, BatchState::Validating | BatchState::InProgress) {
                row.take(&BatchPatch {
                    state: Some((BatchState::Cancelling, now_ms)),
                    ..BatchPatch::default()
                });
            }
            Ok(Some(row.clone()))
        })
    }

    fn delete_batch(&self, id: BatchId) -> Reply<'_, bool> {
        self.with(move |state| {
            let is_ended = |row: &BatchRow| row.state.is_ended();
            if !state.batches.get(&id).is_some_and(is_ended) {
                return Ok(false);
            }
            Ok(state.batches.remove(&id).is_some())
        })
    }

    fn claim_batches(&self, claim: Claim) -> Reply<'_, Vec<BatchRow>> {
        self.with(move |state| {
            let open = state.batches.values().filter(|row| !row.state.is_ended());
            let open = open.take(CLAIMABLE_MAX);
            let open = open
                .map(|row| (row.clone(), state.claimed.contains(&row.id)))
                .collect();
            let chosen = chosen(open, claim.count_max);
            state.claimed.extend(chosen.iter().map(|row| row.id));
            Ok(chosen)
        })
    }

    fn update_batch(&self, id: BatchId, patch: BatchPatch) -> Reply<'_, Option<BatchRow>> {
        self.with(move |state| {
            if !state.claimed.contains(&id) || !state.batches.contains_key(&id) {
                return Ok(None);
            }
            for file in [&patch.output, &patch.error].into_iter().flatten() {
                state.note_file(file.clone())?;
            }
            let row = state.batches.get_mut(&id);
            let row = row.ok_or(StoreError::NotFound("batch"))?;
            row.take(&patch);
            Ok(Some(row.clone()))
        })
    }

    fn batch_reading(&self, file: FileId) -> Reply<'_, Option<BatchId>> {
        self.with(move |state| {
            let mut batches = state.batches.values();
            let reading = batches.find(|row| row.input == file && !row.state.is_ended());
            Ok(reading.map(|row| row.id))
        })
    }
}
