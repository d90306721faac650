//! The elements of one JSON array, each handed out as soon as it is there.
//!
//! Brackets are counted, strings are skipped, and nothing else is checked:
//! an element goes to a parser anyway. A stream that is one object and no
//! array is handed out as a frame too, because that is how errors come.

use memchr::memchr2;

use super::{Frame, FrameError, FrameTooLong, FramingError, unnamed};

/// Where the decoder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the array.
    Start,
    /// Between two elements.
    Between,
    /// Inside an element, which is an object.
    Inside,
    /// Inside a string of an element.
    Text,
    /// Behind a backslash in such a string.
    Escape,
    /// Behind the array.
    End,
}

/// Cuts elements out of a stream.
#[derive(Debug, Clone)]
pub struct Decoder {
    limit: usize,
    state: State,
    /// Brackets of the element that are open.
    depth: usize,
    /// Whether the whole stream is one object.
    lone: bool,
    /// The beginning of an unfinished element.
    pending: Vec<u8>,
}

impl Decoder {
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            state: State::Start,
            depth: 0,
            lone: false,
            pending: Vec::new(),
        }
    }

    pub fn feed<E: FrameError>(
        &mut self,
        piece: &[u8],
        mut each: impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        // Where the element begins in this piece, unless it began before.
        let mut start = 0_usize;
        let mut at = 0_usize;
        while let Some(&byte) = piece.get(at) {
            match self.state {
                State::Text => {
                    let inside = piece.get(at..).unwrap_or_default();
                    let Some(end) = memchr2(b'"', b'\\', inside) else {
                        break;
                    };
                    at = at.saturating_add(end);
                    self.state = match piece.get(at) {
                        Some(b'"') => State::Inside,
                        _ => State::Escape,
                    };
                }
                State::Escape => self.state = State::Text,
                State::Inside => {
                    if self.inside(byte) {
                        let end = at.saturating_add(1);
                        let part = piece.get(start..end).unwrap_or_default();
                        self.hand_out(part, &mut each)?;
                        start = end;
                    }
                }
                State::Start | State::Between | State::End => {
                    if self.outside(byte)? {
                        start = at;
                    }
                }
            }
            at = at.saturating_add(1);
        }
        if matches!(self.state, State::Inside | State::Text | State::Escape) {
            let part = piece.get(start..).unwrap_or_default();
            self.check(self.pending.len().saturating_add(part.len()))?;
            self.pending.extend_from_slice(part);
        }
        Ok(())
    }

    /// Whether an element begins at this byte.
    fn outside(&mut self, byte: u8) -> Result<bool, FramingError> {
        match (self.state, byte) {
            (_, b' ' | b'\t' | b'\r' | b'\n') | (State::Between, b',') => Ok(false),
            (State::Start, b'[') => {
                self.state = State::Between;
                Ok(false)
            }
            (State::Between, b']') => {
                self.state = State::End;
                Ok(false)
            }
            (State::Start | State::Between, b'{') => {
                self.lone = self.state == State::Start;
                self.state = State::Inside;
                self.depth = 1;
                Ok(true)
            }
            _ => Err(FramingError::Corrupt(
                "something else than objects in an array",
            )),
        }
    }

    /// Whether the element ends at this byte.
    fn inside(&mut self, byte: u8) -> bool {
        match byte {
            b'"' => self.state = State::Text,
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }

    fn hand_out<E: FrameError>(
        &mut self,
        part: &[u8],
        each: &mut impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.state = if self.lone {
            State::End
        } else {
            State::Between
        };
        self.check(self.pending.len().saturating_add(part.len()))?;
        if self.pending.is_empty() {
            return each(unnamed(part));
        }
        let mut whole = std::mem::take(&mut self.pending);
        whole.extend_from_slice(part);
        each(unnamed(&whole))
    }

    const fn check(&self, length: usize) -> Result<(), FrameTooLong> {
        if length > self.limit {
            return Err(FrameTooLong { limit: self.limit });
        }
        Ok(())
    }
}
