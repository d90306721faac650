//! Reading one small value from its text.

use std::borrow::Cow;

use super::quote::find_special;

/// Reads a string value, quotes included. Half of a surrogate pair, which
/// some servers send when they cut an emoji in two, becomes U+FFFD.
///
/// `None` if it is not a string or has a malformed escape.
#[must_use]
pub fn string(value: &[u8]) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let Some(first) = memchr::memchr(b'\\', inner) else {
        return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
    };
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    let mut next = Some(first);
    while let Some(at) = next {
        let (plain, escape) = rest.split_at_checked(at)?;
        out.push_str(std::str::from_utf8(plain).ok()?);
        rest = unescape(escape, &mut out)?;
        next = memchr::memchr(b'\\', rest);
    }
    out.push_str(std::str::from_utf8(rest).ok()?);
    Some(Cow::Owned(out))
}

/// Reads one escape at the beginning of `text`; returns what follows it.
fn unescape<'a>(text: &'a [u8], out: &mut String) -> Option<&'a [u8]> {
    let (code, rest) = text.get(1..)?.split_first()?;
    out.push(match code {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let (unit, rest) = code_unit(rest)?;
            if (0xD800..0xDC00).contains(&unit)
                && let Some((low, after)) = rest.strip_prefix(b"\\u").and_then(code_unit)
                && (0xDC00..0xE000).contains(&low)
            {
                let code = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                return Some(after);
            }
            out.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
            return Some(rest);
        }
        _ => return None,
    });
    Some(rest)
}

fn code_unit(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(4)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let digits = std::str::from_utf8(digits).ok()?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

/// Reads a whole number without sign, fraction or exponent.
#[must_use]
pub fn u64(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Reads a whole number.
#[must_use]
pub fn i64(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Reads a whole number in whatever way it is written: `7`, `7.0` and `7e0` are
/// one to JSON Schema.
#[must_use]
pub fn whole(value: &[u8]) -> Option<i128> {
    if let Some(number) = u64(value) {
        return Some(i128::from(number));
    }
    match bourse_vocab::json::parse(value).ok()? {
        bourse_vocab::json::Value::Number(number) => number.as_whole(),
        _ => None,
    }
}

/// Reads a number. Only for comparing with a range: never for money.
#[must_use]
pub fn f64(value: &[u8]) -> Option<f64> {
    let number: f64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    number.is_finite().then_some(number)
}

/// Reads `true` or `false`.
#[must_use]
pub fn bool(value: &[u8]) -> Option<bool> {
    match value {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// Appends `text` as a JSON string, quotes included.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(text.len().saturating_add(2));
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = find_special(rest) {
        let Some((plain, tail)) = rest.split_at_checked(at) else {
            break;
        };
        out.extend_from_slice(plain);
        let Some((byte, tail)) = tail.split_first() else {
            break;
        };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                out.extend_from_slice(b"\\u00");
                for digit in [control >> 4, control & 15] {
                    out.push(HEX.get(usize::from(digit)).copied().unwrap_or(b'0'));
                }
            }
        }
        rest = tail;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
