//! Numbers, amounts, texts and fields as bytes.
//!
//! A number is little-endian base 128, an amount the same in zigzag. A field
//! begins with a number: twice its tag, and one more if a length and so many
//! bytes follow it; otherwise a number does.

use bourse_vocab::{GenerationId, Nanos};

use super::DecodeError;
use crate::record::TEXT_BYTES_MAX;

/// What a record ends with. No field has the tag 0.
pub(super) const END: u8 = 0;

/// A field's value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(super) fn number(self, field: &'static str) -> Result<u64, DecodeError> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Bytes(_) => Err(DecodeError::Field(field)),
        }
    }

    pub(super) fn narrow<T: TryFrom<u64>>(self, field: &'static str) -> Result<T, DecodeError> {
        T::try_from(self.number(field)?).map_err(|_| DecodeError::Field(field))
    }

    pub(super) fn amount(self, field: &'static str) -> Result<Nanos, DecodeError> {
        let number = self.number(field)?;
        let magnitude = i64::try_from(number >> 1).map_err(|_| DecodeError::Field(field))?;
        Ok(Nanos(if number & 1 == 0 {
            magnitude
        } else {
            !magnitude
        }))
    }

    pub(super) fn bytes(self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) => Err(DecodeError::Field(field)),
        }
    }

    pub(super) fn text_of(self, max: usize, field: &'static str) -> Result<&'a str, DecodeError> {
        let bytes = self.bytes(field)?;
        if bytes.len() > max {
            return Err(DecodeError::Field(field));
        }
        std::str::from_utf8(bytes).map_err(|_| DecodeError::Field(field))
    }

    pub(super) fn text(self, field: &'static str) -> Result<&'a str, DecodeError> {
        self.text_of(TEXT_BYTES_MAX, field)
    }

    /// A reader of the fields within.
    pub(super) fn fields(self, field: &'static str) -> Result<Reader<'a>, DecodeError> {
        Ok(Reader::new(self.bytes(field)?))
    }
}

/// Reads from the front.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn byte(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        let (&byte, rest) = self.rest.split_first().ok_or(DecodeError::Cut(field))?;
        self.rest = rest;
        Ok(byte)
    }

    pub(super) fn id(&mut self) -> Result<GenerationId, DecodeError> {
        let (bytes, rest) = self
            .rest
            .split_first_chunk::<16>()
            .ok_or(DecodeError::Cut("id"))?;
        self.rest = rest;
        Ok(GenerationId::from_bits(u128::from_le_bytes(*bytes)))
    }

    #[allow(clippy::inline_always)] // As for fields.
    #[inline(always)]
    pub(super) fn number(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        // Most numbers are tags, lengths and small counts: one byte or two.
        match self.rest {
            [byte, rest @ ..] if byte & 0x80 == 0 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            [low, high, rest @ ..] if high & 0x80 == 0 => {
                self.rest = rest;
                Ok(u64::from(low & 0x7f) | u64::from(*high) << 7)
            }
            _ => match self.long_number() {
                Some(number) => Ok(number),
                None => self.number_by_bytes(field),
            },
        }
    }

    /// A number, if ten bytes are there, so that it can be read at once.
    /// Otherwise nothing is read.
    #[inline(never)]
    fn long_number(&mut self) -> Option<u64> {
        let (ten, _) = self.rest.split_first_chunk::<10>()?;
        let [first @ .., ninth, tenth] = *ten;
        let word = u64::from_le_bytes(first);
        // The lowest byte whose highest bit is clear is the last.
        let last = !word & 0x8080_8080_8080_8080;
        let used = last.trailing_zeros().saturating_add(1).min(64);
        // The seven bits of each byte, side by side: of two, of four, of all.
        let bits = word & 0x7f7f_7f7f_7f7f_7f7f & (u64::MAX >> 64_u32.saturating_sub(used));
        let bits = (bits & 0x007f_007f_007f_007f) | (bits & 0x7f00_7f00_7f00_7f00) >> 1;
        let bits = (bits & 0x0000_3fff_0000_3fff) | (bits & 0x3fff_0000_3fff_0000) >> 2;
        let bits = (bits & 0x0000_0000_0fff_ffff) | (bits & 0x0fff_ffff_0000_0000) >> 4;
        let (bits, length) = match (last, ninth, tenth) {
            (0, 0..=0x7f, _) => (bits | u64::from(ninth) << 56, 9),
            // The tenth byte holds one bit; more would be lost.
            (0, _, 0 | 1) => {
                let high = u64::from(ninth & 0x7f) << 56 | u64::from(tenth) << 63;
                (bits | high, 10)
            }
            (0, ..) => return None,
            _ => (bits, used / 8),
        };
        self.rest = self.rest.get(length as usize..)?;
        Some(bits)
    }

    /// The same anywhere, and what is wrong if there is no number.
    #[inline(never)]
    fn number_by_bytes(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        let mut value: u64 = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(field)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && byte > 1 {
                return Err(DecodeError::Field(field));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Field(field))
    }

    #[inline]
    pub(super) fn take(
        &mut self,
        length: usize,
        field: &'static str,
    ) -> Result<&'a [u8], DecodeError> {
        let (bytes, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(DecodeError::Cut(field))?;
        self.rest = rest;
        Ok(bytes)
    }

    /// The next field's tag and value; `None` at the record's end. `within`
    /// names what is cut if there is neither.
    #[allow(clippy::inline_always)] // A third of what reading a record takes is the call.
    #[inline(always)]
    pub(super) fn field(
        &mut self,
        within: &'static str,
    ) -> Result<Option<(u64, Value<'a>)>, DecodeError> {
        let key = self.number(within)?;
        if key == u64::from(END) {
            return Ok(None);
        }
        let value = if key & 1 == 0 {
            Value::Number(self.number(within)?)
        } else {
            let length = self.number(within)?;
            let length = usize::try_from(length).map_err(|_| DecodeError::Cut(within))?;
            Value::Bytes(self.take(length, within)?)
        };
        Ok(Some((key >> 1, value)))
    }
}

