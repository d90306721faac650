//! Binary messages with headers and checksums: `application/vnd.amazon.eventstream`
//! (docs.aws.amazon.com, "Event stream encoding", as read in November 2026).
//!
//! A message is its length, the length of its headers, a CRC32 of these
//! eight bytes, the headers, the payload, and a CRC32 of everything before.
//! The first checksum is checked before the lengths are believed, so that a
//! flipped bit does not make us wait for four gigabytes.

use super::{ERROR_CHARS_MAX, Frame, FrameError, FrameTooLong, FramingError};

/// Both lengths and their checksum.
const PRELUDE_BYTES: usize = 12;
/// The checksum at the end.
const CHECKSUM_BYTES: usize = 4;
/// The most that headers may take, by the same document.
const HEADERS_BYTES_MAX: usize = 128 * 1024;

type Read<T> = Result<T, FramingError>;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// Something that happened.
    Event,
    /// An error that ends the stream.
    Exception,
}

/// Appends a message with a payload of JSON, which must be shorter than the
/// 24 MB that one may have.
pub fn encode((kind, name): (MessageKind, &str), payload: &[u8], out: &mut Vec<u8>) {
    let (sort, named) = match kind {
        MessageKind::Event => ("event", ":event-type"),
        MessageKind::Exception => ("exception", ":exception-type"),
    };
    let mut headers = Vec::new();
    for (header, value) in [
        (named, name),
        (":content-type", "application/json"),
        (":message-type", sort),
    ] {
        // Our own words: none has 256 bytes.
        headers.push(u8::try_from(header.len()).unwrap_or(u8::MAX));
        headers.extend_from_slice(header.as_bytes());
        headers.push(TEXT);
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        headers.extend_from_slice(&length.to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let around = PRELUDE_BYTES + CHECKSUM_BYTES;
    let length = around
        .saturating_add(headers.len())
        .saturating_add(payload.len());
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let start = out.len();
    out.extend_from_slice(&count(length));
    out.extend_from_slice(&count(headers.len()));
    out.extend_from_slice(&checksum(out.get(start..)).to_be_bytes());
    out.extend_from_slice(&headers);
    out.extend_from_slice(payload);
    out.extend_from_slice(&checksum(out.get(start..)).to_be_bytes());
}

/// The kind of a header that is a text.
const TEXT: u8 = 7;

/// Cuts messages out of a stream.
#[derive(Debug, Clone)]
pub struct Decoder {
    /// The most payload of one message.
    limit: usize,
    /// The beginning of an unfinished message.
    pending: Vec<u8>,
}

impl Decoder {
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            pending: Vec::new(),
        }
    }

    pub fn feed<E: FrameError>(
        &mut self,
        piece: &[u8],
        mut each: impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = piece;
        while !rest.is_empty() {
            if self.pending.is_empty()
                && let Some(length) = self.message_len(rest)?
                && let Some((message, tail)) = rest.split_at_checked(length)
            {
                read(message, &mut each)?;
                rest = tail;
                continue;
            }
            let wanted = self.message_len(&self.pending)?.unwrap_or(PRELUDE_BYTES);
            let missing = wanted.saturating_sub(self.pending.len());
            let (more, tail) = rest.split_at_checked(missing).unwrap_or((rest, &[]));
            self.pending.extend_from_slice(more);
            rest = tail;
            if self.message_len(&self.pending)? == Some(self.pending.len()) {
                let result = read(&self.pending, &mut each);
                self.pending.clear();
                result?;
            }
        }
        Ok(())
    }

    /// The length of the message that begins here, once it is known.
    fn message_len(&self, text: &[u8]) -> Read<Option<usize>> {
        let Some(prelude) = text.get(..PRELUDE_BYTES) else {
            return Ok(None);
        };
        if number(prelude, 8) != Some(checksum(prelude.get(..8))) {
            return Err(FramingError::Corrupt("a prelude's checksum is wrong"));
        }
        let (Some(length), Some(headers)) = (number(prelude, 0), number(prelude, 4)) else {
            return Ok(None);
        };
        let (length, headers) = (length as usize, headers as usize);
        let around = PRELUDE_BYTES.saturating_add(CHECKSUM_BYTES);
        if headers > HEADERS_BYTES_MAX || length < around.saturating_add(headers) {
            return Err(FramingError::Corrupt("a message's lengths are wrong"));
        }
        let payload = length.saturating_sub(around).saturating_sub(headers);
        if payload > self.limit {
            return Err(FrameTooLong { limit: self.limit }.into());
        }
        Ok(Some(length))
    }
}

