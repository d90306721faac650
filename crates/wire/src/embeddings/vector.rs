//! Vectors as they stand in JSON: an array of numbers, or base64 of 32-bit
//! floats with the lowest byte first, which is a quarter as long and what
//! OpenAI's libraries ask for unless they are told otherwise.
//!
//! A vector is checked before it goes on, because whoever stores it finds a
//! wrong one years later if at all: every number is one, is finite, and all
//! vectors of a reply are equally long. Where it goes on in the way in which
//! it came, its bytes do. Otherwise it is converted, and back again it is the
//! same, bit by bit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bourse_vocab::embeddings::{Encoding, Vector};
use bytes::Bytes;

use crate::json::text;

/// Bytes of a float in base64.
const FLOAT_BYTES: usize = 4;
/// A number of so few bytes without an exponent is below the largest float,
/// which has 39 digits.
const PLAIN_BYTES: usize = 38;

/// Why something is no vector.
pub type Problem = &'static str;

/// Takes a value of a reply for a vector; says how long it is. `raw` must be a
/// JSON value within `body`.
///
/// # Errors
/// It is none.
pub fn of_json(body: &Bytes, raw: &str) -> Result<(Vector, usize), Problem> {
    match raw.as_bytes().first() {
        Some(b'[') => {
            let length = numbers(raw)?;
            Ok((Vector::Numbers(body.slice_ref(raw.as_bytes())), length))
        }
        Some(b'"') => {
            let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or("");
            // Some servers write every slash with an escape.
            let plain = if inner.contains('\\') {
                let read = text::string(raw.as_bytes()).ok_or("a vector has a broken escape")?;
                Bytes::from(read.into_owned())
            } else {
                body.slice_ref(inner.as_bytes())
            };
            let length = floats(&plain)?.len() / FLOAT_BYTES;
            Ok((Vector::Base64(plain), length))
        }
        _ => Err("a vector is neither an array nor base64"),
    }
}

/// Checks a JSON array of numbers, and counts them.
fn numbers(array: &str) -> Result<usize, Problem> {
    let inner = array.get(1..array.len().saturating_sub(1)).unwrap_or("");
    let mut count = 0_usize;
    for number in inner.split(',') {
        let number = number.trim_ascii();
        let is_digit = |byte: u8| byte.is_ascii_digit() || byte == b'-' || byte == b'.';
        let is_plain = number.len() <= PLAIN_BYTES && number.bytes().all(is_digit);
        // It is JSON, so what has only digits is a number.
        if number.is_empty() || !(is_plain || float(number).is_some()) {
            return Err("a vector has something else than numbers of 32 bits in it");
        }
        count = count.saturating_add(1);
    }
    Ok(count)
}

/// Reads a number, rounded to the nearest float.
fn float(number: &str) -> Option<f32> {
    // Rust also reads `inf` and `nan`, which no JSON number is.
    let begins = number.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let value: f32 = number.parse().ok().filter(|_| begins)?;
    value.is_finite().then_some(value)
}

/// Decodes base64 of finite floats.
fn floats(base64: &[u8]) -> Result<Vec<u8>, Problem> {
    let bytes = STANDARD
        .decode(base64)
        .map_err(|_| "a vector is no base64")?;
    let (whole, rest) = bytes.as_chunks::<FLOAT_BYTES>();
    if whole.is_empty() || !rest.is_empty() {
        return Err("a vector is not a number of whole floats");
    }
    if whole
        .iter()
        .any(|bytes| !f32::from_le_bytes(*bytes).is_finite())
    {
        return Err("a vector has something else than numbers in it");
    }
    Ok(bytes)
}

/// Appends a vector as JSON, in the way that was asked for.
///
/// # Errors
/// It is none after all.
pub fn write(vector: &Vector, encoding: Encoding, out: &mut Vec<u8>) -> Result<(), Problem> {
    match (vector, encoding) {
        (Vector::Numbers(array), Encoding::Float) => out.extend_from_slice(array),
        (Vector::Base64(text), Encoding::Base64) => quoted(text, out),
        (Vector::Numbers(array), Encoding::Base64) => {
            let bytes = bytes_of(array).ok_or("a vector has something else than numbers in it")?;
            quoted(STANDARD.encode(bytes).as_bytes(), out);
        }
        (Vector::Base64(text), Encoding::Float) => {
            let bytes = floats(text)?;
            out.push(b'[');
            for (number, bytes) in bytes.as_chunks::<FLOAT_BYTES>().0.iter().enumerate() {
                if number > 0 {
                    out.push(b',');
                }
                // The shortest digits that read as the same float again.
                crate::object::write(out, &f32::from_le_bytes(*bytes));
            }
            out.push(b']');
        }
    }
    Ok(())
}

