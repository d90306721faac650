//! Films that providers make, and what callbacks are signed with.

use bourse_vocab::{AccountId, GenerationId};

use super::MemoryStore;
use crate::texts::check;
use crate::video::{VideoRow, Videos};
use crate::{Reply, StoreError};

impl Videos for MemoryStore {
    fn create_video(&self, video: VideoRow, running_max: u64) -> Reply<'_, bool> {
        self.with(move |state| {
            check("job", &video.job)?;
            if !state.accounts.contains_key(&video.account) {
                return Err(StoreError::NotFound("account"));
            }
            if state.videos.contains_key(&video.id) {
                return Err(StoreError::Exists("video"));
            }
            let runs = |row: &&VideoRow| row.account == video.account && !row.state.is_ended();
            let running = state.videos.values().filter(runs).count() as u64;
            if running >= running_max {
                return Ok(false);
            }
            state.videos.insert(video.id, video);
            Ok(true)
        })
    }

    fn video(&self, id: GenerationId) -> Reply<'_, Option<VideoRow>> {
        self.with(move |state| Ok(state.videos.get(&id).cloned()))
    }

    fn save_video(&self, video: VideoRow) -> Reply<'_, bool> {
        self.with(move |state| {
            check("job", &video.job)?;
            let Some(row) = state.videos.get_mut(&video.id) else {
                return Ok(false);
            };
            *row = VideoRow {
                account: row.account,
                created_at_ms: row.created_at_ms,
                ..video
            };
            Ok(true)
        })
    }

    fn videos_due(&self, now_ms: u64, count_max: u64) -> Reply<'_, Vec<VideoRow>> {
        self.with(move |state| {
            let is_due = |row: &&VideoRow| row.is_open && row.due_at_ms <= now_ms;
            let mut due: Vec<_> = state.videos.values().filter(is_due).cloned().collect();
            due.sort_by_key(|row| row.due_at_ms);
            due.truncate(usize::try_from(count_max).unwrap_or(usize::MAX));
            Ok(due)
        })
    }

    fn videos_held(&self) -> Reply<'_, Vec<GenerationId>> {
        self.with(move |state| {
            let held = state.videos.values();
            let held = held.filter(|row| row.state.keeps_its_hold());
            Ok(held.map(|row| row.id).collect())
        })
    }

    fn forget_videos(&self, before_ms: u64, count_max: u64) -> Reply<'_, u64> {
        self.with(move |state| {
            let is_old = |row: &&VideoRow| {
                row.created_at_ms < before_ms && !row.is_open && row.state.is_ended()
            };
            let count_max = usize::try_from(count_max).unwrap_or(usize::MAX);
            let old = state.videos.values().filter(is_old).take(count_max);
            let old: Vec<_> = old.map(|row| row.id).collect();
            for id in &old {
                state.videos.remove(id);
            }
            Ok(old.len() as u64)
        })
    }

    fn webhook_secret(&self, account: AccountId) -> Reply<'_, Option<Vec<u8>>> {
        self.with(move |state| Ok(state.webhook_secrets.get(&account).cloned()))
    }

    fn set_webhook_secret(&self, account: AccountId, secret: Vec<u8>, _: u64) -> Reply<'_, ()> {
        self.with(move |state| {
            if !state.accounts.contains_key(&account) {
                return Err(StoreError::NotFound("account"));
            }
            state.webhook_secrets.insert(account, secret);
            Ok(())
        })
    }
}
