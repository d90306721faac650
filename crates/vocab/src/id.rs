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

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^14 < 2^84 < 62^15: fifteen digits hold the random part.
const RANDOM_DIGITS: usize = 15;
const RANDOM_BITS: u32 = 84;
/// Digits that are printed at once, and what they count to.
const HALF_DIGITS: u32 = 8;
const HALF: u128 = 62_u128.pow(HALF_DIGITS);
const RANDOM_MASK: u128 = (1 << RANDOM_BITS) - 1;

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

impl GenerationId {
    /// The random part, printed.
    fn random_digits(self) -> [u8; RANDOM_DIGITS] {
        let mut digits = [b'0'; RANDOM_DIGITS];
        // Two halves that fit 64 bits: dividing 128 bits fifteen times would
        // be the dearest part of printing.
        let random = self.0 & RANDOM_MASK;
        let (low, high) = digits.split_at_mut(RANDOM_DIGITS - HALF_DIGITS as usize);
        for (half, slots) in [(random / HALF, low), (random % HALF, high)] {
            let mut rest = u64::try_from(half).unwrap_or(0);
            for slot in slots.iter_mut().rev() {
                let index = usize::try_from(rest % 62).unwrap_or(0);
                *slot = BASE62.get(index).copied().unwrap_or(b'0');
                rest /= 62;
            }
        }
        digits
    }
}

impl fmt::Display for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.random_digits();
        f.write_str("gen-")?;
        fmt::Display::fmt(&self.unix_seconds(), f)?;
        f.write_str("-")?;
        f.write_str(std::str::from_utf8(&digits).unwrap_or_default())
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
        for (seconds, random) in [(0, 0), (1_763_683_200, u128::MAX), (1_763_683_200, 12345)] {
            let id = GenerationId::new(seconds, random);
            assert_eq!(id.to_string().parse(), Ok(id));
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
