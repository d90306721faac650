//! Files.

use bourse_vocab::{AccountId, FileId};

use super::{MemoryStore, State};
use crate::file::{FileQuota, FileRow, FileSums, Files, FilesPage, OverQuota, Purpose};
use crate::texts::check;
use crate::{Reply, StoreError};

impl State {
    fn file_sums(&self, account: AccountId) -> FileSums {
        let mut sums = FileSums::default();
        for file in self.files.values() {
            sums.bytes = sums.bytes.saturating_add(file.bytes);
            if file.account == account {
                sums.account_files = sums.account_files.saturating_add(1);
                sums.account_bytes = sums.account_bytes.saturating_add(file.bytes);
            }
        }
        sums
    }

    pub(super) fn note_file(&mut self, file: FileRow) -> Result<(), StoreError> {
        check("file name", &file.name)?;
        if !self.accounts.contains_key(&file.account) {
            return Err(StoreError::NotFound("account"));
        }
        if self.files.contains_key(&file.id) {
            return Err(StoreError::Exists("file"));
        }
        self.files.insert(file.id, file);
        Ok(())
    }
}

impl Files for MemoryStore {
    fn create_file(&self, file: FileRow, quota: FileQuota) -> Reply<'_, Option<OverQuota>> {
        self.with(move |state| {
            let over = quota.check(state.file_sums(file.account), file.bytes);
            if over.is_none() {
                state.note_file(file)?;
            }
            Ok(over)
        })
    }

    fn file(&self, id: FileId) -> Reply<'_, Option<FileRow>> {
        self.with(move |state| Ok(state.files.get(&id).cloned()))
    }

    fn files(&self, account: AccountId, page: FilesPage) -> Reply<'_, Vec<FileRow>> {
        self.with(move |state| {
            let is_wanted = |file: &&FileRow| {
                let is_purpose = match page.purpose {
                    Some(purpose) => file.purpose == purpose,
                    None => file.purpose != Purpose::Inside,
                };
                let is_beyond = page.after.is_none_or(|after| match page.oldest_first {
                    true => file.id > after,
                    false => file.id < after,
                });
                file.account == account && is_purpose && is_beyond
            };
            let count_max = usize::try_from(page.count_max).unwrap_or(usize::MAX);
            let found = state.files.values().filter(is_wanted);
            Ok(match page.oldest_first {
                true => found.take(count_max).cloned().collect(),
                false => found.rev().take(count_max).cloned().collect(),
            })
        })
    }

    fn delete_file(&self, id: FileId) -> Reply<'_, bool> {
        self.with(move |state| Ok(state.files.remove(&id).is_some()))
    }

    fn file_sums(&self, account: AccountId) -> Reply<'_, FileSums> {
        self.with(move |state| Ok(state.file_sums(account)))
    }

    fn files_expired(&self, now_ms: u64, count_max: u64) -> Reply<'_, Vec<FileRow>> {
        self.with(move |state| {
            let is_read = |id| {
                let mut batches = state.batches.values();
                batches.any(|batch| batch.input == id && !batch.state.is_ended())
            };
            let files = state.files.values();
            let old = files.filter(|file| file.expires_at_ms <= now_ms && !is_read(file.id));
            let mut old: Vec<_> = old.cloned().collect();
            old.sort_by_key(|file| (file.expires_at_ms, file.id));
            old.truncate(usize::try_from(count_max).unwrap_or(usize::MAX));
            Ok(old)
        })
    }
}
