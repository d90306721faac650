//! Looking inside a value that was scanned before.
//!
//! These iterators trust their input: on a text that [`super::scan`] has
//! accepted they find every member and every element; on any other they
//! may stop early, but never panic and never loop.

use std::ops::Range;

use super::{Kind, quote};

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

impl<'a> Members<'a> {
    /// The members of the object that begins at `open`, where a text has more
    /// than the object.
    pub(crate) fn of_object_at(text: &'a [u8], open: usize) -> Self {
        Self {
            text,
            at: open.saturating_add(1),
        }
    }

    /// The offset behind the object's closing brace, once all members were
    /// taken; nothing, if the text ends before it.
    pub(crate) fn end(&self) -> Option<usize> {
        let at = skip_separators(self.text, self.at);
        (self.text.get(at) == Some(&b'}')).then(|| at.saturating_add(1))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let key = skip_separators(self.text, self.at);
        if self.text.get(key) != Some(&b'"') {
            self.at = key;
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

/// Where the object begins that comes next behind an offset, if one does.
pub(crate) fn next_object(text: &[u8], from: usize) -> Option<usize> {
    let at = skip_separators(text, from);
    (text.get(at) == Some(&b'{')).then_some(at)
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
    let end = quote::string_end(text, open.checked_add(1)?);
    (end < text.len()).then(|| end.saturating_add(1))
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
