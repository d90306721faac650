//! WebSocket connections (RFC 6455): of clients, whose request asked for one,
//! and to providers, which [`crate::Client::upgrade`] asks.
//!
//! Frames, masks, fragments, UTF-8 and the closing handshake are
//! `tungstenite`'s. Requests and heads are ours on both sides, so that a
//! provider is reached through the same egress rules and deadlines as by any
//! other request.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::HeaderMap;
use http::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::h1::Conn;
use crate::request::WebSocketKey;

/// The text of a message: checked to be UTF-8, and not copied.
pub use tokio_tungstenite::tungstenite::Utf8Bytes as Text;

/// The longest message, and the longest frame: an event of Realtime has at
/// most 15 MiB of sound (platform.openai.com/docs, API reference,
/// `input_audio_buffer.append`, 2026), and a little around it.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// What is read at once. A session waits most of its time.
const READ_BYTES: usize = 8 * 1024;
/// The longest reason of a close frame (RFC 6455, section 5.5).
const REASON_BYTES_MAX: usize = 123;

/// What a socket brings.
#[derive(Debug)]
pub enum Received {
    /// A message of text.
    Text(Text),
    /// A message of anything else.
    Binary,
    /// The other side closes, for this reason.
    Closed(u16, Text),
    /// The other side is gone, or says what nobody may.
    Broken(String),
}

/// A connection that speaks WebSocket.
pub struct Socket<S> {
    stream: WebSocketStream<S>,
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(READ_BYTES)
        .max_write_buffer_size(MESSAGE_BYTES_MAX.saturating_mul(2))
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// The server's side, of which `read` was read already.
    pub async fn of_client(stream: S, read: Bytes) -> Self {
        Self::new(stream, read, Role::Server).await
    }

    /// The client's side.
    pub async fn to_server(stream: S, read: Bytes) -> Self {
        Self::new(stream, read, Role::Client).await
    }

    async fn new(stream: S, read: Bytes, role: Role) -> Self {
        let opening =
            WebSocketStream::from_partially_read(stream, read.to_vec(), role, Some(config()));
        Self {
            stream: opening.await,
        }
    }

    /// What comes next. Pings are answered and not told. May be dropped while
    /// it waits.
    pub async fn receive(&mut self) -> Received {
        loop {
            return match self.stream.next().await {
                Some(Ok(Message::Text(text))) => Received::Text(text),
                Some(Ok(Message::Binary(_))) => Received::Binary,
                Some(Ok(Message::Close(frame))) => frame.map_or_else(
                    || Received::Closed(1005, Text::default()),
                    |frame| Received::Closed(frame.code.into(), frame.reason),
                ),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Err(error)) => Received::Broken(error.to_string()),
                None => Received::Broken("the connection has ended".to_owned()),
            };
        }
    }

    /// Sends a text, and waits until the kernel has it. Not to be dropped while
    /// it waits, but with the socket.
    ///
    /// # Errors
    /// The other side is gone.
    pub async fn send(&mut self, text: Text) -> Result<(), Error> {
        self.stream.send(Message::Text(text)).await
    }

    /// Asks whether the other side is there.
    ///
    /// # Errors
    /// It is gone.
    pub async fn ping(&mut self) -> Result<(), Error> {
        self.stream.send(Message::Ping(Bytes::new())).await
    }

    /// Closes, for a reason, and waits until the other side has, too.
    pub async fn close(&mut self, code: u16, reason: &str) {
        let code = CloseCode::from(code);
        let code = if code.is_allowed() {
            code
        } else {
            CloseCode::Normal
        };
        let end = reason.floor_char_boundary(REASON_BYTES_MAX);
        let frame = CloseFrame {
            code,
            reason: reason.get(..end).unwrap_or_default().into(),
        };
        if self.stream.close(Some(frame)).await.is_err() {
            return;
        }
        // What the other side said before it heard of that is nobody's any
        // more.
        while let Some(Ok(_)) = self.stream.next().await {}
    }
}

