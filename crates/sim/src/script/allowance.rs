//! What a provider lets one account do, as settings.

use serde::{Deserialize, Serialize};

/// Largest limit; far above any vendor's, and its units fit 64 bits.
pub const LIMIT_MAX: u64 = 1_000_000_000;

/// What one account may do. Unset: anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests a minute; 429 beyond.
    pub requests_per_minute: Option<u64>,
    /// Tokens a minute, input and output; 429 beyond.
    pub tokens_per_minute: Option<u64>,
    /// Requests of the account at once; 429 beyond.
    pub concurrency: Option<u64>,
    /// Requests that the provider can answer at once, whoever asks. Beyond,
    /// it is overloaded: 529 from Anthropic, 503 from the others.
    pub capacity: Option<u64>,
}

impl Limits {
    /// Whether there are any.
    #[must_use]
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}
