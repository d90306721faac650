//! Reading JSON, and JSON that is almost right.
//!
//! Servers that cut text by bytes or by UTF-16 units send invalid UTF-8 and
//! half surrogate pairs (`"\ud83e"` alone). Refusing the whole text for one
//! such character would end a stream in the middle of a good answer. Here each
//! becomes U+FFFD, and everything else must be JSON (RFC 8259).

use std::borrow::Cow;

use memchr::memchr2;

use super::{Map, Number, Value};

/// Brackets that may be open at once: reading goes as deep on the stack.
pub const NESTING_MAX: u32 = 128;

/// Why a text is not JSON, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct ParseError {
    /// What is wrong.
    pub what: &'static str,
    /// The offset of the byte.
    pub at: usize,
}

/// Reads a JSON text. A member that is there twice counts with its last value.
///
/// # Errors
/// What is not JSON, apart from characters that cannot be read.
pub fn parse(text: &[u8]) -> Result<Value, ParseError> {
    let text = String::from_utf8_lossy(text);
    let mut parser = Parser {
        text: &text,
        at: 0,
        depth: 0,
    };
    let value = parser.value()?;
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.error("something follows the value")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

impl<'a> Parser<'a> {
    #[cold]
    const fn error(&self, what: &'static str) -> ParseError {
        ParseError { what, at: self.at }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// The next byte that is not white space; it is not passed.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                byte => return byte.copied(),
            }
        }
    }

    fn value(&mut self) -> Result<Value, ParseError> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => Err(self.error("no value begins so")),
            None => Err(self.error("the text ends early")),
        }
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, ParseError> {
        if self.rest().starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.error("neither true, false nor null"))
        }
    }

    fn nested(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<Value, ParseError>,
    ) -> Result<Value, ParseError> {
        if self.depth >= NESTING_MAX {
            return Err(self.error("too deeply nested"));
        }
        self.depth += 1;
        self.at += 1;
        let value = inner(self)?;
        self.depth -= 1;
        Ok(value)
    }

    /// Passes the comma before the next thing, or the bracket that closes.
    fn goes_on(&mut self, close: u8, first: bool) -> Result<bool, ParseError> {
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            Some(_) if first => Ok(true),
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(_) => Err(self.error("a comma or a bracket is missing")),
            None => Err(self.error("the text ends early")),
        }
    }

    fn array(&mut self) -> Result<Value, ParseError> {
        let mut items = Vec::new();
        while self.goes_on(b']', items.is_empty())? {
            items.push(self.value()?);
        }
        Ok(Value::Array(items))
    }

    fn object(&mut self) -> Result<Value, ParseError> {
        let mut members = Map::new();
        let mut first = true;
        while self.goes_on(b'}', first)? {
            first = false;
            if self.peek() != Some(b'"') {
                return Err(self.error("a name is missing"));
            }
            let name = self.string()?;
            if self.peek() != Some(b':') {
                return Err(self.error("a colon is missing"));
            }
            self.at += 1;
            let value = self.value()?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }

    fn digits(&mut self) -> Result<(), ParseError> {
        let count = self
            .rest()
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        self.at += count;
        if count == 0 {
            return Err(self.error("a digit is missing"));
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value, ParseError> {
        let start = self.at;
        if self.rest().first() == Some(&b'-') {
            self.at += 1;
        }
        if self.rest().first() == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.rest().first() == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.rest().first() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.rest().first() {
                self.at += 1;
            }
            self.digits()?;
        }
        let digits = self.text.get(start..self.at).unwrap_or_default();
        Ok(Value::Number(Number::from_digits(digits)))
    }

    /// Reads the string whose opening quote is here.
    fn string(&mut self) -> Result<String, ParseError> {
        self.at += 1;
        let mut text = Cow::Borrowed("");
        loop {
            let start = self.at;
            let Some(length) = memchr2(b'"', b'\\', self.rest()) else {
                self.at = self.text.len();
                return Err(self.error("the text ends early"));
            };
            self.at += length;
            let plain = self.text.get(start..self.at).unwrap_or_default();
            if let Some(control) = plain.bytes().position(|byte| byte < 0x20) {
                self.at = start + control;
                return Err(self.error("a control character in a string"));
            }
            if text.is_empty() {
                text = Cow::Borrowed(plain);
            } else {
                text.to_mut().push_str(plain);
            }
            if self.rest().first() == Some(&b'"') {
                self.at += 1;
                return Ok(text.into_owned());
            }
            let character = self.escape()?;
            text.to_mut().push(character);
        }
    }

    /// Reads the escape that is here.
    fn escape(&mut self) -> Result<char, ParseError> {
        let code = self.rest().get(1).copied();
        let plain = match code {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.code_point(),
            _ => return Err(self.error("an unknown escape")),
        };
        self.at += 2;
        Ok(plain)
    }

    /// Reads `\uXXXX`, and its other half if it is one of a pair.
    fn code_point(&mut self) -> Result<char, ParseError> {
        let Some(first) = code_unit(self.rest()) else {
            return Err(self.error("four digits are missing"));
        };
        self.at += 6;
        if (0xD800..0xDC00).contains(&first)
            && let Some(second) = code_unit(self.rest())
            && (0xDC00..0xE000).contains(&second)
        {
            self.at += 6;
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }
}

/// The code unit of the `\uXXXX` at the beginning of `text`, if there is one.
fn code_unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
