//! HTTP/1.1 as a server, on a raw socket and in one task: the mirror of
//! [`crate::h1`].
//!
//! It serves what its [`Service`] has a route for, in the shape in which
//! honest clients send it: `POST`, HTTP/1.1, one `Host`, one length or one
//! `chunked`. Whatever else a connection brings (another path or method,
//! HTTP/1.0, `Upgrade`, `Expect`, HTTP/2, a head that is malformed or long)
//! ends [`serve`] with [`Ended::Other`]: the socket and the bytes that were
//! read from it, of which nothing has been answered yet, are somebody else's
//! from there on. So this is no second opinion on what is odd: it has none.
//!
//! There is no channel between the socket and a request's body. The body
//! borrows the connection, so it cannot outlive its request, and reads from
//! the socket when it is asked.

mod answer;
mod body;
mod conn;
mod date;
mod head;
mod out;
#[cfg(test)]
mod tests;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};

pub use body::RequestBody;
use conn::{Conn, Next};

/// A request that is being answered. It is boxed so that its room is let go of
/// when an answer has begun: a stream of minutes does not need what its search
/// needed.
pub type Answering<'a, R> = Pin<Box<dyn Future<Output = Response<R>> + Send + 'a>>;

/// The body of an answer.
pub trait Answer: Body<Data = Bytes> {
    /// All that was taken of it so far is written: the kernel has it, and
    /// sends it even if this process ends now.
    fn written(&mut self) {}
}

/// Who answers the requests of a connection.
pub trait Service<S: 'static>: Sync {
    /// What serves a path.
    type Route: Send;
    /// The body of an answer.
    type Reply: Answer + Send + Unpin;

    /// What serves a path; `None` leaves the connection to somebody else. `has`
    /// says whether the head has a header of that name.
    fn route(&self, path: &str, has: &dyn Fn(&str) -> bool) -> Option<Self::Route>;

    /// Whether anybody reads a header. Others are checked, and then left out of
    /// the request: putting one into a map costs more than reading it.
    fn reads(&self, route: &Self::Route, name: &str) -> bool {
        let _ = (route, name);
        true
    }

    /// Answers a request. Dropped before it has, the client has left.
    ///
    /// An answer with `Connection: close` is the last of its connection.
    fn answer<'a>(
        &'a self,
        route: Self::Route,
        request: Request<RequestBody<'a, S>>,
    ) -> Answering<'a, Self::Reply>;
}

/// How a connection ended.
#[derive(Debug)]
pub enum Ended<S> {
    /// It is of no more use: closed by either side, broken, or out of time.
    Closed(&'static str),
    /// The next request is not for us. These bytes of it were read.
    Other(S, Bytes),
}

/// How long a connection waits for its client.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// For the whole of a request's head: of the first one since the
    /// connection is there, of others since their first byte.
    pub head: Duration,
    /// For the first byte of another request, after an answer.
    pub next: Duration,
}

/// Serves the requests of a connection, one after the other.
///
/// Once `stop` is ready an idle connection is closed, and an answer is the
/// last of its connection.
pub async fn serve<S, V>(
    stream: S,
    service: &V,
    waits: Waits,
    stop: impl Future<Output = ()> + Send,
) -> Ended<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    V: Service<S>,
{
    let conn = Mutex::new(Conn::new(stream));
    let mut stop = pin!(stop);
    let mut is_stopping = false;
    loop {
        let next = poll_fn(|cx| {
            let conn = &mut *lock(&conn);
            let route = |path: &str, has: &dyn Fn(&str) -> bool| service.route(path, has);
            let reads = |route: &V::Route, name: &str| service.reads(route, name);
            let next = conn.poll_head(cx, waits, route, reads);
            if next.is_pending() && stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Next::Closed("the server stops"));
            }
            next
        })
        .await;
        let (route, head) = match next {
            Next::Ours(route, head) => (route, head),
            Next::Other => break,
            Next::Closed(why) => {
                // Over TLS a client is told; who does not take it at once is
                // not waited for.
                poll_fn(|cx| Poll::Ready(lock(&conn).poll_close(cx).is_ready())).await;
                return Ended::Closed(why);
            }
        };
        let body = lock(&conn).begin_body(head.framing);
        let request = head.request.map(|()| RequestBody::new(body, &conn));
        let mut call = service.answer(route, request);
        let answered = poll_fn(|cx| match call.as_mut().poll(cx) {
            Poll::Ready(response) => Poll::Ready(Some(response)),
            Poll::Pending => lock(&conn).poll_gone(cx).map(|()| None),
        })
        .await;
        drop(call);
        let Some(response) = answered else {
            return Ended::Closed("the client has left");
        };
        let (parts, mut body) = response.into_parts();
        let length = body.size_hint();
        let keeps = poll_fn(|cx| {
            is_stopping = is_stopping || stop.as_mut().poll(cx).is_ready();
            let may_keep = head.keep_alive && !is_stopping;
            Poll::Ready(lock(&conn).begin_answer(cx, &parts, &length, may_keep))
        })
        .await;
        drop(parts);
        let sent = poll_fn(|cx| lock(&conn).poll_send(cx, &mut body)).await;
        drop(body);
        if let Err(why) = sent {
            return Ended::Closed(why);
        }
        if !keeps {
            poll_fn(|cx| lock(&conn).poll_close(cx)).await;
            return Ended::Closed("the last answer is sent");
        }
    }
    let conn = conn.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (stream, read): (S, BytesMut) = conn.into_parts();
    Ended::Other(stream, read.freeze())
}

/// Only one of the body and the loop above polls at a time, so nobody waits
/// here. The lock is what lets both reach the connection.
fn lock<S>(conn: &Mutex<Conn<S>>) -> MutexGuard<'_, Conn<S>> {
    conn.lock().unwrap_or_else(PoisonError::into_inner)
}
