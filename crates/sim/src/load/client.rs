//! One keep-alive HTTP/1.1 connection of the load generator.

use std::io;
use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::log::micros_since;

/// Largest response head, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Room made before each read, in bytes.
const READ_BYTES: usize = 16 * 1024;

/// One request and its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exchange {
    /// Status.
    pub status: u16,
    /// From due to the response head, in microseconds.
    pub head_us: u64,
    /// From due to the first body byte, in microseconds.
    pub first_byte_us: u64,
    /// From due to the first line of data of a stream, in microseconds:
    /// comments do not count. 0 if there was none.
    pub first_data_us: u64,
    /// From due to the end, in microseconds.
    pub total_us: u64,
    /// Body bytes, without chunk framing.
    pub body_bytes: u64,
    /// Blocks that an empty line ends: SSE events and comments.
    pub events: u64,
    /// HTTP chunks.
    pub chunks: u64,
    /// Whether a line of the body has an error object: how a stream that
    /// began with 200 says that it failed.
    pub error: bool,
    /// Whether the connection may be used again.
    pub keep_alive: bool,
    /// Whether the answer says when to come back.
    pub retry_after: bool,
}

/// A connection with what was read ahead.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    buf: BytesMut,
}

enum Framing {
    Length(u64),
    Chunked,
    ToClose,
}

struct Head {
    status: u16,
    framing: Framing,
    keep_alive: bool,
    retry_after: bool,
}

/// Counts empty lines over pieces, LF and CR LF alike.
#[derive(Default)]
struct Lines {
    length: u64,
    ends_in_cr: bool,
    empty: u64,
    /// Whether a line began with the `d` of `data:`.
    data: bool,
    /// Whether [`ERROR`] was seen.
    error: bool,
    /// The end of what was seen, in which it may have begun.
    tail: Vec<u8>,
}

/// Begins an error object, as no answer of the simulator has it otherwise.
const ERROR: &[u8] = b"\"error\":{";

impl Lines {
    fn see(&mut self, piece: &[u8]) {
        self.look_for_error(piece);
        let mut start = 0;
        for at in memchr::memchr_iter(b'\n', piece) {
            let line = piece.get(start..at).unwrap_or_default();
            self.data |= self.length == 0 && line.first() == Some(&b'd');
            let length = self.length + line.len() as u64;
            let cr = line.last().map_or(self.ends_in_cr, |last| *last == b'\r');
            if length == 0 || (length == 1 && cr) {
                self.empty += 1;
            }
            self.length = 0;
            self.ends_in_cr = false;
            start = at + 1;
        }
        let rest = piece.get(start..).unwrap_or_default();
        self.data |= self.length == 0 && rest.first() == Some(&b'd');
        self.length += rest.len() as u64;
        if let Some(last) = rest.last() {
            self.ends_in_cr = *last == b'\r';
        }
    }

