//! Writing one request and reading the head of its response.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::StatusCode;
use tokio::io::AsyncWrite;

use crate::error::{NetError, NetErrorKind};
use crate::h1::conn::Conn;
use crate::h1::head::{self, Framing, Head};
use crate::headers::ResponseHeaders;
use crate::request::OutgoingRequest;

/// Most pieces handed to one vectored write; further ones follow in the next.
const SLICES_MAX: usize = 16;
/// Most interim (1xx) responses before the real one.
const INTERIM_MAX: u32 = 16;

/// The head of a response, and what is known about its connection.
pub(crate) struct H1Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: ResponseHeaders,
    pub(crate) framing: Framing,
    /// Whether the connection may serve another request after the body.
    pub(crate) keep_alive: bool,
}

/// Sends `request` and awaits the response head. The connection's timer must
/// be set to the first-byte deadline.
///
/// The error's `wrote_request` is exact on plain TCP. On TLS it errs towards
/// `true`: bytes count once the TLS session has taken them.
pub(crate) async fn exchange(
    conn: &mut Conn,
    request: &OutgoingRequest,
) -> Result<H1Response, NetError> {
    let mut head = std::mem::take(&mut conn.head);
    head.clear();
    request.render_h1(&mut head);
    let mut exchange = Exchange {
        writing: true,
        written: 0,
        first: 0,
        first_offset: 0,
        refused: None,
        received: false,
        scanned: 0,
        interims: 0,
        early: None,
        no_content: request.is_head_method(),
        may_switch: request.asks_to_switch(),
    };
    let answer = poll_fn(|cx| exchange.poll(conn, &head, request.body(), cx)).await;
    let wrote_request = exchange.written > 0;
    conn.head = head;
    let reused = conn.reused;
    answer.map_err(|error| error.written(wrote_request).on_reused(reused))
}

struct Exchange {
    /// Whether there is something left to write or to flush.
    writing: bool,
    written: u64,
    /// The piece to continue with (0 is the head) and how far it is written.
    first: usize,
    first_offset: usize,
    /// Why writing was given up. A response may still be on its way.
    refused: Option<io::Error>,
    received: bool,
    scanned: usize,
    interims: u32,
    /// A response head that came before the request was written.
    early: Option<Head>,
    no_content: bool,
    /// Whether 101 is an answer.
    may_switch: bool,
}

impl Exchange {
    fn poll(
        &mut self,
        conn: &mut Conn,
        head: &[u8],
        body: &[Bytes],
        cx: &mut Context<'_>,
    ) -> Poll<Result<H1Response, NetError>> {
        if self.writing
            && let Poll::Ready(written) = self.poll_write(conn, head, body, cx)
        {
            self.writing = false;
            if let Err(error) = written {
                // A server that has already answered, 413 for example, may
                // close before it has read everything. Its answer counts.
                self.refused = Some(error);
            }
        }
        if let Some(early) = self.early.take_if(|_| !self.writing) {
            return Poll::Ready(Ok(self.answer(conn, early)));
        }
        while self.early.is_none() {
            match conn.poll_fill(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.closed())),
                Poll::Ready(Ok(_)) => {
                    self.received = true;
                    if let Some(head) = self.read_head(conn)? {
                        // After a refusal there is no point in writing on. Any
                        // other early answer waits for the rest of its request.
                        if !self.writing || head.status.as_u16() >= 300 {
                            return Poll::Ready(Ok(self.answer(conn, head)));
                        }
                        self.early = Some(head);
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.broken(error))),
                Poll::Pending => break,
            }
        }
        ready!(conn.timer.poll_expired(cx));
        Poll::Ready(Err(NetError::new(NetErrorKind::HeadTimeout)))
    }

    fn poll_write(
        &mut self,
        conn: &mut Conn,
        head: &[u8],
        body: &[Bytes],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let piece = |at: usize| match at.checked_sub(1) {
            None => Some(head),
            Some(at) => body.get(at).map(Bytes::as_ref),
        };
        while piece(self.first).is_some() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut count = 0;
            for (slot, at) in slices.iter_mut().zip(self.first..) {
                let Some(piece) = piece(at) else { break };
                let offset = if count == 0 { self.first_offset } else { 0 };
                *slot = IoSlice::new(piece.get(offset..).unwrap_or_default());
                count += 1;
            }
            let slices = slices.get(..count).unwrap_or_default();
            let n = ready!(conn.stream().poll_write_vectored(cx, slices))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += n as u64;
            self.first_offset += n;
            while let Some(piece) = piece(self.first)
                && self.first_offset >= piece.len()
            {
                self.first_offset -= piece.len();
                self.first += 1;
            }
        }
        conn.stream().poll_flush(cx)
    }

    /// The final head, once it has arrived in full; skips interim ones.
    fn read_head(&mut self, conn: &mut Conn) -> Result<Option<Head>, NetError> {
        loop {
            if self.scanned > 0
                && conn.buf.len() < head::HEAD_BYTES_MAX
                && !head::ends(&conn.buf, self.scanned)
            {
                self.scanned = conn.buf.len();
                return Ok(None);
            }
            let Some(head) = head::parse(&conn.buf, self.no_content)? else {
                self.scanned = conn.buf.len();
                return Ok(None);
            };
            let switches = head.status == StatusCode::SWITCHING_PROTOCOLS;
            if !head.status.is_informational() || (switches && self.may_switch) {
                return Ok(Some(head));
            }
            self.interims += 1;
            // Whoever was not asked to switch protocols has no answer in 101.
            if switches || self.interims > INTERIM_MAX {
                return Err(head::malformed("unexpected interim responses"));
            }
            conn.buf.advance(head.len);
            self.scanned = 0;
            if conn.buf.is_empty() {
                return Ok(None);
            }
        }
    }

    fn answer(&self, conn: &mut Conn, head: Head) -> H1Response {
        let bytes = conn.buf.split_to(head.len).freeze();
        let request_complete = !self.writing && self.refused.is_none();
        H1Response {
            status: head.status,
            headers: ResponseHeaders::raw(bytes, head.spans),
            framing: head.framing,
            keep_alive: head.keep_alive && request_complete,
        }
    }

    fn closed(&mut self) -> NetError {
        let kind = if self.received {
            NetErrorKind::Truncated
        } else {
            NetErrorKind::ClosedBeforeResponse
        };
        match self.refused.take() {
            Some(error) => NetError::because(kind, error),
            None => NetError::new(kind),
        }
    }

    fn broken(&mut self, error: io::Error) -> NetError {
        let kind = match (self.received, error.kind()) {
            (true, _) => NetErrorKind::Reset,
            // How a TLS peer closes without saying so.
            (false, io::ErrorKind::UnexpectedEof) => NetErrorKind::ClosedBeforeResponse,
            (false, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
                NetErrorKind::ClosedBeforeResponse
            }
            (false, _) => NetErrorKind::Reset,
        };
        NetError::because(kind, self.refused.take().unwrap_or(error))
    }
}
