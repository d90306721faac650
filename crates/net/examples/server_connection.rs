//! Measures what the server's side of HTTP/1.1 costs: CPU time of its own
//! thread for each request and each streamed chunk, with hyper's connection
//! and with the least that an own connection could be.
//!
//! The own one parses the head with httparse into places, reads the body by
//! its length, answers from a template and writes chunks with one `writev`.
//! It has no pipelining, no timers, no upgrade and no strictness: what a
//! finished one would add makes it dearer, so this is a bound for the gain.
//!
//! `cargo run --release -p bourse-net --example server_connection`
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    missing_docs
)]

use std::convert::Infallible;
use std::io::{IoSlice, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const CONNECTIONS: u64 = 32;
const REQUESTS: u64 = 3_000;
const STREAMS: u64 = 4;
const CHUNKS: u64 = 500;
const PACE: Duration = Duration::from_millis(2);
const ROUNDS: usize = 5;
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
        let is_stream = request.uri().path() == "/stream";
        let mut body = request.into_body();
        let mut pieces = Vec::new();
        while let Some(Ok(frame)) =
            std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await
        {
            pieces.extend(frame.into_data());
        }
        let reply = if is_stream {
            Reply::Stream(0, tokio::time::interval(PACE))
        } else {
            Reply::Whole(Some(answer()))
        };
        let kind = if is_stream {
            "text/event-stream"
        } else {
            "application/json"
        };
        let mut response = Response::new(reply);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(
            HeaderName::from_static("x-generation-id"),
            HeaderValue::from_static("gen-1795969166-0GTs4F5EviWH6ZN"),
        );
        Ok::<_, Infallible>(response)
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(10))
        .serve_connection(TokioIo::new(stream), handler)
        .await;
}

enum Reply {
    Whole(Option<Bytes>),
    Stream(u64, tokio::time::Interval),
}

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

async fn own_connection(mut stream: TcpStream) {
    let mut buffer = BytesMut::with_capacity(8 * 1024);
    loop {
        let Some((head, is_stream, length)) = read_head(&mut stream, &mut buffer).await else {
            return;
        };
        while buffer.len() < head + length {
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let _head = buffer.split_to(head).freeze();
        let _body = buffer.split_to(length).freeze();
        let done = if is_stream {
            stream_reply(&mut stream).await
        } else {
            whole_reply(&mut stream).await
        };
        if done.is_err() {
            return;
        }
        buffer.reserve(8 * 1024);
    }
}

async fn read_head(stream: &mut TcpStream, buffer: &mut BytesMut) -> Option<(usize, bool, usize)> {
    loop {
        let mut slots = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut slots);
        if let Ok(httparse::Status::Complete(head)) = request.parse(buffer) {
            let is_stream = request.path == Some("/stream");
            let length = request
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case("content-length"))
                .and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok())?;
            return Some((head, is_stream, length));
        }
        if stream.read_buf(buffer).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}

async fn whole_reply(stream: &mut TcpStream) -> std::io::Result<()> {
    let body = answer();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-generation-id: gen-1795969166-0GTs4F5EviWH6ZN\r\n\
         content-length: {}\r\ndate: Sun, 29 Nov 2026 16:00:00 GMT\r\n\r\n",
        body.len()
    );
    write(stream, &[head.as_bytes(), &body]).await
}

async fn stream_reply(stream: &mut TcpStream) -> std::io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-generation-id: gen-1795969166-0GTs4F5EviWH6ZN\r\n\
         transfer-encoding: chunked\r\ndate: Sun, 29 Nov 2026 16:00:00 GMT\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let mut pace = tokio::time::interval(PACE);
    for _ in 0..CHUNKS {
        pace.tick().await;
        let chunk = CHUNK.to_vec();
        let mut size = [0_u8; 18];
        let mut rest = &mut size[..];
        write!(rest, "{:x}\r\n", chunk.len())?;
        let left = rest.len();
        write(stream, &[&size[..18 - left], &chunk, b"\r\n"]).await?;
    }
    stream.write_all(b"0\r\n\r\n").await
}

async fn write(stream: &mut TcpStream, parts: &[&[u8]]) -> std::io::Result<()> {
    let slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let all: usize = parts.iter().map(|part| part.len()).sum();
    let sent = stream.write_vectored(&slices).await?;
    assert_eq!(sent, all, "loopback takes small writes whole");
    Ok(())
}

/// CPU time of this thread in nanoseconds.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}
