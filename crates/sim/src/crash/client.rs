//! A client of the server under test: sends one call and notes exactly what
//! came back before the connection ended, however it ended.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::crash::call::{End, Leave, Seen};

/// Longest that a call may take; far beyond the server's own timeouts.
const CALL_MAX: Duration = Duration::from_secs(30);
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A connection that may be used again.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    buf: BytesMut,
    /// So many bytes are read before its client leaves, if it does.
    left: Option<usize>,
}

enum Framing {
    Length(usize),
    Chunked,
}

/// Makes the call that `seen` asks for; fills in what was seen. Keeps the
/// connection in `wire` if it can be used again.
pub async fn call(server: SocketAddr, key: &str, wire: &mut Option<Wire>, seen: &mut Seen) {
    let leave = match seen.asked.leave {
        Leave::Never | Leave::AfterBytes(_) => CALL_MAX,
        Leave::AfterMs(ms) => Duration::from_millis(ms),
    };
    let taken = wire.take();
    let (mut broke, mut left) = (false, false);
    let mut back = None;
    let outcome = tokio::time::timeout(leave, async {
        match exchange(server, key, taken, seen).await {
            Ok(kept) => back = kept,
            Err(error) => {
                broke = true;
                left = error.get_ref().is_some_and(|why| why.is::<HasLeft>());
            }
        }
    })
    .await;
    match outcome {
        Err(_) if !matches!(seen.asked.leave, Leave::AfterMs(_)) => {
            seen.end = End::Cut;
            seen.error = "no end within the time that a call may take".to_owned();
        }
        Err(_) => seen.end = End::Left,
        Ok(()) if left => seen.end = End::Left,
        // Nothing was sent if the connection could not be made.
        Ok(()) if broke && seen.end != End::Unsent => seen.end = End::Cut,
        Ok(()) => *wire = back,
    }
}

/// A client has read as much as it wanted to.
#[derive(Debug, thiserror::Error)]
#[error("the client leaves")]
struct HasLeft;

async fn connect(server: SocketAddr) -> io::Result<Wire> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(Wire {
        stream,
        buf: BytesMut::with_capacity(16 * 1024),
        left: None,
    })
}

/// Whether the server has closed a connection that waited for its next use.
fn is_stale(wire: &Wire) -> bool {
    let mut byte = [0];
    match wire.stream.try_read(&mut byte) {
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        Ok(_) => true,
    }
}

async fn exchange(
    server: SocketAddr,
    key: &str,
    wire: Option<Wire>,
    seen: &mut Seen,
) -> io::Result<Option<Wire>> {
    let mut wire = match wire {
        Some(wire) if !is_stale(&wire) => wire,
        _ => connect(server).await?,
    };
    let body = seen.asked.body();
    let request = format!(
        "POST /api/v1/chat/completions HTTP/1.1\r\nhost: {server}\r\n\
         authorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    wire.left = match seen.asked.leave {
        Leave::AfterBytes(bytes) => Some(bytes),
        Leave::Never | Leave::AfterMs(_) => None,
    };
    // From here on the server may have the call.
    seen.end = End::Cut;
    wire.stream.write_all(request.as_bytes()).await?;
    let (status, framing, is_stream) = wire.head(seen).await?;
    if is_stream {
        let mut events = Events::default();
        wire.body(&framing, |piece| events.feed(piece, seen))
            .await?;
        seen.end = match (events.error, events.done, seen.cost) {
            (true, _, _) => End::Broke,
            (false, true, Some(_)) => End::Complete,
            _ => End::Dressed,
        };
        return Ok(Some(wire));
    }
    let mut whole = Vec::new();
    wire.body(&framing, |piece| whole.extend_from_slice(piece))
        .await?;
    let value: Value = serde_json::from_slice(&whole).unwrap_or_default();
    if status != 200 {
        seen.error = String::from_utf8_lossy(&whole).into_owned();
        seen.end = End::Refused(status);
        return Ok(Some(wire));
    }
    note_usage(&value, seen);
    let content = value
        .pointer("/choices/0/message/content")
        .and_then(Value::as_str)
        .unwrap_or_default();
    seen.content_bytes = content.len() as u64;
    seen.pieces = u64::from(!content.is_empty());
    seen.end = if seen.cost.is_some() {
        End::Complete
    } else {
        End::Dressed
    };
    Ok(Some(wire))
}

fn note_usage(value: &Value, seen: &mut Seen) {
    let Some(usage) = value.get("usage").filter(|usage| usage.is_object()) else {
        return;
    };
    // The literal digits, so that no float stands between two ledgers.
    seen.cost = usage
        .get("cost")
        .and_then(|cost| super::nanos(&plain(&cost.to_string())));
    let count = |name: &str| usage.get(name).and_then(Value::as_u64);
    seen.tokens = count("prompt_tokens").zip(count("completion_tokens"));
}

