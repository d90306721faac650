//! A connection in memory, whose client sends raw bytes, and which is served
//! by us (and by hyper from where we hand it over) or by hyper alone.

use std::convert::Infallible;
use std::io::Cursor;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::h1_server::{Answer, Answering, Ended, RequestBody, Service, Waits, serve};

pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// For the next request, with us. hyper has one time for both.
pub(super) const NEXT_TIMEOUT: Duration = Duration::from_secs(75);
const WAITS: Waits = Waits {
    head: HEAD_TIMEOUT,
    next: NEXT_TIMEOUT,
};
/// What the two sides of a connection hold of what the other has not read.
const WIRE_BYTES: usize = 1 << 20;

/// Who reads the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Road {
    Ours,
    Hypers,
}

/// What a test's service does, and saw.
#[derive(Default)]
pub(super) struct Seen {
    /// Calls that were begun, and that were dropped before they had answered.
    pub(super) begun: AtomicU32,
    pub(super) dropped: AtomicU32,
    /// Answers whose body was dropped before its end.
    pub(super) cut: AtomicU32,
    /// Bytes of streams that were taken, and that were said to be written.
    pub(super) taken: AtomicU32,
    pub(super) written: AtomicU32,
    /// Connections that hyper took over.
    pub(super) handed_over: AtomicU32,
}

/// Counts a call that is dropped before it has answered.
struct Call(Arc<Seen>, bool);

impl Drop for Call {
    fn drop(&mut self) {
        if !self.1 {
            self.0.dropped.fetch_add(1, SeqCst);
        }
    }
}

pub(super) enum Reply {
    Whole(Option<Bytes>),
    Stream(mpsc::UnboundedReceiver<Bytes>, Arc<Seen>, bool),
    /// Says that it is longer, or shorter, than it is.
    Lie(Option<Bytes>, u64),
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(body) | Self::Lie(body, _) => {
                Poll::Ready(body.take().map(|body| Ok(Frame::data(body))))
            }
            Self::Stream(pieces, seen, is_over) => {
                let piece = std::task::ready!(pieces.poll_recv(cx));
                *is_over = piece.is_none();
                let bytes = piece.as_ref().map_or(0, Bytes::len);
                seen.taken.fetch_add(u32::try_from(bytes).unwrap(), SeqCst);
                Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, |b| b.len() as u64)),
            Self::Lie(_, length) => SizeHint::with_exact(*length),
            Self::Stream(..) => SizeHint::default(),
        }
    }
}

impl Answer for Reply {
    fn written(&mut self) {
        if let Self::Stream(_, seen, _) = self {
            seen.written.store(seen.taken.load(SeqCst), SeqCst);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Self::Stream(_, seen, false) = self {
            seen.cut.fetch_add(1, SeqCst);
        }
    }
}

/// What a path of the tests does.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) seen: Arc<Seen>,
    /// Streams are taken from here.
    streams: Arc<std::sync::Mutex<Vec<mpsc::UnboundedReceiver<Bytes>>>>,
}

impl Server {
    pub(super) fn new() -> Self {
        Self {
            seen: Arc::default(),
            streams: Arc::default(),
        }
    }

    /// The next `/stream` answers what is sent here.
    pub(super) fn stream(&self) -> mpsc::UnboundedSender<Bytes> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.streams.lock().unwrap().push(receiver);
        sender
    }

    async fn answer<B>(&self, request: Request<B>) -> Response<Reply>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        self.seen.begun.fetch_add(1, SeqCst);
        let mut call = Call(Arc::clone(&self.seen), false);
        let (head, mut body) = request.into_parts();
        let mut response = Response::new(Reply::Whole(None));
        match head.uri.path() {
            "/unread" => *response.status_mut() = StatusCode::UNAUTHORIZED,
            "/never" => std::future::pending().await,
            "/close" => {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert("connection", close);
            }
            "/empty" => *response.status_mut() = StatusCode::NO_CONTENT,
            "/long" => *response.body_mut() = Reply::Lie(Some(Bytes::from_static(b"abc")), 2),
            "/short" => *response.body_mut() = Reply::Lie(Some(Bytes::from_static(b"abc")), 4),
            "/stream" => {
                let pieces = self.streams.lock().unwrap().pop().unwrap();
                *response.body_mut() = Reply::Stream(pieces, Arc::clone(&self.seen), false);
            }
            _ => {
                let mut text = format!("{} {}\n", head.method, head.uri);
                for (name, value) in &head.headers {
                    text.push_str(&format!("{name}={:?}\n", value.as_bytes()));
                }
                while let Some(frame) = body.frame().await {
                    match frame.map(Frame::into_data) {
                        Ok(Ok(data)) => text.push_str(&String::from_utf8_lossy(&data)),
                        Ok(Err(_)) => {}
                        Err(_) => {
                            *response.status_mut() = StatusCode::BAD_REQUEST;
                            text = "broken".to_owned();
                        }
                    }
                }
                *response.body_mut() = Reply::Whole(Some(text.into()));
            }
        }
        call.1 = true;
        response
    }
}

