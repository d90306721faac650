//! One HTTP/1.1 connection, spoken by hand.
//!
//! A library would hide what a fault needs: which bytes leave in which
//! write, a close in the middle of a chunk, the moment the other side
//! goes away. So this reads heads with `httparse` and writes the rest.

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

/// Largest request head, in bytes.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Largest request body, in bytes.
pub const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most headers.
pub const HEADERS_MAX: usize = 128;
/// Most bytes accepted ahead of the response they wait for.
const AHEAD_BYTES_MAX: usize = 1024 * 1024;
/// Room made before each read, in bytes.
const READ_BYTES: usize = 16 * 1024;
/// Longest wait for a request to arrive completely, once begun.
const READ_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest wait for a client that does not read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(600);

/// A connection with what was read ahead.
#[derive(Debug)]
pub struct Conn {
    /// The socket.
    pub stream: TcpStream,
    buf: BytesMut,
}

/// A request head.
#[derive(Debug)]
pub struct Head {
    raw: Bytes,
    /// Method.
    pub method: Bytes,
    /// Path and query.
    pub path: Bytes,
    /// Body length, or none when chunked.
    pub length: Option<u64>,
    /// Whether the connection may serve another request.
    pub keep_alive: bool,
    /// Whether the client waits for leave to send its body.
    pub expects_continue: bool,
}

/// The other side is gone, or cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

impl From<io::Error> for Gone {
    fn from(_: io::Error) -> Self {
        Self
    }
}

impl Head {
    /// The path as text.
    #[must_use]
    pub fn path(&self) -> &str {
        std::str::from_utf8(&self.path).unwrap_or_default()
    }

    /// All headers, in order.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, Vec<u8>)> {
        let mut slots = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut slots);
        if request.parse(&self.raw).is_err() {
            return Vec::new();
        }
        request
            .headers
            .iter()
            .map(|header| (header.name.to_ascii_lowercase(), header.value.to_vec()))
            .collect()
    }
}

