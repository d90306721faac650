//! The data plane's threads: each accepts, serves and calls by itself.
//!
//! One single-threaded runtime a core, a listener each (the kernel spreads
//! connections by `SO_REUSEPORT`), connections to providers of its own. A
//! call never changes threads, so nothing on its way wakes another core.

mod admin;
mod connection;
mod encrypted;
mod framing;
mod guarded;
pub(crate) mod head;
mod written;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bourse_dataplane::pipeline::Worker;
use bourse_net::h1_server::Waits;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;

pub use admin::{AdminDoor, AdminWaits};
pub use encrypted::Encrypted;
pub use head::Hosts;

/// Connections that a worker serves at once; more wait in the kernel.
const CONNECTIONS_MAX: usize = 16_384;
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

/// Shares a socket that somebody else has opened and listens on already. The
/// workers take turns at its one queue.
///
/// # Errors
/// It has no address of TCP.
pub fn share(socket: &Socket, count: usize) -> io::Result<(SocketAddr, Vec<Socket>)> {
    let address = socket
        .local_addr()?
        .as_socket()
        .ok_or_else(|| io::Error::other("is none of TCP; clients come by TCP"))?;
    let sockets = (0..count)
        .map(|_| socket.try_clone())
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
    /// Handshakes with clients, if the port speaks TLS.
    pub encrypted: Option<Encrypted>,
    /// Under which names it may be called.
    pub hosts: Hosts,
    /// How long a connection waits for its client.
    pub waits: Waits,
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
    let door = Arc::clone(&service.worker.door);
    let probing = tokio::spawn(async move { door.keep_probing().await });
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
            connection::serve(stream, service, stop).await;
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
    probing.abort();
    Ok(())
}
