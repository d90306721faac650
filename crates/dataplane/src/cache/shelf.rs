//! The answers that are kept: within a bound of bytes, until their time is up.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bourse_vocab::{Format, GenerationId, Nanos};
use bourse_wire::framing::Framing;
use bytes::Bytes;

use super::fingerprint::{Digest, Owner};
use super::holders::Holders;

/// The longest answer that is kept, as its provider sent it: a stream says some
/// 200 bytes for each token, so 10,000 tokens; a whole answer of any length, and
/// a picture or two.
pub const ANSWER_BYTES_MAX: usize = 2 << 20;
/// What an answer takes beside its texts: its place in the tables, which is some
/// 600 bytes, and 1,600 where it is the only one of its account, whose tables
/// have room for more; and what memory is rounded up to.
const SLOT_BYTES: usize = 2_048;
/// For how long it is remembered that a call was cleared: an answer that was
/// under way then must not come back, and nearly none is for so long.
const CLEARED_MS: u64 = 3_600_000;
/// What is looked through at once for what has expired: some ten microseconds
/// behind the lock.
const SWEEP_MAX: usize = 64;

/// An answer that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The call that it was made for.
    pub source: GenerationId,
    /// Who gave it.
    pub endpoint: Box<str>,
    /// In which format it was sent.
    pub format: Format,
    /// How that was cut into frames.
    pub framing: Framing,
    /// What was sent.
    pub text: Bytes,
    /// What it cost its customer.
    pub charge: Nanos,
    /// Why it ended, in the public API's words.
    pub finish: &'static str,
    /// The same in the provider's words.
    pub native_finish: Box<str>,
    /// The tier of service that gave it, in public words.
    pub service_tier: Box<str>,
    /// When it was there, in milliseconds since 1970.
    pub made_ms: u64,
}

impl Answer {
    fn bytes(&self) -> usize {
        let texts = [
            self.text.len(),
            self.endpoint.len(),
            self.native_finish.len(),
            self.service_tier.len(),
        ];
        texts
            .iter()
            .fold(SLOT_BYTES, |sum, bytes| sum.saturating_add(*bytes))
    }
}

/// What is kept of a call.
#[derive(Debug)]
pub struct Seen {
    /// The answer, and when its time is up; `None` if there is none.
    pub answer: Option<(Arc<Answer>, u64)>,
    /// When the call asked, among all that did.
    pub asked: u64,
}

/// The answers that are kept.
#[derive(Debug)]
pub struct Shelf {
    bytes_max: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    slots: HashMap<Digest, Slot>,
    by_end: BTreeSet<(u64, Digest)>,
    holders: Holders,
    bytes: usize,
    /// The number of the next event: a call that asks, a use.
    next: u64,
    evicted: u64,
}

#[derive(Debug)]
struct Slot {
    owner: Owner,
    /// `None` after it was cleared, so that no older one comes back.
    answer: Option<Arc<Answer>>,
    /// When the call asked that brought it.
    asked: u64,
    used: u64,
    bytes: usize,
    ends_ms: u64,
}

/// What there is, for whoever looks on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stock {
    /// Answers, and calls that were cleared.
    pub slots: usize,
    /// What they take.
    pub bytes: usize,
    /// Answers that had to make room, ever.
    pub evicted: u64,
}

