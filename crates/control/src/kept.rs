//! An answer that is rebuilt only when what it is made of has changed.

use std::sync::{Mutex, PoisonError};

use crate::backend::Backend;
use crate::error::Result;

/// What a list of the catalog is made of, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edition {
    catalog: u64,
    markup_ppm: u64,
    /// Which providers are configured.
    offers: u64,
}

impl Edition {
    /// What is in force.
    pub(crate) fn of(backend: &dyn Backend) -> Self {
        Self {
            catalog: backend.catalog().version(),
            markup_ppm: backend.markup_ppm(),
            offers: backend.offers_epoch(),
        }
    }
}

/// The last answer, and what it was made of.
#[derive(Debug)]
pub(crate) struct Kept<K, T>(Mutex<Option<(K, T)>>);

impl<K, T> Default for Kept<K, T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<K: PartialEq, T: Clone> Kept<K, T> {
    /// The answer of `key`: the one that is kept, or a new one. The lock is
    /// held while it is made, so that it is made once for all who ask: some
    /// milliseconds, on the control plane's own threads.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn of(&self, key: K, make: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, answer)) = &*kept
            && *known == key
        {
            return Ok(answer.clone());
        }
        let answer = make()?;
        *kept = Some((key, answer.clone()));
        Ok(answer)
    }
}
