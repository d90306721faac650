//! Measures what the server's side of HTTP/1.1 costs: CPU time of its own
//! thread for each request and each streamed chunk, with hyper's connection
//! and with ours.
//!
//! `cargo run --release -p bourse-net --example server_connection`
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    missing_docs
)]

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::time::Duration;

use bourse_net::h1_server::{self, Answer, Answering, RequestBody, Service, Waits};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

const CONNECTIONS: u64 = 32;
const REQUESTS: u64 = 3_000;
const STREAMS: u64 = 4;
const CHUNKS: u64 = 500;
const PACE: Duration = Duration::from_millis(2);
const ROUNDS: usize = 5;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const CHUNK: &[u8] = b"data: {\"id\":\"gen-1795969166-0GTs4F5EviWH6ZN\",\"object\":\"chat.completion.chunk\",\
    \"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"}}]}\n\n";

fn main() {
    println!(
        "us CPU of the server's thread, medians of {ROUNDS} interleaved rounds (least to most)"
    );
    for (name, path) in [("request of 1.4 KB", "/whole"), ("paced chunk", "/stream")] {
        let mut found = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (own, row) in found.iter_mut().enumerate() {
                row.push(measure(own == 1, path));
            }
        }
        for (who, row) in ["hyper", "own"].iter().zip(&mut found) {
            row.sort_by(f64::total_cmp);
            let (least, middle, most) = (row[0], row[ROUNDS / 2], row[ROUNDS - 1]);
            println!("{name:20} {who:6} {middle:6.2} ({least:.2} to {most:.2})");
        }
    }
}

/// Serves one load; returns microseconds of CPU for each unit.
fn measure(own: bool, path: &'static str) -> f64 {
    let (tell, told) = mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            let accept = async {
                loop {
                    let stream = listener.accept().await.unwrap().0;
                    stream.set_nodelay(true).unwrap();
                    if own {
                        tokio::spawn(own_connection(stream));
                    } else {
                        tokio::spawn(hyper_connection(stream));
                    }
                }
            };
            tokio::select! {
                () = accept => {}
                _ = stopped => {}
            }
        });
        cpu_ns()
    });
    let address = told.recv().unwrap();
    let (connections, requests, units) = match path {
        "/whole" => (CONNECTIONS, REQUESTS, 1),
        _ => (CONNECTIONS, STREAMS, CHUNKS),
    };
    let clients: Vec<_> = (0..connections)
        .map(|_| std::thread::spawn(move || client(address, path, requests)))
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    stop.send(()).unwrap();
    let spent = server.join().unwrap() as f64 / 1000.0;
    spent / (connections * requests * units) as f64
}

fn client(address: SocketAddr, path: &str, requests: u64) {
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    let body = "x".repeat(1_100);
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer sk-bourse-v1-0123456789\r\n\
         content-type: application/json\r\nuser-agent: OpenAI/Python 2.8.0\r\naccept: application/json\r\n\
         x-stainless-lang: python\r\nx-stainless-async: false\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut buffer = vec![0; 64 * 1024];
    for _ in 0..requests {
        socket.write_all(request.as_bytes()).unwrap();
        let mut got = Vec::new();
        loop {
            let count = socket.read(&mut buffer).unwrap();
            got.extend_from_slice(&buffer[..count]);
            let whole = path == "/whole" && got.len() > 1_400 && got.ends_with(b"}");
            if whole || got.ends_with(b"0\r\n\r\n") {
                break;
            }
            if got.len() > 4_096 {
                got.drain(..got.len() - 64);
            }
        }
    }
}

fn answer() -> Bytes {
    let mut body = vec![b'y'; 1_399];
    body.push(b'}');
    body.into()
}

// === hyper ===

async fn hyper_connection(stream: TcpStream) {
    let handler = hyper::service::service_fn(|request: Request<Incoming>| async move {
        Ok::<_, Infallible>(answer_to(request).await)
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), handler)
        .await;
}

/// What both answer.
async fn answer_to<B: Body<Data = Bytes> + Unpin>(request: Request<B>) -> Response<Reply> {
    let is_stream = request.uri().path() == "/stream";
    let mut body = request.into_body();
    let mut pieces = Vec::new();
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await
    {
        pieces.extend(frame.into_data());
    }
    let (reply, kind) = if is_stream {
        let pace = tokio::time::interval(PACE);
        (Reply::Stream(0, pace), "text/event-stream")
    } else {
        (Reply::Whole(Some(answer())), "application/json")
    };
    let mut response = Response::new(reply);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(
        HeaderName::from_static("x-generation-id"),
        HeaderValue::from_static("gen-1795969166-0GTs4F5EviWH6ZN"),
    );
    response
}

enum Reply {
    Whole(Option<Bytes>),
    Stream(u64, tokio::time::Interval),
}

impl Answer for Reply {}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Self::Stream(sent, _) if *sent == CHUNKS => Poll::Ready(None),
            Self::Stream(sent, pace) => {
                std::task::ready!(pace.poll_tick(cx));
                *sent += 1;
                Poll::Ready(Some(Ok(Frame::data(Bytes::from(CHUNK.to_vec())))))
            }
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self {
            Self::Whole(body) => {
                http_body::SizeHint::with_exact(body.as_ref().map_or(0, |b| b.len() as u64))
            }
            Self::Stream(..) => http_body::SizeHint::default(),
        }
    }
}

// === own ===

struct Own;

impl Service<TcpStream> for Own {
    type Route = ();
    type Reply = Reply;

    fn route(&self, path: &str, _: &dyn Fn(&str) -> bool) -> Option<()> {
        path.starts_with('/').then_some(())
    }

    fn answer<'a>(
        &'a self,
        (): (),
        request: Request<RequestBody<'a, TcpStream>>,
    ) -> Answering<'a, Reply> {
        Box::pin(answer_to(request))
    }
}

async fn own_connection(stream: TcpStream) {
    let waits = Waits {
        head: HEAD_TIMEOUT,
        next: HEAD_TIMEOUT,
    };
    h1_server::serve(stream, &Own, waits, std::future::pending()).await;
}

/// CPU time of this thread in nanoseconds.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}
