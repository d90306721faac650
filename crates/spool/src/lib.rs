//! The local journal: append, group commit, replay.
//!
//! A spool is a sequence of byte records in segment files. Appending is one
//! `write(2)` into the page cache, which survives the death of the process;
//! a thread brings the files to the disk at most every 20 ms, so
//! that a thousand records cost one `fdatasync`. Who needs more than that
//! waits for it with [`Spool::wait_durable`]. Who needs less appends a
//! [`Kind::Note`]: it waits in memory for the next record, for at most
//! 200 ms, and dies with the process until then.
//!
//! The spool knows nothing of what its records mean. It promises order,
//! that what it returns is what was appended (or an error), and that what
//! was once reported durable is there after a power cut.

mod consumers;
mod disk;
pub mod frame;
pub mod lock;
mod queue;
pub mod reader;
mod repair;
pub mod segment;
mod spool;
mod sync;
mod synced;
mod trouble;
mod writer;

pub use consumers::DATABASE;
pub use disk::{Disk, RealDisk};
pub use lock::DataDirLock;
pub use reader::{Batch, Reader};
pub use repair::{Repaired, repair};
pub use spool::{Inspected, Opened, Options, Spool, inspect};
pub use trouble::Trouble;
pub use writer::Kind;

/// A place between two records: bytes since the spool's beginning. Grows
/// for ever; at a gigabyte a second it lasts for 584 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Whose records these are. The spool does not know what the numbers mean,
/// only whether they are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The installation, made with its database.
    pub store: [u8; 16],
    /// The process that writes, within it.
    pub node: u16,
}

impl Owner {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (store, rest) = bytes.split_first_chunk()?;
        Some(Self {
            store: *store,
            node: u16::from_le_bytes(*rest.first_chunk()?),
        })
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for byte in self.store {
            write!(f, "{byte:02x}")?;
        }
        write!(f, ", node {}", self.node)
    }
}

/// Why the spool cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The operating system refused.
    #[error("spool: {what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: std::path::PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// Bytes that had been on the disk are no longer what they were.
    #[error(
        "spool: {path} is damaged at byte {offset}: {why}; restore it from a backup, or see `bourse ledger repair`"
    )]
    Corrupt {
        /// Which file.
        path: std::path::PathBuf,
        /// Where.
        offset: u64,
        /// What does not fit.
        why: &'static str,
    },
    /// The files do not reach as far as the database says it has read.
    #[error(
        "spool: ends at {end}, but the database has applied it up to {applied}; one of them was restored from an older backup, or see `bourse ledger repair`"
    )]
    Behind {
        /// Where the files end.
        end: Position,
        /// How far the database has come.
        applied: Position,
    },
    /// The last records, which had been on the disk, are not there.
    #[error(
        "spool: ends at {end}, and was on the disk up to {synced}: the records between are gone, and what they cost; restore it from a backup, or see `bourse ledger repair`"
    )]
    Lost {
        /// Where the files end.
        end: Position,
        /// How far they were known to be on the disk.
        synced: Position,
    },
    /// The files begin after the place to read from.
    #[error(
        "spool: begins at {start}, but the database has applied it only up to {applied}; segments are missing"
    )]
    Missing {
        /// Where the files begin.
        start: Position,
        /// How far the database has come.
        applied: Position,
    },
    /// A segment belongs to another installation, or to another node.
    #[error(
        "spool: {path} belongs to installation {found}, and the database here is of installation {expected}: put back the database that belongs to it, or move the segments away if their calls are not to be applied"
    )]
    Foreign {
        /// Which file.
        path: std::path::PathBuf,
        /// Whose it is.
        found: Owner,
        /// Who asked.
        expected: Owner,
    },
    /// A consumer reads from where there is nothing any more.
    #[error(
        "spool: records from {from} on are wanted, and it begins at {start}: they were deleted, because the consumer was too far behind"
    )]
    Gone {
        /// What is wanted.
        from: Position,
        /// Where the files begin.
        start: Position,
    },
    /// Too much is waiting for the database.
    #[error("spool: full: {bytes} bytes wait for the database")]
    Full {
        /// How much.
        bytes: u64,
    },
    /// The record is longer than a record can be.
    #[error("spool: a record of {bytes} bytes is too long")]
    TooLong {
        /// How long.
        bytes: usize,
    },
    /// Ends of calls wait in memory, because the disk does not take them.
    #[error("spool: the disk does not take the ends of calls; nothing begins until it does")]
    Owing,
    /// A sync failed, or more waits in memory than may; nothing new is
    /// accepted until the server has been restarted.
    #[error("spool: stopped after a disk error")]
    Stopped,
    /// Another server uses the directory.
    #[error("{path} is in use by another running server")]
    Locked {
        /// The lock file.
        path: std::path::PathBuf,
    },
}

impl SpoolError {
    pub(crate) fn io(
        what: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            what,
            path: path.to_owned(),
            source,
        }
    }
}
