//! Files that callers keep here: what is known of them. What is in them is on
//! the disk, see [`crate::contents`].

use bourse_vocab::{AccountId, FileId};

use crate::Reply;

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A batch reads its lines.
    Batch,
    /// A batch has written it, and its account reads it as a file.
    BatchOutput,
    /// A part of a batch that is read where the batch is, and goes with it.
    Inside,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Batch, Self::BatchOutput, Self::Inside];

    /// How it is stored, and what clients call it (openai-python 3.52,
    /// `types/file_object.py`, November 2026).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::BatchOutput => "batch_output",
            Self::Inside => "inside",
        }
    }

    /// The inverse of [`Self::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// A file as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRow {
    /// Names the file.
    pub id: FileId,
    /// Whose it is.
    pub account: AccountId,
    /// What its owner calls it.
    pub name: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Length of its content.
    pub bytes: u64,
    /// BLAKE3 of its content.
    pub digest: [u8; 32],
    /// Milliseconds since 1970.
    pub created_at_ms: u64,
    /// When it is deleted.
    pub expires_at_ms: u64,
}

/// How much may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileQuota {
    /// Files of an account.
    pub account_files_max: u64,
    /// Bytes of an account, over all its files.
    pub account_bytes_max: u64,
    /// Bytes of everybody.
    pub bytes_max: u64,
}

/// Which bound a file that is to be kept is beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverQuota {
    /// The account has as many files as it may.
    AccountFiles,
    /// The account's files would have more bytes than they may.
    AccountBytes,
    /// Everybody's would.
    Bytes,
}

/// What is kept at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileSums {
    /// Files of the account.
    pub account_files: u64,
    /// Their bytes.
    pub account_bytes: u64,
    /// Bytes of everybody.
    pub bytes: u64,
}

impl FileQuota {
    /// Whether one more file of so many bytes fits beside what is kept.
    #[must_use]
    pub const fn check(&self, kept: FileSums, bytes: u64) -> Option<OverQuota> {
        if kept.account_files >= self.account_files_max {
            Some(OverQuota::AccountFiles)
        } else if kept.account_bytes.saturating_add(bytes) > self.account_bytes_max {
            Some(OverQuota::AccountBytes)
        } else if kept.bytes.saturating_add(bytes) > self.bytes_max {
            Some(OverQuota::Bytes)
        } else {
            None
        }
    }
}

/// A page of an account's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilesPage {
    /// Only those of this purpose; otherwise all but [`Purpose::Inside`].
    pub purpose: Option<Purpose>,
    /// Beyond this file, in the order of the list.
    pub after: Option<FileId>,
    /// Oldest first rather than newest.
    pub oldest_first: bool,
    /// How many at most.
    pub count_max: u64,
}

/// Files that callers keep here.
pub trait Files {
    /// Notes a file whose content is on the disk, if it is within the quota.
    /// Sums and row are of one moment, so that many who write at once do not
    /// exceed it together.
    fn create_file(&self, file: FileRow, quota: FileQuota) -> Reply<'_, Option<OverQuota>>;
    /// Finds a file, of whomever.
    fn file(&self, id: FileId) -> Reply<'_, Option<FileRow>>;
    /// An account's files.
    fn files(&self, account: AccountId, page: FilesPage) -> Reply<'_, Vec<FileRow>>;
    /// Forgets a file; `false` if there was none. Whoever asks removes its
    /// content after that.
    fn delete_file(&self, id: FileId) -> Reply<'_, bool>;
    /// What is kept, of one account and of everybody.
    fn file_sums(&self, account: AccountId) -> Reply<'_, FileSums>;
    /// Files whose time was up, oldest first, without those that a batch
    /// reads which has not ended.
    fn files_expired(&self, now_ms: u64, count_max: u64) -> Reply<'_, Vec<FileRow>>;
}
