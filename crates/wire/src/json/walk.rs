//! Looking inside a value that was scanned before.
//!
//! These iterators trust their input: on a text that [`super::scan`] has
//! accepted they find every member and every element; on any other they
//! may stop early, but never panic and never loop.

use std::ops::Range;

use memchr::memchr2;

use super::Kind;

/// One member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The name as written, without its quotes (escapes and all).
    pub name: &'a [u8],
    /// The value as written.
    pub value: &'a [u8],
    /// Where the value is, from the beginning of the object.
    pub at: Range<usize>,
    /// What sort of value it is.
    pub kind: Kind,
}

/// The members of an object, in order.
#[must_use]
pub fn members(object: &[u8]) -> Members<'_> {
    let open = skip_space(object, 0);
    let at = if object.get(open) == Some(&b'{') {
        open.saturating_add(1)
    } else {
        object.len()
    };
    Members { text: object, at }
}

/// Iterates over [`members`].
#[derive(Debug, Clone)]
pub struct Members<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let key = skip_separators(self.text, self.at);
        if self.text.get(key) != Some(&b'"') {
            self.at = self.text.len();
            return None;
        }
        let key_end = string_end(self.text, key)?;
        let value = skip_separators(self.text, key_end);
        let (end, kind) = value_end(self.text, value)?;
        self.at = end;
        Some(Entry {
            name: self
                .text
                .get(key.saturating_add(1)..key_end.saturating_sub(1))?,
            value: self.text.get(value..end)?,
            at: value..end,
            kind,
        })
    }
}

/// The elements of an array, in order.
#[must_use]
pub fn elements(array: &[u8]) -> Elements<'_> {
    let open = skip_space(array, 0);
    let at = if array.get(open) == Some(&b'[') {
        open.saturating_add(1)
    } else {
        array.len()
    };
    Elements { text: array, at }
}

/// Iterates over [`elements`].
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    text: &'a [u8],
    at: usize,
}

/// One element of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element<'a> {
    /// The value as written.
    pub value: &'a [u8],
    /// Where the value is, from the beginning of the array.
    pub at: Range<usize>,
    /// What sort of value it is.
    pub kind: Kind,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let start = skip_separators(self.text, self.at);
        let (end, kind) = value_end(self.text, start)?;
        self.at = end;
        Some(Element {
            value: self.text.get(start..end)?,
            at: start..end,
            kind,
        })
    }
}

fn skip_space(text: &[u8], from: usize) -> usize {
    skip(text, from, |byte| {
        matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
    })
}

fn skip_separators(text: &[u8], from: usize) -> usize {
    skip(text, from, |byte| {
        matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':')
    })
}

fn skip(text: &[u8], from: usize, skipped: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let count = rest
        .iter()
        .position(|byte| !skipped(*byte))
        .unwrap_or(rest.len());
    from.saturating_add(count)
}

/// The offset behind the closing quote of the string that begins at `open`.
pub(crate) fn string_end(text: &[u8], open: usize) -> Option<usize> {
    let mut at = open.checked_add(1)?;
    loop {
        let hit = at.checked_add(memchr2(b'"', b'\\', text.get(at..)?)?)?;
        if text.get(hit) == Some(&b'"') {
            return hit.checked_add(1);
        }
        at = hit.checked_add(2)?;
    }
}

/// The offset behind the value that begins at `start`, and its kind.
fn value_end(text: &[u8], start: usize) -> Option<(usize, Kind)> {
    let kind = match text.get(start)? {
        b'"' => return Some((string_end(text, start)?, Kind::String)),
        b'{' => Kind::Object,
        b'[' => Kind::Array,
        b't' => Kind::True,
        b'f' => Kind::False,
        b'n' => Kind::Null,
        b'-' | b'0'..=b'9' => Kind::Number,
        _ => return None,
    };
    if !matches!(kind, Kind::Object | Kind::Array) {
        let end = skip(text, start, |byte| {
            !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b'}' | b']')
        });
        return Some((end, kind));
    }
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match text.get(at)? {
            b'"' => {
                at = string_end(text, at)?;
                continue;
            }
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at = at.saturating_add(1);
        if depth == 0 {
            return Some((at, kind));
        }
    }
}
