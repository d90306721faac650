//! Reading JSON that is almost right.
//!
//! Servers that cut text by bytes or by UTF-16 units send invalid UTF-8 and
//! half surrogate pairs (`"\ud83e"` alone). The JSON parser refuses the whole
//! text for one such character, which would end a stream in the middle of a
//! good answer. Here each becomes U+FFFD, and everything else must be JSON.

use std::borrow::Cow;

use serde_json::Value;

/// The escape that stands for a character that could not be read.
const REPLACEMENT: &[u8] = b"\\ufffd";

/// The text, with what is not UTF-8 replaced by U+FFFD.
pub fn utf8(bytes: &[u8]) -> Cow<'_, [u8]> {
    if simdutf8::basic::from_utf8(bytes).is_ok() {
        return Cow::Borrowed(bytes);
    }
    Cow::Owned(String::from_utf8_lossy(bytes).into_owned().into_bytes())
}

/// Parses JSON, replacing what is not a character by U+FFFD.
///
/// # Errors
/// Whatever the parser says about a text that is not JSON otherwise. Nesting
/// is limited to 128 levels by the parser itself.
pub fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    // Almost every text is fine: the second look is paid by the others.
    match serde_json::from_slice(bytes) {
        Ok(value) => Ok(value),
        Err(_) => {
            let text = String::from_utf8_lossy(bytes);
            serde_json::from_slice(&mend_surrogates(text.as_bytes()))
        }
    }
}

/// Replaces the escapes of surrogates that have no other half.
fn mend_surrogates(text: &[u8]) -> Cow<'_, [u8]> {
    let mut mended: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (kept, taken) = match escape(rest) {
            // A pair is kept whole, a half is replaced.
            Some(0xD800..=0xDBFF) => match rest.get(6..).and_then(escape) {
                Some(0xDC00..=0xDFFF) => (rest.get(..12), 12),
                _ => (None, 6),
            },
            Some(0xDC00..=0xDFFF) => (None, 6),
            Some(_) => (rest.get(..6), 6),
            // Any other escape is two bytes, so that `\\u` is not mistaken.
            None if rest.first() == Some(&b'\\') => (rest.get(..2), 2),
            None => {
                let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
                (rest.get(..plain), plain)
            }
        };
        match kept {
            Some(kept) => {
                if let Some(mended) = &mut mended {
                    mended.extend_from_slice(kept);
                }
            }
            None if rest.len() < taken => break,
            None => mended
                .get_or_insert_with(|| text.get(..at).unwrap_or_default().to_vec())
                .extend_from_slice(REPLACEMENT),
        }
        at += taken;
    }
    mended.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The code unit of the `\uXXXX` at the beginning of `text`, if there is one.
fn escape(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], expected: &str) {
        assert_eq!(
            parse(text).expect("almost JSON"),
            Value::String(expected.into())
        );
    }

    #[test]
    fn half_a_surrogate_pair_becomes_a_replacement_character() {
        check(br#""a\ud83eb""#, "a\u{fffd}b");
        check(br#""\udd70""#, "\u{fffd}");
        check(br#""\ud83e\ud83e\udd70""#, "\u{fffd}\u{1f970}");
        check(br#""\ud83e\n""#, "\u{fffd}\n");
    }

    #[test]
    fn an_escaped_backslash_before_a_u_is_left_alone() {
        check(br#""\\ud83e \ud83e""#, "\\ud83e \u{fffd}");
    }

    #[test]
    fn bytes_that_are_not_utf_8_become_replacement_characters() {
        check(b"\"a\xff\"", "a\u{fffd}");
    }

    #[test]
    fn what_is_not_json_stays_an_error() {
        for text in ["", "{", "nope", "\"\\ud83e", "\"\\u12", "[1,]", "\"\\"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn good_json_is_never_changed(text in "\\PC*") {
            let json = serde_json::to_string(&text).unwrap();
            proptest::prop_assert_eq!(parse(json.as_bytes()).unwrap(), Value::String(text));
        }

        #[test]
        fn mending_never_loops_or_panics(bytes in proptest::collection::vec(
            proptest::prop_oneof![proptest::prelude::Just(b'\\'), proptest::prelude::Just(b'u'), proptest::prelude::Just(b'd'), proptest::prelude::Just(b'8'), proptest::prelude::any::<u8>()], 0..40)) {
            let _ = parse(&bytes);
        }
    }
}
