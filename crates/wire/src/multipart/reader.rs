//! Finds the parts of a form as it comes.

use std::ops::Range;

use super::head::{self, PartHead};
use super::{
    Boundary, EPILOGUE_BYTES_MAX, Form, FormError, PART_HEAD_BYTES_MAX, PARTS_MAX, Part,
    VALUE_BYTES_MAX,
};

/// What ends the headers of a part.
const HEAD_END: &[u8] = b"\r\n\r\n";
/// Blanks behind a boundary (RFC 2046 has them, as padding). Nobody sends any.
const PADDING_BYTES_MAX: usize = 64;

/// Finds the parts of a form that comes in pieces of any size.
#[derive(Debug)]
pub struct Reader {
    /// What ends a value: a line's end, two dashes and the boundary. Its first
    /// byte, a CR, is in it once, so that a match that fails begins anew
    /// nowhere but at another CR.
    delimiter: Vec<u8>,
    file_bytes_max: usize,
    state: State,
    /// Bytes that were read.
    at: usize,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum State {
    /// Before the first boundary, of which so many bytes have come.
    Beginning(usize),
    /// Behind a boundary: dashes, padding, and a line's end.
    Behind(Behind),
    /// In the headers of a part.
    Head(Vec<u8>),
    /// In the value of a part, which began so; so many bytes of a delimiter
    /// have come.
    Value(PartHead, usize, usize),
    /// Behind the last boundary, so many bytes.
    End(usize),
}

/// What came behind a boundary.
#[derive(Debug, Clone, Copy)]
enum Behind {
    Nothing,
    Dash,
    Padding(usize),
    Return,
}

impl Reader {
    /// For a form with this boundary, whose files have at most so many bytes
    /// each.
    #[must_use]
    pub fn new(boundary: &Boundary, file_bytes_max: usize) -> Self {
        Self {
            delimiter: format!("\r\n--{}", boundary.as_str()).into_bytes(),
            file_bytes_max,
            state: State::Beginning(0),
            at: 0,
            parts: Vec::new(),
        }
    }

    /// Reads the next piece.
    ///
    /// # Errors
    /// It is no form, or beyond a bound. Nothing that follows is read.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), FormError> {
        let mut rest = piece;
        while !rest.is_empty() {
            let taken = self.step(rest)?;
            self.at = self.at.saturating_add(taken);
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// The form, once all of it has come.
    ///
    /// # Errors
    /// It has not.
    pub fn finish(self) -> Result<Form, FormError> {
        match self.state {
            State::End(_) => Ok(Form {
                parts: self.parts,
                bytes: self.at,
            }),
            State::Beginning(_) => Err(FormError::Beginning),
            _ => Err(FormError::CutOff),
        }
    }

    /// Takes one byte or many; returns how many.
    fn step(&mut self, rest: &[u8]) -> Result<usize, FormError> {
        let byte = rest.first().copied().unwrap_or_default();
        match &mut self.state {
            State::Beginning(matched) => {
                // The first boundary has no line before it.
                let expected = self.delimiter.get(matched.saturating_add(2));
                if expected != Some(&byte) {
                    return Err(FormError::Beginning);
                }
                *matched += 1;
                if matched.saturating_add(2) == self.delimiter.len() {
                    self.state = State::Behind(Behind::Nothing);
                }
                Ok(1)
            }
            State::Behind(behind) => {
                let behind = *behind;
                self.state = self.behind(behind, byte)?;
                Ok(1)
            }
            State::Head(head) => {
                head.push(byte);
                if head.len() > PART_HEAD_BYTES_MAX {
                    return Err(FormError::HeadTooLong);
                }
                if head.ends_with(HEAD_END) {
                    let lines = head.get(..head.len().saturating_sub(HEAD_END.len()));
                    let read = head::read(lines.unwrap_or_default())?;
                    self.state = State::Value(read, self.at.saturating_add(1), 0);
                }
                Ok(1)
            }
            State::Value(..) => self.value(rest),
            State::End(bytes) => {
                *bytes = bytes.saturating_add(rest.len());
                match *bytes > EPILOGUE_BYTES_MAX {
                    true => Err(FormError::Epilogue),
                    false => Ok(rest.len()),
                }
            }
        }
    }

    fn behind(&self, behind: Behind, byte: u8) -> Result<State, FormError> {
        Ok(match (behind, byte) {
            (Behind::Nothing, b'-') => State::Behind(Behind::Dash),
            (Behind::Dash, b'-') => State::End(0),
            (Behind::Nothing, b' ' | b'\t') => State::Behind(Behind::Padding(1)),
            (Behind::Padding(bytes), b' ' | b'\t') if bytes < PADDING_BYTES_MAX => {
                State::Behind(Behind::Padding(bytes.saturating_add(1)))
            }
            (Behind::Nothing | Behind::Padding(_), b'\r') => State::Behind(Behind::Return),
            (Behind::Return, b'\n') => {
                if self.parts.len() >= PARTS_MAX {
                    return Err(FormError::Parts);
                }
                State::Head(Vec::new())
            }
            _ => return Err(FormError::AfterBoundary),
        })
    }

    /// Reads on in a value: all at once up to what may be its end.
    fn value(&mut self, rest: &[u8]) -> Result<usize, FormError> {
        let State::Value(_, _, matched) = &mut self.state else {
            return Ok(0);
        };
        let taken = if *matched == 0 {
            let plain = memchr::memchr(b'\r', rest).unwrap_or(rest.len());
            if plain == 0 {
                *matched = 1;
            }
            plain.max(1)
        } else {
            let byte = rest.first().copied().unwrap_or_default();
            *matched = match self.delimiter.get(*matched) {
                Some(expected) if *expected == byte => matched.saturating_add(1),
                _ => usize::from(byte == b'\r'),
            };
            1
        };
        let (at, matched) = (self.at.saturating_add(taken), *matched);
        self.bound(at.saturating_sub(matched))?;
        if matched == self.delimiter.len() {
            self.end_value(at.saturating_sub(matched));
        }
        Ok(taken)
    }

    /// That the value that is under way may reach this far.
    fn bound(&self, end: usize) -> Result<(), FormError> {
        let State::Value(head, start, _) = &self.state else {
            return Ok(());
        };
        let length = end.saturating_sub(*start);
        let name = || head.name.clone();
        if head.file_name.is_none() {
            match length > VALUE_BYTES_MAX {
                true => Err(FormError::ValueTooLong(name())),
                false => Ok(()),
            }
        } else if length > self.file_bytes_max {
            Err(FormError::FileTooLarge {
                name: name(),
                most: self.file_bytes_max,
            })
        } else {
            Ok(())
        }
    }

    fn end_value(&mut self, end: usize) {
        let state = std::mem::replace(&mut self.state, State::Behind(Behind::Nothing));
        if let State::Value(head, start, _) = state {
            self.parts.push(head.part(Range { start, end }));
        }
    }
}
