//! Reading a response head, and deciding how the body is framed.

use std::mem::MaybeUninit;

use http::StatusCode;
use httparse::{Header, ParserConfig, Status};

use crate::error::{NetError, NetErrorKind};
use crate::headers::{Span, Spans};

/// Largest response head. Vendors stay below 8 KB; spans index with 16 bits.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024 - 1;
/// Most headers in a head. Vendors send up to about forty.
const HEADERS_MAX: usize = 128;

/// How the end of a body is known (RFC 9112 section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) spans: Spans,
    pub(crate) framing: Framing,
    /// Whether the upstream is willing to serve another request.
    pub(crate) keep_alive: bool,
    /// Length of the head in the buffer, closing empty line included.
    pub(crate) len: usize,
}

/// Reads a head from the start of `buf`; `None` when more bytes are needed.
///
/// Line ends may be bare LF here, as RFC 9112 section 2.2 permits to a
/// recipient; folded lines and blanks before a colon are errors. Chunk
/// framing is stricter, see `chunked.rs`.
pub(crate) fn parse(buf: &[u8], no_content: bool) -> Result<Option<Head>, NetError> {
    let mut slots = [const { MaybeUninit::<Header<'_>>::uninit() }; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut []);
    let window = buf.get(..buf.len().min(HEAD_BYTES_MAX)).unwrap_or(buf);
    let len = match ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        window,
        &mut slots,
    ) {
        Ok(Status::Complete(len)) => len,
        Ok(Status::Partial) if buf.len() >= HEAD_BYTES_MAX => {
            return Err(NetError::because(
                NetErrorKind::TooLarge,
                "response head above 64 KB",
            ));
        }
        Ok(Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(NetError::because(
                NetErrorKind::TooLarge,
                "more than 128 headers",
            ));
        }
        Err(error) => return Err(NetError::because(NetErrorKind::Malformed, error)),
    };
    let status = response
        .code
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or_else(|| malformed("status code out of range"))?;
    let is_http_10 = response.version == Some(0);

    let mut spans = Spans::with_capacity(response.headers.len());
    let mut said = Said::default();
    let base = buf.as_ptr() as usize;
    for header in response.headers.iter() {
        let name = header.name.as_bytes();
        said.note(name, header.value)?;
        spans.push(span(base, name, header.value)?);
    }
    let bare = no_content
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    let framing = said.framing(is_http_10)?;
    Ok(Some(Head {
        status,
        spans,
        framing: if bare { Framing::Length(0) } else { framing },
        keep_alive: !said.close && (!is_http_10 || said.keep_alive),
        len,
    }))
}

/// What a head says of its body and its connection.
#[derive(Default)]
struct Said<'a> {
    length: Option<u64>,
    transfer_encoding: Option<&'a [u8]>,
    close: bool,
    keep_alive: bool,
}

impl<'a> Said<'a> {
    fn note(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), NetError> {
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let length = parse_length(value)?;
                if self.length.is_some_and(|earlier| earlier != length) {
                    return Err(malformed("two different content-length headers"));
                }
                self.length = Some(length);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                let earlier = self.transfer_encoding.replace(value);
                if earlier.is_some() {
                    return Err(malformed("two transfer-encoding headers"));
                }
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                for option in value.split(|byte| *byte == b',') {
                    let option = option.trim_ascii();
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn framing(&self, is_http_10: bool) -> Result<Framing, NetError> {
        if self.transfer_encoding.is_some() && self.length.is_some() {
            return Err(malformed("both transfer-encoding and content-length"));
        }
        match self.transfer_encoding {
            Some(_) if is_http_10 => Err(malformed("transfer-encoding in HTTP/1.0")),
            Some(value) if value.trim_ascii().eq_ignore_ascii_case(b"chunked") => {
                Ok(Framing::Chunked)
            }
            Some(_) => Err(malformed("transfer-encoding other than chunked")),
            None => Ok(self.length.map_or(Framing::UntilClose, Framing::Length)),
        }
    }
}

/// Where the head ends, searched from `from`; `None` when it is not there
/// yet. It keeps a head that trickles in byte by byte from being parsed
/// from its start at every byte.
pub(crate) fn ends(buf: &[u8], from: usize) -> bool {
    let start = from.saturating_sub(3);
    let Some(tail) = buf.get(start..) else {
        return false;
    };
    memchr::memchr_iter(b'\n', tail).any(|at| {
        let after = tail.get(at + 1..).unwrap_or_default();
        after.starts_with(b"\n") || after.starts_with(b"\r\n")
    })
}

fn span(base: usize, name: &[u8], value: &[u8]) -> Result<Span, NetError> {
    let place = |part: &[u8]| {
        let at = (part.as_ptr() as usize).checked_sub(base)?;
        Some((u16::try_from(at).ok()?, u16::try_from(part.len()).ok()?))
    };
    // An empty value may point anywhere; its place does not matter.
    let value = if value.is_empty() {
        Some((0, 0))
    } else {
        place(value)
    };
    match (place(name), value) {
        (Some((name_at, name_len)), Some((value_at, value_len))) => Ok(Span {
            name_at,
            name_len,
            value_at,
            value_len,
        }),
        _ => Err(malformed("a header outside the head")),
    }
}

/// Digits only. A sign, a list or a blank inside has been read differently
/// by different parsers, which is how responses get smuggled.
fn parse_length(value: &[u8]) -> Result<u64, NetError> {
    let value = value.trim_ascii();
    if value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
        return Err(malformed("content-length is not a number"));
    }
    Ok(value
        .iter()
        .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

pub(crate) fn malformed(why: &'static str) -> NetError {
    NetError::because(NetErrorKind::Malformed, why)
}
