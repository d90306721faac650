//! One id type for each kind of thing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Names one customer account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub u64);

/// Names one API key (never the secret itself).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub u64);

/// Names one process that serves, within one installation. A single server
/// is node 1.
///
/// Ten bits: row ids carry it, see [`RowId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u16);

impl NodeId {
    /// The only node of an installation with SQLite.
    pub const FIRST: Self = Self(1);
    /// The highest number that fits a [`RowId`].
    pub const MAX: Self = Self(1023);
}

/// Names one installation: made at random with its database, and written
/// into everything that belongs to it, so that another installation's
/// journal is recognised.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreId(pub [u8; 16]);

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A row's id, made by the node that writes the row and sorted by time, so
/// that no two nodes ask a database for the next number.
///
/// 63 bits, because databases have no unsigned integers: 41 of milliseconds
/// since [`Self::EPOCH_MS`], 10 of node, 12 of sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RowId(pub u64);

impl RowId {
    /// 2025-01-01T00:00:00Z. 41 bits of milliseconds last until 2094.
    pub const EPOCH_MS: u64 = 1_735_689_600_000;
    /// Ids that one node can make in one millisecond.
    pub const SEQUENCES: u16 = 1 << 12;

    /// Puts an id together. Moments before the epoch count as the epoch;
    /// bits that do not fit are cut.
    #[must_use]
    pub const fn new(at_ms: u64, node: NodeId, sequence: u16) -> Self {
        let ms = at_ms.saturating_sub(Self::EPOCH_MS) & ((1 << 41) - 1);
        let node = (node.0 & NodeId::MAX.0) as u64;
        let sequence = (sequence & (Self::SEQUENCES - 1)) as u64;
        Self((ms << 22) | (node << 12) | sequence)
    }

    /// When it was made, in milliseconds since 1970.
    #[must_use]
    pub const fn at_ms(self) -> u64 {
        (self.0 >> 22) + Self::EPOCH_MS
    }

    /// Who made it.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // Ten bits.
    pub const fn node(self) -> NodeId {
        NodeId(((self.0 >> 12) & 1023) as u16)
    }
}

/// Makes [`RowId`]s of one node that only rise, also when the clock does not.
#[derive(Debug)]
pub struct RowIds {
    node: NodeId,
    /// The last id made.
    last: std::sync::atomic::AtomicU64,
}

impl RowIds {
    /// Ids of `node`, all above `last`: the highest that it made before.
    #[must_use]
    pub const fn after(node: NodeId, last: RowId) -> Self {
        Self {
            node,
            last: std::sync::atomic::AtomicU64::new(last.0),
        }
    }

    /// The next id. Within one millisecond (and while the clock stands
    /// behind the last id) the sequence rises, and carries into the
    /// milliseconds when it is used up.
    pub fn next(&self, now_ms: u64) -> RowId {
        use std::sync::atomic::Ordering::Relaxed;
        let fresh = RowId::new(now_ms, self.node, 0);
        let step = |last: u64| {
            let last = RowId(last);
            let next = if last.0 < fresh.0 {
                fresh
            } else if last.0 & u64::from(RowId::SEQUENCES - 1) == u64::from(RowId::SEQUENCES - 1) {
                RowId::new(last.at_ms() + 1, self.node, 0)
            } else {
                RowId(last.0 + 1)
            };
            Some(next.0)
        };
        // The closure always says `Some`, so the error is the same number.
        match self.last.fetch_update(Relaxed, Relaxed, step) {
            Ok(last) | Err(last) => step(last).map_or(fresh, RowId),
        }
    }
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^14 < 2^84 < 62^15: fifteen digits hold the random part.
const RANDOM_DIGITS: usize = 15;
const RANDOM_BITS: u32 = 84;
/// Digits that are printed at once, and what they count to.
const HALF_DIGITS: u32 = 8;
const HALF: u128 = 62_u128.pow(HALF_DIGITS);
const RANDOM_MASK: u128 = (1 << RANDOM_BITS) - 1;
/// What a printed id begins with.
const PREFIX: &[u8; 4] = b"gen-";
/// The longest printed id: 44 bits of seconds have fourteen digits.
const TEXT_LEN_MAX: usize = PREFIX.len() + 14 + 1 + RANDOM_DIGITS;

/// Names one call from first byte to settlement, as `gen-<seconds>-<random>`.
///
/// The same value is the idempotency key of its hold and settlement, so it
/// has 84 random bits below 44 bits of Unix seconds. Ids of one second sort
/// at random; ids of different seconds sort by time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GenerationId(u128);

impl GenerationId {
    /// Length of the printed form for any second until the year 2286.
    pub const TEXT_LEN: usize = 4 + 10 + 1 + RANDOM_DIGITS;

    /// Makes an id from Unix seconds and random bits (the low 84 are used).
    #[must_use]
    pub const fn new(unix_seconds: u64, random: u128) -> Self {
        Self(((unix_seconds as u128) << RANDOM_BITS) | (random & RANDOM_MASK))
    }

    /// Makes an id from Unix milliseconds. The random part begins with the
    /// milliseconds, so that ids rise with time and a database appends them
    /// in one place; 74 bits remain random.
    #[must_use]
    pub const fn at_ms(unix_ms: u64, random: u128) -> Self {
        let ms = (unix_ms % 1000) as u128;
        let random = (ms << (RANDOM_BITS - 10)) | (random & (RANDOM_MASK >> 10));
        Self::new(unix_ms / 1000, random)
    }

    /// The raw 128 bits, for journals and databases.
    #[must_use]
    pub const fn to_bits(self) -> u128 {
        self.0
    }

