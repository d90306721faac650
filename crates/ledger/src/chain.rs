//! Ties records to what came before them, and rows to their records.
//!
//! A position alone says how much of a journal a database has applied, not
//! whose: two copies of a disk look alike, and so does a database that was
//! restored beside a journal that went on. So the store keeps, beside the
//! position, a running hash of every record that was applied ([`Link`]), and
//! whoever brings the next batch must know it.
//!
//! BLAKE3, cut to 16 bytes where it is stored: some 0.3 µs a record, on the
//! applier's thread.

use std::fmt;

use bourse_vocab::{NodeId, StoreId};

/// The hash of a record's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of these bytes.
    #[must_use]
    pub fn of(record: &[u8]) -> Self {
        Self(*blake3::hash(record).as_bytes())
    }
}

/// A running hash: of everything up to one place of a journal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Link(pub [u8; 16]);

impl Link {
    /// Before the first record of a node's journal.
    #[must_use]
    pub fn start(store: StoreId, node: NodeId) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&store.0).update(&node.0.to_le_bytes());
        Self::cut(&hasher)
    }

    /// After one more record.
    #[must_use]
    pub fn after(self, record: &Digest) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0).update(&record.0);
        Self::cut(&hasher)
    }

    /// After more records, given as their bytes.
    #[must_use]
    pub fn after_all<'a>(self, records: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let digests = records.into_iter().map(Digest::of);
        digests.fold(self, |link, digest| link.after(&digest))
    }

    fn cut(hasher: &blake3::Hasher) -> Self {
        let mut link = [0; 16];
        // The first 16 bytes of the output are as good as any.
        hasher.finalize_xof().fill(&mut link);
        Self(link)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The hash that a finished call's row carries: of its record, and of the
/// moment of its hold, which its record does not have.
#[must_use]
pub fn row_link(record: &Digest, created_at_ms: u64) -> Link {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(&record.0)
        .update(&created_at_ms.to_le_bytes());
    Link::cut(&hasher)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: StoreId = StoreId([7; 16]);

    #[test]
    fn a_link_depends_on_every_record_their_order_and_whose_they_are() {
        let start = Link::start(STORE, NodeId::FIRST);
        let records: [&[u8]; 3] = [b"one", b"two", b"three"];
        let link = start.after_all(records);
        assert_eq!(
            start
                .after_all([records[0], records[1]])
                .after_all([records[2]]),
            link
        );
        let other_order: [&[u8]; 3] = [b"two", b"one", b"three"];
        let others = [
            start.after_all(other_order),
            start.after_all([records[0], records[1]]),
            start.after_all([b"one".as_slice(), b"twothree"]),
            Link::start(STORE, NodeId(2)).after_all(records),
            Link::start(StoreId([8; 16]), NodeId::FIRST).after_all(records),
        ];
        for other in others {
            assert_ne!(other, link);
        }
    }
}
