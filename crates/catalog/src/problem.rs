//! What is wrong with what was written down, and where.

use std::fmt;

/// Something wrong with what was written down.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Where, such as `models[0].endpoints[1].price.prompt`.
    pub path: String,
    /// What, in a few words.
    pub message: String,
}

impl Problem {
    /// Notes what is wrong at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}