    /// The inverse of [`Self::to_bits`].
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// Unix seconds at which the call began.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // 128 - 84 = 44 bits remain.
    pub const fn unix_seconds(self) -> u64 {
        (self.0 >> RANDOM_BITS) as u64
    }
}

impl fmt::Display for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In one piece, from its end: every call prints its id, and each
        // piece for itself costs a look at the room that is left.
        let mut text = [b'0'; TEXT_LEN_MAX];
        let mut slots = text.iter_mut().rev();
        // Two halves that fit 64 bits: dividing 128 bits fifteen times would
        // be the dearest part of printing.
        let random = self.0 & RANDOM_MASK;
        let halves = [
            (random % HALF, HALF_DIGITS as usize),
            (random / HALF, RANDOM_DIGITS - HALF_DIGITS as usize),
        ];
        for (half, digits) in halves {
            let mut rest = u64::try_from(half).unwrap_or(0);
            for slot in slots.by_ref().take(digits) {
                let index = usize::try_from(rest % 62).unwrap_or(0);
                *slot = BASE62.get(index).copied().unwrap_or(b'0');
                rest /= 62;
            }
        }
        let mut seconds = self.unix_seconds();
        let digits = seconds.checked_ilog10().unwrap_or(0) as usize + 1;
        for (at, slot) in slots.take(digits + 1).enumerate() {
            if at == 0 {
                *slot = b'-';
                continue;
            }
            *slot = b'0' + u8::try_from(seconds % 10).unwrap_or(0);
            seconds /= 10;
        }
        let length = PREFIX.len() + digits + 1 + RANDOM_DIGITS;
        let text = text.get_mut(TEXT_LEN_MAX - length..).unwrap_or_default();
        if let Some(first) = text.first_chunk_mut() {
            *first = *PREFIX;
        }
        f.write_str(std::str::from_utf8(text).unwrap_or_default())
    }
}

impl fmt::Debug for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not a generation id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a generation id: expected gen-<seconds>-<15 letters and digits>")]
pub struct NotAGenerationId;

impl FromStr for GenerationId {
    type Err = NotAGenerationId;

    fn from_str(text: &str) -> Result<Self, NotAGenerationId> {
        let rest = text.strip_prefix("gen-").ok_or(NotAGenerationId)?;
        let (seconds, random) = rest.split_once('-').ok_or(NotAGenerationId)?;
        if random.len() != RANDOM_DIGITS || seconds.starts_with('+') {
            return Err(NotAGenerationId);
        }
        let seconds: u64 = seconds.parse().map_err(|_| NotAGenerationId)?;
        if seconds >> (128 - RANDOM_BITS) != 0 {
            return Err(NotAGenerationId);
        }
        let mut bits: u128 = 0;
        for byte in random.bytes() {
            let digit = BASE62
                .iter()
                .position(|&b| b == byte)
                .ok_or(NotAGenerationId)?;
            bits = bits * 62 + digit as u128;
        }
        if bits > RANDOM_MASK {
            return Err(NotAGenerationId);
        }
        Ok(Self::new(seconds, bits))
    }
}

impl Serialize for GenerationId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_id_survives_printing_and_parsing() {
        for (seconds, random) in [
            (0, 0),
            (9, 1),
            (10, 2),
            (1_763_683_200, u128::MAX),
            (1_763_683_200, 12345),
            ((1 << 44) - 1, u128::MAX),
        ] {
            let id = GenerationId::new(seconds, random);
            let text = id.to_string();
            assert_eq!(text.parse(), Ok(id), "{text}");
            assert!(text.starts_with(&format!("gen-{seconds}-")), "{text}");
            assert_eq!(id.unix_seconds(), seconds);
        }
        assert_eq!(
            GenerationId::new(1_763_683_200, 7).to_string().len(),
            GenerationId::TEXT_LEN
        );
    }

    #[test]
    fn ids_of_one_second_sort_by_their_milliseconds() {
        let early = GenerationId::at_ms(1_763_683_200_001, u128::MAX);
        let late = GenerationId::at_ms(1_763_683_200_002, 0);
        assert!(early < late);
        assert_eq!(early.unix_seconds(), 1_763_683_200);
        assert_eq!(late.to_string().parse(), Ok(late));
    }

    #[test]
    fn a_row_id_says_when_and_by_whom_it_was_made() {
        let id = RowId::new(1_795_000_000_123, NodeId(7), 4095);
        assert_eq!(id.at_ms(), 1_795_000_000_123);
        assert_eq!(id.node(), NodeId(7));
        assert!(i64::try_from(id.0).is_ok());
        let last_day = RowId::new(RowId::EPOCH_MS + (1 << 41) - 1, NodeId::MAX, 4095);
        assert!(i64::try_from(last_day.0).is_ok());
    }

    #[test]
    fn row_ids_rise_when_the_clock_stands_or_goes_back() {
        let ids = RowIds::after(NodeId(3), RowId(0));
        let now = 1_795_000_000_000;
        let mut last = RowId(0);
        for step in 0..10_000_u64 {
            let id = ids.next(now - step % 3 * 1000);
            assert!(id > last, "{id:?} after {last:?}");
            assert_eq!(id.node(), NodeId(3));
            last = id;
        }
        // Two whole milliseconds of sequence were used up.
        assert_eq!(last.at_ms(), now + 2);
    }

    #[test]
    fn junk_is_not_a_generation_id() {
        for junk in [
            "",
            "gen-",
            "gen-1-",
            "gen-x-000000000000000",
            "gen-1-00000000000000_",
            "chatcmpl-1",
            "gen-+1-000000000000000",
            "gen-1-zzzzzzzzzzzzzzz",
        ] {
            assert_eq!(
                junk.parse::<GenerationId>(),
                Err(NotAGenerationId),
                "{junk}"
            );
        }
    }
}
