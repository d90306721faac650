//! The listener for operators: counters and health, on the control runtime, so
//! that a busy worker delays none of it, and to the end of a stop.

use std::convert::Infallible;
use std::fs;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use super::guarded::Guarded;
use super::{Hosts, head, listen, reserve};
use crate::config::AdminListen;

/// Connections at once: programs that scrape, and a few people.
const CONNECTIONS_MAX: usize = 64;
/// Bytes that are buffered of one, which also bounds a head.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// After an accept that failed.
const PAUSE: Duration = Duration::from_millis(10);

/// The place where operators look, taken and not yet open.
pub struct AdminDoor {
    at: AdminListen,
    socket: Socket,
}

impl AdminDoor {
    /// Takes it.
    ///
    /// # Errors
    /// A sentence: somebody has it, or nobody can.
    pub fn reserve(at: &AdminListen) -> Result<Self, String> {
        let told =
            |error: io::Error| format!("server.admin_listen: cannot listen on {at}: {error}");
        match at {
            AdminListen::Tcp(address) => {
                let (address, sockets) = reserve(*address, 1).map_err(told)?;
                let socket = sockets.into_iter().next();
                let socket = socket.ok_or_else(|| told(io::ErrorKind::AddrNotAvailable.into()))?;
                let at = AdminListen::Tcp(address);
                Ok(Self { at, socket })
            }
            AdminListen::Unix(path) => {
                let socket = forget_old(path).and_then(|()| bind(path)).map_err(told)?;
                let at = at.clone();
                Ok(Self { at, socket })
            }
        }
    }

    /// Takes one that somebody else has opened.
    ///
    /// # Errors
    /// It has no address of its own.
    pub fn handed_over(socket: Socket) -> Result<Self, String> {
        let address = socket
            .local_addr()
            .map_err(|error| format!("the socket for operators that was handed over: {error}"))?;
        let at = match address.as_socket() {
            Some(address) => AdminListen::Tcp(address),
            None => AdminListen::Unix(address.as_pathname().map_or_else(
                || Path::new("(a socket without a path)").to_owned(),
                Path::to_owned,
            )),
        };
        Ok(Self { at, socket })
    }

    /// Where it is.
    pub const fn at(&self) -> &AdminListen {
        &self.at
    }

    /// Serves, as long as the runtime lives: a server that ends is looked at,
    /// too.
    pub fn open(self, router: Router, hosts: Hosts, waits: AdminWaits) -> io::Result<()> {
        let Self { at, socket } = self;
        let service = Service {
            router,
            hosts,
            waits,
        };
        let tcp: std::net::TcpListener = listen(socket)?;
        tracing::info!(%at, "counters and health are served for operators");
        if matches!(at, AdminListen::Tcp(_)) {
            let listener = TcpListener::from_std(tcp)?;
            let next = move |cx: &mut Context<'_>| listener.poll_accept(cx).map_ok(first);
            tokio::spawn(accept_all(next, service));
        } else {
            let listener = UnixListener::from_std(OwnedFd::from(tcp).into())?;
            let next = move |cx: &mut Context<'_>| listener.poll_accept(cx).map_ok(first);
            tokio::spawn(accept_all(next, service));
        }
        Ok(())
    }
}

/// How long is waited for who looks.
#[derive(Debug, Clone, Copy)]
pub struct AdminWaits {
    /// For a request, the first one and others.
    pub head: Duration,
    /// For a client that reads nothing.
    pub write: Duration,
}

#[derive(Clone)]
struct Service {
    router: Router,
    hosts: Hosts,
    waits: AdminWaits,
}

/// Removes a socket that a server has left behind.
fn forget_old(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::other("something is there that is no socket"));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

/// Only this server's user may connect: it is made like every file of ours.
fn bind(path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    Ok(socket)
}

fn first<S, A>((stream, _): (S, A)) -> S {
    stream
}

async fn accept_all<S>(
    mut next: impl FnMut(&mut Context<'_>) -> Poll<io::Result<S>>,
    service: Service,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        match poll_fn(&mut next).await {
            Ok(stream) => {
                let service = service.clone();
                tokio::spawn(async move {
                    serve(stream, service).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "an operator's connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn serve<S>(stream: S, service: Service)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(Guarded::new(stream, service.waits.write));
    let handler = service_fn(|request: Request<Incoming>| {
        let answering = answer(request, service.router.clone(), &service.hosts);
        async { Ok::<_, Infallible>(answering.await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(service.waits.head)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(io, handler)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "an operator's connection ended early");
    }
}

/// A page that lets its name point here is refused as everywhere.
async fn answer(request: Request<Incoming>, router: Router, hosts: &Hosts) -> Response<Body> {
    if let Err(failure) = head::check(&request, hosts) {
        return bourse_control::failure_response(failure);
    }
    let Ok(response) = router.oneshot(request.map(Body::new)).await;
    response
}
