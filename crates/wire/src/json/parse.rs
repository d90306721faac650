//! Parsing a text that was scanned, member by member.

use std::ops::Range;

use bourse_vocab::json::{Map, ParseError, Value, parse};
use bytes::Bytes;
use memchr::memchr2;

use super::segments::{Cursor, pieces};
use super::{Kind, Outline};

/// Parses a text whose members were found already. Only what lies in several
/// pieces is joined, a member or an element of a list at a time, and only for
/// as long as it is parsed: the text as a whole is never copied.
///
/// # Errors
/// What the scanner left to parsers: a malformed escape in a string.
pub fn parse_scanned(outline: &Outline, segments: &[Bytes]) -> Result<Value, ParseError> {
    let mut members = Map::new();
    let mut cursor = Cursor::new(segments);
    let mut joined = Vec::new();
    for (name, member) in outline.iter() {
        let place = &member.value;
        let is_long_list = member.kind == Kind::Array && pieces(segments, place).nth(1).is_some();
        let value = if is_long_list {
            let mut values = Vec::new();
            each_element(segments, place, |element| {
                values.push(parse_at(&mut cursor, &element, &mut joined)?);
                Ok(())
            })?;
            Value::Array(values)
        } else {
            parse_at(&mut cursor, place, &mut joined)?
        };
        members.insert(name.to_owned(), value);
    }
    Ok(Value::Object(members))
}

/// Parses what is at a place that does not begin before the last one.
fn parse_at(
    cursor: &mut Cursor<'_>,
    place: &Range<usize>,
    joined: &mut Vec<u8>,
) -> Result<Value, ParseError> {
    let mut found = cursor.pieces(place);
    let first = found.next().unwrap_or_default();
    let parsed = match found.next() {
        None => parse(first),
        Some(second) => {
            joined.clear();
            joined.reserve_exact(place.len());
            joined.extend_from_slice(first);
            joined.extend_from_slice(second);
            found.for_each(|piece| joined.extend_from_slice(piece));
            if let Some(text) = take_text(joined) {
                return Ok(Value::String(text));
            }
            let parsed = parse(joined);
            if joined.capacity() > JOINED_BYTES_KEPT {
                *joined = Vec::new();
            }
            parsed
        }
    };
    parsed.map_err(|error| ParseError {
        at: place.start.saturating_add(error.at),
        ..error
    })
}

/// Takes a string that is written as it is: the longest ones are base64, and
/// are not copied once more.
fn take_text(joined: &mut Vec<u8>) -> Option<String> {
    let text = joined.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let is_special = |byte: &u8| *byte < b' ' || matches!(byte, b'"' | b'\\');
    if text.len() < JOINED_BYTES_KEPT || text.iter().any(is_special) {
        return None;
    }
    let mut text = std::mem::take(joined);
    text.pop();
    text.remove(0);
    match String::from_utf8(text) {
        Ok(text) => Some(text),
        Err(error) => {
            // The scanner has let none of these through.
            *joined = error.into_bytes();
            None
        }
    }
}

/// Room for joining that is kept for the next element.
const JOINED_BYTES_KEPT: usize = 64 * 1024;

/// Calls `each` with the place of every element of a list that was scanned.
fn each_element(
    segments: &[Bytes],
    list: &Range<usize>,
    mut each: impl FnMut(Range<usize>) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    let mut at = list.start;
    let mut start = at.saturating_add(1);
    let mut is_blank = true;
    for piece in pieces(segments, list) {
        let mut rest = piece;
        while let Some((&byte, tail)) = rest.split_first() {
            let mut length = 1;
            if std::mem::take(&mut escaped) {
                // Whatever it is, it ends nothing.
            } else if in_text {
                let hit = memchr2(b'"', b'\\', rest);
                in_text = hit.is_none_or(|hit| rest.get(hit) == Some(&b'\\'));
                escaped = in_text && hit.is_some();
                length = hit.map_or(rest.len(), |hit| hit.saturating_add(1));
            } else {
                let is_end = depth == 1 && matches!(byte, b',' | b']');
                if is_end && !is_blank {
                    each(start..at)?;
                }
                if is_end {
                    start = at.saturating_add(1);
                    is_blank = true;
                } else {
                    is_blank &= depth == 0 || byte.is_ascii_whitespace();
                }
                match byte {
                    b'"' => in_text = true,
                    b'[' | b'{' => depth = depth.saturating_add(1),
                    b']' | b'}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
            }
            at = at.saturating_add(length);
            rest = rest.get(length..).unwrap_or(tail);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::scan;
    use super::*;

    fn pieces(text: &[u8], size: usize) -> Vec<Bytes> {
        text.chunks(size.max(1))
            .map(Bytes::copy_from_slice)
            .collect()
    }

    #[test]
    fn a_text_in_pieces_is_parsed_like_the_whole() {
        let text = r#" {"b":[1,{"z":1.50,"a":"\u00e9\ud83e"}], "a" : "x" ,"c":{},"d":-0,
            "e":[ ],"f":[],"g":["],[{", "\\\"",[[1,2],[]],{"x":[3,4]} , null,"é"]} "#;
        let whole = parse(text.as_bytes()).unwrap();
        for size in 1..=text.len() {
            let pieces = pieces(text.as_bytes(), size);
            let outline = scan(text.as_bytes()).unwrap();
            let parsed = parse_scanned(&outline, &pieces).unwrap();
            assert_eq!(parsed.to_string(), whole.to_string());
        }
    }

    #[test]
    fn a_mistake_is_told_by_its_place_in_the_whole_text() {
        let text = br#"{"a":1,"b":"\x"}"#;
        let outline = scan(text).unwrap();
        let split = parse_scanned(&outline, &pieces(text, 5)).unwrap_err();
        assert_eq!(split, parse(text).unwrap_err());
    }

    #[test]
    fn a_long_text_in_pieces_is_parsed_like_the_whole() {
        let long = "größer ".repeat(20_000);
        for inner in [&*long, &*format!("{long}\\n"), &*format!("{long}\u{7f}")] {
            let text = format!(r#"{{"a":"{inner}","b":[ "{inner}" ,1],"c":"x"}}"#);
            let outline = scan(text.as_bytes()).unwrap();
            let parsed = parse_scanned(&outline, &pieces(text.as_bytes(), 4_096)).unwrap();
            assert_eq!(parsed, parse(text.as_bytes()).unwrap());
        }
    }

    proptest! {
        #[test]
        fn members_come_out_as_they_went_in(
            members in proptest::collection::btree_map("[a-z]{1,8}", "\\PC{0,12}", 0..8),
            size in 1_usize..40,
        ) {
            let text = serde_json::to_vec(&members).unwrap();
            let outline = scan(&text).unwrap();
            let parsed = parse_scanned(&outline, &pieces(&text, size)).unwrap();
            prop_assert_eq!(parsed, parse(&text).unwrap());
        }
    }
}
