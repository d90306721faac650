//! Reading a text that is there in one piece: front to back, once.
//!
//! The scanner takes a text in pieces and remembers where everything was.
//! A reply is whole when it is looked at, and most of what is in it is only
//! copied: this reader checks what it passes and remembers nothing, so that
//! checking and rewriting are one pass. It accepts the same texts as
//! [`super::scan`], which a property test holds it to, except that members
//! may be there twice and names may be written with escapes.

use super::scanner::text_end;
use super::walk::Entry;
use super::{Kind, NESTING_MAX, ScanError, ScanErrorKind};

/// A place in a text. The text must be UTF-8: whoever made it has checked.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// Objects and arrays that were entered and not left.
    depth: u32,
    /// Nothing has been read in the innermost of them.
    fresh: bool,
}

type Read<T> = Result<T, ScanError>;

impl<'a> Reader<'a> {
    /// A reader at the beginning of a text.
    #[must_use]
    pub const fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
            fresh: false,
        }
    }

    /// Enters the object that comes next.
    pub fn enter_object(&mut self) -> Read<()> {
        self.enter(b'{')
    }

    /// Enters the array that comes next.
    pub fn enter_array(&mut self) -> Read<()> {
        self.enter(b'[')
    }

    fn enter(&mut self, bracket: u8) -> Read<()> {
        match self.next_byte()? {
            byte if byte == bracket => {}
            _ if self.depth == 0 => return Err(self.error(ScanErrorKind::NotAnObject)),
            byte => return Err(self.error(ScanErrorKind::Unexpected(byte))),
        }
        self.depth = self.deeper(self.depth)?;
        self.at = self.at.saturating_add(1);
        self.fresh = true;
        Ok(())
    }

    /// The name of the next member of the object that was entered, as it is
    /// written; `None` leaves it. The value must be read before the next.
    pub fn next_member(&mut self) -> Read<Option<&'a [u8]>> {
        if self.goes_on(b'}')? {
            self.name().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Whether the array that was entered has another element, which must be
    /// read before the next; if not, it is left.
    pub fn next_element(&mut self) -> Read<bool> {
        self.goes_on(b']')
    }

    /// Passes the comma before the next thing, or the bracket that closes.
    fn goes_on(&mut self, close: u8) -> Read<bool> {
        let byte = self.next_byte()?;
        if byte == close {
            self.at = self.at.saturating_add(1);
            self.depth = self.depth.saturating_sub(1);
            self.fresh = false;
            return Ok(false);
        }
        if std::mem::take(&mut self.fresh) {
            return Ok(true);
        }
        if byte != b',' {
            return Err(self.error(ScanErrorKind::Unexpected(byte)));
        }
        self.at = self.at.saturating_add(1);
        Ok(true)
    }

    /// What sort of value comes next.
    pub fn kind(&mut self) -> Read<Kind> {
        Ok(match self.next_byte()? {
            b'"' => Kind::String,
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b't' => Kind::True,
            b'f' => Kind::False,
            b'n' => Kind::Null,
            b'-' | b'0'..=b'9' => Kind::Number,
            byte => return Err(self.error(ScanErrorKind::Unexpected(byte))),
        })
    }

    /// Reads the value that comes next, whatever it is, as the member `name`.
    pub fn entry(&mut self, name: &'a [u8]) -> Read<Entry<'a>> {
        let kind = self.kind()?;
        let start = self.at;
        self.skip(kind)?;
        Ok(Entry {
            name,
            value: self.text.get(start..self.at).unwrap_or_default(),
            at: start..self.at,
            kind,
        })
    }

    /// Only white space may follow.
    pub fn finish(mut self) -> Read<()> {
        self.skip_space();
        if self.at < self.text.len() {
            return Err(self.error(ScanErrorKind::TrailingGarbage));
        }
        Ok(())
    }

    #[cold]
    fn error(&self, kind: ScanErrorKind) -> ScanError {
        let kind = if self.at >= self.text.len() && kind != ScanErrorKind::TrailingGarbage {
            ScanErrorKind::Truncated
        } else {
            kind
        };
        ScanError {
            kind,
            offset: self.at,
        }
    }

    fn deeper(&self, depth: u32) -> Read<u32> {
        if depth >= NESTING_MAX {
            return Err(self.error(ScanErrorKind::TooDeep));
        }
        Ok(depth.saturating_add(1))
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.text.get(self.at) {
            self.at = self.at.saturating_add(1);
        }
    }

    /// The next byte that is not white space; it is not passed.
    #[inline]
    fn next_byte(&mut self) -> Read<u8> {
        self.skip_space();
        match self.text.get(self.at) {
            Some(byte) => Ok(*byte),
            None => Err(self.error(ScanErrorKind::Truncated)),
        }
    }

    /// Passes a string; returns what is between its quotes.
    #[inline]
    fn string(&mut self) -> Read<&'a [u8]> {
        let start = self.at.saturating_add(1);
        let inside = self.text.get(start..).unwrap_or_default();
        let Some(length) = text_end(inside) else {
            self.at = self.text.len();
            return Err(self.error(ScanErrorKind::Truncated));
        };
        self.at = start.saturating_add(length).saturating_add(1);
        Ok(inside.get(..length).unwrap_or_default())
    }

    /// Passes a name and its colon.
    #[inline]
    fn name(&mut self) -> Read<&'a [u8]> {
        let byte = self.next_byte()?;
        if byte != b'"' {
            return Err(self.error(ScanErrorKind::Unexpected(byte)));
        }
        let name = self.string()?;
        let byte = self.next_byte()?;
        if byte != b':' {
            return Err(self.error(ScanErrorKind::Unexpected(byte)));
        }
        self.at = self.at.saturating_add(1);
        Ok(name)
    }

    /// Passes a value of this kind, which begins here.
    fn skip(&mut self, kind: Kind) -> Read<()> {
        match kind {
            Kind::String => self.string().map(drop),
            Kind::Number => self.number(),
            Kind::True => self.literal(b"true"),
            Kind::False => self.literal(b"false"),
            Kind::Null => self.literal(b"null"),
            Kind::Object | Kind::Array => self.brackets(),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Read<()> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if rest.starts_with(word) {
            self.at = self.at.saturating_add(word.len());
            return Ok(());
        }
        Err(self.error(ScanErrorKind::BadLiteral))
    }

    /// RFC 8259, section 6.
    fn number(&mut self) -> Read<()> {
        if self.text.get(self.at) == Some(&b'-') {
            self.at = self.at.saturating_add(1);
        }
        if self.text.get(self.at) == Some(&b'0') {
            self.at = self.at.saturating_add(1);
        } else {
            self.digits()?;
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at = self.at.saturating_add(1);
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at = self.at.saturating_add(1);
            if let Some(b'+' | b'-') = self.text.get(self.at) {
                self.at = self.at.saturating_add(1);
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Read<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.text.get(self.at) {
            self.at = self.at.saturating_add(1);
        }
        if self.at == start {
            return Err(self.error(ScanErrorKind::BadNumber));
        }
        Ok(())
    }

    /// Passes an object or an array with all that is in it.
    fn brackets(&mut self) -> Read<()> {
        // One bit for each open bracket: 1 is an object, 0 an array.
        let mut stack = 0_u64;
        let mut depth = self.depth;
        loop {
            // A value begins.
            match self.kind()? {
                opens @ (Kind::Object | Kind::Array) => {
                    depth = self.deeper(depth)?;
                    let is_object = opens == Kind::Object;
                    stack = (stack << 1) | u64::from(is_object);
                    self.at = self.at.saturating_add(1);
                    let close = if is_object { b'}' } else { b']' };
                    if self.next_byte()? != close {
                        if is_object {
                            self.name()?;
                        }
                        continue;
                    }
                    // Empty: closed below.
                }
                scalar => self.skip(scalar)?,
            }
            // A value has ended, or the innermost bracket is about to.
            loop {
                let byte = self.next_byte()?;
                let is_object = stack & 1 == 1;
                match byte {
                    b',' => {
                        self.at = self.at.saturating_add(1);
                        if is_object {
                            self.name()?;
                        }
                        break;
                    }
                    b'}' if is_object => {}
                    b']' if !is_object => {}
                    b'}' | b']' => return Err(self.error(ScanErrorKind::Unbalanced)),
                    byte => return Err(self.error(ScanErrorKind::Unexpected(byte))),
                }
                self.at = self.at.saturating_add(1);
                stack >>= 1;
                depth = depth.saturating_sub(1);
                if depth == self.depth {
                    return Ok(());
                }
            }
        }
    }
}