impl Conn {
    /// Takes a socket over. Small writes must leave at once, or pacing
    /// would measure the kernel's patience.
    #[must_use]
    pub fn new(stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            buf: BytesMut::with_capacity(READ_BYTES),
        }
    }

    /// The socket, and what was read ahead.
    #[must_use]
    pub fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.buf.to_vec())
    }

    async fn fill(&mut self) -> Result<usize, Gone> {
        self.buf.reserve(READ_BYTES);
        Ok(self.stream.read_buf(&mut self.buf).await?)
    }

    /// Reads the next head; none when the client is done with the connection.
    ///
    /// # Errors
    /// When the head is malformed, too long, or never completed.
    pub async fn read_head(&mut self) -> Result<Option<Head>, Gone> {
        loop {
            if let Some(head) = self.parse_head()? {
                return Ok(Some(head));
            }
            let begun = !self.buf.is_empty();
            let read = if begun {
                timeout(READ_TIMEOUT, self.fill())
                    .await
                    .map_err(|_| Gone)??
            } else {
                self.fill().await?
            };
            if read == 0 {
                return if begun { Err(Gone) } else { Ok(None) };
            }
        }
    }

    fn parse_head(&mut self) -> Result<Option<Head>, Gone> {
        let mut slots = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut slots);
        let end = match request.parse(&self.buf).map_err(|_| Gone)? {
            httparse::Status::Complete(end) if end <= HEAD_BYTES_MAX => end,
            httparse::Status::Partial if self.buf.len() < HEAD_BYTES_MAX => return Ok(None),
            _ => return Err(Gone),
        };
        let mut length = Some(0);
        let mut keep_alive = request.version == Some(1);
        let mut expects_continue = false;
        for header in request.headers.iter() {
            let value = std::str::from_utf8(header.value).unwrap_or_default().trim();
            if header.name.eq_ignore_ascii_case("content-length") {
                length = length.and(Some(value.parse().map_err(|_| Gone)?));
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                length = None;
            } else if header.name.eq_ignore_ascii_case("connection") {
                keep_alive = keep_alive && !value.eq_ignore_ascii_case("close");
            } else if header.name.eq_ignore_ascii_case("expect") {
                expects_continue = true;
            }
        }
        let method_len = request.method.unwrap_or_default().len();
        let path_len = request.path.unwrap_or_default().len();
        let raw = self.buf.split_to(end).freeze();
        // The request line is "<method> <path> HTTP/1.1": httparse takes
        // exactly one space on each side.
        let path_end = method_len + 1 + path_len;
        if path_end > raw.len() {
            return Err(Gone);
        }
        let (method, path) = (raw.slice(..method_len), raw.slice(method_len + 1..path_end));
        Ok(Some(Head {
            raw,
            method,
            path,
            length,
            keep_alive,
            expects_continue,
        }))
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// When it is too long, malformed or cut.
    pub async fn read_body(&mut self, head: &Head) -> Result<Bytes, Gone> {
        timeout(READ_TIMEOUT, self.read_body_inner(head))
            .await
            .map_err(|_| Gone)?
    }

    async fn read_body_inner(&mut self, head: &Head) -> Result<Bytes, Gone> {
        if head.expects_continue {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let Some(length) = head.length else {
            return self.read_chunked().await;
        };
        let length = within_body_max(length)?;
        while self.buf.len() < length {
            if self.fill().await? == 0 {
                return Err(Gone);
            }
        }
        Ok(self.buf.split_to(length).freeze())
    }

    async fn read_chunked(&mut self) -> Result<Bytes, Gone> {
        let mut body = BytesMut::new();
        loop {
            let (skip, size) = loop {
                match httparse::parse_chunk_size(&self.buf).map_err(|_| Gone)? {
                    httparse::Status::Complete(found) => break found,
                    httparse::Status::Partial if self.buf.len() > HEAD_BYTES_MAX => {
                        return Err(Gone);
                    }
                    httparse::Status::Partial => {
                        if self.fill().await? == 0 {
                            return Err(Gone);
                        }
                    }
                }
            };
            self.buf.advance(skip);
            let size = within_body_max(size.saturating_add(body.len() as u64))? - body.len();
            while self.buf.len() < size + 2 {
                if self.fill().await? == 0 {
                    return Err(Gone);
                }
            }
            // Trailers are not supported: nobody sends them here.
            if !self
                .buf
                .get(size..)
                .is_some_and(|rest| rest.starts_with(b"\r\n"))
            {
                return Err(Gone);
            }
            body.extend_from_slice(&self.buf.split_to(size));
            self.buf.advance(2);
            if size == 0 {
                return Ok(body.freeze());
            }
        }
    }

    /// Reads the body away, showing each piece once; pieces overlap so
    /// that a needle of up to 32 bytes is seen whole.
    ///
    /// # Errors
    /// As `read_body`.
    pub async fn drain_body(
        &mut self,
        head: &Head,
        mut show: impl FnMut(&[u8]),
    ) -> Result<u64, Gone> {
        const OVERLAP: usize = 32;
        let Some(length) = head.length.filter(|_| !head.expects_continue) else {
            let body = self.read_body(head).await?;
            show(&body);
            return Ok(body.len() as u64);
        };
        let mut left = within_body_max(length)?;
        loop {
            let have = self.buf.len().min(left);
            show(self.buf.get(..have).unwrap_or_default());
            if have == left {
                self.buf.advance(have);
                return Ok(length);
            }
            let done = have.saturating_sub(OVERLAP);
            self.buf.advance(done);
            left -= done;
            if timeout(READ_TIMEOUT, self.fill())
                .await
                .map_err(|_| Gone)??
                == 0
            {
                return Err(Gone);
            }
        }
    }

    /// Writes everything.
    ///
    /// # Errors
    /// When the client is gone, or does not read for ten minutes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        // Without a timer in the common case: the socket takes small
        // writes at once.
        let mut rest = bytes;
        while !rest.is_empty() {
            let wrote = match self.stream.try_write(rest) {
                Ok(wrote) => wrote,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    timeout(WRITE_TIMEOUT, self.stream.write(rest))
                        .await
                        .map_err(|_| Gone)??
                }
                Err(_) => return Err(Gone),
            };
            if wrote == 0 {
                return Err(Gone);
            }
            rest = rest.get(wrote..).unwrap_or_default();
        }
        Ok(())
    }

    /// Looks, without waiting, whether the client has closed.
    ///
    /// # Errors
    /// When it has.
    pub fn check(&mut self) -> Result<(), Gone> {
        if self.buf.len() >= AHEAD_BYTES_MAX {
            return Ok(());
        }
        self.buf.reserve(READ_BYTES);
        match self.stream.try_read_buf(&mut self.buf) {
            Ok(0) => Err(Gone),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(_) => Err(Gone),
        }
    }

    /// Waits until a moment, or until the client leaves.
    ///
    /// # Errors
    /// When it leaves.
    pub async fn wait_until(&mut self, until: Instant) -> Result<(), Gone> {
        let sleep = sleep_until(until);
        tokio::pin!(sleep);
        loop {
            if self.buf.len() >= AHEAD_BYTES_MAX {
                sleep.await;
                return Ok(());
            }
            tokio::select! {
                () = &mut sleep => return Ok(()),
                read = self.fill() => if read? == 0 { return Err(Gone) },
            }
        }
    }

    /// Waits so long, or until the client leaves.
    ///
    /// # Errors
    /// When it leaves.
    pub async fn wait(&mut self, duration: Duration) -> Result<(), Gone> {
        if duration.is_zero() {
            return self.check();
        }
        self.wait_until(Instant::now() + duration).await
    }
}

fn within_body_max(length: u64) -> Result<usize, Gone> {
    if length > BODY_BYTES_MAX {
        return Err(Gone);
    }
    usize::try_from(length).map_err(|_| Gone)
}

/// The reason phrase of a status.
pub(crate) const fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        413 => "Payload Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
