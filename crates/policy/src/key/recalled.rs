//! A key that was presented before.
//!
//! Clients send the same key with call after call, and its checksum and its
//! SHA-256 are a tenth of what a call computes. Whoever keeps the last key
//! with its hash can compare instead.
//!
//! That gives nothing away that was not known. The comparison takes as long
//! for a wrong key as for any other, so it says nothing about how much of a
//! key is right; only who presents all of it sees the shorter way, and could
//! call with it anyway. What the hash opens is not kept here, but looked up
//! each time, so a change of the key counts at once.

use std::fmt;

use zeroize::Zeroizing;

use super::compare::are_equal;
use super::{BODY_DIGITS, KeyHash, KeyKind};

/// Bytes of the longest key.
const TEXT_BYTES_MAX: usize = KeyKind::Management.prefix().len() + BODY_DIGITS;

/// A key in clear and its hash. The text is wiped when it is dropped.
pub struct RecalledKey {
    text: Zeroizing<[u8; TEXT_BYTES_MAX]>,
    length: usize,
    hash: KeyHash,
}

impl RecalledKey {
    /// Keeps a key whose hash is known; `None` if it is too long to be one.
    #[must_use]
    pub fn new(text: &str, hash: KeyHash) -> Option<Self> {
        let mut kept = Zeroizing::new([0; TEXT_BYTES_MAX]);
        kept.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self {
            text: kept,
            length: text.len(),
            hash,
        })
    }

    /// The key's hash, if that is the key which is presented.
    #[must_use]
    pub fn hash_of(&self, presented: &str) -> Option<KeyHash> {
        let text = self.text.get(..self.length)?;
        are_equal(text, presented.as_bytes()).then_some(self.hash)
    }
}

impl fmt::Debug for RecalledKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecalledKey").field(&self.hash).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{KeyText, RANDOM_BYTES};

    #[test]
    fn only_the_very_key_is_recalled() {
        for kind in [KeyKind::Inference, KeyKind::Management] {
            let key = KeyText::generate(kind, &[7; RANDOM_BYTES]);
            let other = KeyText::generate(kind, &[8; RANDOM_BYTES]);
            let recalled = RecalledKey::new(key.reveal(), key.hash()).unwrap();
            assert_eq!(recalled.hash_of(key.reveal()), Some(key.hash()));
            assert_eq!(recalled.hash_of(other.reveal()), None);
            assert_eq!(recalled.hash_of(""), None);
            assert_eq!(recalled.hash_of(&key.reveal()[..80]), None);
            assert_eq!(recalled.hash_of(&format!("{} ", key.reveal())), None);
        }
    }

    #[test]
    fn what_is_too_long_for_a_key_is_not_kept() {
        let hash = KeyHash::of("x");
        assert!(RecalledKey::new(&"x".repeat(TEXT_BYTES_MAX), hash).is_some());
        assert!(RecalledKey::new(&"x".repeat(TEXT_BYTES_MAX + 1), hash).is_none());
    }

    #[test]
    fn debug_output_shows_no_digit_of_the_secret() {
        let key = KeyText::generate(KeyKind::Inference, &[7; RANDOM_BYTES]);
        let recalled = RecalledKey::new(key.reveal(), key.hash()).unwrap();
        assert_eq!(
            format!("{recalled:?}"),
            format!("RecalledKey({})", key.hash())
        );
    }
}
