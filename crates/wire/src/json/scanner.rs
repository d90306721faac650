//! The scanner: one pass over the text, in the pieces in which it comes.
//!
//! Offsets are added without a check: none is beyond the end of a text that
//! is in memory, and a check costs three instructions a byte.

use memchr::memchr;

use super::duplicates::refuse_duplicates;
use super::features::{Marker, Place};
use super::limits::{KEY_BYTES_MAX, MEMBERS_MAX, NESTING_MAX};
use super::quote::{is_odd, string_end};
use super::utf8::Utf8;
use super::{Kind, Member, Outline, ScanError, ScanErrorKind};

/// The two passes, UTF-8 and structure, take turns on blocks of this size,
/// so that the second finds the bytes in the cache.
const BLOCK_BYTES: usize = 16 * 1024;

/// What the next byte may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The outermost object.
    Start,
    /// A name, or the end of an empty object.
    FirstKey,
    /// A name.
    Key,
    /// The colon behind a name.
    Colon,
    /// A value.
    Value,
    /// A value, or the end of an empty array.
    FirstElement,
    /// A comma, or the end of the object or array.
    After,
    /// Inside a string.
    Text,
    /// Behind a backslash.
    Escape,
    /// Inside a number.
    Number(Digits),
    /// Inside `true`, `false` or `null`.
    Literal,
    /// Nothing but white space.
    End,
}

/// How far a number has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    E,
    ESign,
    Exponent,
}

/// Boxed, so that success fits into registers: this is the inner loop.
type Step<T> = Result<T, Box<ScanError>>;

