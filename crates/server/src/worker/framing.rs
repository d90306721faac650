//! Requests whose length is said twice.
//!
//! A head with both `Content-Length` and `Transfer-Encoding` is how requests
//! are smuggled past a proxy: it ends the body by one, the server behind it by
//! the other (RFC 9112, section 6.3). hyper goes by the encoding, drops the
//! length before anybody sees it, and serves the request; so bytes are looked
//! at on their way to it. Everything else that is odd about a length hyper
//! refuses, or shows ([`super::head`]).
//!
//! The bytes are only looked at. Where this reading of them and hyper's ever
//! differ, a request is refused for nothing or served as hyper would.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The most that is kept of a line that came in pieces: more than the names
/// and values that are looked for have.
const LINE_BYTES_MAX: usize = 256;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Next {
    /// Lines of a head, or the empty ones before it.
    #[default]
    Head,
    /// So many bytes of a body.
    Body(u64),
    /// The length of a chunk.
    ChunkLength,
    /// So many bytes of a chunk, with the line break behind them.
    Chunk(u64),
    /// Fields behind the last chunk.
    Trailer,
    /// Whatever it is, nobody serves it.
    Nothing,
}

/// What a head has said of its body so far.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    has_line: bool,
    has_length: bool,
    length: Option<u64>,
    has_encoding: bool,
}

/// Follows the requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Watch {
    next: Next,
    said: Said,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    is_ambiguous: Arc<AtomicBool>,
}

impl Watch {
    /// Whether a head has said two lengths; from then on nothing of the
    /// connection is to be served.
    pub(super) fn is_ambiguous(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_ambiguous)
    }

    /// Whether a head has begun and not ended.
    pub(super) fn is_in_head(&self) -> bool {
        self.next == Next::Head && (self.said.has_line || !self.line.is_empty())
    }

    /// Looks at what has arrived.
    pub(super) fn look(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match self.next {
                Next::Nothing => return,
                Next::Body(left) => self.skip(bytes, left, Next::Body, Next::Head),
                Next::Chunk(left) => self.skip(bytes, left, Next::Chunk, Next::ChunkLength),
                Next::Head | Next::ChunkLength | Next::Trailer => self.take_line(bytes),
            };
        }
    }

    fn skip<'a>(
        &mut self,
        bytes: &'a [u8],
        left: u64,
        more: fn(u64) -> Next,
        then: Next,
    ) -> &'a [u8] {
        let here = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let left = left.saturating_sub(here as u64);
        self.next = if left == 0 { then } else { more(left) };
        bytes.get(here..).unwrap_or_default()
    }

    fn take_line<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.keep(bytes);
            return &[];
        };
        let (line, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
        let rest = rest.get(1..).unwrap_or_default();
        if self.line.is_empty() {
            self.line(line);
        } else {
            self.keep(line);
            let line = std::mem::take(&mut self.line);
            self.line(&line);
        }
        rest
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES_MAX.saturating_sub(self.line.len());
        self.line
            .extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// A whole line, without its line feed.
    fn line(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.next {
            Next::ChunkLength => self.next = chunk(line),
            Next::Trailer if line.is_empty() => self.next = Next::Head,
            Next::Head if line.is_empty() && self.said.has_line => self.head_ends(),
            Next::Head if !self.said.has_line => self.said.has_line = !line.is_empty(),
            Next::Head => self.field(line),
            Next::Trailer | Next::Body(_) | Next::Chunk(_) | Next::Nothing => {}
        }
    }

    fn field(&mut self, line: &[u8]) {
        let Some(colon) = memchr::memchr(b':', line) else {
            return;
        };
        let (name, value) = line.split_at_checked(colon).unwrap_or_default();
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = value.get(1..).unwrap_or_default().trim_ascii();
            let text = std::str::from_utf8(digits).ok();
            self.said.has_length = true;
            self.said.length = text.and_then(|text| text.parse().ok());
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.said.has_encoding = true;
        }
    }

    fn head_ends(&mut self) {
        let said = std::mem::take(&mut self.said);
        self.next = match (said.has_encoding, said.has_length, said.length) {
            (true, true, _) => {
                self.is_ambiguous.store(true, Relaxed);
                Next::Nothing
            }
            (true, false, _) => Next::ChunkLength,
            (false, true, Some(0)) | (false, false, _) => Next::Head,
            (false, true, Some(length)) => Next::Body(length),
            // hyper refuses what is no number.
            (false, true, None) => Next::Nothing,
        };
    }
}

/// What follows the length of a chunk.
fn chunk(line: &[u8]) -> Next {
    /// The line break behind a chunk.
    const BREAK_BYTES: u64 = 2;
    let digits = line
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    let length = std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| u64::from_str_radix(digits, 16).ok());
    match length {
        Some(0) => Next::Trailer,
        Some(length) => Next::Chunk(length.saturating_add(BREAK_BYTES)),
        None => Next::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a text is found out, however it is cut.
    fn is_ambiguous(text: &str) -> bool {
        let verdicts: Vec<bool> = (1..=text.len())
            .map(|size| {
                let mut watch = Watch::default();
                for piece in text.as_bytes().chunks(size) {
                    watch.look(piece);
                }
                watch.is_ambiguous().load(Relaxed)
            })
            .collect();
        let first = verdicts.first().copied().unwrap();
        assert!(verdicts.iter().all(|verdict| *verdict == first), "{text:?}");
        first
    }

    const LENGTH: &str = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello";
    const CHUNKED: &str = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n\
                           5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\ncontent-length: 1\r\n\r\n";
    const BOTH: &str = "POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n";

    #[test]
    fn two_lengths_are_found_in_either_order_and_spelling() {
        assert!(is_ambiguous(BOTH));
        assert!(is_ambiguous(
            "POST / HTTP/1.1\r\nTRANSFER-encoding: x\r\nA: b\r\nContent-LENGTH: nonsense\r\n\r\n"
        ));
        assert!(is_ambiguous(
            "\r\n\r\nPOST / HTTP/1.1\ntransfer-encoding: chunked\ncontent-length:5\n\n"
        ));
    }

    #[test]
    fn ordinary_requests_are_followed_to_their_end() {
        for before in ["", LENGTH, CHUNKED, "GET / HTTP/1.1\r\nhost: a\r\n\r\n"] {
            for between in ["", LENGTH, CHUNKED] {
                assert!(!is_ambiguous(&format!("{before}{between}{LENGTH}")));
                assert!(is_ambiguous(&format!("{before}{between}{BOTH}")));
            }
        }
    }

    #[test]
    fn what_a_body_says_is_no_head() {
        let body = BOTH.len();
        let text = format!("POST / HTTP/1.1\r\ncontent-length: {body}\r\n\r\n{BOTH}{LENGTH}");
        assert!(!is_ambiguous(&text));
        let text = format!(
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{body:x}\r\n{BOTH}\r\n0\r\n\r\n"
        );
        assert!(!is_ambiguous(&text));
        assert!(is_ambiguous(&format!("{text}{BOTH}")));
    }

    #[test]
    fn a_line_of_any_length_takes_bounded_room() {
        let mut watch = Watch::default();
        watch.look(b"POST /");
        for _ in 0..1_000 {
            watch.look(&[b'x'; 1_000]);
        }
        assert!(watch.line.len() <= LINE_BYTES_MAX);
        watch.look(b" HTTP/1.1\r\n");
        assert!(watch.line.is_empty());
        watch.look(BOTH.split_once("\r\n").unwrap().1.as_bytes());
        assert!(watch.is_ambiguous().load(Relaxed));
    }
}
