//! Why a store cannot do what was asked.

/// Why a store cannot do what was asked. Each kind is one that somebody acts
/// upon, so no caller looks into a database's own codes.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no, for a reason that has no kind of its own.
    #[error("database: {0}")]
    Database(#[source] Box<sqlx::Error>),
    /// The database cannot be reached, or stopped answering, before anything
    /// was committed.
    #[error("database: {place} cannot be reached: {why}")]
    Unreachable {
        /// Where it should be, without secrets.
        place: String,
        /// What went wrong.
        why: String,
    },
    /// The connection was lost while a change was being committed. It may
    /// have happened: look before trying again.
    #[error(
        "database: {0} was lost while it was committing; whether it did is not known; look before trying again"
    )]
    Unsure(String),
    /// Another transaction got in the way, several times.
    #[error("database: other changes got in the way; try again")]
    Conflict,
    /// Another process holds the database's lock for longer than is normal.
    #[error("database: another process has kept it locked")]
    Busy,
    /// No room is left where the database keeps its files.
    #[error(
        "database: its disk is full; make room there: nothing was changed, and calls that have ended wait in the journal"
    )]
    Full,
    /// The database takes no changes.
    #[error(
        "database: {0} takes no changes (a standby, or a file without the right to write); name \
         the primary"
    )]
    ReadOnly(String),
    /// The database product is too old to trust.
    #[error("database: {product} {found} is too old; {wanted} or newer is needed")]
    TooOld {
        /// Which product.
        product: &'static str,
        /// Its version.
        found: String,
        /// The least version.
        wanted: &'static str,
    },
    /// The tables are not those that this program works with.
    #[error("database: the tables do not fit: {0}")]
    Schema(String),
    /// Another server uses the database.
    #[error(
        "database: in use by {by}, last heard of {seen_s_ago} s ago; stop that server first. If it \
         is gone for good, `bourse serve --take-over` goes on without it; what its journal had not \
         brought into the database is lost then"
    )]
    Served {
        /// Who.
        by: String,
        /// How long it has said nothing, if the two clocks agree.
        seen_s_ago: u64,
    },
    /// Another server has taken the database over.
    #[error("database: {0} has taken it over; this server changes nothing any more")]
    TakenOver(String),
    /// No such row.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// Something with this name exists.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// A text that no database would give back as it was.
    #[error("{what}: cannot be stored: {why}")]
    Unstorable {
        /// Which text.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A batch does not begin where the last one ended.
    #[error("journal: the database has applied up to {applied}, the batch begins at {from}")]
    Gap {
        /// How far the database has come.
        applied: u64,
        /// Where the batch begins.
        from: u64,
    },
    /// A batch continues another history than the one that was applied.
    #[error(
        "journal: up to {position} the database has applied records with the hash {applied}, and \
         this journal had {found} there: one of them was restored from a backup or is another \
         server's copy; put back the two that belong together"
    )]
    OtherHistory {
        /// How far the database has come.
        position: u64,
        /// What it has applied.
        applied: bourse_ledger::Link,
        /// What the batch continues.
        found: bourse_ledger::Link,
    },
    /// A stored value is not one that we would have written.
    #[error("database: {0}")]
    Damaged(String),
    /// A sum is outside the range of an account.
    #[error(transparent)]
    Journal(#[from] bourse_ledger::journal::JournalError),
    /// A journal record that cannot be read.
    #[error(transparent)]
    Record(#[from] bourse_ledger::record::DecodeError),
}

impl StoreError {
    /// Whether the database itself is away, so that nothing can be said
    /// about what was asked.
    #[must_use]
    pub const fn is_away(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Unsure(_))
    }
}
