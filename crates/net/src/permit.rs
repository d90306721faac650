//! How many connections are open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts one open connection for as long as it lives.
pub(crate) struct Permit {
    open: Arc<AtomicUsize>,
    total: Arc<AtomicUsize>,
}

impl Permit {
    pub(crate) fn take(open: &Arc<AtomicUsize>, total: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        total.fetch_add(1, Ordering::Relaxed);
        Self {
            open: open.clone(),
            total: total.clone(),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.total.fetch_sub(1, Ordering::Relaxed);
    }
}