fn quoted(base64: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(base64);
    out.push(b'"');
}

/// The floats of a JSON array of numbers, byte by byte.
fn bytes_of(array: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(array).ok()?;
    let inner = text.get(1..text.len().checked_sub(1)?)?;
    let mut bytes = Vec::with_capacity(inner.len() / 2);
    for number in inner.split(',') {
        bytes.extend_from_slice(&float(number.trim_ascii())?.to_le_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(raw: &str) -> Result<(Vector, usize), Problem> {
        let body = Bytes::copy_from_slice(raw.as_bytes());
        let text = std::str::from_utf8(&body).unwrap().to_owned();
        let within = std::str::from_utf8(&body).unwrap();
        assert_eq!(text, within);
        of_json(&body, within)
    }

    fn written(vector: &Vector, encoding: Encoding) -> String {
        let mut out = Vec::new();
        write(vector, encoding, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_vector_goes_on_as_it_came_where_that_is_asked_for() {
        let digits = "[0.00230642550, -1e-3,\n3]";
        let (vector, length) = read(digits).unwrap();
        assert_eq!(length, 3);
        assert_eq!(written(&vector, Encoding::Float), digits);
        // 1.0 and -2.5, lowest byte first.
        let base64 = "\"AACAPwAAIMA=\"";
        let (vector, length) = read(base64).unwrap();
        assert_eq!(length, 2);
        assert_eq!(written(&vector, Encoding::Base64), base64);
    }

    #[test]
    fn a_vector_is_converted_where_something_else_is_asked_for() {
        let (numbers, _) = read("[1,-2.50]").unwrap();
        assert_eq!(written(&numbers, Encoding::Base64), "\"AACAPwAAIMA=\"");
        let (base64, _) = read("\"AACAPwAAIMA=\"").unwrap();
        assert_eq!(written(&base64, Encoding::Float), "[1.0,-2.5]");
        // A slash that is written with an escape, as PHP does.
        let (escaped, _) = read("\"\\/\\/9\\/fw==\"").unwrap();
        assert_eq!(written(&escaped, Encoding::Base64), "\"//9/fw==\"");
    }

    #[test]
    fn what_is_no_vector_is_refused() {
        for raw in [
            "[]",
            "[1,null]",
            "[1,\"2\"]",
            "[[1]]",
            "[1e39]",
            "[1,true]",
            "[{}]",
            "null",
            "1",
            "{}",
            "\"\"",
            "\"AACA\"",
            "\"AACAPw\"",
            "\"no base64\"",
            // NaN and infinity.
            "\"AADAfw==\"",
            "\"AACAfw==\"",
            "[1000000000000000000000000000000000000000]",
        ] {
            assert!(read(raw).is_err(), "{raw}");
        }
    }

    proptest! {
        #[test]
        fn floats_are_the_same_bit_by_bit_after_every_way_there_and_back(
            bits in prop::collection::vec(any::<u32>(), 1..64)
        ) {
            let floats: Vec<f32> = bits.iter().map(|bits| f32::from_bits(*bits)).collect();
            let bytes: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
            let base64 = format!("\"{}\"", STANDARD.encode(&bytes));
            let finite = floats.iter().all(|float| float.is_finite());
            let Ok((vector, length)) = read(&base64) else {
                prop_assert!(!finite);
                return Ok(());
            };
            prop_assert!(finite);
            prop_assert_eq!(length, floats.len());
            let (numbers, length) = read(&written(&vector, Encoding::Float)).unwrap();
            prop_assert_eq!(length, floats.len());
            prop_assert_eq!(written(&numbers, Encoding::Base64), base64);
        }
    }
}