/// Whether a request asks for WebSocket.
#[must_use]
pub fn is_asked_for(headers: &HeaderMap) -> bool {
    has_word(headers, &UPGRADE, "websocket") && has_word(headers, &CONNECTION, "upgrade")
}

fn has_word(headers: &HeaderMap, name: &http::HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|said| said.trim().eq_ignore_ascii_case(word))
}

/// What a request that asks for WebSocket is answered with in
/// `Sec-WebSocket-Accept`; `None` if it asks in another version, or without a
/// key.
#[must_use]
pub fn accept_of(headers: &HeaderMap) -> Option<String> {
    let version = headers.get(SEC_WEBSOCKET_VERSION)?;
    let key = headers.get(SEC_WEBSOCKET_KEY)?;
    // Sixteen bytes in base64.
    (version == "13" && key.len() == 24).then(|| derive_accept_key(key.as_bytes()))
}

/// A key for a request, and what must come back.
pub(crate) fn key() -> (WebSocketKey, String) {
    let mut key = [b'='; 24];
    for (to, from) in key.iter_mut().zip(generate_key().bytes()) {
        *to = from;
    }
    let accept = derive_accept_key(&key);
    (key, accept)
}

/// A connection to a provider that has switched its protocol. It counts as open
/// for as long as it lives.
pub struct Switched {
    conn: Box<Conn>,
}

impl Switched {
    pub(crate) const fn new(conn: Box<Conn>) -> Self {
        Self { conn }
    }

    /// What has come behind the head.
    pub(crate) fn take_read(&mut self) -> Bytes {
        self.conn.buf.split().freeze()
    }
}

impl AsyncRead for Switched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().conn.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Switched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.get_mut().conn.stream().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.get_mut().conn.stream().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.get_mut().conn.stream().poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    async fn server(bytes: &[u8]) -> (Received, DuplexStream) {
        let (mut client, stream) = duplex(64 * 1024);
        client.write_all(bytes).await.unwrap();
        let mut socket = Socket::of_client(stream, Bytes::new()).await;
        (socket.receive().await, client)
    }

    /// A frame of a client's, masked with zeros.
    fn frame(first: u8, length: &[u8], payload: &[u8]) -> Vec<u8> {
        [&[first], length, &[0; 4], payload].concat()
    }

    #[tokio::test]
    async fn a_message_in_fragments_is_one_text() {
        let mut bytes = frame(0x01, &[0x83], b"hel");
        bytes.extend(frame(0x89, &[0x80], b""));
        bytes.extend(frame(0x80, &[0x82], b"lo"));
        let (received, mut client) = server(&bytes).await;
        assert!(matches!(received, Received::Text(text) if text.as_str() == "hello"));
        let mut pong = [0; 2];
        client.read_exact(&mut pong).await.unwrap();
        assert_eq!(pong, [0x8a, 0], "the ping between them is answered");
    }

    #[tokio::test]
    async fn what_no_client_may_send_breaks_the_connection() {
        let huge = u64::try_from(MESSAGE_BYTES_MAX).unwrap() + 1;
        let mut too_long = vec![0xff];
        too_long.extend(huge.to_be_bytes());
        for bytes in [
            // Not masked, no UTF-8, too long by its head alone, an opcode that
            // nobody has.
            vec![0x81, 0x01, b'a'],
            frame(0x81, &[0x82], b"\xc3\x28"),
            frame(0x81, &too_long, b""),
            frame(0x83, &[0x80], b""),
        ] {
            let (received, _client) = server(&bytes).await;
            assert!(matches!(received, Received::Broken(_)), "{received:?}");
        }
    }

    #[test]
    fn a_request_is_accepted_by_its_key() {
        let mut headers = HeaderMap::new();
        assert!(!is_asked_for(&headers));
        headers.insert(UPGRADE, HeaderValue::from_static("WebSocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        assert!(is_asked_for(&headers));
        assert_eq!(accept_of(&headers), None);
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        headers.insert(SEC_WEBSOCKET_KEY, key);
        // The example of RFC 6455, section 1.3.
        let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        assert_eq!(accept_of(&headers).as_deref(), Some(accept));
    }
}
