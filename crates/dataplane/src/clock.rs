//! What time it is. The one place of the data plane that asks.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Milliseconds since 1970 by the system's clock. A clock that stands before
/// that counts as it: ids and windows then look old, and nothing breaks.
#[must_use]
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}

/// Where calls read the time.
#[derive(Debug, Clone, Copy, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// The runtime's timer, counted from a moment: what is paused and
    /// advanced there is paused and advanced here, so that the times in
    /// records agree with the deadlines that passed.
    Timer {
        /// Milliseconds since 1970 at `since`.
        start_ms: u64,
        /// The moment.
        since: Instant,
    },
}

impl Clock {
    /// A clock that stands at `start_ms` now and follows the runtime's timer.
    #[must_use]
    pub fn timer(start_ms: u64) -> Self {
        Self::Timer {
            start_ms,
            since: Instant::now(),
        }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        match self {
            Self::System => now_ms(),
            Self::Timer { start_ms, since } => {
                let since = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
                start_ms.saturating_add(since)
            }
        }
    }
}