/// Finds the members of the outermost object of a JSON text.
///
/// Checks the structure completely: brackets, commas, colons, numbers,
/// literals, UTF-8. Deliberately unchecked, because every parser behind
/// us agrees on it and it would cost a second look at each string: control
/// characters and malformed escapes inside strings, and whether a number
/// fits a float.
#[derive(Debug, Clone)]
pub struct Scanner {
    state: State,
    /// One bit for each open bracket: 1 is an object, 0 an array.
    stack: u64,
    depth: u32,
    /// Offset of the block being scanned.
    base: usize,
    utf8: Utf8,
    /// What is still expected of a literal.
    literal: &'static [u8],
    in_key: bool,
    /// Offset of the string's opening quote.
    quote: usize,
    /// The string's beginning, if it spans blocks; bounded.
    stash: Vec<u8>,
    crosses: bool,
    marker: Marker,
    in_messages: bool,
    key: std::ops::Range<usize>,
    name: std::ops::Range<usize>,
    value: usize,
    kind: Kind,
    /// The outline's names, which are known to be text at the end.
    names: Vec<u8>,
    outline: Outline,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// A scanner at the beginning of a text.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::Start,
            stack: 0,
            depth: 0,
            base: 0,
            utf8: Utf8::default(),
            literal: b"",
            in_key: false,
            quote: 0,
            stash: Vec::new(),
            crosses: false,
            marker: Marker::None,
            in_messages: false,
            key: 0..0,
            name: 0..0,
            value: 0,
            kind: Kind::Null,
            names: Vec::with_capacity(160),
            outline: Outline {
                members: Vec::with_capacity(16),
                ..Outline::default()
            },
        }
    }

    /// Reads the next piece. After an error the scanner is of no more use.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), ScanError> {
        for block in piece.chunks(BLOCK_BYTES) {
            if let Err(error) = self.utf8.push(block) {
                return Err(*self.error(ScanErrorKind::NotUtf8, error.offset));
            }
            self.scan(block).map_err(|error| *error)?;
            self.base += block.len();
        }
        Ok(())
    }

    /// The text is complete: says what it contains.
    pub fn finish(mut self) -> Result<Outline, ScanError> {
        match self.state {
            State::End if self.utf8.is_whole() => {}
            State::Start => return Err(*self.error(ScanErrorKind::Empty, 0)),
            _ => return Err(*self.error(ScanErrorKind::Truncated, 0)),
        }
        let names = String::from_utf8(self.names);
        self.outline.names = names.map_err(|error| ScanError {
            kind: ScanErrorKind::NotUtf8,
            offset: error.utf8_error().valid_up_to(),
        })?;
        self.outline.len = self.base;
        refuse_duplicates(&self.outline)?;
        Ok(self.outline)
    }

    #[cold]
    fn error(&self, kind: ScanErrorKind, at: usize) -> Box<ScanError> {
        Box::new(ScanError {
            kind,
            offset: self.base + at,
        })
    }

    fn scan(&mut self, block: &[u8]) -> Step<()> {
        let mut at = 0_usize;
        if self.state == State::Text {
            at = self.text(block, 0)?;
        }
        while let Some(&byte) = block.get(at) {
            if self.state == State::Escape {
                self.state = State::Text;
                self.keep(block.get(at..=at).unwrap_or_default());
                at = self.text(block, at + 1)?;
                continue;
            }
            match self.state {
                State::Number(digits) => {
                    at = self.number(block, at, digits)?;
                    continue;
                }
                State::Literal => {
                    at = self.literal(block, at)?;
                    continue;
                }
                _ => {}
            }
            if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                at += 1;
                continue;
            }
            match (self.state, byte) {
                (State::FirstKey | State::Key, b'"') => {
                    at = self.pairs(block, at)?;
                    continue;
                }
                (State::Value | State::FirstElement, b'"') => {
                    self.in_key = false;
                    self.begin_value(Kind::String, at);
                    at = self.begin_text(block, at)?;
                    continue;
                }
                (State::Colon, b':') => self.state = State::Value,
                (State::After, b',') => {
                    self.state = if self.in_object() {
                        State::Key
                    } else {
                        State::Value
                    };
                }
                (State::After | State::FirstKey, b'}') => self.close(true, at)?,
                (State::After | State::FirstElement, b']') => self.close(false, at)?,
                (State::Value | State::FirstElement, b'{') => {
                    self.begin_value(Kind::Object, at);
                    self.open(true, at)?;
                }
                (State::Value | State::FirstElement, b'[') => {
                    self.begin_value(Kind::Array, at);
                    self.open(false, at)?;
                }
                (State::Value | State::FirstElement, byte) => self.begin_scalar(byte, at)?,
                (State::Start, b'{') => {
                    self.open(true, at)?;
                    self.outline.open = self.base + at + 1;
                }
                (State::Start, _) => return Err(self.error(ScanErrorKind::NotAnObject, at)),
                (State::End, _) => return Err(self.error(ScanErrorKind::TrailingGarbage, at)),
                (_, byte) => return Err(self.error(ScanErrorKind::Unexpected(byte), at)),
            }
            at += 1;
        }
        Ok(())
    }

    /// Reads on in a number that has come as far as `digits` says.
    fn number(&mut self, block: &[u8], from: usize, digits: Digits) -> Step<usize> {
        let (mut at, mut digits) = (from, digits);
        while let Some(&byte) = block.get(at) {
            if let Some(next) = digit(digits, byte) {
                digits = next;
                at += 1;
                continue;
            }
            // The byte belongs to what follows the number.
            return match digits {
                Digits::Zero | Digits::Whole | Digits::Fraction | Digits::Exponent => {
                    self.end_value(at).map(|()| at)
                }
                _ => Err(self.error(ScanErrorKind::BadNumber, at)),
            };
        }
        self.state = State::Number(digits);
        Ok(at)
    }

    /// Reads on in `true`, `false` or `null`.
    fn literal(&mut self, block: &[u8], from: usize) -> Step<usize> {
        let mut at = from;
        while let Some((expected, rest)) = self.literal.split_first() {
            match block.get(at) {
                Some(byte) if byte == expected => self.literal = rest,
                Some(_) => return Err(self.error(ScanErrorKind::BadLiteral, at)),
                None => return Ok(at),
            }
            at += 1;
        }
        self.end_value(at).map(|()| at)
    }

    /// Reads a name, and as many of `"name":"value","name":…` as follow
    /// each other without white space: most of what is not prose.
    fn pairs(&mut self, block: &[u8], from: usize) -> Step<usize> {
        let mut at = from;
        loop {
            self.in_key = true;
            at = self.begin_text(block, at)?;
            if self.state != State::Colon || block.get(at) != Some(&b':') {
                return Ok(at);
            }
            self.state = State::Value;
            at += 1;
            if block.get(at) != Some(&b'"') {
                return Ok(at);
            }
            self.in_key = false;
            self.begin_value(Kind::String, at);
            at = self.begin_text(block, at)?;
            if self.state != State::After || block.get(at) != Some(&b',') {
                return Ok(at);
            }
            self.state = State::Key;
            at += 1;
            if block.get(at) != Some(&b'"') {
                return Ok(at);
            }
        }
    }

    const fn in_object(&self) -> bool {
        self.stack & 1 == 1
    }

    #[inline]
    fn open(&mut self, object: bool, at: usize) -> Step<()> {
        if self.depth >= NESTING_MAX {
            return Err(self.error(ScanErrorKind::TooDeep, at));
        }
        self.depth += 1;
        self.stack = (self.stack << 1) | u64::from(object);
        self.state = if object {
            State::FirstKey
        } else {
            State::FirstElement
        };
        Ok(())
    }

    #[inline]
    fn close(&mut self, object: bool, at: usize) -> Step<()> {
        if self.in_object() != object {
            return Err(self.error(ScanErrorKind::Unbalanced, at));
        }
        if self.depth == self.outline.prompt.watched_depth {
            self.outline.prompt.close();
        }
        self.depth = self.depth.saturating_sub(1);
        self.stack >>= 1;
        if self.depth == 0 {
            self.state = State::End;
            return Ok(());
        }
        self.end_value(at + 1)
    }

    #[inline]
    fn begin_value(&mut self, kind: Kind, at: usize) {
        if self.depth == 1 {
            self.value = self.base + at;
            self.kind = kind;
        } else if self.depth == 2 {
            self.outline.prompt.element(kind);
        }
        if kind != Kind::String && self.marker != Marker::None {
            let marker = std::mem::take(&mut self.marker);
            self.outline.features.nested_value(marker, kind);
            self.outline.prompt.begin(marker, kind, self.depth);
        }
    }

    fn begin_scalar(&mut self, byte: u8, at: usize) -> Step<()> {
        self.state = State::Literal;
        let kind = match byte {
            b't' => {
                self.literal = b"rue";
                Kind::True
            }
            b'f' => {
                self.literal = b"alse";
                Kind::False
            }
            b'n' => {
                self.literal = b"ull";
                Kind::Null
            }
            b'-' | b'0'..=b'9' => {
                self.state = State::Number(match byte {
                    b'-' => Digits::Minus,
                    b'0' => Digits::Zero,
                    _ => Digits::Whole,
                });
                Kind::Number
            }
            byte => return Err(self.error(ScanErrorKind::Unexpected(byte), at)),
        };
        self.begin_value(kind, at);
        Ok(())
    }

    /// A value ends before `at`.
    #[inline]
    fn end_value(&mut self, at: usize) -> Step<()> {
        self.state = State::After;
        if self.depth == 1 {
            if self.outline.members.len() >= MEMBERS_MAX {
                return Err(self.error(ScanErrorKind::TooManyMembers, at));
            }
            self.in_messages = false;
            self.outline.members.push(Member {
                key: self.key.clone(),
                value: self.value..self.base + at,
                kind: self.kind,
                name: self.name.clone(),
            });
        }
        Ok(())
    }

    #[inline]
    fn begin_text(&mut self, block: &[u8], at: usize) -> Step<usize> {
        self.quote = self.base + at;
        self.crosses = false;
        let start = at + 1;
        let end = string_end(block, start);
        if end < block.len() {
            let content = block.get(start..end).unwrap_or_default();
            return self.end_text(content, end).map(|()| end + 1);
        }
        Ok(self.text_goes_on(block, start))
    }

    /// Skips a string that spans blocks, as far as it is in this one; returns
    /// where to go on.
    fn text(&mut self, block: &[u8], from: usize) -> Step<usize> {
        let end = string_end(block, from);
        if end < block.len() {
            return self.text_ends(block, from, end);
        }
        Ok(self.text_goes_on(block, from))
    }

    /// The string does not end in this block, in which it is from `from` on.
    fn text_goes_on(&mut self, block: &[u8], from: usize) -> usize {
        let rest = block.get(from..).unwrap_or_default();
        self.state = if is_odd(rest) {
            State::Escape
        } else {
            State::Text
        };
        self.keep(rest);
        block.len()
    }

    /// The string ends with the quote at `quote`; what lies before `from`
    /// was kept.
    #[inline]
    fn text_ends(&mut self, block: &[u8], from: usize, quote: usize) -> Step<usize> {
        let content = block.get(from..quote).unwrap_or_default();
        if self.crosses {
            self.keep(content);
            let stash = std::mem::take(&mut self.stash);
            self.end_text(&stash, quote)?;
            self.stash = stash;
        } else {
            self.end_text(content, quote)?;
        }
        Ok(quote + 1)
    }

    /// Keeps the beginning of a string that spans blocks.
    fn keep(&mut self, content: &[u8]) {
        if !self.crosses {
            self.crosses = true;
            self.stash.clear();
        }
        let room = KEY_BYTES_MAX
            .saturating_add(1)
            .saturating_sub(self.stash.len());
        let content = content.get(..room).unwrap_or(content);
        self.stash.extend_from_slice(content);
    }

    /// A string ends at the quote at `at`. Of a string that spans blocks
    /// only the beginning is known, but more of it than any name may have.
    #[inline]
    fn end_text(&mut self, content: &[u8], at: usize) -> Step<()> {
        let end = at + 1;
        if !self.in_key {
            if self.marker != Marker::None {
                let marker = std::mem::take(&mut self.marker);
                let range = self.quote + 1..self.base + at;
                self.outline.features.value(marker, content);
                self.outline
                    .prompt
                    .value(marker, content, range, self.depth);
            }
            return self.end_value(end);
        }
        self.state = State::Colon;
        if self.depth == 1 {
            if memchr(b'\\', content).is_some() {
                return Err(self.error(ScanErrorKind::EscapedName, at));
            }
            if content.len() > KEY_BYTES_MAX {
                return Err(self.error(ScanErrorKind::LongName, at));
            }
            self.key = self.quote..self.base + end;
            let names = &mut self.names;
            let start = names.len();
            names.extend_from_slice(content);
            self.name = start..names.len();
            self.in_messages = content == b"messages";
            // Of the outermost names only this one is a feature.
            self.outline.features.cache_control |= content == b"cache_control";
            self.marker = self.outline.prompt.member(content);
            return Ok(());
        }
        let place = Place {
            in_messages: self.in_messages,
            depth: self.depth,
        };
        self.marker = self.outline.features.name(content, place);
        if self.marker == Marker::None {
            self.marker = self.outline.prompt.name(content, self.depth);
        }
        Ok(())
    }
}

/// What a number may go on with.
#[inline]
fn digit(digits: Digits, byte: u8) -> Option<Digits> {
    Some(match (digits, byte) {
        (Digits::Minus, b'0') => Digits::Zero,
        (Digits::Minus, b'1'..=b'9') | (Digits::Whole, b'0'..=b'9') => Digits::Whole,
        (Digits::Zero | Digits::Whole, b'.') => Digits::Point,
        (Digits::Point | Digits::Fraction, b'0'..=b'9') => Digits::Fraction,
        (Digits::Zero | Digits::Whole | Digits::Fraction, b'e' | b'E') => Digits::E,
        (Digits::E, b'+' | b'-') => Digits::ESign,
        (Digits::E | Digits::ESign | Digits::Exponent, b'0'..=b'9') => Digits::Exponent,
        _ => return None,
    })
}

/// Scans a text that is in one piece.
pub fn scan(text: &[u8]) -> Result<Outline, ScanError> {
    let mut scanner = Scanner::new();
    scanner.push(text)?;
    scanner.finish()
}
