//! Chunked framing, taken out in place.
//!
//! One read often holds many chunks: an upstream that streams at full speed
//! writes one chunk per event. [`Chunked::decode`] slides the payloads
//! together inside the read buffer, so that they travel on as one frame, and
//! a read that holds a single chunk moves nothing at all.

use crate::error::NetError;
use crate::h1::head::malformed;

/// Longest chunk extension. No known server sends any; they only cost time.
const EXTENSION_BYTES_MAX: u32 = 1024;
/// Most digits of a chunk size, leading zeros included. Zeros without end
/// would keep a silent body looking alive.
const SIZE_DIGITS_MAX: u32 = 16;
/// Longest trailer section. gRPC-style trailers take a few hundred bytes.
const TRAILER_BYTES_MAX: u32 = 16 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// First digit of a chunk size.
    Size,
    /// Further digits.
    SizeMore,
    /// After the digits, up to CR.
    Extension,
    /// LF that ends the size line.
    SizeLf,
    /// Payload, `remaining` bytes of it.
    Data,
    /// CR and LF that follow a payload.
    DataCr,
    DataLf,
    /// At the start of a trailer line, in its name, in its value, and at its
    /// LF.
    TrailerStart,
    TrailerName,
    Trailer,
    TrailerLf,
    /// LF of the closing empty line.
    EndLf,
    Done,
}

/// What one call of [`Chunked::decode`] made of the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// Where the joined payload starts and ends in the buffer.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// How many bytes were used up; fewer than given only when the body is
    /// complete.
    pub(crate) consumed: usize,
}

#[derive(Debug)]
pub(crate) struct Chunked {
    state: State,
    remaining: u64,
    size_digits: u32,
    extension_bytes: u32,
    trailer_bytes: u32,
}

impl Chunked {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Size,
            remaining: 0,
            size_digits: 0,
            extension_bytes: 0,
            trailer_bytes: 0,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes the framing out of `buf`, which holds what was read since the
    /// last call.
    ///
    /// # Errors
    /// On any departure from RFC 9112 section 7.1; line ends must be CRLF.
    pub(crate) fn decode(&mut self, buf: &mut [u8]) -> Result<Decoded, NetError> {
        let mut start = 0;
        let mut end = 0;
        let mut at = 0;
        while self.state != State::Done {
            if self.state == State::Data {
                let available = buf.len() - at;
                let wanted = usize::try_from(self.remaining).unwrap_or(usize::MAX);
                let take = wanted.min(available);
                if end == start {
                    // The first payload stays where it is.
                    start = at;
                    end = at;
                } else if end != at {
                    buf.copy_within(at..at + take, end);
                }
                end += take;
                at += take;
                self.remaining -= take as u64;
                if self.remaining > 0 {
                    break;
                }
                self.state = State::DataCr;
            }
            let Some(byte) = buf.get(at).copied() else {
                break;
            };
            at += 1;
            self.state = self.step(byte)?;
        }
        Ok(Decoded {
            start,
            end,
            consumed: at,
        })
    }

    fn step(&mut self, byte: u8) -> Result<State, NetError> {
        Ok(match (self.state, byte) {
            (State::Size, _) => {
                self.remaining = hex(byte).ok_or_else(|| malformed("chunk without a size"))?;
                self.size_digits = 1;
                State::SizeMore
            }
            (State::SizeMore, b'\r') => State::SizeLf,
            (State::SizeMore, b';' | b' ' | b'\t') => {
                self.extension_bytes = 0;
                State::Extension
            }
            (State::SizeMore, _) => {
                let digit = hex(byte).ok_or_else(|| malformed("chunk size is not hexadecimal"))?;
                self.size_digits += 1;
                // No honest chunk has 2^60 bytes.
                if self.size_digits > SIZE_DIGITS_MAX || self.remaining >> 56 != 0 {
                    return Err(malformed("chunk size is absurd"));
                }
                self.remaining = (self.remaining << 4) | digit;
                State::SizeMore
            }
            (State::Extension, b'\r') => State::SizeLf,
            (State::Extension, b'\n' | 0) => return Err(malformed("bare LF after a chunk size")),
            (State::Extension, _) => {
                self.extension_bytes += 1;
                if self.extension_bytes > EXTENSION_BYTES_MAX {
                    return Err(malformed("chunk extension is too long"));
                }
                State::Extension
            }
            (State::SizeLf, b'\n') if self.remaining == 0 => State::TrailerStart,
            (State::SizeLf, b'\n') => State::Data,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size,
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::TrailerStart | State::TrailerName | State::Trailer, _) => {
                self.trailer_bytes += 1;
                if self.trailer_bytes > TRAILER_BYTES_MAX {
                    return Err(malformed("trailers are too long"));
                }
                trailer(self.state, byte).ok_or_else(|| malformed("a trailer is no header"))?
            }
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::EndLf, b'\n') => State::Done,
            _ => return Err(malformed("chunk framing without CRLF")),
        })
    }
}

/// What follows a byte of a trailer, which is skipped, and is a header all the
/// same: a name, a colon and what may be in a value.
fn trailer(state: State, byte: u8) -> Option<State> {
    let is_of_name = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    match (state, byte) {
        (State::TrailerName, b':') => Some(State::Trailer),
        (State::TrailerStart | State::TrailerName, _) => is_of_name.then_some(State::TrailerName),
        _ => (byte == b'\t' || !byte.is_ascii_control()).then_some(State::Trailer),
    }
}

fn hex(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}
