//! How a simulated provider makes films, as data.

use serde::{Deserialize, Serialize};

/// What becomes of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is made.
    #[default]
    Made,
    /// It fails.
    Failed,
    /// What was asked for is refused.
    Refused,
    /// It is never done.
    Never,
    /// Nobody knows of it when it is asked after.
    Forgotten,
}

/// How a provider makes films.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Film {
    /// How often a job is asked after before it is done.
    pub looks: u32,
    /// What becomes of it.
    pub fate: Fate,
    /// The first so many questions are answered with 429.
    pub busy_looks: u32,
    /// The film itself is not there any more.
    pub is_gone: bool,
    /// The film's address leads to another first.
    pub redirects: bool,
    /// The film is so many seconds shorter than was asked for.
    pub seconds_short: u64,
}

impl Default for Film {
    fn default() -> Self {
        Self {
            looks: 1,
            fate: Fate::Made,
            busy_looks: 0,
            is_gone: false,
            redirects: false,
            seconds_short: 0,
        }
    }
}
