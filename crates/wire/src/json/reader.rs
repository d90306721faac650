//! Reading a text that is there in one piece: front to back, once.
//!
//! The scanner takes a text in pieces and remembers where everything was.
//! A reply is whole when it is looked at, and most of what is in it is only
//! copied: this reader checks what it passes and remembers nothing, so that
//! checking and rewriting are one pass. It accepts the same texts as
//! [`super::scan`], which a property test holds it to, except that members
//! may be there twice and names may be written with escapes.
//!
//! Most texts have no white space between their values, so what comes next
//! is looked at before anything is skipped. Offsets are added without a
//! check: none is beyond the end of a text that is in memory.

use std::borrow::Cow;
use std::ops::Range;

use super::quote::string_end;
use super::walk::Entry;
use super::{Kind, NESTING_MAX, ScanError, ScanErrorKind, text};

/// A place in a text.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    whole: &'a str,
    /// The same, byte by byte.
    text: &'a [u8],
    at: usize,
    /// Where the name that was read last is, quotes included.
    name_at: usize,
    name_end: usize,
    /// Objects and arrays that were entered and not left.
    depth: u32,
    /// Nothing has been read in the innermost of them.
    fresh: bool,
}

/// Boxed, so that success fits into registers.
type Read<T> = Result<T, Box<ScanError>>;

