//! The data plane's threads: each accepts, serves and calls by itself.
//!
//! One single-threaded runtime a core, a listener each (the kernel spreads
//! connections by `SO_REUSEPORT`), connections to providers of its own. A
//! call never changes threads, so nothing on its way wakes another core.

mod framing;
pub(crate) mod head;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use bourse_control::cors;
use bourse_dataplane::endpoints;
use bourse_dataplane::pipeline::{Worker, call};
use bourse_dataplane::respond::{self, ReplyBody};
use bourse_vocab::{Failure, FailureKind};
use http::header::{CONNECTION, ORIGIN};
use http::{HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Sleep;
use tower::ServiceExt;

pub use head::Hosts;

/// Connections that a worker serves at once; more wait in the kernel.
const CONNECTIONS_MAX: usize = 16_384;
/// Bytes that a connection buffers, which is also what bounds a request's
/// head: hyper refuses with 431 what is longer, give or take one read. Large
/// enough that a long prompt arrives in few pieces.
const BUFFER_BYTES_MAX: usize = 512 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1_024;

/// Takes an address for `count` listeners that share it. No request is served,
/// and connections are refused, until they listen.
///
/// # Errors
/// Another process has the address. `SO_REUSEPORT` alone would not notice
/// another server of the same user and split the traffic with it.
pub fn reserve(address: SocketAddr, count: usize) -> io::Result<(SocketAddr, Vec<Socket>)> {
    let open = |shared: bool, address: SocketAddr| {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(shared)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        io::Result::Ok(socket)
    };
    // Alone first; port 0 becomes a real one here.
    let probe = open(false, address)?;
    let address = probe
        .local_addr()?
        .as_socket()
        .ok_or_else(|| io::Error::other("the listener has no address"))?;
    drop(probe);
    let sockets = (0..count)
        .map(|_| open(true, address))
        .collect::<io::Result<Vec<_>>>()?;
    Ok((address, sockets))
}

/// Begins to listen.
pub fn listen(socket: Socket) -> io::Result<std::net::TcpListener> {
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// What a worker serves with.
#[derive(Clone)]
pub struct Service {
    /// The data plane.
    pub worker: Worker,
    /// Everything that is not a model call.
    pub control: Router,
    /// Where the control plane runs: a slow dashboard must not delay a call.
    pub control_runtime: Handle,
    /// Under which names it may be called.
    pub hosts: Hosts,
    /// A client has this long to send its request's head.
    pub head_timeout: Duration,
    /// A client that reads nothing for this long is cut off.
    pub write_timeout: Duration,
    /// Running calls have this long to end once the server is told to stop.
    pub stop_timeout: Duration,
}

/// How a worker learns that the server stops.
#[derive(Clone)]
pub struct Stop {
    /// Nothing new begins; what runs may end.
    pub gently: watch::Receiver<bool>,
    /// What runs is cut off.
    pub at_once: watch::Receiver<bool>,
}

/// Waits until the server stops.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone: stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Accepts and serves until the server stops, then until the last connection
/// and the last drain have ended, or their time is up. What still runs then
/// is let go of with the runtime, and settled by what was delivered.
pub async fn run(listener: std::net::TcpListener, service: Service, stop: Stop) -> io::Result<()> {
    let Stop {
        gently: mut stop,
        mut at_once,
    } = stop;
    let listener = TcpListener::from_std(listener)?;
    let slots = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
    let sweeper = service.worker.client.spawn_sweeper();
    let progress = Arc::clone(&service.worker.progress);
    let telling = tokio::spawn(async move { progress.keep_telling().await });
    loop {
        let slot = tokio::select! {
            slot = Arc::clone(&slots).acquire_owned() => slot,
            () = stopped(&mut stop) => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, or a client that is gone already.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let service = service.clone();
        let stop = stop.clone();
        tokio::spawn(async move {
            serve(stream, service, stop).await;
            drop(slot);
        });
    }
    drop(listener);
    let gateway = &service.worker.gateway;
    let all_ended = async {
        // All slots are back when every connection has ended, and then no
        // further drain begins.
        let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
        let _ = slots.acquire_many(all).await;
        gateway.drains.all_ended().await;
    };
    let is_cut_off = tokio::select! {
        () = all_ended => false,
        () = stopped(&mut at_once) => true,
        () = tokio::time::sleep(service.stop_timeout) => true,
    };
    if is_cut_off {
        // From here on, whoever lets go of a call knows that it was us.
        gateway.stopping.cut_off();
    }
    sweeper.abort();
    telling.abort();
    Ok(())
}

async fn serve(stream: TcpStream, service: Service, mut stop: watch::Receiver<bool>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was refused");
    }
    let watch = framing::Watch::default();
    let is_ambiguous = watch.is_ambiguous();
    let io = TokioIo::new(Guarded {
        stream,
        watch,
        write_timeout: service.write_timeout,
        stalled: None,
    });
    let handler = service_fn(|request: Request<Incoming>| {
        let (service, is_ambiguous) = (&service, &is_ambiguous);
        async move { Ok::<_, std::convert::Infallible>(answer(service, request, is_ambiguous).await) }
    });
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(service.head_timeout)
            .max_buf_size(BUFFER_BYTES_MAX)
            .serve_connection(io, handler)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            // Finish what is under way, then close.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Serves a request whose head can be read in one way only, and was meant for
/// this server. Behind a refusal the connection is closed: nobody knows where
/// the next request begins.
async fn answer(
    service: &Service,
    request: Request<Incoming>,
    is_ambiguous: &AtomicBool,
) -> Response<ReplyBody> {
    let checked = if is_ambiguous.load(Relaxed) {
        Err(head::ambiguous())
    } else {
        head::check(&request, &service.hosts)
    };
    let Err(failure) = checked else {
        return route(service, request).await;
    };
    let path = request.uri().path();
    let mut response = match endpoints::at(path.strip_prefix("/api").unwrap_or(path)) {
        Some(endpoint) => respond::failure(endpoint, &failure, None),
        None => bourse_control::failure_response(failure)
            .map(|body| ReplyBody::Other(Box::pin(Boxed(body)))),
    };
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

/// Model calls go straight to the data plane, everything else to the router.
/// Both see the same path, and the same bytes of it.
async fn route(service: &Service, request: Request<Incoming>) -> Response<ReplyBody> {
    let path = request.uri().path();
    let tail = path.strip_prefix("/api").unwrap_or(path);
    let Some(endpoint) = endpoints::at(tail).filter(|_| request.method() != Method::OPTIONS) else {
        return control(service, request).await;
    };
    // Browsers say where a page comes from, and want to be told that it may
    // read the answer. Others are spared the headers.
    let is_page = request.headers().contains_key(ORIGIN);
    let mut response = if request.method() == Method::POST {
        call(&service.worker, endpoint, request).await
    } else {
        let failure = Failure::new(
            FailureKind::NotFound,
            format!("{} {path} does not exist; use POST", request.method()),
        );
        respond::failure(endpoint, &failure, None)
    };
    if is_page {
        cors::allow(response.headers_mut());
    }
    response
}

async fn control(service: &Service, request: Request<Incoming>) -> Response<ReplyBody> {
    let request = request.map(axum::body::Body::new);
    let answer = service
        .control_runtime
        .spawn(service.control.clone().oneshot(request))
        .await;
    let response = match answer {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(error) => bourse_control::failure_response(Failure::server(format!(
            "a control-plane request failed: {error}"
        ))),
    };
    response.map(|body| ReplyBody::Other(Box::pin(Boxed(body))))
}

/// An axum body, with errors that the data plane can carry.
struct Boxed(axum::body::Body);

impl http_body::Body for Boxed {
    type Data = bytes::Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.get_mut().0)
            .poll_frame(cx)
            .map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.size_hint()
    }
}

/// A socket whose writes may not stall for ever: a client that stops
/// reading holds a provider's connection and a customer's money. What is read
/// from it is looked at on its way.
struct Guarded {
    stream: TcpStream,
    watch: framing::Watch,
    write_timeout: Duration,
    /// Set while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Guarded {
    fn watch<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.stalled = None;
            return poll;
        }
        let sleep = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(self.write_timeout)));
        match sleep.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let poll = Pin::new(&mut this.stream).poll_read(cx, buf);
        this.watch
            .look(buf.filled().get(before..).unwrap_or_default());
        poll
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.watch(cx, poll)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.watch(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_flush(cx);
        this.watch(cx, poll)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