impl Service<DuplexStream> for Server {
    type Route = ();
    type Reply = Reply;

    fn route(&self, path: &str, _: &dyn Fn(&str) -> bool) -> Option<()> {
        (path != "/theirs" && path.starts_with('/')).then_some(())
    }

    fn reads(&self, (): &(), name: &str) -> bool {
        !name.eq_ignore_ascii_case("x-unread")
    }

    fn answer<'a>(
        &'a self,
        (): (),
        request: Request<RequestBody<'a, DuplexStream>>,
    ) -> Answering<'a, Reply> {
        Box::pin(Self::answer(self, request))
    }
}

async fn by_hyper(server: Server, stream: DuplexStream, read: Bytes) {
    let (reader, writer) = tokio::io::split(stream);
    let io = tokio::io::join(Cursor::new(read).chain(reader), writer);
    let handler = hyper::service::service_fn(|request| {
        let server = &server;
        async move { Ok::<_, Infallible>(server.answer::<hyper::body::Incoming>(request).await) }
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(io), handler)
        .await;
}

/// A client with its connection.
pub(super) struct Client {
    pub(super) wire: DuplexStream,
    pub(super) stop: watch::Sender<bool>,
    pub(super) served: JoinHandle<()>,
}

impl Client {
    pub(super) fn connect(server: &Server, road: Road) -> Self {
        Self::connect_by(server, road, WIRE_BYTES)
    }

    pub(super) fn connect_by(server: &Server, road: Road, wire_bytes: usize) -> Self {
        let (wire, stream) = duplex(wire_bytes);
        let (stop, mut stopping) = watch::channel(false);
        let server = server.clone();
        let served = tokio::spawn(async move {
            let (stream, read) = match road {
                Road::Hypers => (stream, Bytes::new()),
                Road::Ours => {
                    let stopped = async move {
                        let _ = stopping.wait_for(|stop| *stop).await;
                    };
                    match serve(stream, &server, WAITS, stopped).await {
                        Ended::Closed(_) => return,
                        Ended::Other(stream, read) => (stream, read),
                    }
                }
            };
            server.seen.handed_over.fetch_add(1, SeqCst);
            by_hyper(server, stream, read).await;
        });
        Self { wire, stop, served }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        // A server may have closed already.
        let _ = self.wire.write_all(bytes).await;
    }

    /// Everything that comes until nothing does, and whether the server has
    /// closed. Time is paused: it goes on when nobody has anything to do.
    pub(super) async fn receive(&mut self) -> (String, bool) {
        let mut bytes = Vec::new();
        let quiet = Duration::from_millis(100);
        loop {
            match tokio::time::timeout(quiet, self.wire.read_buf(&mut bytes)).await {
                Ok(Ok(0) | Err(_)) => return (text(&bytes), true),
                Ok(Ok(_)) => {}
                Err(_) => return (text(&bytes), false),
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What came back for pieces of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Answers, without their dates, their headers in order.
    pub(super) answers: Vec<String>,
    pub(super) is_closed: bool,
}

impl Outcome {
    pub(super) fn statuses(&self) -> Vec<u16> {
        let status = |answer: &String| answer.get(9..12).and_then(|text| text.parse().ok());
        self.answers
            .iter()
            .map(|answer| status(answer).unwrap_or(0))
            .collect()
    }
}

/// Sends pieces, each once the one before has been looked at.
pub(super) async fn exchange(road: Road, pieces: &[&[u8]]) -> Outcome {
    let server = Server::new();
    let mut client = Client::connect(&server, road);
    let mut said = String::new();
    let mut is_closed = false;
    for piece in pieces {
        client.send(piece).await;
        let (more, closed) = client.receive().await;
        said.push_str(&more);
        is_closed |= closed;
    }
    Outcome {
        answers: answers(&said),
        is_closed,
    }
}

/// Cuts what came into answers. Bodies are as long as they say.
fn answers(mut said: &str) -> Vec<String> {
    let mut answers = Vec::new();
    while let Some((head, rest)) = said.split_once("\r\n\r\n") {
        let mut lines: Vec<&str> = head.split("\r\n").collect();
        let length = lines
            .iter()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        lines.retain(|line| !line.starts_with("date: "));
        if let Some(headers) = lines.get_mut(1..) {
            headers.sort_unstable();
        }
        let (body, rest) = rest.split_at_checked(length).unwrap_or((rest, ""));
        answers.push(format!("{}\n\n{body}", lines.join("\n")));
        said = rest;
    }
    if !said.is_empty() {
        answers.push(format!("cut off: {said}"));
    }
    answers
}
