//! Ties records to what came before them, and rows to their records.
//!
//! A position alone says how much of a journal a database has applied, not
//! whose: two copies of a disk look alike, and so does a database that was
//! restored beside a journal that went on. So the store keeps, beside the
//! position, a running hash of every record that was applied ([`Link`]), and
//! whoever brings the next batch must know it.
//!
//! BLAKE3, cut to 16 bytes where it is stored. A batch's records are hashed in
//! one go, which takes a third of the instructions that one by one takes: the
//! price is that a link can only be computed anew from where a batch began.

use std::fmt;

use bourse_vocab::{NodeId, StoreId};

/// A running hash: of everything up to the end of a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Link(pub [u8; 16]);

impl Link {
    /// Before the first record of a node's journal.
    #[must_use]
    pub fn start(store: StoreId, node: NodeId) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&store.0).update(&node.0.to_le_bytes());
        Self::cut(&hasher.finalize())
    }

    /// After a batch of records, given as their bytes.
    #[must_use]
    pub fn after_batch<'a>(self, records: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut chain = Chain::from(self);
        records.into_iter().for_each(|record| chain.push(record));
        chain.link()
    }

    /// The first 16 bytes of a hash are as good as any.
    fn cut(hash: &blake3::Hash) -> Self {
        Self(hash.as_bytes().first_chunk().copied().unwrap_or_default())
    }
}

/// How many bytes wait before they are hashed: as many chunks of BLAKE3's (a
/// KiB) as the widest processors hash side by side.
const HASHED_AT_ONCE: usize = 16 * 1_024;

/// The link after a batch, in the making.
#[derive(Debug)]
pub struct Chain {
    before: Link,
    hasher: blake3::Hasher,
    waiting: Vec<u8>,
    is_empty: bool,
}

impl From<Link> for Chain {
    fn from(before: Link) -> Self {
        let mut waiting = Vec::with_capacity(2 * HASHED_AT_ONCE);
        waiting.extend_from_slice(&before.0);
        Self {
            before,
            hasher: blake3::Hasher::new(),
            waiting,
            is_empty: true,
        }
    }
}

impl Chain {
    /// Takes in one record. Its length goes first, so that two records are
    /// never taken for two others.
    pub fn push(&mut self, record: &[u8]) {
        self.is_empty = false;
        let length = record.len() as u64;
        self.waiting.extend_from_slice(&length.to_le_bytes());
        self.waiting.extend_from_slice(record);
        if self.waiting.len() < HASHED_AT_ONCE {
            return;
        }
        // Whole pieces, so that chunks stay where the widest code wants them.
        let mut pieces = self.waiting.chunks_exact(HASHED_AT_ONCE);
        for piece in pieces.by_ref() {
            self.hasher.update(piece);
        }
        let rest = self.waiting.len().saturating_sub(pieces.remainder().len());
        self.waiting.drain(..rest);
    }

    /// The link after all that was taken in; after nothing, the one before.
    #[must_use]
    pub fn link(mut self) -> Link {
        if self.is_empty {
            return self.before;
        }
        Link::cut(&self.hasher.update(&self.waiting).finalize())
    }
}

/// The link of a batch as the first build of 0.1.0 with links made it: a hash
/// of each record, and of that with the link before. A database of that time
/// holds one until its next batch.
#[derive(Debug, Clone, Copy)]
pub struct FormerChain(Link);

impl From<Link> for FormerChain {
    fn from(before: Link) -> Self {
        Self(before)
    }
}

impl FormerChain {
    /// Takes in one record.
    pub fn push(&mut self, record: &[u8]) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0.0);
        hasher.update(blake3::hash(record).as_bytes());
        self.0 = Link::cut(&hasher.finalize());
    }

    /// The link after all that was taken in.
    #[must_use]
    pub const fn link(self) -> Link {
        self.0
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
/// moment of its hold, which its record does not have and which is the key.
#[must_use]
pub fn row_link(record: &[u8], created_at_ms: u64) -> Link {
    let mut key = [0; blake3::KEY_LEN];
    let moment = created_at_ms.to_le_bytes();
    key.iter_mut()
        .zip(moment)
        .for_each(|(slot, byte)| *slot = byte);
    Link::cut(&blake3::keyed_hash(&key, record))
}

/// The same as the first build of 0.1.0 with links made it. Its rows stay.
#[must_use]
pub fn former_row_link(record: &[u8], created_at_ms: u64) -> Link {
    let mut hasher = blake3::Hasher::new();
    hasher.update(blake3::hash(record).as_bytes());
    hasher.update(&created_at_ms.to_le_bytes());
    Link::cut(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: StoreId = StoreId([7; 16]);

    #[test]
    fn a_link_depends_on_every_record_their_order_and_whose_they_are() {
        let start = Link::start(STORE, NodeId::FIRST);
        let records: [&[u8]; 3] = [b"one", b"two", b"three"];
        let link = start.after_batch(records);
        assert_eq!(start.after_batch(records), link);
        assert_eq!(start.after_batch([]), start);
        let other_order: [&[u8]; 3] = [b"two", b"one", b"three"];
        let others = [
            start.after_batch(other_order),
            start.after_batch([records[0], records[1]]),
            start.after_batch([b"one".as_slice(), b"twothree"]),
            start.after_batch([b"one".as_slice(), b"two", b"three", b""]),
            start.after_batch([records[0]]).after_batch([records[1]]),
            Link::start(STORE, NodeId(2)).after_batch(records),
            Link::start(StoreId([8; 16]), NodeId::FIRST).after_batch(records),
        ];
        for other in others {
            assert_ne!(other, link);
        }
    }

    #[test]
    fn records_of_any_length_are_hashed_as_one_text() {
        let start = Link::start(STORE, NodeId::FIRST);
        for lengths in [
            vec![1; 3],
            vec![HASHED_AT_ONCE - 24, 1, 1],
            vec![HASHED_AT_ONCE - 25, 1, 1],
            vec![300; 200],
            vec![5 * HASHED_AT_ONCE + 7, 300, 2 * HASHED_AT_ONCE],
        ] {
            let records: Vec<Vec<u8>> = (0_u8..)
                .zip(&lengths)
                .map(|(byte, length)| vec![byte; *length])
                .collect();
            let mut text = start.0.to_vec();
            for record in &records {
                text.extend_from_slice(&(record.len() as u64).to_le_bytes());
                text.extend_from_slice(record);
            }
            let link = start.after_batch(records.iter().map(Vec::as_slice));
            assert_eq!(link.0, blake3::hash(&text).as_bytes()[..16], "{lengths:?}");
        }
    }

    /// Links that the code of that time made.
    #[test]
    fn former_links_are_what_they_were() {
        let mut chain = FormerChain::from(Link::start(STORE, NodeId::FIRST));
        for record in [b"one".as_slice(), b"two", b"three"] {
            chain.push(record);
        }
        assert_eq!(chain.link().to_string(), "0ea110a9b58c576d53b75741cccf863e");
        assert_eq!(
            former_row_link(b"one", 7).to_string(),
            "6f913f62997496730616e962e166ea4b"
        );
        assert_ne!(former_row_link(b"one", 7), row_link(b"one", 7));
        assert_ne!(row_link(b"one", 8), row_link(b"one", 7));
        assert_ne!(row_link(b"two", 7), row_link(b"one", 7));
    }
}
