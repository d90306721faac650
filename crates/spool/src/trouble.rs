//! What is wrong with the spool's disk, as whoever serves must know it.

use std::fmt;
use std::sync::Arc;

/// What is wrong with the spool's disk, the mildest first. All but the last
/// heal by themselves, once the disk takes records again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// It refused a record, for this reason. Whoever wanted to write it was
    /// told, and nothing waits.
    Refused(Arc<str>),
    /// It refused the end of a call. Ends wait in memory until it takes them,
    /// and nothing begins until then.
    Owed(Arc<str>),
    /// Nothing new is accepted any more: only a restart learns what is on
    /// the disk.
    Stopped(Arc<str>),
}

impl Trouble {
    pub(crate) const OWED: u8 = 2;
    pub(crate) const STOPPED: u8 = 3;

    /// How bad it is.
    pub(crate) const fn level(&self) -> u8 {
        match self {
            Self::None => 0,
            Self::Refused(_) => 1,
            Self::Owed(_) => Self::OWED,
            Self::Stopped(_) => Self::STOPPED,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("the journal's disk takes records"),
            Self::Refused(why) => write!(f, "the journal's disk refuses records: {why}"),
            Self::Owed(why) => write!(
                f,
                "the journal's disk refuses what calls have cost, which waits in memory: {why}"
            ),
            Self::Stopped(why) => {
                write!(
                    f,
                    "the journal is stopped, and only a restart goes on: {why}"
                )
            }
        }
    }
}
