//! The text that is made of a vendor's: pieces of the vendor's text, and what
//! is written between them.
//!
//! Most of an answer stays as it is. So what is kept is not copied piece by
//! piece, but when something else is to be written, and neighbours in the
//! vendor's text are then one copy.

use std::ops::Range;

use crate::json::walk::Entry;

/// What is written so far, and the piece of the vendor's text that is to
/// follow it.
pub(super) struct Output<'a> {
    text: &'a [u8],
    kept: Range<usize>,
    out: &'a mut Vec<u8>,
}

impl<'a> Output<'a> {
    /// Appends to `out` what is made of `text`.
    pub const fn new(text: &'a [u8], out: &'a mut Vec<u8>) -> Self {
        Self {
            text,
            kept: 0..0,
            out,
        }
    }

    /// How long the output is.
    pub fn len(&self) -> usize {
        self.out.len() + self.kept.len()
    }

    /// The output, to write something of one's own.
    pub fn open(&mut self) -> &mut Vec<u8> {
        if !self.kept.is_empty() {
            let kept = self.text.get(self.kept.clone());
            self.out.extend_from_slice(kept.unwrap_or_default());
            self.kept.start = self.kept.end;
        }
        self.out
    }

    /// Writes something of our own.
    pub fn write(&mut self, text: &[u8]) {
        self.open().extend_from_slice(text);
    }

    /// Writes a number of our own.
    pub fn number(&mut self, number: u64) {
        self.write(itoa::Buffer::new().format(number).as_bytes());
    }

    /// Keeps a piece of the vendor's text.
    pub fn keep(&mut self, piece: Range<usize>) {
        if piece.start != self.kept.end {
            self.open();
            self.kept.start = piece.start;
        }
        self.kept.end = piece.end;
    }

    /// Keeps one byte of the vendor's text.
    pub fn keep_byte(&mut self, at: usize) {
        self.keep(at..at + 1);
    }

    /// Writes a comma in front of what the vendor has at `at`.
    pub fn comma(&mut self, at: usize) {
        let before = at.wrapping_sub(1);
        if self.text.get(before) == Some(&b',') {
            self.keep_byte(before);
        } else {
            self.write(b",");
        }
    }

    /// Writes the name of a member, with a comma if it is not the first.
    pub fn name(&mut self, name: &[u8], first: bool) {
        let out = self.open();
        out.extend_from_slice(if first { b"\"" } else { b",\"" });
        out.extend_from_slice(name);
        out.extend_from_slice(b"\":");
    }

    /// Keeps the name of a member that is at `name_at`, and whose value is at
    /// `value_at`, with a comma if it is not the first.
    pub fn keep_name(&mut self, name: &[u8], name_at: usize, value_at: usize, first: bool) {
        /// Two quotes and the colon.
        const AROUND: usize = 3;
        if value_at != name_at + name.len() + AROUND {
            // There is white space, which does not leave the house.
            return self.name(name, first);
        }
        if !first {
            self.comma(name_at);
        }
        self.keep(name_at..value_at);
    }

    /// Keeps a member whose name is at `name_at`.
    pub fn member(&mut self, entry: &Entry<'_>, name_at: usize, first: bool) {
        self.keep_name(entry.name, name_at, entry.at.start, first);
        self.keep(entry.at.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Reader;

    /// Writes an object anew without the members named `x`.
    fn without_x(text: &str) -> String {
        let mut out = Vec::new();
        let mut output = Output::new(text.as_bytes(), &mut out);
        let mut reader = Reader::new(text);
        reader.enter_object().unwrap();
        output.keep_byte(reader.offset() - 1);
        let mut first = true;
        while let Some(name) = reader.next_member().unwrap() {
            let name_at = reader.name_offset();
            let entry = reader.entry(name).unwrap();
            if name != b"x" {
                output.member(&entry, name_at, std::mem::take(&mut first));
                assert_eq!(output.len(), output.open().len());
            }
        }
        output.write(b"}");
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_kept_has_its_commas_and_no_space_around_names() {
        for (text, expected) in [
            ("{}", "{}"),
            (
                r#"{"a":1,"b":[1, 2],"c":{}}"#,
                r#"{"a":1,"b":[1, 2],"c":{}}"#,
            ),
            (r#"{"x":0,"a":1,"x":0,"b":2,"x":0}"#, r#"{"a":1,"b":2}"#),
            (
                "{ \"a\" : 1\n,\t\"b\":2 , \"c\": 3 }",
                r#"{"a":1,"b":2,"c":3}"#,
            ),
            ("{\"a\":1 ,\"b\":2,\n\"c\":3}", r#"{"a":1,"b":2,"c":3}"#),
        ] {
            assert_eq!(without_x(text), expected, "{text}");
        }
    }
}
