//! A request's body, read from the socket as it is asked for.

use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::conn::Conn;
use super::lock;

/// The body of a request. It borrows the connection, so that the next request
/// cannot begin while it is there.
pub struct RequestBody<'a, S> {
    /// A body that came with its head, as most do.
    whole: Option<Bytes>,
    /// Where the rest comes from, if there is more.
    conn: Option<&'a Mutex<Conn<S>>>,
}

impl<'a, S> RequestBody<'a, S> {
    pub(super) fn new(whole: Option<Bytes>, conn: &'a Mutex<Conn<S>>) -> Self {
        Self {
            conn: whole.is_none().then_some(conn),
            whole: whole.filter(|whole| !whole.is_empty()),
        }
    }
}

impl<S: tokio::io::AsyncRead + Unpin> Body for RequestBody<'_, S> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if let Some(whole) = this.whole.take() {
            return Poll::Ready(Some(Ok(Frame::data(whole))));
        }
        match this.conn {
            None => Poll::Ready(None),
            Some(conn) => {
                let piece = lock(conn).poll_body(cx);
                piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.whole.is_none() && self.conn.is_none()
    }
}
