//! Opening a connection: addresses, the egress check, TCP or a tunnel, TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::dns::Dns;
use crate::egress::EgressPolicy;
use crate::error::{NetError, NetErrorKind};
use crate::origin::{Http2, Origin, OriginHost, Scheme};
use crate::proxy::Proxy;
use crate::stream::Stream;
use crate::tls::{Tls, chose_h2};
use crate::tunnel::tunnel;

/// Head start of an address before the next one is tried beside it
/// (RFC 8305 section 5 recommends 250 ms).
const STAGGER: Duration = Duration::from_millis(250);
/// Addresses tried for one connection.
const ADDRESSES_MAX: usize = 6;
/// A peer that vanished is noticed after 30 s + 3 × 10 s of silence.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);

/// A new connection, and whether HTTP/2 is spoken on it.
pub(crate) struct Dialed {
    pub(crate) stream: Stream,
    pub(crate) is_h2: bool,
}

pub(crate) async fn dial(
    origin: &Origin,
    dns: &Dns,
    policy: &EgressPolicy,
    tls: &Tls,
) -> Result<Dialed, NetError> {
    let tcp = match policy.proxy(origin) {
        None => straight(origin, dns, policy).await?,
        Some(proxy) => {
            policy.check_named(origin)?;
            tunnel(proxy, origin, to_proxy(proxy, dns).await?).await?
        }
    };
    match origin.scheme() {
        Scheme::Http => Ok(Dialed {
            stream: Stream::Tcp(tcp),
            is_h2: origin.http2() == Http2::Prior,
        }),
        Scheme::Https => {
            let stream = tls.handshake(origin, tcp).await?;
            let is_h2 = origin.http2() == Http2::Prior || chose_h2(&stream);
            Ok(Dialed {
                stream: Stream::Tls(stream),
                is_h2,
            })
        }
    }
}

async fn straight(
    origin: &Origin,
    dns: &Dns,
    policy: &EgressPolicy,
) -> Result<TcpStream, NetError> {
    let addresses = addresses(origin.host(), dns).await?;
    // One bad address condemns the answer: a name that points inside and
    // outside at once is an attempt to get in.
    for ip in &addresses {
        policy.check(origin, *ip)?;
    }
    connect_any(&by_turns(&addresses), origin.port()).await
}

/// Connects to a proxy. Its address is the operator's, so it may be anywhere.
async fn to_proxy(proxy: &Proxy, dns: &Dns) -> Result<TcpStream, NetError> {
    let connected = async {
        let addresses = addresses(proxy.host(), dns).await?;
        connect_any(&by_turns(&addresses), proxy.port()).await
    };
    connected.await.map_err(|error| {
        let key = proxy.written_at();
        let why = format!("the proxy {proxy} ({key}) cannot be reached: {error}");
        NetError::because(NetErrorKind::Proxy, why)
    })
}

async fn addresses(host: &OriginHost, dns: &Dns) -> Result<Vec<IpAddr>, NetError> {
    match host {
        OriginHost::Ip(ip) => Ok(vec![*ip]),
        OriginHost::Name(name) => dns.lookup(name).await,
    }
}

/// IPv6 and IPv4 alternating, IPv6 first (RFC 8305 section 4), each in the
/// order given.
fn by_turns(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let mut v6 = addresses.iter().filter(|ip| ip.is_ipv6());
    let mut v4 = addresses.iter().filter(|ip| ip.is_ipv4());
    let mut ordered = Vec::with_capacity(addresses.len());
    loop {
        let (six, four) = (v6.next(), v4.next());
        if six.is_none() && four.is_none() {
            ordered.truncate(ADDRESSES_MAX);
            return ordered;
        }
        ordered.extend(six.into_iter().chain(four));
    }
}

/// The first address that accepts wins; the others are closed.
async fn connect_any(addresses: &[IpAddr], port: u16) -> Result<TcpStream, NetError> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    let mut attempts = FuturesUnordered::new();
    let mut waiting = addresses.iter();
    loop {
        let more = match waiting.next() {
            Some(ip) => {
                attempts.push(connect_one(SocketAddr::new(*ip, port)));
                waiting.len() > 0
            }
            None => false,
        };
        let outcome = if more {
            // No answer within the head start: the next address joins in.
            match tokio::time::timeout(STAGGER, attempts.next()).await {
                Ok(outcome) => outcome,
                Err(_) => continue,
            }
        } else {
            attempts.next().await
        };
        match outcome {
            Some(Ok(tcp)) => return Ok(tcp),
            Some(Err(error)) => last = error,
            None => return Err(NetError::because(NetErrorKind::Connect, last)),
        }
    }
}

async fn connect_one(address: SocketAddr) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY);
    SockRef::from(&tcp).set_tcp_keepalive(&keepalive)?;
    Ok(tcp)
}
