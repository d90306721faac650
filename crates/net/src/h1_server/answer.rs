//! The head of an answer, and how its body is framed.

use bytes::Bytes;
use http::header::{CONNECTION, HeaderMap};
use http::response::Parts;
use http::{HeaderValue, StatusCode};
use http_body::SizeHint;

use super::date;
use super::out::Out;

/// How much of an answer's body is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// So many bytes.
    Exact(u64),
    /// Chunks, until the last.
    Chunks,
    /// No more chunks.
    Ended,
    /// An answer that has no body by its status.
    Without,
}

impl Length {
    pub(super) fn of(status: StatusCode, body: &SizeHint) -> Self {
        let is_without = status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED
            || status.is_informational();
        match body.exact() {
            _ if is_without => Self::Without,
            Some(length) => Self::Exact(length),
            None => Self::Chunks,
        }
    }

    /// Whether all of the body is there.
    pub(super) const fn is_reached(self) -> bool {
        matches!(self, Self::Exact(0) | Self::Ended | Self::Without)
    }

    /// Frames a piece of the body.
    ///
    /// # Errors
    /// It is longer than was announced.
    pub(super) fn push(&mut self, piece: Bytes, out: &mut Out) -> Result<(), &'static str> {
        match self {
            // An empty chunk would be the last.
            _ if piece.is_empty() => {}
            Self::Exact(left) => {
                *left = left
                    .checked_sub(piece.len() as u64)
                    .ok_or("the answer is longer than it said")?;
                out.push(piece, &[]);
            }
            Self::Chunks => {
                append_hex(piece.len(), out.bytes());
                out.bytes().extend_from_slice(b"\r\n");
                out.push(piece, b"\r\n");
            }
            Self::Ended | Self::Without => {}
        }
        Ok(())
    }

    /// Ends the body.
    ///
    /// # Errors
    /// It is shorter than was announced.
    pub(super) fn end(&mut self, out: &mut Out) -> Result<(), &'static str> {
        match self {
            Self::Exact(1..) => Err("the answer is shorter than it said"),
            Self::Chunks => {
                out.end_chunks();
                *self = Self::Ended;
                Ok(())
            }
            Self::Exact(0) | Self::Ended | Self::Without => Ok(()),
        }
    }
}

/// Whether an answer is to be the last of its connection.
pub(super) fn says_close(headers: &HeaderMap) -> bool {
    let says_close = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"close");
    headers.get_all(CONNECTION).iter().any(says_close)
}

/// Appends the head of an answer.
pub(super) fn append_head(parts: &Parts, length: Length, keeps: bool, out: &mut Vec<u8>) {
    /// What most heads take.
    const USUAL_BYTES: usize = 384;
    out.reserve(USUAL_BYTES);
    if parts.status == StatusCode::OK {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    } else {
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(parts.status.as_str().as_bytes());
        out.push(b' ');
        let reason = parts.status.canonical_reason().unwrap_or("<none>");
        out.extend_from_slice(reason.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    for (name, value) in &parts.headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    if !keeps && !says_close(&parts.headers) {
        out.extend_from_slice(b"connection: close\r\n");
    }
    match length {
        Length::Exact(length) => {
            out.extend_from_slice(b"content-length: ");
            out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Length::Chunks => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Length::Ended | Length::Without => {}
    }
    out.extend_from_slice(b"date: ");
    date::append_now(out);
    out.extend_from_slice(b"\r\n\r\n");
}

/// The length of a chunk.
fn append_hex(number: usize, out: &mut Vec<u8>) {
    let digits = (usize::BITS - number.leading_zeros()).div_ceil(4).max(1);
    for at in (0..digits).rev() {
        let digit = u32::try_from(number >> (4 * at) & 0xf).unwrap_or(0);
        out.extend(char::from_digit(digit, 16).map(|digit| digit as u8));
    }
}