/// Reads one whole message.
fn read<E: FrameError>(
    message: &[u8],
    each: &mut impl FnMut(Frame<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let (body, sum) = message
        .split_at_checked(message.len().saturating_sub(CHECKSUM_BYTES))
        .unwrap_or_default();
    if number(sum, 0) != Some(checksum(Some(body))) {
        return Err(FramingError::Corrupt("a message's checksum is wrong").into());
    }
    let headers_len = number(body, 4).unwrap_or(0) as usize;
    let (headers, payload) = body
        .get(PRELUDE_BYTES..)
        .and_then(|rest| rest.split_at_checked(headers_len))
        .unwrap_or_default();
    let headers = Headers::read(headers)?;
    let reported = |code: &str, text: &str| FramingError::Reported {
        code: code.to_owned(),
        text: text.chars().take(ERROR_CHARS_MAX).collect(),
    };
    match headers.message_type {
        "exception" => {
            let text = String::from_utf8_lossy(payload);
            Err(reported(headers.exception_type, &text).into())
        }
        "error" => Err(reported(headers.error_code, headers.error_message).into()),
        _ => each(Frame {
            event: headers.event_type,
            data: payload,
        }),
    }
}

/// The headers that say what a message is.
#[derive(Debug, Default)]
struct Headers<'a> {
    message_type: &'a str,
    event_type: &'a str,
    exception_type: &'a str,
    error_code: &'a str,
    error_message: &'a str,
}

impl<'a> Headers<'a> {
    fn read(text: &'a [u8]) -> Read<Self> {
        let mut headers = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let (name, value, tail) =
                header(rest).ok_or(FramingError::Corrupt("a header is malformed"))?;
            rest = tail;
            let Some(value) = value.and_then(|value| std::str::from_utf8(value).ok()) else {
                continue;
            };
            match name {
                b":message-type" => headers.message_type = value,
                b":event-type" => headers.event_type = value,
                b":exception-type" => headers.exception_type = value,
                b":error-code" => headers.error_code = value,
                b":error-message" => headers.error_message = value,
                _ => {}
            }
        }
        Ok(headers)
    }
}

/// A header's name, its value if that is a text, and what follows.
type Header<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

fn header(text: &[u8]) -> Option<Header<'_>> {
    let (name_len, rest) = text.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*name_len))?;
    let (kind, rest) = rest.split_first()?;
    // true, false, 8, 16, 32 and 64 bits, bytes, text, a time, a UUID.
    let fixed = match kind {
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        4 => 4,
        5 | 8 => 8,
        9 => 16,
        6 | 7 => {
            let (length, rest) = rest.split_at_checked(2)?;
            let length = u16::from_be_bytes(length.try_into().ok()?);
            let (value, rest) = rest.split_at_checked(usize::from(length))?;
            return Some((name, (*kind == TEXT).then_some(value), rest));
        }
        _ => return None,
    };
    let (_, rest) = rest.split_at_checked(fixed)?;
    Some((name, None, rest))
}

/// Four bytes as a number, most significant first.
fn number(text: &[u8], at: usize) -> Option<u32> {
    let bytes = text.get(at..)?.get(..4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

fn checksum(text: Option<&[u8]>) -> u32 {
    crc32fast::hash(text.unwrap_or_default())
}
