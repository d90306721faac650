//! The text of an API key.
//!
//! `sk-bourse-v1-` or `sk-bourse-mgmt-`, then 22 base-62 digits that name
//! the key, 43 that are its secret (256 bits), and 6 that are the CRC-32 of
//! everything before them. The checksum is no protection; it lets a typing
//! error or a scanner's guess be refused without a lookup, and lets secret
//! scanners recognise a leaked key with certainty.
//!
//! What is stored is the SHA-256 of the whole text: the public API calls
//! its hexadecimal form the key's `hash` (openrouter.ai/docs, management
//! API keys, October 2026). A fast hash is right here, because the secret
//! has 256 random bits and cannot be guessed from a dictionary.

mod compare;
mod recalled;

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

pub use recalled::RecalledKey;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^22 > 2^128.
const NAME_DIGITS: usize = 22;
/// 62^43 > 2^256.
const SECRET_DIGITS: usize = 43;
/// 62^6 > 2^32.
const CHECK_DIGITS: usize = 6;
const BODY_DIGITS: usize = NAME_DIGITS + SECRET_DIGITS + CHECK_DIGITS;

/// Random bytes that a new key consumes: 16 for its name, 32 for its secret.
pub const RANDOM_BYTES: usize = 48;

/// What a key is for. The two kinds never do each other's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Calls models.
    Inference,
    /// Administers; cannot call a model.
    Management,
}

impl KeyKind {
    /// What the key's text begins with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Inference => "sk-bourse-v1-",
            Self::Management => "sk-bourse-mgmt-",
        }
    }
}

/// Why a text is not one of our keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not our prefix, or the wrong length or alphabet.
    #[error("not a Bourse API key")]
    Malformed,
    /// The shape is right but the checksum is not: mistyped or cut.
    #[error("the API key's checksum does not match: it was mistyped or cut")]
    Checksum,
}

/// A well-formed key in clear. Printed as its label, wiped when dropped.
#[derive(Clone)]
pub struct KeyText {
    kind: KeyKind,
    text: Zeroizing<String>,
}

impl KeyText {
    /// Makes a key from random bytes, which must come from the operating
    /// system's generator.
    #[must_use]
    pub fn generate(kind: KeyKind, random: &[u8; RANDOM_BYTES]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(kind.prefix().len() + BODY_DIGITS));
        text.push_str(kind.prefix());
        let (name, secret) = random.split_at(16);
        push_base62(&mut text, name, NAME_DIGITS);
        push_base62(&mut text, secret, SECRET_DIGITS);
        let check = crc32fast::hash(text.as_bytes());
        push_base62(&mut text, &check.to_be_bytes(), CHECK_DIGITS);
        Self { kind, text }
    }

    /// What the key is for.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The whole secret, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// What is stored and looked up instead of the secret.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(&self.text)
    }

    /// See [`label`].
    #[must_use]
    pub fn label(&self) -> String {
        label(&self.text)
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

impl FromStr for KeyText {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Ok(Self {
            kind: check(text)?,
            text: Zeroizing::new(text.to_owned()),
        })
    }
}

/// Checks the shape and the checksum of a key without copying it.
///
/// # Errors
/// [`KeyError`] says whether it is no key of ours or a damaged one.
pub fn check(text: &str) -> Result<KeyKind, KeyError> {
    let kind = [KeyKind::Inference, KeyKind::Management]
        .into_iter()
        .find(|kind| text.starts_with(kind.prefix()))
        .ok_or(KeyError::Malformed)?;
    let body = text.get(kind.prefix().len()..).ok_or(KeyError::Malformed)?;
    if body.len() != BODY_DIGITS || !body.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(KeyError::Malformed);
    }
    let (signed, check) = text
        .split_at_checked(text.len().saturating_sub(CHECK_DIGITS))
        .ok_or(KeyError::Malformed)?;
    let mut expected = String::with_capacity(CHECK_DIGITS);
    push_base62(
        &mut expected,
        &crc32fast::hash(signed.as_bytes()).to_be_bytes(),
        CHECK_DIGITS,
    );
    if expected == check {
        Ok(kind)
    } else {
        Err(KeyError::Checksum)
    }
}

/// How a key is shown in lists and logs: `sk-bourse-v1-abc...xyz`. The
/// three digits at the start belong to its name, those at the end to its
/// checksum, so no digit of the secret is shown.
#[must_use]
pub fn label(text: &str) -> String {
    let shown = [KeyKind::Inference, KeyKind::Management]
        .into_iter()
        .find_map(|kind| {
            let body = text.strip_prefix(kind.prefix())?;
            let head = body.get(..3)?;
            let tail = body.get(body.len().checked_sub(3)?..)?;
            (body.len() == BODY_DIGITS).then(|| format!("{}{head}...{tail}", kind.prefix()))
        });
    shown.unwrap_or_else(|| "***".to_owned())
}

