//! Ties records to what came before them, and rows to their records.
//!
//! A position alone says how much of a journal a database has applied, not
//! whose: two copies of a disk look alike, and so does a database that was
//! restored beside a journal that went on. So the store keeps, beside the
//! position, a running hash of every record that was applied ([`Link`]), and
//! whoever brings the next batch must know it.
//!
//! A finished call's row carries a hash of its record ([`row_link`]), and
//! the store keeps their sum ([`RowSum`]). An edited row does not match its
//! own hash, and one that was removed or put in is missing from the sum. The
//! sum does not depend on an order, so that rows can be checked in any, and
//! old ones can be taken out of it when they are dropped.
//!
//! BLAKE3, cut to 16 bytes where it is stored: some 0.3 µs a record, on the
//! applier's thread.

use std::fmt;

use bourse_vocab::{NodeId, StoreId};

use crate::fold::GenerationRow;
use crate::record::{self, DecodeError, RecomputeError, Record};

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
pub fn row_link(record: &[u8], created_at_ms: u64) -> Link {
    let mut hasher = blake3::Hasher::new();
    let digest = Digest::of(record);
    hasher
        .update(&digest.0)
        .update(&created_at_ms.to_le_bytes());
    Link::cut(&hasher)
}

/// The sum of rows' hashes, in whatever order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowSum(pub u128);

impl RowSum {
    /// With one more row.
    #[must_use]
    pub const fn with(self, row: Link) -> Self {
        Self(self.0.wrapping_add(u128::from_le_bytes(row.0)))
    }

    /// With the rows of another sum.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

/// What is wrong with a stored row, if anything is: its hash, or a column
/// that does not say what its record says. Rows from before there were
/// hashes are held to their record only.
///
/// # Errors
/// A record that cannot be read.
pub fn check_row(row: &GenerationRow) -> Result<Option<&'static str>, DecodeError> {
    let intact = |link| link == row_link(&row.record, row.created_at_ms);
    if row.link.is_some_and(|link| !intact(link)) {
        return Ok(Some("its record was changed"));
    }
    let record = record::decode(&row.record)?;
    let wrong = |is_right: bool, what| (!is_right).then_some(what);
    Ok(match &record {
        Record::Settle(settle) => {
            let end = &settle.settlement;
            let usage = end.facts.counts.usage();
            let total = record::recompute(&record).map(|charge| charge.total);
            let priced = match total {
                Ok(total) => total == end.charge,
                Err(RecomputeError::NoLines) => true,
                Err(_) => false,
            };
            wrong(end.id == row.id, "its id is not its record's")
                .or(wrong(
                    end.account == row.account,
                    "the account is not its record's",
                ))
                .or(wrong(settle.key == row.key, "the key is not its record's"))
                .or(wrong(
                    end.at_ms == row.settled_at_ms,
                    "the moment is not its record's",
                ))
                .or(wrong(
                    end.charge == row.charge && settle.paid == row.paid,
                    "what was charged or paid is not its record's",
                ))
                .or(wrong(
                    (
                        usage.prompt,
                        usage.completion,
                        usage.reasoning,
                        usage.cache_read,
                    ) == (row.prompt, row.completion, row.reasoning, row.cached),
                    "the tokens are not its record's",
                ))
                .or(wrong(
                    *end.facts.model == *row.model
                        && *end.facts.provider == *row.provider
                        && *end.facts.endpoint == *row.endpoint,
                    "model, provider or endpoint are not its record's",
                ))
                .or(wrong(priced, "its price lines do not make its charge"))
        }
        Record::Void(void) => {
            let end = &void.voiding;
            wrong(end.id == row.id, "its id is not its record's")
                .or(wrong(
                    end.account == row.account,
                    "the account is not its record's",
                ))
                .or(wrong(void.key == row.key, "the key is not its record's"))
                .or(wrong(
                    end.at_ms == row.settled_at_ms,
                    "the moment is not its record's",
                ))
                .or(wrong(
                    row.charge.0 == 0 && row.paid.0 == 0,
                    "it was voided and has a charge",
                ))
        }
        _ => Some("its record is not the end of a call"),
    })
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

    #[test]
    fn a_sum_of_rows_knows_them_in_any_order() {
        let rows = [row_link(b"a", 1), row_link(b"b", 1), row_link(b"a", 2)];
        let sum = |order: [usize; 3]| {
            order
                .iter()
                .fold(RowSum::default(), |sum, at| sum.with(rows[*at]))
        };
        assert_eq!(sum([0, 1, 2]), sum([2, 0, 1]));
        assert_ne!(sum([0, 1, 2]), sum([0, 1, 1]));
        assert_ne!(rows[0], rows[2]);
    }
}
