//! Batches of calls: what is known of them. Their lines are in a file, and so
//! are the answers.

use bourse_policy::KeyHash;
use bourse_vocab::{AccountId, BatchId, FileId};

use crate::Reply;
use crate::file::FileRow;

/// How a batch came and how its answers are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Lines come in a file, and answers are files.
    File,
    /// Requests come in the body, and answers are read where the batch is.
    Body,
}

impl Shape {
    /// How it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Body => "body",
        }
    }

    /// The inverse of [`Self::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::File, Self::Body]
            .into_iter()
            .find(|one| one.name() == name)
    }
}

/// How far a batch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BatchState {
    /// Its lines were not looked at yet.
    Validating,
    /// Its lines are called.
    InProgress,
    /// It was told to end: lines under way may end, no other begins.
    Cancelling,
    /// All lines have ended, and the answers are put in order.
    Finalizing,
    /// All of it was done.
    Completed,
    /// Nothing of it was done: see its faults.
    Failed,
    /// Its time was up before all lines had been called.
    Expired,
    /// It was told to end and has.
    Cancelled,
}

impl BatchState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Validating,
        Self::InProgress,
        Self::Cancelling,
        Self::Finalizing,
        Self::Completed,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
    ];

    /// How it is stored, and what clients call it (openai-python 3.52,
    /// `types/batch.py`, November 2026).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Validating => "validating",
            Self::InProgress => "in_progress",
            Self::Cancelling => "cancelling",
            Self::Finalizing => "finalizing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// The inverse of [`Self::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Whether nothing more happens to it.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Expired | Self::Cancelled
        )
    }

    /// Whether a batch in this state may come to be in the other. Whatever was
    /// told to end does not go on.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Validating => !matches!(next, Self::Validating),
            Self::InProgress => !matches!(next, Self::Validating | Self::InProgress),
            Self::Cancelling => matches!(next, Self::Cancelled),
            Self::Finalizing => next.is_ended(),
            Self::Completed | Self::Failed | Self::Expired | Self::Cancelled => false,
        }
    }
}

/// How many lines have come to which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineCounts {
    /// All lines; 0 until they were looked at.
    pub total: u64,
    /// Answered.
    pub completed: u64,
    /// Refused or failed.
    pub failed: u64,
    /// Not called before the time was up.
    pub expired: u64,
    /// Not called before the batch was told to end.
    pub cancelled: u64,
    /// Of those that were answered, how many a vendor's own batch has.
    pub at_vendor: u64,
}

impl LineCounts {
    /// Lines that have not ended.
    #[must_use]
    pub const fn open(&self) -> u64 {
        let ended = self.completed.saturating_add(self.failed);
        let left = self.expired.saturating_add(self.cancelled);
        self.total.saturating_sub(ended).saturating_sub(left)
    }
}

/// A batch as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRow {
    /// Names the batch.
    pub id: BatchId,
    /// Who pays.
    pub account: AccountId,
    /// With which key its lines are called.
    pub key: KeyHash,
    /// How it came.
    pub shape: Shape,
    /// Which endpoint its lines are for, by its path.
    pub endpoint: String,
    /// Whether its lines may go among vendors' own batches.
    pub at_vendor: bool,
    /// Its lines.
    pub input: FileId,
    /// The answers, once it has ended, if there are any.
    pub output: Option<FileId>,
    /// What went wrong with lines, likewise.
    pub error: Option<FileId>,
    /// How far it has come.
    pub state: BatchState,
    /// What its owner says of it, as a JSON object; empty if that is nothing.
    pub metadata: String,
    /// What is wrong with it or with some of its lines, as a JSON array; empty
    /// if nothing is.
    pub faults: String,
    /// Why it waits, in a sentence; empty if it does not.
    pub paused: String,
    /// How many lines have come to which end.
    pub counts: LineCounts,
    /// Milliseconds since 1970, as all moments.
    pub created_at_ms: u64,
    /// When it ends, however far it has come.
    pub expires_at_ms: u64,
    /// When its first line was called.
    pub began_at_ms: Option<u64>,
    /// When its last line had ended.
    pub finalizing_at_ms: Option<u64>,
    /// When it was told to end.
    pub cancelling_at_ms: Option<u64>,
    /// When it ended.
    pub ended_at_ms: Option<u64>,
}

/// What changes about a batch; the rest stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BatchPatch {
    /// What it becomes, and when. Left out where it may not.
    pub state: Option<(BatchState, u64)>,
    /// See [`BatchRow::counts`].
    pub counts: Option<LineCounts>,
    /// See [`BatchRow::paused`].
    pub paused: Option<String>,
    /// See [`BatchRow::faults`].
    pub faults: Option<String>,
    /// Files that it has written: they are noted together with the change, so
    /// that no file is there without its batch.
    pub output: Option<FileRow>,
    /// The same with what went wrong.
    pub error: Option<FileRow>,
}

