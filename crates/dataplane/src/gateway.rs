//! What every worker shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwap;
use bourse_store::Till;
use bourse_vocab::Blame;

use crate::admission::Admission;
use crate::alarms::Alarms;
use crate::bodies::Bodies;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::deadlines::Deadlines;
use crate::drains::Drains;
use crate::identity::Identity;
use crate::keyring::{Keyring, Office};
use crate::market::{Market, Memory};
use crate::realtime::Sessions;
use crate::spans::Spans;
use crate::stickiness::Stickiness;
use crate::unknown::Unknown;
use crate::videos::Book;
use crate::waiting::Waiting;

/// Deadlines and limits of calls. All are configuration.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    /// The most a request body may hold, in bytes.
    pub body_bytes_max: usize,
    /// The most a whole reply may hold, in bytes.
    pub reply_bytes_max: usize,
    /// How long each stage may take.
    pub deadlines: Deadlines,
    /// The least that must come of a body, in bytes a second over each
    /// `body_timeout`.
    pub body_rate_min: u64,
    /// The longest a client may take between two pieces of its body.
    pub body_timeout: Duration,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: 32 << 20,
            reply_bytes_max: 64 << 20,
            body_rate_min: 1_024,
            deadlines: Deadlines::default(),
            body_timeout: Duration::from_secs(30),
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
    /// Hedges that were sent, by who answered: the second target, the first,
    /// nobody.
    pub hedges: [AtomicU64; 3],
    /// Streams that broke and were to be gone on with: that were, that were
    /// not.
    pub continuations: [AtomicU64; 2],
    /// How long calls take.
    pub spans: Spans,
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

/// Whether the server's time to stop is up, so that a call which is let go
/// of was cut off by us and not by its client.
#[derive(Debug, Default)]
pub struct Stopping {
    is_begun: AtomicBool,
    is_cut_off: AtomicBool,
}

impl Stopping {
    /// From here on, the server says that it stops.
    pub fn begin(&self) {
        self.is_begun.store(true, Relaxed);
    }

    /// Whether the server stops.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.is_begun.load(Relaxed)
    }

    /// From here on, calls that are let go of are cut off.
    pub fn cut_off(&self) {
        self.is_cut_off.store(true, Relaxed);
    }

    /// Whether calls are being cut off.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.is_cut_off.load(Relaxed)
    }
}

/// What every worker shares.
pub struct Gateway {
    /// What calls choose from.
    pub market: ArcSwap<Market>,
    /// Health and counters of endpoints.
    pub memory: Memory,
    /// Which calls may begin.
    pub admission: Admission,
    /// What the operator must know.
    pub alarms: Arc<Alarms>,
    /// Who may call.
    pub keyring: Arc<Keyring>,
    /// Durable storage, for what memory does not know yet.
    pub office: Arc<dyn Office>,
    /// Money.
    pub till: Arc<Till>,
    /// Whether a hold waits until the disk has it.
    pub wait_for_disk: bool,
    /// Deadlines and limits.
    pub limits: CallLimits,
    /// Under which names providers are told of users.
    pub identity: Identity,
    /// Counters that belong to no endpoint.
    pub counters: Counters,
    /// Where calls read the time.
    pub clock: Clock,
    /// Answers that are kept.
    pub cache: Cache,
    /// Room for request bodies.
    pub bodies: Arc<Bodies>,
    /// Room for whole replies.
    pub replies: Arc<Bodies>,
    /// Room for the tools that answers under way will be judged by.
    pub tools: Arc<Bodies>,
    /// Answers that are read on although their client has left.
    pub drains: Arc<Drains>,
    /// What callers left whose cost nobody knows.
    pub unknown: Unknown,
    /// Where conversations stay, because their prompts are cached there.
    pub stickiness: Stickiness,
    /// Calls that wait for money.
    pub waiting: Arc<Waiting>,
    /// Connections over which models are talked with.
    pub sessions: Sessions,
    /// Whether running calls are being cut off.
    pub stopping: Stopping,
    /// Who keeps jobs.
    pub book: Arc<dyn Book>,
}
