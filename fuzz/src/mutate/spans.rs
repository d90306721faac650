//! Where the values of JSON are in bytes that may have anything around them,
//! and may be no JSON any more.

use std::ops::Range;

/// Values that are looked for at most: enough to reach every part of an input.
const SPANS_MAX: usize = 2_048;

/// A value, or what looks like one.
#[derive(Debug, Clone)]
pub struct Span {
    /// All of it, with its quotes or brackets.
    pub at: Range<usize>,
    /// From the beginning of its name, if it is a member.
    pub member: Option<usize>,
    /// What it begins with.
    pub first: u8,
}

impl Span {
    /// The member with its name, or the element.
    #[must_use]
    pub fn whole(&self) -> Range<usize> {
        self.member.unwrap_or(self.at.start)..self.at.end
    }
}

/// Finds values: one pass, no recursion, nothing refused.
#[must_use]
pub fn find(input: &[u8]) -> Vec<Span> {
    let mut found = Vec::new();
    let mut open: Vec<(usize, Option<usize>)> = Vec::new();
    let mut name = None;
    let mut at = 0;
    while let Some(&byte) = input.get(at) {
        if found.len() >= SPANS_MAX {
            break;
        }
        let start = at;
        at += 1;
        match byte {
            b'{' | b'[' => open.push((start, name.take())),
            b'}' | b']' => {
                if let Some((start, member)) = open.pop() {
                    found.push(span(input, start..at, member));
                }
                name = None;
            }
            b'"' => {
                at = end_of_text(input, at);
                let is_name = input
                    .get(at..)
                    .is_some_and(|rest| rest.trim_ascii_start().starts_with(b":"));
                if is_name {
                    name = Some(start);
                } else {
                    found.push(span(input, start..at, name.take()));
                }
            }
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                while input
                    .get(at)
                    .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
                {
                    at += 1;
                }
                found.push(span(input, start..at, name.take()));
            }
            _ => {}
        }
    }
    found
}

fn span(input: &[u8], at: Range<usize>, member: Option<usize>) -> Span {
    let first = input.get(at.start).copied().unwrap_or_default();
    Span { at, member, first }
}

fn end_of_text(input: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = input.get(at) {
        at += match byte {
            b'"' => return at + 1,
            b'\\' => 2,
            _ => 1,
        };
    }
    input.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_with_their_names_whatever_is_around_them() {
        let text = br#"data: {"a":[1,"b"],"c" : -2e5}"#;
        let found: Vec<_> = find(text)
            .iter()
            .map(|span| String::from_utf8_lossy(&text[span.whole()]).into_owned())
            .collect();
        assert!(found.contains(&r#""a":[1,"b"]"#.to_owned()), "{found:?}");
        assert!(found.contains(&r#""c" : -2e5"#.to_owned()), "{found:?}");
        assert!(found.contains(&"1".to_owned()), "{found:?}");
        assert!(find(b"]}\"\\").len() <= 1);
    }
}
