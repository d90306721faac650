//! Whether the database takes the journal over, told once when it stops to
//! and once when it does again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::TillError;

/// Since when it does not.
#[derive(Debug, Default)]
pub(super) struct Lag(Mutex<Option<Instant>>);

impl Lag {
    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn since(&self) -> Option<Duration> {
        self.lock().map(|since| since.elapsed())
    }

    /// A batch was not taken over.
    pub fn begin(&self, error: &TillError) {
        let mut since = self.lock();
        if since.is_none() {
            *since = Some(Instant::now());
            tracing::error!(
                %error,
                "the journal cannot be applied to the database; calls go on, and it is tried again every second"
            );
        } else {
            tracing::debug!(%error, "the journal can still not be applied to the database");
        }
    }

    /// One was.
    pub fn end(&self) {
        if let Some(since) = self.lock().take() {
            let s = since.elapsed().as_secs();
            tracing::info!(s, "the database takes the journal over again");
        }
    }
}
