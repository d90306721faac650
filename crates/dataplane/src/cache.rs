//! Answers that are kept for the next call that is the same.
//!
//! A caller who says `X-OpenRouter-Cache: true` is answered without a provider,
//! and for nothing, if the same call of the same key was answered before and
//! what came of it is still kept (openrouter.ai/docs, response caching, read in
//! November 2026). What is kept is what the provider sent. A hit tells it
//! through the same writers as the first time, under an id and at a time of
//! its own and without a usage, so that an endpoint needs no code for it.
//!
//! The workers share one cache ([`shelf`]), because the calls of a client come
//! in at whichever of them is free. It is behind one short lock, which only
//! calls take that ask for the cache; all it holds is bounded by one number.
//! Beside it stand the calls that wait for one another ([`flights`]).

pub mod fingerprint;
pub mod flights;
mod holders;
pub mod record;
pub mod recording;
pub mod shelf;
pub mod told;
pub mod wish;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use http::HeaderMap;

use crate::ask::Ask;
use crate::bodies::Bodies;
use crate::clock::Clock;
use crate::endpoints::Endpoint;
use fingerprint::{Digest, Fingerprint, Owner};
use flights::{Flights, Leader};
use shelf::{ANSWER_BYTES_MAX, Shelf};
use wish::Wish;

/// What the cache may take of memory unless configuration says otherwise: some
/// 10,000 answers of a page.
pub const CACHE_BYTES_MAX: usize = 64 << 20;
/// One part of so many is for answers that are under way; the rest is for those
/// that are kept. An answer takes its room from the former while it is sent.
const PARTS: usize = 4;
/// The least with which a cache is of use: an answer of the longest must fit
/// into the smaller part.
pub const CACHE_BYTES_MIN: usize = PARTS * ANSWER_BYTES_MAX;
/// How often what has expired is thrown away although nobody calls: it should
/// not stay in memory for long, and it costs a lock.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// What is counted.
#[derive(Debug, Default)]
pub struct Counters {
    /// Calls that asked for the cache, by whether an answer was found.
    pub found: [AtomicU64; 2],
    /// Calls that waited for another one, by whether its answer served.
    pub shared: [AtomicU64; 2],
}

/// The answers that are kept, and those that are being kept.
#[derive(Debug)]
pub struct Cache {
    /// Those that are.
    pub shelf: Shelf,
    /// Calls that wait for another call.
    pub flights: Arc<Flights>,
    /// Room for what is under way.
    pub underway: Arc<Bodies>,
    /// See [`Counters`].
    pub counters: Counters,
    is_on: bool,
}

/// A call that asks for the cache. Boxed wherever it goes: it is 2 KiB, and few
/// calls have it.
#[derive(Debug)]
pub struct Asked {
    /// What it asks.
    pub wish: Wish,
    /// Which call it is, made of its body as that comes.
    pub print: Fingerprint,
}

impl Asked {
    /// Names the call.
    #[must_use]
    pub fn digest(&self, owner: Owner, endpoint: &dyn Endpoint, ask: &Ask) -> Digest {
        let (betas, is_strict) = (&ask.attribution.betas, ask.wishes.is_strict_by_key);
        self.print.finish(owner, endpoint.path(), betas, is_strict)
    }
}

/// A call whose answer is to be kept.
#[derive(Debug)]
pub struct Keeping {
    /// Which call it is.
    pub digest: Digest,
    /// When it asked, among all that did, see [`Shelf::look`].
    pub asked: u64,
    /// For how long its answer is kept.
    pub ttl_s: u64,
    /// Others wait for it.
    pub leader: Option<Leader>,
}

impl Cache {
    /// A cache that takes at most so many bytes; of fewer than
    /// [`CACHE_BYTES_MIN`] there is none.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        let underway = bytes_max / PARTS;
        Self {
            shelf: Shelf::new(bytes_max.saturating_sub(underway)),
            flights: Arc::default(),
            underway: Arc::new(Bodies::new(underway)),
            counters: Counters::default(),
            is_on: bytes_max >= CACHE_BYTES_MIN,
        }
    }

    /// What a call at an endpoint asks of the cache, if it does and there is
    /// one.
    #[must_use]
    pub fn asked(&self, endpoint: &dyn Endpoint, headers: &HeaderMap) -> Option<Box<Asked>> {
        let wish = Wish::of(headers)?;
        let asked = || Asked {
            wish,
            print: Fingerprint::default(),
        };
        (self.is_on && endpoint.keeps_answers()).then(|| Box::new(asked()))
    }

    /// Throws away what has expired, now and then. Whoever runs the server
    /// lets it.
    pub async fn keep_clean(&self, clock: Clock) {
        loop {
            tokio::time::sleep(SWEEP_EVERY).await;
            self.shelf.sweep(clock.now_ms());
        }
    }
}
