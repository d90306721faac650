//! Where a string ends.
//!
//! Prose and code are full of escapes, and stopping at each of them would
//! cost more than the rest of the search. So only quotes are looked for, and
//! whether one is escaped is seen by counting the backslashes before it.

use memchr::memchr;

/// Bytes that are looked at word by word before `memchr` is called: names
/// and schema words are shorter than what that costs.
const WORDS_BYTES: usize = 32;

/// Where the string ends whose content begins `text`: the offset of its
/// closing quote.
#[inline]
pub fn text_end(text: &[u8]) -> Option<usize> {
    let end = string_end(text, 0);
    (end < text.len()).then_some(end)
}

/// The offset of the quote that closes the string whose content begins at
/// `start`; the length of the text if there is none.
///
/// A number and no `Option`, and nothing after the call: so it needs no stack.
#[inline(never)]
pub(super) fn string_end(text: &[u8], start: usize) -> usize {
    let inside = text.get(start..).unwrap_or_default();
    match near_quote(inside) {
        Some(quote) if !is_escaped(inside, quote) => start + quote,
        _ => far_end(text, start),
    }
}

/// The same for a string that is long, contains a quote, or is at the end of
/// the text.
#[inline(never)]
fn far_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(quote) = find_quote(rest) else {
            return text.len();
        };
        if !is_escaped(rest, quote) {
            return at + quote;
        }
        at += quote + 1;
    }
}

/// The next quote, escaped or not.
#[inline]
fn find_quote(text: &[u8]) -> Option<usize> {
    if let Some(near) = near_quote(text) {
        return Some(near);
    }
    let far = text.get(WORDS_BYTES..).unwrap_or(text);
    memchr(b'"', far).map(|found| text.len() - far.len() + found)
}

/// The next quote if it is among the first bytes, and these are not the last.
#[inline(always)]
fn near_quote(text: &[u8]) -> Option<usize> {
    let (words, _) = text.first_chunk::<WORDS_BYTES>()?.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let found = bytes_equal(u64::from_le_bytes(*word), b'"');
        if found != 0 {
            return Some(number * 8 + first(found));
        }
    }
    None
}

/// Whether the quote at `quote` is part of the string that begins `text`.
#[inline(always)]
fn is_escaped(text: &[u8], quote: usize) -> bool {
    let Some((before, _)) = text.split_at_checked(quote) else {
        return false;
    };
    before.last() == Some(&b'\\') && is_odd(before)
}

/// Whether a text ends with an odd number of backslashes.
#[inline(never)]
pub(super) fn is_odd(text: &[u8]) -> bool {
    let slashes = text.iter().rev().take_while(|byte| **byte == b'\\');
    slashes.count() & 1 == 1
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Marks the highest bit of each of eight bytes that is `byte`: the classic
/// test for a zero byte, applied to the difference (Warren, Hacker's Delight,
/// section 6-1). The lowest mark is right, marks above it may not be.
#[inline]
const fn bytes_equal(word: u64, byte: u8) -> u64 {
    let zero_where_equal = word ^ (ONES * byte as u64);
    zero_where_equal.wrapping_sub(ONES) & !zero_where_equal & HIGH
}

/// The same for bytes below a space, which JSON escapes.
#[inline]
const fn controls(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20) & !word & HIGH
}

/// The place of the lowest mark.
#[inline]
const fn first(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

/// Marks the bytes that must be escaped in a JSON string.
#[inline]
const fn specials(word: u64) -> u64 {
    bytes_equal(word, b'"') | bytes_equal(word, b'\\') | controls(word)
}

/// The first byte that must be escaped in a JSON string.
#[inline]
pub(super) fn find_special(text: &[u8]) -> Option<usize> {
    let (words, rest) = text.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let found = specials(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(number * 8 + first(found));
        }
    }
    // The last word overlaps the one before, which has nothing.
    if let Some(last) = text.last_chunk::<8>()
        && specials(u64::from_le_bytes(*last)) == 0
    {
        return None;
    }
    let found = rest
        .iter()
        .position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'))?;
    Some(words.len() * 8 + found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_is_found_wherever_it_is() {
        for before in 0..80 {
            for filler in ['x', '!', '#', '\u{2}', 'é'] {
                let mut text = filler.to_string().repeat(before);
                let start = text.len();
                assert_eq!(text_end(text.as_bytes()), None, "{text}");
                text.push_str("\"\"x\"");
                assert_eq!(text_end(text.as_bytes()), Some(start), "{text}");
            }
        }
    }

    #[test]
    fn a_quote_behind_an_odd_number_of_backslashes_ends_nothing() {
        for before in 0..40 {
            for slashes in 0..6 {
                let head = "x".repeat(before) + &"\\".repeat(slashes);
                let text = format!("{head}\"tail\"");
                let end = if slashes % 2 == 0 {
                    head.len()
                } else {
                    head.len() + 5
                };
                assert_eq!(text_end(text.as_bytes()), Some(end), "{text}");
            }
        }
    }

    #[test]
    fn what_must_be_escaped_is_found_byte_by_byte() {
        for byte in 0..=u8::MAX {
            for (before, after) in [(0, 0), (3, 9), (7, 1), (8, 8), (17, 30)] {
                let mut text = vec![b' '; before];
                text.push(byte);
                text.extend(std::iter::repeat_n(0xE9, after));
                let is_special = byte < 0x20 || byte == b'"' || byte == b'\\';
                let expected = is_special.then_some(before);
                assert_eq!(find_special(&text), expected, "{byte} behind {before}");
            }
        }
    }
}