/// A JSON number without its exponent: `serde_json` keeps a number as a
/// double and prints its shortest form, which for an amount of at most 15
/// digits has the digits that were sent.
fn plain(number: &str) -> String {
    let Some((mantissa, exponent)) = number.split_once(['e', 'E']) else {
        return number.to_owned();
    };
    let Ok(exponent) = exponent.parse::<i32>() else {
        return number.to_owned();
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let point = i32::try_from(whole.len()).unwrap_or(0) + exponent;
    match usize::try_from(point) {
        Ok(point) if point >= digits.len() => {
            format!("{digits}{}", "0".repeat(point - digits.len()))
        }
        Ok(point) if point > 0 => {
            let (left, right) = digits.split_at(point);
            format!("{left}.{right}")
        }
        _ => format!(
            "0.{}{digits}",
            "0".repeat(usize::try_from(-point).unwrap_or(0))
        ),
    }
}

impl Wire {
    async fn fill(&mut self) -> io::Result<()> {
        self.buf.reserve(16 * 1024);
        let most = self.left.unwrap_or(usize::MAX);
        if most == 0 {
            return Err(io::Error::other(HasLeft));
        }
        let mut room = (&mut self.buf).limit(most);
        let read = self.stream.read_buf(&mut room).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left = self.left.map(|left| left.saturating_sub(read));
        Ok(())
    }

    async fn head(&mut self, seen: &mut Seen) -> io::Result<(u16, Framing, bool)> {
        loop {
            let mut slots = [httparse::EMPTY_HEADER; 64];
            let mut response = httparse::Response::new(&mut slots);
            let parsed = response
                .parse(&self.buf)
                .map_err(|error| io::Error::other(error.to_string()))?;
            let httparse::Status::Complete(end) = parsed else {
                if self.buf.len() > HEAD_BYTES_MAX {
                    return Err(io::Error::other("the response head is too long"));
                }
                self.fill().await?;
                continue;
            };
            let header = |name: &str| {
                response
                    .headers
                    .iter()
                    .find(|header| header.name.eq_ignore_ascii_case(name))
                    .and_then(|header| std::str::from_utf8(header.value).ok())
            };
            let status = response.code.unwrap_or(0);
            seen.id = header("x-generation-id").map(str::to_owned);
            let is_stream =
                header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
            let framing = header("content-length")
                .and_then(|length| length.parse().ok())
                .map_or(Framing::Chunked, Framing::Length);
            self.buf.advance(end);
            return Ok((status, framing, is_stream));
        }
    }

    async fn body(&mut self, framing: &Framing, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        match framing {
            Framing::Length(length) => self.bytes(*length, &mut take).await,
            Framing::Chunked => loop {
                let parsed = httparse::parse_chunk_size(&self.buf)
                    .map_err(|_| io::Error::other("a bad chunk size"))?;
                let httparse::Status::Complete((skip, size)) = parsed else {
                    self.fill().await?;
                    continue;
                };
                self.buf.advance(skip);
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                self.bytes(size, &mut take).await?;
                while self.buf.len() < 2 {
                    self.fill().await?;
                }
                self.buf.advance(2);
                if size == 0 {
                    return Ok(());
                }
            },
        }
    }

    async fn bytes(&mut self, mut left: usize, take: &mut impl FnMut(&[u8])) -> io::Result<()> {
        while left > 0 {
            if self.buf.is_empty() {
                self.fill().await?;
            }
            let now = left.min(self.buf.len());
            take(self.buf.get(..now).unwrap_or_default());
            self.buf.advance(now);
            left -= now;
        }
        Ok(())
    }
}

/// Reads a stream's lines.
#[derive(Debug, Default)]
struct Events {
    line: Vec<u8>,
    done: bool,
    error: bool,
}

impl Events {
    fn feed(&mut self, piece: &[u8], seen: &mut Seen) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.line(&line, seen);
            }
        }
    }

    fn line(&mut self, line: &[u8], seen: &mut Seen) {
        let Some(data) = std::str::from_utf8(line)
            .ok()
            .and_then(|line| line.strip_prefix("data: "))
        else {
            return;
        };
        let data = data.trim_end();
        if data == "[DONE]" {
            self.done = true;
            return;
        }
        // The simulator's words are plain letters, so no escape hides in
        // them; parsing every chunk would cost more than the server's work.
        if let Some((_, rest)) = data.split_once("\"content\":\"")
            && let Some((content, _)) = rest.split_once('"')
            && !content.is_empty()
        {
            seen.content_bytes += content.len() as u64;
            seen.pieces += 1;
        }
        if data.contains("\"usage\":{") || data.contains("\"error\":{") {
            let value: Value = serde_json::from_str(data).unwrap_or_default();
            if value.get("error").is_some_and(Value::is_object) {
                self.error = true;
                seen.error = data.to_owned();
            }
            note_usage(&value, seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn exponents_are_written_out() {
        assert_eq!(plain("1.49e-5"), "0.0000149");
        assert_eq!(plain("1e-7"), "0.0000001");
        assert_eq!(plain("0.25"), "0.25");
        assert_eq!(plain("1.5e3"), "1500");
        assert_eq!(plain("12.5e1"), "125");
    }
}
