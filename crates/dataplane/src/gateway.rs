//! What every worker shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwap;
use bourse_store::Till;
use bourse_vocab::Blame;

use crate::keyring::{Keyring, Office};
use crate::market::{Market, Memory};

/// Deadlines and limits of calls. All are configuration.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    /// The most a request body may hold, in bytes.
    pub body_bytes_max: usize,
    /// The most a whole reply may hold, in bytes.
    pub reply_bytes_max: usize,
    /// From sending an attempt to the first content, where another target
    /// is left to try.
    pub first_token_timeout: Duration,
    /// The same for the last target.
    pub last_first_token_timeout: Duration,
    /// The longest silence in the middle of an answer.
    pub idle_timeout: Duration,
    /// Connecting, TLS included.
    pub connect_timeout: Duration,
    /// The longest a client may take between two pieces of its body.
    pub body_timeout: Duration,
    /// A waiting stream is sent comments at this interval.
    pub keep_alive_interval: Duration,
    /// A detached drain of an answer ends after this long.
    pub drain_timeout: Duration,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: 32 << 20,
            reply_bytes_max: 64 << 20,
            first_token_timeout: Duration::from_secs(30),
            last_first_token_timeout: Duration::from_secs(300),
            idle_timeout: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(30),
            keep_alive_interval: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(120),
        }
    }
}

/// Counters that belong to no endpoint.
#[derive(Debug, Default)]
pub struct Counters {
    /// Calls that were admitted.
    pub calls: AtomicU64,
    /// Calls that ended in a failure by blame: caller, upstream, us.
    pub failures: [AtomicU64; 3],
    /// Calls under way.
    pub in_flight: AtomicU64,
    /// Upstream answers being read to their end after the client left.
    pub draining: AtomicU64,
}

impl Counters {
    /// Counts a call that ended in a failure.
    pub fn fail(&self, blame: Blame) {
        let [caller, upstream, us] = &self.failures;
        let counter = match blame {
            Blame::Caller => caller,
            Blame::Upstream => upstream,
            Blame::Us => us,
        };
        counter.fetch_add(1, Relaxed);
    }
}

/// What every worker shares.
pub struct Gateway {
    /// What calls choose from.
    pub market: ArcSwap<Market>,
    /// Health and counters of endpoints.
    pub memory: Memory,
    /// Who may call.
    pub keyring: Keyring,
    /// Durable storage, for what memory does not know yet.
    pub office: Arc<dyn Office>,
    /// Money.
    pub till: Arc<Till>,
    /// Whether a hold waits until the disk has it.
    pub wait_for_disk: bool,
    /// Deadlines and limits.
    pub limits: CallLimits,
    /// Counters that belong to no endpoint.
    pub counters: Counters,
}
