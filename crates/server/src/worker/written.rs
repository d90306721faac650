//! What hyper has written of an answer.
//!
//! A body is asked for more while what it gave before still waits in hyper's
//! buffer, and hyper tells nobody when it is out. But it flushes its socket
//! then, and only then. So the socket notes it, and the next time that hyper
//! asks the body for more, the body hears of it: one piece later than from
//! [`h1_server`](bourse_net::h1_server), which is late and never early.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};

use bourse_net::h1_server::Answer;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Whether everything is written that was given until now: set by the socket,
/// taken by the body.
pub(super) type Flushed = Arc<AtomicBool>;

/// The body of an answer that hyper sends.
pub(super) struct ByHyper<B> {
    body: B,
    flushed: Flushed,
}

impl<B> ByHyper<B> {
    pub(super) fn new(body: B, flushed: &Flushed) -> Self {
        // Whatever was flushed until now was of other answers.
        flushed.store(false, Relaxed);
        Self {
            body,
            flushed: Arc::clone(flushed),
        }
    }
}

impl<B: Answer + Unpin> Body for ByHyper<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        if this.flushed.swap(false, Relaxed) {
            this.body.written();
        }
        Pin::new(&mut this.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use http::{Request, Response};
    use hyper::body::Incoming;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    use super::super::framing;
    use super::super::guarded::Watched;
    use super::*;

    /// Bytes that were taken, and that were said to be written.
    #[derive(Default)]
    struct Seen {
        taken: AtomicUsize,
        written: AtomicUsize,
    }

    struct Pieces(mpsc::UnboundedReceiver<Bytes>, Arc<Seen>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let piece = std::task::ready!(self.0.poll_recv(cx));
            let bytes = piece.as_ref().map_or(0, Bytes::len);
            self.1.taken.fetch_add(bytes, Relaxed);
            Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
        }
    }

    impl Answer for Pieces {
        fn written(&mut self) {
            self.1.written.store(self.1.taken.load(Relaxed), Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_hears_that_it_is_written_once_hyper_has_got_rid_of_it() {
        let (mut client, stream) = duplex(400);
        let (sender, pieces) = mpsc::unbounded_channel::<Bytes>();
        let seen = Arc::new(Seen::default());
        let flushed = Flushed::default();
        let body = std::sync::Mutex::new(Some(Pieces(pieces, Arc::clone(&seen))));
        let io = Watched::new(
            stream,
            Bytes::new(),
            Duration::from_secs(10),
            framing::Watch::default(),
            Arc::clone(&flushed),
        );
        tokio::spawn(async move {
            let handler = service_fn(|_: Request<Incoming>| {
                let body = body.lock().unwrap().take().unwrap();
                let body = ByHyper::new(body, &flushed);
                async move { Ok::<_, Infallible>(Response::new(body)) }
            });
            let served = http1::Builder::new().serve_connection(TokioIo::new(io), handler);
            served.await.unwrap();
        });
        let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        client.write_all(request).await.unwrap();
        let seen = || (seen.taken.load(Relaxed), seen.written.load(Relaxed));
        let piece = || {
            sender.send(vec![b'x'; 100].into()).unwrap();
            tokio::time::sleep(Duration::from_secs(1))
        };
        piece().await;
        piece().await;
        let (taken, written) = seen();
        assert!(taken == 200 && written >= 100, "{written} of {taken}");
        // The wire is full, with the head and the sizes of chunks: hyper has in
        // its hands what it takes now.
        piece().await;
        piece().await;
        let (taken, written) = seen();
        assert!(taken == 400 && written < 400, "{written} of {taken}");
        let mut read = Vec::new();
        let quiet = Duration::from_millis(1);
        while timeout(quiet, client.read_buf(&mut read)).await.is_ok() {}
        piece().await;
        let (taken, written) = seen();
        assert!(taken == 500 && written >= 400, "{written} of {taken}");
    }
}
