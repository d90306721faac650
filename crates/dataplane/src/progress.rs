//! What the streams of a worker have delivered, and telling the journal.
//!
//! Each stream keeps a [`Place`] in the worker's table and writes into it
//! what the kernel has of it. Every [`TICK`] the worker goes through the table
//! and lists what has changed in one record: a chunk costs no pricing, and a
//! thousand streams no more records than one. A stream that has ended has no
//! place any more, so nothing is said of it after its end.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bourse_ledger::record::{CHECKPOINTS_MAX, Checkpoint};
use bourse_store::Till;
use bourse_vocab::{GenerationId, Nanos, UsageReport};
use tokio::sync::Notify;

use crate::relay::{Delivered, Report};
use crate::tariff::Tariff;

/// How often the journal is told: what a crash makes the house pay is bounded
/// for slow streams. Fast ones also tell it by themselves, see
/// `checkpoints.rs`.
pub const TICK: Duration = Duration::from_millis(250);
/// Streams that a worker keeps places for: some more than the connections
/// that it serves and the answers that it drains. One beyond tells the
/// journal by itself only.
pub const STREAMS_MAX: usize = 32_768;

/// The streams of one worker.
pub struct Progress {
    till: Arc<Till>,
    streams_max: usize,
    places: Mutex<Vec<Weak<Shared>>>,
    /// The first place in an empty table was taken.
    begun: Notify,
}

/// Where one stream writes what it has delivered. Dropped with the stream.
pub struct Place(Arc<Shared>);

struct Shared {
    id: GenerationId,
    tariff: Tariff,
    now: Mutex<Now>,
    /// What it cost at the last tick, until the stream has seen it.
    cost_nanos: AtomicI64,
}

/// How far a stream has come.
#[derive(Debug, Default)]
struct Now {
    delivered: Delivered,
    /// The input that the provider has counted.
    told: UsageReport,
    /// What the journal knows of.
    noted: Delivered,
}

impl Progress {
    /// The table of a worker that begins, for so many streams at once.
    #[must_use]
    pub fn new(till: &Arc<Till>, streams_max: usize) -> Arc<Self> {
        Arc::new(Self {
            till: Arc::clone(till),
            streams_max,
            places: Mutex::default(),
            begun: Notify::new(),
        })
    }

    /// A place for a stream that has begun to deliver; `None` if there are
    /// too many.
    pub fn place(&self, id: GenerationId, tariff: Tariff) -> Option<Place> {
        let shared = Arc::new(Shared {
            id,
            tariff,
            now: Mutex::default(),
            cost_nanos: AtomicI64::new(0),
        });
        let mut places = self.lock();
        if places.len() >= self.streams_max {
            places.retain(is_taken);
            if places.len() >= self.streams_max {
                return None;
            }
        }
        if places.is_empty() {
            self.begun.notify_one();
        }
        places.push(Arc::downgrade(&shared));
        Some(Place(shared))
    }

    /// Tells the journal at each tick while there are streams; for as long
    /// as the worker runs.
    pub async fn keep_telling(&self) {
        loop {
            self.begun.notified().await;
            loop {
                tokio::time::sleep(TICK).await;
                if !self.tell().await {
                    break;
                }
            }
        }
    }

    /// Tells the journal what has changed. Returns whether there are streams.
    async fn tell(&self) -> bool {
        let places = {
            let mut places = self.lock();
            places.retain(is_taken);
            places.clone()
        };
        // A record is also a stretch of work: calls go on between two.
        for (n, some) in places.chunks(CHECKPOINTS_MAX).enumerate() {
            if n > 0 {
                tokio::task::yield_now().await;
            }
            // Whoever has ended since is not there any more.
            let taken = some.iter().filter_map(Weak::upgrade);
            let changed: Vec<_> = taken.filter_map(|shared| shared.changed()).collect();
            if changed.is_empty() {
                continue;
            }
            if let Err(error) = self.till.checkpoints(&changed) {
                // Why not is told once, by whoever watches the disk.
                tracing::debug!(%error, "checkpoints could not be written");
            }
        }
        !places.is_empty()
    }

    /// Streams that have a place.
    #[cfg(test)]
    pub fn streams(&self) -> usize {
        self.lock().iter().filter(|place| is_taken(place)).count()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Shared>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_taken(place: &Weak<Shared>) -> bool {
    place.strong_count() > 0
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the journal does not know of yet.
    fn changed(&self) -> Option<Checkpoint> {
        let mut now = self.lock();
        if now.delivered == now.noted {
            return None;
        }
        let (usage, charge) = self.tariff.worth(&now.told, now.delivered.tokens());
        now.noted = now.delivered;
        self.cost_nanos.store(charge.total.0, Relaxed);
        Some(Checkpoint {
            id: self.id,
            charge: charge.total,
            upstream: charge.upstream_total,
            prompt: usage.prompt,
            completion: usage.completion,
        })
    }
}

impl Place {
    /// Notes what is written. `report` says more, if the provider has counted
    /// its input since the last time.
    pub fn note(&self, delivered: Delivered, report: impl FnOnce() -> Report) {
        let mut now = self.0.lock();
        if now.delivered.prompt != delivered.prompt {
            now.told = report().usage;
        }
        now.delivered = delivered;
    }

    /// What it cost at the last tick, once: nothing, if the stream has seen
    /// it.
    pub fn take_cost(&self) -> Nanos {
        let cost = &self.0.cost_nanos;
        // A load is all that it takes, nearly always.
        Nanos(match cost.load(Relaxed) {
            0 => 0,
            _ => cost.swap(0, Relaxed),
        })
    }

    /// Notes that the journal knows all of what is written.
    pub fn is_told(&self) {
        let mut now = self.0.lock();
        now.noted = now.delivered;
    }
}