impl BatchRow {
    /// Takes a change.
    pub fn take(&mut self, patch: &BatchPatch) {
        if let Some((state, at_ms)) = patch.state
            && self.state.may_become(state)
        {
            self.state = state;
            let moment = match state {
                BatchState::InProgress => Some(&mut self.began_at_ms),
                BatchState::Finalizing => Some(&mut self.finalizing_at_ms),
                BatchState::Cancelling => Some(&mut self.cancelling_at_ms),
                state if state.is_ended() => Some(&mut self.ended_at_ms),
                _ => None,
            };
            if let Some(moment) = moment {
                *moment = Some(at_ms);
            }
        }
        self.counts = patch.counts.unwrap_or(self.counts);
        if let Some(paused) = &patch.paused {
            self.paused.clone_from(paused);
        }
        if let Some(faults) = &patch.faults {
            self.faults.clone_from(faults);
        }
        self.output = patch.output.as_ref().map(|file| file.id).or(self.output);
        self.error = patch.error.as_ref().map(|file| file.id).or(self.error);
    }
}

/// A page of batches, newest first unless it is what comes `before` one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchesPage {
    /// Whose; everybody's if absent.
    pub account: Option<AccountId>,
    /// Only those of this shape.
    pub shape: Option<Shape>,
    /// Older than this one.
    pub after: Option<BatchId>,
    /// Newer than this one: those that are next to it.
    pub before: Option<BatchId>,
    /// How many at most.
    pub count_max: u64,
}

/// What a node wants to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Milliseconds since 1970.
    pub now_ms: u64,
    /// Until when others leave them to it.
    pub until_ms: u64,
    /// How many at most, with those that it has.
    pub count_max: usize,
}

/// Lines of a batch, as at OpenAI (platform.openai.com/docs/guides/batch,
/// November 2026).
pub const LINES_MAX: usize = 50_000;
/// Bytes of a line: twice the largest prompt that fits a model, in text; a
/// picture of a few megabytes as well. What is read at once is bounded by it.
pub const LINE_BYTES_MAX: usize = 8 << 20;

/// Batches that are looked at for a claim: the oldest.
pub const CLAIMABLE_MAX: usize = 1_024;

/// Those of `open` batches that are to be claimed: the node's own first, and
/// then of each account one after the other, so that no account's keep
/// another's from their turn.
pub(crate) fn chosen(open: Vec<(BatchRow, bool)>, count_max: usize) -> Vec<BatchRow> {
    let mut running = std::collections::HashMap::<AccountId, usize>::new();
    let (own, free): (Vec<_>, Vec<_>) = open.into_iter().partition(|(_, is_own)| *is_own);
    let mut chosen: Vec<BatchRow> = own.into_iter().map(|(row, _)| row).collect();
    for row in &chosen {
        let count = running.entry(row.account).or_default();
        *count = count.saturating_add(1);
    }
    let mut free: Vec<(usize, BatchRow)> = free
        .into_iter()
        .map(|(row, _)| {
            let turn = running.entry(row.account).or_default();
            *turn = turn.saturating_add(1);
            (*turn, row)
        })
        .collect();
    // Stable: within a turn the oldest goes first.
    free.sort_by_key(|(turn, _)| *turn);
    let room = count_max.saturating_sub(chosen.len());
    chosen.extend(free.into_iter().take(room).map(|(_, row)| row));
    chosen.truncate(count_max);
    chosen
}

/// Batches of calls.
pub trait Batches {
    /// Notes a batch, unless its account has `open_max` that have not ended;
    /// `false` then.
    fn create_batch(&self, batch: BatchRow, open_max: u64) -> Reply<'_, bool>;
    /// Finds a batch, of whomever.
    fn batch(&self, id: BatchId) -> Reply<'_, Option<BatchRow>>;
    /// A page of batches.
    fn batches(&self, page: BatchesPage) -> Reply<'_, Vec<BatchRow>>;
    /// Tells a batch to end, if it has not begun to; returns it as it is then.
    fn cancel_batch(&self, id: BatchId, now_ms: u64) -> Reply<'_, Option<BatchRow>>;
    /// Forgets a batch that has ended; `false` if there is none. Its files stay.
    fn delete_batch(&self, id: BatchId) -> Reply<'_, bool>;
    /// Takes batches to run, and keeps those that this node has: none that
    /// another node has, unless its lease has ended.
    fn claim_batches(&self, claim: Claim) -> Reply<'_, Vec<BatchRow>>;
    /// Changes a batch that this node has claimed; returns it as it is then,
    /// and nothing if another node has it, or nobody knows it.
    fn update_batch(&self, id: BatchId, patch: BatchPatch) -> Reply<'_, Option<BatchRow>>;
    /// A batch that has not ended and reads this file.
    fn batch_reading(&self, file: FileId) -> Reply<'_, Option<BatchId>>;
}