impl<'a> Reader<'a> {
    /// A reader at the beginning of a text.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self {
            whole: text,
            text: text.as_bytes(),
            at: 0,
            name_at: 0,
            name_end: 0,
            depth: 0,
            fresh: false,
        }
    }

    /// The offset of what is read next.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// The offset of the opening quote of the name that was read last.
    #[must_use]
    pub const fn name_offset(&self) -> usize {
        self.name_at
    }

    /// The text from here on, of which nothing has been checked.
    #[must_use]
    pub fn ahead(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Enters the object that comes next.
    pub fn enter_object(&mut self) -> Read<()> {
        self.enter(b'{')
    }

    /// Enters the array that comes next.
    pub fn enter_array(&mut self) -> Read<()> {
        self.enter(b'[')
    }

    #[inline]
    fn enter(&mut self, bracket: u8) -> Read<()> {
        if self.text.get(self.at) != Some(&bracket) || self.depth >= NESTING_MAX {
            self.may_enter(bracket)?;
        }
        self.depth += 1;
        self.at += 1;
        self.fresh = true;
        Ok(())
    }

    #[cold]
    fn may_enter(&mut self, bracket: u8) -> Read<()> {
        match self.next_byte()? {
            byte if byte == bracket => self.deeper(self.depth).map(drop),
            _ if self.depth == 0 => Err(self.error(ScanErrorKind::NotAnObject)),
            byte => Err(self.error(ScanErrorKind::Unexpected(byte))),
        }
    }

    /// The name of the next member of the object that was entered, as it is
    /// written; `None` leaves it. The value must be read before the next.
    #[inline]
    pub fn next_member(&mut self) -> Read<Option<&'a [u8]>> {
        Ok(if self.advance()? {
            // Without its quotes.
            let name = self.name_at + 1..self.name_end - 1;
            Some(self.text.get(name).unwrap_or_default())
        } else {
            None
        })
    }

    /// Goes to the value of the next member, if there is one. A function of
    /// its own, because what it returns fits into registers.
    #[inline(never)]
    fn advance(&mut self) -> Read<bool> {
        let goes_on = self.goes_on(b'}')?;
        if goes_on {
            self.name()?;
        }
        Ok(goes_on)
    }

    /// Whether the array that was entered has another element, which must be
    /// read before the next; if not, it is left.
    pub fn next_element(&mut self) -> Read<bool> {
        self.goes_on(b']')
    }

    /// Passes the comma before the next thing, or the bracket that closes.
    #[inline]
    fn goes_on(&mut self, close: u8) -> Read<bool> {
        let byte = self.next_byte()?;
        if byte == close {
            self.at += 1;
            self.depth = self.depth.saturating_sub(1);
            self.fresh = false;
            return Ok(false);
        }
        if self.fresh {
            self.fresh = false;
            return Ok(true);
        }
        if byte != b',' {
            return Err(self.error(ScanErrorKind::Unexpected(byte)));
        }
        self.at += 1;
        Ok(true)
    }

    /// What sort of value comes next.
    #[inline]
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
    #[inline]
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

    /// Passes the value that comes next, whatever it is.
    #[inline]
    pub fn pass(&mut self) -> Read<()> {
        let kind = self.kind()?;
        self.skip(kind)
    }

    /// Reads the value that comes next as a text; `None` if it is not a
    /// string, or one with a malformed escape.
    pub fn read_string(&mut self) -> Read<Option<String>> {
        let start = self.at_value()?;
        if self.text.get(start) != Some(&b'"') {
            return self.pass().map(|()| None);
        }
        let inside = self.string()?;
        let inside = self.whole.get(inside).unwrap_or_default();
        if inside.as_bytes().contains(&b'\\') {
            let value = self.text.get(start..self.at).unwrap_or_default();
            return Ok(text::string(value).map(Cow::into_owned));
        }
        Ok(Some(inside.to_owned()))
    }

    /// Where the value that comes next begins.
    #[inline]
    fn at_value(&mut self) -> Read<usize> {
        self.next_byte().map(|_| self.at)
    }

    /// Reads the value that comes next if it is a whole number in plain
    /// digits, and a small one; else nothing is read.
    #[inline]
    pub fn plain_number(&mut self) -> Option<u64> {
        /// Any number of so many digits fits.
        const DIGITS_MAX: usize = 19;
        self.skip_space();
        let rest = self.ahead();
        let mut number = 0_u64;
        let mut digits = 0_usize;
        for byte in rest {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            digits += 1;
        }
        let is_plain = match rest.first() {
            Some(b'0') => digits == 1,
            _ => (1..=DIGITS_MAX).contains(&digits),
        };
        if !is_plain || matches!(rest.get(digits), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        self.at += digits;
        Some(number)
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
    fn error(&self, kind: ScanErrorKind) -> Box<ScanError> {
        let kind = if self.at >= self.text.len() && kind != ScanErrorKind::TrailingGarbage {
            ScanErrorKind::Truncated
        } else {
            kind
        };
        Box::new(ScanError {
            kind,
            offset: self.at,
        })
    }

    fn deeper(&self, depth: u32) -> Read<u32> {
        if depth >= NESTING_MAX {
            return Err(self.error(ScanErrorKind::TooDeep));
        }
        Ok(depth + 1)
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    /// The next byte that is not white space; it is not passed.
    #[inline]
    fn next_byte(&mut self) -> Read<u8> {
        match self.text.get(self.at) {
            Some(byte) if *byte > b' ' => Ok(*byte),
            _ => self.byte_behind_space(),
        }
    }

    #[inline(never)]
    fn byte_behind_space(&mut self) -> Read<u8> {
        self.skip_space();
        match self.text.get(self.at) {
            Some(byte) => Ok(*byte),
            None => Err(self.error(ScanErrorKind::Truncated)),
        }
    }

    /// Passes a string; returns where its content is.
    #[inline]
    fn string(&mut self) -> Read<Range<usize>> {
        let start = self.at + 1;
        let end = string_end(self.text, start);
        if end >= self.text.len() {
            self.at = self.text.len();
            return Err(self.error(ScanErrorKind::Truncated));
        }
        self.at = end + 1;
        Ok(start..end)
    }

    /// The same where names are only passed.
    #[inline(never)]
    fn pass_name(&mut self) -> Read<()> {
        self.name()
    }

    /// Passes a name and its colon, and remembers where the name is.
    #[inline(always)]
    fn name(&mut self) -> Read<()> {
        let byte = self.next_byte()?;
        if byte != b'"' {
            return Err(self.error(ScanErrorKind::Unexpected(byte)));
        }
        self.name_at = self.at;
        self.string()?;
        self.name_end = self.at;
        let byte = self.next_byte()?;
        if byte != b':' {
            return Err(self.error(ScanErrorKind::Unexpected(byte)));
        }
        self.at += 1;
        Ok(())
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
        if self.ahead().starts_with(word) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.error(ScanErrorKind::BadLiteral))
    }

    /// RFC 8259, section 6.
    fn number(&mut self) -> Read<()> {
        if self.text.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        if self.text.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.text.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Read<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.text.get(self.at) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.error(ScanErrorKind::BadNumber));
        }
        Ok(())
    }

    /// Passes an object or an array with all that is in it.
    #[inline(never)]
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
                    self.at += 1;
                    let close = if is_object { b'}' } else { b']' };
                    if self.next_byte()? != close {
                        if is_object {
                            self.pass_name()?;
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
                        self.at += 1;
                        if is_object {
                            self.pass_name()?;
                        }
                        break;
                    }
                    b'}' if is_object => {}
                    b']' if !is_object => {}
                    b'}' | b']' => return Err(self.error(ScanErrorKind::Unbalanced)),
                    byte => return Err(self.error(ScanErrorKind::Unexpected(byte))),
                }
                self.at += 1;
                stack >>= 1;
                depth = depth.saturating_sub(1);
                if depth == self.depth {
                    return Ok(());
                }
            }
        }
    }
}
