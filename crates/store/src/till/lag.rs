//! Whether the database takes the journal over, since when it does not, and
//! why.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::TillError;

/// Since when it does not, and why it did not the last time.
#[derive(Debug, Default)]
pub(super) struct Lag(Mutex<Option<(Instant, String)>>);

impl Lag {
    fn lock(&self) -> MutexGuard<'_, Option<(Instant, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn since(&self) -> Option<Duration> {
        self.lock().as_ref().map(|(since, _)| since.elapsed())
    }

    pub fn why(&self) -> Option<String> {
        self.lock().as_ref().map(|(_, why)| why.clone())
    }

    /// A batch was not taken over.
    pub fn begin(&self, error: &TillError) {
        let mut lag = self.lock();
        let since = lag.as_ref().map_or_else(Instant::now, |(since, _)| *since);
        *lag = Some((since, error.to_string()));
        tracing::debug!(%error, "the journal cannot be applied to the database");
    }

    /// One was.
    pub fn end(&self) {
        *self.lock() = None;
    }
}