    fn look_for_error(&mut self, piece: &[u8]) {
        let mut joint = std::mem::take(&mut self.tail);
        joint.extend_from_slice(
            piece
                .get(..piece.len().min(ERROR.len()))
                .unwrap_or_default(),
        );
        let seen = |bytes: &[u8]| memchr::memmem::find(bytes, ERROR).is_some();
        self.error |= seen(&joint) || seen(piece);
        let all = if piece.len() >= ERROR.len() {
            piece
        } else {
            &joint
        };
        let from = all.len().saturating_sub(ERROR.len() - 1);
        self.tail = all.get(from..).unwrap_or_default().to_vec();
    }
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When the connection is refused.
    pub async fn connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buf: BytesMut::with_capacity(READ_BYTES),
        })
    }

    /// Whether the server has neither closed the connection nor said anything
    /// since its last answer, as a client looks before it uses one again.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let read = self.stream.try_read(&mut [0]);
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a request and reads its answer away.
    ///
    /// # Errors
    /// When the connection breaks or the answer is not HTTP.
    pub async fn exchange(&mut self, request: &[u8], due: Instant) -> io::Result<Exchange> {
        self.stream.write_all(request).await?;
        let head = self.read_head().await?;
        let due = due.into_std();
        let mut exchange = Exchange {
            status: head.status,
            head_us: micros_since(due),
            keep_alive: head.keep_alive,
            retry_after: head.retry_after,
            ..Exchange::default()
        };
        let mut lines = Lines::default();
        match head.framing {
            Framing::Length(length) => {
                self.read_length(length, due, &mut exchange, &mut lines)
                    .await?;
            }
            Framing::Chunked => self.read_chunked(due, &mut exchange, &mut lines).await?,
            Framing::ToClose => {
                loop {
                    let have = self.buf.len();
                    self.take(have, due, &mut exchange, &mut lines);
                    if self.stream.read_buf(&mut self.buf).await? == 0 {
                        break;
                    }
                }
                exchange.keep_alive = false;
            }
        }
        exchange.total_us = micros_since(due);
        exchange.events = lines.empty;
        exchange.error = lines.error;
        Ok(exchange)
    }

    async fn fill(&mut self) -> io::Result<()> {
        self.buf.reserve(READ_BYTES);
        if self.stream.read_buf(&mut self.buf).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    async fn read_head(&mut self) -> io::Result<Head> {
        loop {
            if let Some((end, head)) = parse_head(&self.buf)? {
                self.buf.advance(end);
                return Ok(head);
            }
            if self.buf.len() > HEAD_BYTES_MAX {
                return Err(bad("response head is too long"));
            }
            self.fill().await?;
        }
    }

    /// Consumes body bytes that were read.
    fn take(
        &mut self,
        count: usize,
        due: std::time::Instant,
        exchange: &mut Exchange,
        lines: &mut Lines,
    ) {
        if count == 0 {
            return;
        }
        if exchange.body_bytes == 0 {
            exchange.first_byte_us = micros_since(due);
        }
        exchange.body_bytes += count as u64;
        lines.see(self.buf.get(..count).unwrap_or_default());
        if lines.data && exchange.first_data_us == 0 {
            exchange.first_data_us = micros_since(due);
        }
        self.buf.advance(count);
    }

    async fn read_length(
        &mut self,
        mut left: u64,
        due: std::time::Instant,
        exchange: &mut Exchange,
        lines: &mut Lines,
    ) -> io::Result<()> {
        loop {
            let now = self
                .buf
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            self.take(now, due, exchange, lines);
            left -= now as u64;
            if left == 0 {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    async fn read_chunked(
        &mut self,
        due: std::time::Instant,
        exchange: &mut Exchange,
        lines: &mut Lines,
    ) -> io::Result<()> {
        loop {
            let parsed =
                httparse::parse_chunk_size(&self.buf).map_err(|_| bad("bad chunk size"))?;
            let httparse::Status::Complete((skip, size)) = parsed else {
                self.fill().await?;
                continue;
            };
            self.buf.advance(skip);
            if size > 0 {
                exchange.chunks += 1;
                self.read_length(size, due, exchange, lines).await?;
            }
            while self.buf.len() < 2 {
                self.fill().await?;
            }
            if !self.buf.starts_with(b"\r\n") {
                return Err(bad("chunk has no end"));
            }
            self.buf.advance(2);
            if size == 0 {
                return Ok(());
            }
        }
    }
}

fn parse_head(buf: &[u8]) -> io::Result<Option<(usize, Head)>> {
    let mut slots = [httparse::EMPTY_HEADER; 128];
    let mut response = httparse::Response::new(&mut slots);
    let parsed = response.parse(buf).map_err(|_| bad("bad response head"))?;
    let httparse::Status::Complete(end) = parsed else {
        return Ok(None);
    };
    let status = response.code.unwrap_or(0);
    let mut framing = Framing::ToClose;
    let mut keep_alive = response.version == Some(1);
    let mut retry_after = false;
    for header in response.headers.iter() {
        let value = std::str::from_utf8(header.value).unwrap_or_default().trim();
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Framing::Chunked;
        } else if header.name.eq_ignore_ascii_case("content-length") {
            if !matches!(framing, Framing::Chunked) {
                framing = Framing::Length(value.parse().map_err(|_| bad("bad content-length"))?);
            }
        } else if header.name.eq_ignore_ascii_case("connection") {
            keep_alive = keep_alive && !value.eq_ignore_ascii_case("close");
        } else if header.name.eq_ignore_ascii_case("retry-after") {
            retry_after = !value.is_empty();
        }
    }
    if matches!(status, 204 | 304) {
        framing = Framing::Length(0);
    }
    Ok(Some((
        end,
        Head {
            status,
            framing,
            keep_alive,
            retry_after,
        },
    )))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::{Client, Lines};

    #[tokio::test]
    async fn a_connection_that_the_server_closed_is_not_used_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (server, _) = listener.accept().await.unwrap();
        assert!(client.is_open());
        drop(server);
        client.stream.readable().await.unwrap();
        assert!(!client.is_open());
    }

    #[test]
    fn events_are_counted_alike_however_the_stream_is_cut() {
        let text = b"data: a\n\ndata: b\r\n\r\n: note\n\nevent: x\ndata: c\n\n";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            text.chunks(size).for_each(|piece| lines.see(piece));
            assert_eq!(lines.empty, 4, "pieces of {size}");
        }
    }

    #[test]
    fn an_error_is_seen_however_the_stream_is_cut() {
        for (text, error) in [
            ("data: {\"id\":1,\"error\":{\"code\":502}}\n\n", true),
            (
                "data: {\"error\":null,\"e\":\"error\"}\n\ndata: {\"id\":2}\n\n",
                false,
            ),
        ] {
            for size in 1..text.len() {
                let mut lines = Lines::default();
                text.as_bytes()
                    .chunks(size)
                    .for_each(|piece| lines.see(piece));
                assert_eq!(lines.error, error, "pieces of {size}: {text}");
            }
        }
    }

    #[test]
    fn a_comment_is_no_data_however_the_stream_is_cut() {
        let text = b": data: no\n\nevent: data\n\ndata: a\n\n";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let first = text.chunks(size).position(|piece| {
                lines.see(piece);
                lines.data
            });
            assert_eq!(first, Some(25 / size), "pieces of {size}");
        }
    }
}
