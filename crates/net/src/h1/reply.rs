//! An answer read from bytes that are there already: the fuzzer's way to heads
//! and bodies, which are otherwise read from a socket.

use bytes::BytesMut;

use super::chunked::Chunked;
use super::head::{self, Framing, Head};
use crate::error::NetError;
use crate::headers::ResponseHeaders;

/// An answer, as far as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Names and values, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// What came of the body before its end, or before what is wrong in it.
    pub body: Vec<u8>,
    /// How the body ended.
    pub end: &'static str,
}

/// Reads one answer out of pieces, as [`super::exchange`] and
/// [`super::H1Body`] do from a socket, and without the answers before it that
/// only inform.
///
/// # Errors
/// What is wrong with its head.
pub fn reply_of(pieces: &[&[u8]]) -> Result<Reply, String> {
    let mut pieces = pieces.iter();
    let mut buf = BytesMut::new();
    let (head, headers) = loop {
        if let Some(found) = next_head(&mut buf).map_err(|error| error.to_string())? {
            break found;
        }
        let piece = pieces.next().ok_or("the head is not all there")?;
        buf.extend_from_slice(piece);
    };
    let mut reply = Reply {
        status: head.status.as_u16(),
        headers,
        body: Vec::new(),
        end: "cut",
    };
    let mut body = Body::of(head.framing);
    let mut piece = buf.to_vec();
    loop {
        match body.take(&mut piece, &mut reply.body) {
            Err(_) => reply.end = "broken",
            Ok(true) => reply.end = "whole",
            Ok(false) => match pieces.next() {
                Some(next) => {
                    piece = next.to_vec();
                    continue;
                }
                None if matches!(body, Body::UntilClose) => reply.end = "closed",
                None => {}
            },
        }
        return Ok(reply);
    }
}

type Headers = Vec<(String, Vec<u8>)>;

/// The head of the answer itself, taken out of the buffer.
fn next_head(buf: &mut BytesMut) -> Result<Option<(Head, Headers)>, NetError> {
    while let Some(head) = head::parse(buf, false)? {
        let text = buf.split_to(head.len).freeze();
        if head.status.is_informational() {
            continue;
        }
        let mut headers = Headers::new();
        ResponseHeaders::raw(text, head.spans.clone())
            .for_each(|name, value| headers.push((name.to_owned(), value.to_vec())));
        return Ok(Some((head, headers)));
    }
    Ok(None)
}

enum Body {
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

impl Body {
    fn of(framing: Framing) -> Self {
        match framing {
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunked::new()),
            Framing::UntilClose => Self::UntilClose,
        }
    }

    /// Takes the payload of a piece; returns whether it was the last.
    fn take(&mut self, piece: &mut [u8], out: &mut Vec<u8>) -> Result<bool, NetError> {
        match self {
            Self::UntilClose => {
                out.extend_from_slice(piece);
                Ok(false)
            }
            Self::Length(left) => {
                let now = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(piece.len());
                out.extend(piece.iter().take(now));
                *left = left.saturating_sub(now as u64);
                Ok(*left == 0)
            }
            Self::Chunked(chunked) => {
                let decoded = chunked.decode(piece)?;
                out.extend_from_slice(piece.get(decoded.start..decoded.end).unwrap_or_default());
                Ok(chunked.is_done())
            }
        }
    }
}
