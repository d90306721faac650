//! What time it is. The one place of the data plane that asks.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970. A clock that stands before that counts as it:
/// ids and windows then look old, and nothing breaks.
#[must_use]
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}
