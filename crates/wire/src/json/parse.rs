//! Parsing a text that was scanned, member by member.

use bourse_vocab::json::{Map, ParseError, Value, parse};
use bytes::Bytes;

use super::{Outline, raw};

/// Parses a text whose members were found already. Only a member that lies in
/// several pieces is joined, and only for as long as it is parsed: the text
/// as a whole is never copied.
///
/// # Errors
/// What the scanner left to parsers: a malformed escape in a string.
pub fn parse_scanned(outline: &Outline, segments: &[Bytes]) -> Result<Value, ParseError> {
    let mut members = Map::new();
    for (name, member) in outline.iter() {
        let text = raw(segments, &member.value);
        let value = parse(&text).map_err(|error| ParseError {
            at: member.value.start.saturating_add(error.at),
            ..error
        })?;
        members.insert(name.to_owned(), value);
    }
    Ok(Value::Object(members))
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
        let text = r#" {"b":[1,{"z":1.50,"a":"\u00e9\ud83e"}], "a" : "x" ,"c":{},"d":-0} "#;
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