/// Appends `bytes`, read as one big-endian number, in exactly `digits`
/// base-62 digits, by long division.
fn push_base62(out: &mut String, bytes: &[u8], digits: usize) {
    let mut number = Zeroizing::new(bytes.to_vec());
    let mut reversed = Zeroizing::new(Vec::with_capacity(digits));
    for _ in 0..digits {
        let mut remainder: u32 = 0;
        for byte in number.iter_mut() {
            let value = (remainder << 8) | u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            remainder = value % 62;
        }
        let digit = usize::try_from(remainder).unwrap_or(0);
        reversed.push(BASE62.get(digit).copied().unwrap_or(b'0'));
    }
    out.extend(reversed.iter().rev().map(|&digit| char::from(digit)));
}

/// The SHA-256 of a key's text: what a key is found by.
#[derive(Clone, Copy)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    /// Hashes a key's text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        let mut bytes = [0; 32];
        for (slot, byte) in bytes.iter_mut().zip(digest.as_ref()) {
            *slot = *byte;
        }
        Self(bytes)
    }
}

/// In constant time: how long a comparison takes says nothing about where
/// two hashes differ.
impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        compare::are_equal(&self.0, &other.0)
    }
}

impl Eq for KeyHash {}

/// Equal hashes hash equally; written out because equality is.
impl std::hash::Hash for KeyHash {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyHash {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(KeyError::Malformed);
        }
        let mut bytes = [0; 32];
        for (i, slot) in bytes.iter_mut().enumerate() {
            let digits = text.get(i * 2..i * 2 + 2).ok_or(KeyError::Malformed)?;
            *slot = u8::from_str_radix(digits, 16).map_err(|_| KeyError::Malformed)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn random(seed: u8) -> [u8; RANDOM_BYTES] {
        std::array::from_fn(|i| seed.wrapping_mul(37).wrapping_add(u8::try_from(i).unwrap()))
    }

    #[test]
    fn a_generated_key_has_the_written_shape_and_checks() {
        for (kind, length) in [
            (KeyKind::Inference, 13 + 71),
            (KeyKind::Management, 15 + 71),
        ] {
            let key = KeyText::generate(kind, &random(1));
            assert_eq!(key.reveal().len(), length);
            assert_eq!(check(key.reveal()), Ok(kind));
            let again: KeyText = key.reveal().parse().unwrap();
            assert_eq!((again.kind(), again.hash()), (kind, key.hash()));
        }
    }

    #[test]
    fn extreme_random_bytes_fit_their_digits() {
        for byte in [0, 255] {
            let key = KeyText::generate(KeyKind::Inference, &[byte; RANDOM_BYTES]);
            assert_eq!(check(key.reveal()), Ok(KeyKind::Inference));
        }
    }

    #[test]
    fn a_label_and_debug_output_show_no_digit_of_the_secret() {
        let key = KeyText::generate(KeyKind::Inference, &random(9));
        let label = key.label();
        assert_eq!(label.len(), 13 + 3 + 3 + 3);
        assert_eq!(format!("{key:?}"), label);
        let secret = &key.reveal()[13 + NAME_DIGITS..13 + NAME_DIGITS + SECRET_DIGITS];
        assert!(!label.contains(&secret[..6]));
        assert_eq!(super::label("hunter2"), "***");
        assert_eq!(super::label("sk-bourse-v1-hunter2"), "***");
    }

    #[test]
    fn an_inference_key_cannot_be_relabelled_as_a_management_key() {
        let key = KeyText::generate(KeyKind::Inference, &random(3));
        let forged = key.reveal().replacen("sk-bourse-v1-", "sk-bourse-mgmt-", 1);
        assert_eq!(check(&forged), Err(KeyError::Checksum));
    }

    #[test]
    fn other_peoples_keys_and_junk_are_malformed() {
        let long = format!("sk-bourse-v1-{}", "a".repeat(10_000));
        let wide = format!("sk-bourse-v1-{}", "é".repeat(36));
        for junk in [
            "",
            "sk-or-v1-abc",
            "sk-bourse-v1-",
            &long,
            &wide,
            "sk-bourse-v1-é",
        ] {
            assert_eq!(check(junk), Err(KeyError::Malformed));
        }
    }

    #[test]
    fn the_hash_is_the_sha256_of_the_text_in_hexadecimal() {
        // FIPS 180-2, appendix B.1.
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(KeyHash::of("abc").to_string(), text);
        assert_eq!(text.parse::<KeyHash>(), Ok(KeyHash::of("abc")));
        assert!("ba78".parse::<KeyHash>().is_err());
    }

    proptest! {
        #[test]
        fn any_changed_character_is_noticed(seed: [u8; 48], at in 0usize..84, to in 0usize..62) {
            let key = KeyText::generate(KeyKind::Inference, &seed);
            let mut bytes = key.reveal().as_bytes().to_vec();
            let changed = bytes[at] != BASE62[to];
            bytes[at] = BASE62[to];
            let text = String::from_utf8(bytes).unwrap();
            prop_assert_eq!(check(&text).is_err(), changed);
        }

        #[test]
        fn no_text_makes_the_checker_panic(text in "\\PC{0,120}") {
            let _ = check(&text);
            let _ = super::label(&text);
        }
    }
}
