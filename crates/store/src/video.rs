//! Films that providers make for accounts: what is known of each job, and what
//! callbacks are signed with.

use bourse_vocab::{AccountId, GenerationId};

use crate::Reply;

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoState {
    /// It is about to be sent to a provider, or was, and nobody knows yet
    /// whether it was taken.
    Submitting,
    /// A provider has taken it.
    Running,
    /// It is known what has become of it, and it is about to be paid for.
    Settling,
    /// It was made, and is paid for.
    Completed,
    /// It was not made.
    Failed,
    /// Nobody knows what has become of it, and nobody asks any more.
    Expired,
}

impl VideoState {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Submitting,
        Self::Running,
        Self::Settling,
        Self::Completed,
        Self::Failed,
        Self::Expired,
    ];

    /// How it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Submitting => "submitting",
            Self::Running => "running",
            Self::Settling => "settling",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    /// The inverse of [`Self::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Whether its money is settled.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Expired)
    }

    /// Whether its hold outlives the server that made it.
    #[must_use]
    pub const fn keeps_its_hold(self) -> bool {
        matches!(self, Self::Running | Self::Settling)
    }
}

/// A job as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoRow {
    /// Names the job, and the call that pays for it.
    pub id: GenerationId,
    /// Who pays.
    pub account: AccountId,
    /// How far it has come.
    pub state: VideoState,
    /// Whether something is still to be done: it is asked after, or somebody is
    /// to be told of it.
    pub is_open: bool,
    /// How it is asked after and settled, and what became of it: a JSON object.
    pub job: String,
    /// Milliseconds since 1970, as all moments.
    pub created_at_ms: u64,
    /// When something is to be done next.
    pub due_at_ms: u64,
}

/// Films.
pub trait Videos {
    /// Notes a job, unless its account has `running_max` that have not ended;
    /// `false` then.
    fn create_video(&self, video: VideoRow, running_max: u64) -> Reply<'_, bool>;
    /// Finds a job, of whomever.
    fn video(&self, id: GenerationId) -> Reply<'_, Option<VideoRow>>;
    /// Writes a job as it is now; `false` if there is none. Its id, account and
    /// moment of making stay.
    fn save_video(&self, video: VideoRow) -> Reply<'_, bool>;
    /// This node's jobs of which something is to be done by now, the oldest
    /// first.
    fn videos_due(&self, now_ms: u64, count_max: u64) -> Reply<'_, Vec<VideoRow>>;
    /// This node's jobs whose holds outlive a restart
    /// ([`VideoState::keeps_its_hold`]).
    fn videos_held(&self) -> Reply<'_, Vec<GenerationId>>;
    /// Forgets jobs that were made before a moment and of which nothing is to
    /// be done, so many at once; how many they were.
    fn forget_videos(&self, before_ms: u64, count_max: u64) -> Reply<'_, u64>;
    /// What messages to an account's callbacks are signed with, if it has that.
    fn webhook_secret(&self, account: AccountId) -> Reply<'_, Option<Vec<u8>>>;
    /// Sets it, in place of what was there.
    fn set_webhook_secret(&self, account: AccountId, secret: Vec<u8>, now_ms: u64)
    -> Reply<'_, ()>;
}
