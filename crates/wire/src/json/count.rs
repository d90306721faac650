//! How many values a text has, before they are parsed.

use bytes::Bytes;
use memchr::memchr2;

/// An upper bound of the values in a JSON text: names of members are not
/// counted, empty objects and arrays once too often. Counting stops above
/// `enough`.
///
/// On a text that [`super::scan`] has not accepted the number means nothing.
#[must_use]
pub fn count_values(segments: &[Bytes], enough: usize) -> usize {
    let mut count = 1_usize;
    let mut in_text = false;
    let mut escaped = false;
    for segment in segments {
        let mut rest: &[u8] = segment;
        while let Some((&byte, tail)) = rest.split_first() {
            if std::mem::take(&mut escaped) {
                rest = tail;
                continue;
            }
            if in_text {
                let Some(end) = memchr2(b'"', b'\\', rest) else {
                    break;
                };
                escaped = rest.get(end) == Some(&b'\\');
                in_text = escaped;
                rest = rest.get(end.saturating_add(1)..).unwrap_or_default();
                continue;
            }
            match byte {
                b'"' => in_text = true,
                b',' | b'[' | b'{' => count = count.saturating_add(1),
                _ => {}
            }
            rest = tail;
        }
        if count > enough {
            break;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str, size: usize) -> usize {
        let segments: Vec<Bytes> = text
            .as_bytes()
            .chunks(size)
            .map(Bytes::copy_from_slice)
            .collect();
        count_values(&segments, usize::MAX)
    }

    #[test]
    fn what_strings_contain_is_not_counted() {
        let text = r#"{"a":[1,2,{"b":"x,[{\",\\"}],"c":null}"#;
        // Two objects, the array, two numbers, a text and a null.
        for size in 1..text.len() {
            assert_eq!(count(text, size), 7, "in pieces of {size}");
        }
    }

    #[test]
    fn it_is_never_less_than_there_are() {
        for (text, values) in [
            ("{}", 1),
            ("[]", 1),
            ("[[],[]]", 3),
            (r#"{"a":{},"b":[]}"#, 3),
        ] {
            let counted = count(text, 3);
            assert!(
                counted >= values && counted <= 2 * values,
                "{text}: {counted}"
            );
        }
    }

    #[test]
    fn counting_stops_when_it_is_enough() {
        let segments = vec![Bytes::from("[1,1,1,1"), Bytes::from(",1".repeat(100))];
        assert_eq!(count_values(&segments, 3), 5);
    }
}
