//! Scripted upstreams and short ways to call them.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{
    Client, ClientConfig, Deadlines, EgressPolicy, HeadTemplate, Http2, NetError, Origin,
    OutgoingRequest, PoolLimits, Response, Segments,
};

/// An upstream that runs `serve` for each connection and counts them.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Upstream {
    pub(super) async fn start<F, Fut>(serve: F) -> Self
    where
        F: Fn(TcpStream, usize) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                socket.set_nodelay(true).unwrap();
                let number = counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(socket, number));
            }
        });
        Self {
            address,
            connections,
            task,
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn origin(&self) -> Origin {
        Origin::parse_operator(&format!("http://{}", self.address))
            .unwrap()
            .0
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers every request on a connection with `response`, for ever.
pub(super) async fn answer_all(mut socket: TcpStream, response: &'static str) {
    while read_request(&mut socket).await.is_some() {
        socket.write_all(response.as_bytes()).await.unwrap();
    }
}

/// Reads one request with its body; `None` at the end of the connection.
pub(super) async fn read_request(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    loop {
        if let Some(head) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
            let length = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |value| value.trim().parse().unwrap());
            while request.len() < head + 4 + length {
                if socket.read_buf(&mut request).await.ok()? == 0 {
                    return None;
                }
            }
            return Some(request);
        }
        if socket.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
}

pub(super) fn client(origin: &Origin) -> Client {
    client_with(origin, PoolLimits::default())
}

pub(super) fn client_with(origin: &Origin, limits: PoolLimits) -> Client {
    let mut egress = EgressPolicy::deny_private();
    egress.allow_origin(origin);
    Client::new(ClientConfig {
        egress,
        limits,
        ..ClientConfig::default()
    })
    .unwrap()
}

pub(super) fn post(origin: &Origin, body: impl Into<Bytes>) -> OutgoingRequest {
    let head = HeadTemplate::new(
        origin,
        Method::POST,
        "/v1/chat/completions",
        HeaderMap::new(),
    )
    .unwrap();
    OutgoingRequest::new(head, Segments::from_iter([body.into()]))
}

pub(super) fn soon() -> Deadlines {
    Deadlines {
        connect: Duration::from_secs(2),
        head: Duration::from_secs(5),
        idle: Duration::from_secs(5),
    }
}

pub(super) async fn call(client: &Client, origin: &Origin) -> Result<Response, NetError> {
    client.send(origin, &post(origin, "{}"), &soon()).await
}

pub(super) async fn text(response: Response) -> Result<String, NetError> {
    let bytes = response.body.read_to_end(16 << 20).await?;
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

pub(super) fn h2c(origin: &Origin) -> Origin {
    origin.with_http2(Http2::Prior)
}
