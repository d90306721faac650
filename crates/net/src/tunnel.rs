//! Asking a proxy for a tunnel.

use std::io;
use std::str::from_utf8;

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::{NetError, NetErrorKind};
use crate::origin::Origin;
use crate::proxy::{Proxy, authority};

/// Longest head of an answer. Proxies put a few lines into it.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// What is looked at at once.
const PEEK_BYTES: usize = 1024;

/// Makes a connection to a proxy one to `origin`. How long it may take is
/// bounded by whoever connects.
pub(crate) async fn tunnel(
    proxy: &Proxy,
    origin: &Origin,
    mut tcp: TcpStream,
) -> Result<TcpStream, NetError> {
    let target = authority(origin.host(), origin.port());
    let mut head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(authorization) = proxy.authorization() {
        head.push_str("Proxy-Authorization: ");
        head.push_str(authorization);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    let failed = |error: io::Error| {
        let why = format!("the proxy {proxy} ({}): {error}", proxy.written_at());
        NetError::because(NetErrorKind::Proxy, why)
    };
    tcp.write_all(head.as_bytes()).await.map_err(failed)?;
    let answer = read_head(&mut tcp).await.map_err(failed)?;
    match status(&answer) {
        Some(200..=299) => Ok(tcp),
        status => Err(refused(proxy, &target, status)),
    }
}

/// Why there is no tunnel. Gateway errors say that the proxy did not get
/// through (RFC 9110 sections 15.6.3 to 15.6.5): that is the target's, as if
/// there had been no proxy. All else is between the proxy and its operator.
fn refused(proxy: &Proxy, target: &str, status: Option<u16>) -> NetError {
    let key = proxy.written_at();
    let (kind, why) = match status {
        Some(407) => (
            NetErrorKind::Proxy,
            format!(
                "wants a user and a password (407): write them into {key}, as in \"http://user:password@…\", or correct them"
            ),
        ),
        Some(status @ (502 | 503)) => (
            NetErrorKind::Connect,
            format!("does not reach {target} ({status})"),
        ),
        Some(504) => (
            NetErrorKind::ConnectTimeout,
            format!("does not reach {target} in time (504)"),
        ),
        Some(status) => (
            NetErrorKind::Proxy,
            format!(
                "refuses a tunnel to {target} ({status}): allow it there, or go without the proxy that {key} names"
            ),
        ),
        None => (
            NetErrorKind::Proxy,
            format!("does not answer in HTTP; see {key}"),
        ),
    };
    NetError::because(kind, format!("the proxy {proxy} {why}"))
}

fn status(head: &[u8]) -> Option<u16> {
    let line = from_utf8(head.split(|byte| *byte == b'\r').next()?).ok()?;
    let mut words = line.split(' ');
    words.next().filter(|word| word.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

/// Where a head of which `known` bytes were searched before ends.
fn end_of(head: &[u8], known: usize) -> Option<usize> {
    const END: &[u8] = b"\r\n\r\n";
    let from = known.saturating_sub(END.len());
    let at = memmem::find(head.get(from..)?, END)?;
    at.checked_add(from)?.checked_add(END.len())
}

/// Reads a head and not a byte more: what follows is the target's, which may
/// speak first.
async fn read_head(tcp: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    loop {
        let mut seen = [0; PEEK_BYTES];
        let count = tcp.peek(&mut seen).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let before = head.len();
        head.extend_from_slice(seen.get(..count).unwrap_or_default());
        let end = end_of(&head, before);
        let taken = end.map_or(count, |end| end.saturating_sub(before));
        tcp.read_exact(seen.get_mut(..taken).unwrap_or_default())
            .await?;
        if let Some(end) = end {
            head.truncate(end);
            return Ok(head);
        }
        if head.len() > HEAD_BYTES_MAX {
            return Err(io::Error::other("its answer has no end"));
        }
    }
}
