//! Ids of what outlives a request: files, and batches of calls.

use std::fmt;
use std::str::FromStr;

/// Bits below the milliseconds.
const RANDOM_BITS: u32 = 80;
/// Digits of a printed id.
const DIGITS: usize = 32;

/// A text that is no such id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected 32 hexadecimal digits")]
pub struct NotAnId;

/// Makes a type of ids: 48 bits of milliseconds since 1970 and 80 random ones,
/// so that they sort by time. Printed as 32 hexadecimal digits; what stands in
/// front of them is the API's.
macro_rules! ids {
    ($($(#[$about:meta])* $name:ident;)+) => {
        $(
            $(#[$about])*
            #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
            pub struct $name(u128);

            impl $name {
                /// Makes an id from Unix milliseconds and random bits, of which
                /// the low 80 are used.
                #[must_use]
                pub const fn at_ms(unix_ms: u64, random: u128) -> Self {
                    let mask = (1_u128 << RANDOM_BITS) - 1;
                    Self(((unix_ms as u128) << RANDOM_BITS) | (random & mask))
                }

                /// The raw bits, for databases.
                #[must_use]
                pub const fn to_bits(self) -> u128 {
                    self.0
                }

                /// The inverse of [`Self::to_bits`].
                #[must_use]
                pub const fn from_bits(bits: u128) -> Self {
                    Self(bits)
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, "{:032x}", self.0)
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    fmt::Display::fmt(self, f)
                }
            }

            impl FromStr for $name {
                type Err = NotAnId;

                /// Exactly what is printed: an id has one spelling.
                fn from_str(text: &str) -> Result<Self, NotAnId> {
                    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
                    if text.len() != DIGITS || !text.bytes().all(is_digit) {
                        return Err(NotAnId);
                    }
                    u128::from_str_radix(text, 16).map(Self).map_err(|_| NotAnId)
                }
            }
        )+
    };
}

ids! {
    /// Names a stored file.
    FileId;
    /// Names a batch of calls.
    BatchId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_printed_and_in_no_other_spelling() {
        let id = FileId::at_ms(1_795_262_400_000, 0xabcdef);
        let text = id.to_string();
        assert_eq!(text.len(), DIGITS);
        assert_eq!(text.parse(), Ok(id));
        let upper = text.to_uppercase();
        let long = format!("{text}0");
        for bad in ["", "+1", &text[1..], &long, &upper, "g".repeat(32).as_str()] {
            assert_eq!(bad.parse::<FileId>(), Err(NotAnId), "{bad}");
        }
    }

    #[test]
    fn ids_sort_by_time_whatever_their_random_bits_are() {
        let early = BatchId::at_ms(1, u128::MAX);
        let late = BatchId::at_ms(2, 0);
        assert!(early < late);
        assert!(early.to_string() < late.to_string());
        assert_eq!(BatchId::from_bits(late.to_bits()), late);
    }
}