/// Appends to a frame that is being filled.
#[derive(Debug)]
pub(super) struct Writer<'o> {
    pub(super) out: &'o mut Vec<u8>,
}

impl Writer<'_> {
    #[allow(clippy::cast_possible_truncation)] // The low seven bits are wanted.
    pub(super) fn plain(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push((value as u8 & 0x7f) | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    /// A number, whatever it is.
    pub(super) fn always(&mut self, tag: u64, value: u64) {
        self.plain(tag << 1);
        self.plain(value);
    }

    /// A number, unless it is 0.
    pub(super) fn number(&mut self, tag: u64, value: u64) {
        if value != 0 {
            self.always(tag, value);
        }
    }

    /// An amount, unless it is 0.
    #[allow(clippy::cast_sign_loss)] // Zigzag: the sign becomes the lowest bit.
    pub(super) fn amount(&mut self, tag: u64, value: Nanos) {
        self.number(tag, ((value.0 << 1) ^ (value.0 >> 63)) as u64);
    }

    pub(super) fn bytes(&mut self, tag: u64, value: &[u8]) {
        self.plain((tag << 1) | 1);
        self.plain(value.len() as u64);
        self.out.extend_from_slice(value);
    }

    /// A text, unless it is empty; cut at a character if it is too long.
    pub(super) fn text(&mut self, tag: u64, value: &str) {
        if !value.is_empty() {
            self.text_always(tag, value);
        }
    }

    /// A text, also an empty one.
    pub(super) fn text_always(&mut self, tag: u64, value: &str) {
        let mut end = value.len().min(TEXT_BYTES_MAX);
        while !value.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        self.bytes(tag, value.as_bytes().get(..end).unwrap_or_default());
    }

    /// A text that is left out, not cut, if it is longer than `max`.
    pub(super) fn whole_text(&mut self, tag: u64, value: &str, max: usize) {
        if !value.is_empty() && value.len() <= max {
            self.bytes(tag, value.as_bytes());
        }
    }

    /// A field made of what `write` appends. Its length is known only then:
    /// one byte is kept for it, and what is longer moves over for the rest.
    #[allow(clippy::cast_possible_truncation)] // The low seven bits are wanted.
    pub(super) fn within(&mut self, tag: u64, write: impl FnOnce(&mut Writer<'_>)) {
        self.plain((tag << 1) | 1);
        let at = self.out.len();
        self.out.push(0);
        write(&mut Writer { out: self.out });
        let mut length = self.out.len().saturating_sub(at).saturating_sub(1);
        let mut at = at;
        loop {
            let more = length >= 0x80;
            if let Some(slot) = self.out.get_mut(at) {
                *slot = (length as u8 & 0x7f) | if more { 0x80 } else { 0 };
            }
            length >>= 7;
            if !more {
                return;
            }
            at = at.saturating_add(1);
            self.out.insert(at, 0);
        }
    }

    pub(super) fn end(&mut self) {
        self.out.push(END);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_length_are_read_with_any_number_of_bytes_behind_them() {
        for number in (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) - 1, u64::MAX >> bit]) {
            for behind in 0..12 {
                let mut bytes = Vec::new();
                Writer { out: &mut bytes }.plain(number);
                bytes.resize(bytes.len() + behind, 0xff);
                let mut reader = Reader::new(&bytes);
                assert_eq!(reader.number("number"), Ok(number));
                assert_eq!(reader.rest, vec![0xff; behind]);
            }
        }
        for (bytes, refused) in [
            (vec![0xff; 5], DecodeError::Cut("number")),
            (vec![0xff; 9], DecodeError::Cut("number")),
            (vec![0xff; 16], DecodeError::Field("number")),
            (
                [vec![0x80; 9], vec![2]].concat(),
                DecodeError::Field("number"),
            ),
        ] {
            assert_eq!(Reader::new(&bytes).number("number"), Err(refused));
        }
    }
}