impl Shelf {
    /// Room for so many bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            inner: Mutex::default(),
        }
    }

    /// Looks for the answer of a call, which counts as a use.
    pub fn look(&self, digest: &Digest, now_ms: u64) -> Seen {
        let mut inner = self.lock();
        let expired = inner.sweep(now_ms);
        let asked = inner.number();
        let answer = inner.find(digest, asked, now_ms);
        drop(inner);
        // Freed without the lock.
        drop(expired);
        Seen { answer, asked }
    }

    /// Throws away what is kept of a call of `owner`, and what will come of
    /// those that are under way. Returns when that was, among all that asked.
    pub fn clear(&self, digest: Digest, owner: Owner, now_ms: u64) -> u64 {
        let mut inner = self.lock();
        let asked = inner.number();
        let before = inner.remove(&digest);
        inner.insert(
            digest,
            Slot {
                owner,
                answer: None,
                asked,
                used: asked,
                bytes: SLOT_BYTES,
                ends_ms: now_ms.saturating_add(CLEARED_MS),
            },
        );
        let evicted = inner.make_room(self.bytes_max);
        drop(inner);
        drop((before, evicted));
        asked
    }

    /// Keeps the answer of a call of `owner` that `asked` then. Returns `false`
    /// if another one is kept that asked later, or the call was cleared since.
    pub fn keep(
        &self,
        (digest, owner): (Digest, Owner),
        asked: u64,
        answer: Answer,
        ttl_s: u64,
    ) -> bool {
        let bytes = answer.bytes();
        let ends_ms = answer.made_ms.saturating_add(ttl_s.saturating_mul(1_000));
        let mut inner = self.lock();
        if inner
            .slots
            .get(&digest)
            .is_some_and(|slot| slot.asked > asked)
        {
            return false;
        }
        let expired = inner.sweep(answer.made_ms);
        let before = inner.remove(&digest);
        let used = inner.number();
        inner.insert(
            digest,
            Slot {
                owner,
                answer: Some(Arc::new(answer)),
                asked,
                used,
                bytes,
                ends_ms,
            },
        );
        let evicted = inner.make_room(self.bytes_max);
        drop(inner);
        drop((expired, before, evicted));
        true
    }

    /// Throws away what has expired.
    pub fn sweep(&self, now_ms: u64) {
        // The lock is let go of between two looks.
        while !self.lock().sweep(now_ms).is_empty() {}
    }

    /// What there is.
    #[must_use]
    pub fn stock(&self) -> Stock {
        let inner = self.lock();
        Stock {
            slots: inner.slots.len(),
            bytes: inner.bytes,
            evicted: inner.evicted,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn number(&mut self) -> u64 {
        self.next = self.next.saturating_add(1);
        self.next
    }

    fn find(&mut self, digest: &Digest, used: u64, now_ms: u64) -> Option<(Arc<Answer>, u64)> {
        let slot = self.slots.get_mut(digest)?;
        if slot.ends_ms <= now_ms {
            return None;
        }
        let answer = Arc::clone(slot.answer.as_ref()?);
        let before = std::mem::replace(&mut slot.used, used);
        self.holders.touch(slot.owner, before, used);
        Some((answer, slot.ends_ms))
    }

    fn insert(&mut self, digest: Digest, slot: Slot) {
        self.bytes = self.bytes.saturating_add(slot.bytes);
        self.by_end.insert((slot.ends_ms, digest));
        self.holders.put(slot.owner, slot.bytes, slot.used, digest);
        self.slots.insert(digest, slot);
    }

    fn remove(&mut self, digest: &Digest) -> Option<Slot> {
        let slot = self.slots.remove(digest)?;
        self.bytes = self.bytes.saturating_sub(slot.bytes);
        self.by_end.remove(&(slot.ends_ms, *digest));
        self.holders.take(slot.owner, slot.bytes, slot.used);
        Some(slot)
    }

    /// Takes out some of what has expired.
    fn sweep(&mut self, now_ms: u64) -> Vec<Slot> {
        let mut expired = Vec::new();
        while expired.len() < SWEEP_MAX
            && let Some((ends_ms, digest)) = self.by_end.first().copied()
            && ends_ms <= now_ms
        {
            expired.extend(self.remove(&digest));
        }
        expired
    }

    /// Takes out what is wanted least until the rest fits.
    fn make_room(&mut self, bytes_max: usize) -> Vec<Slot> {
        let mut evicted = Vec::new();
        while self.bytes > bytes_max
            && let Some(digest) = self.holders.least_wanted()
        {
            evicted.extend(self.remove(&digest));
            self.evicted = self.evicted.saturating_add(1);
        }
        evicted
    }
}

#[cfg(test)]
mod tests;
