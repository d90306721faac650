//! Measures what the client costs: CPU time of its own thread for each
//! call, each streamed chunk and each paced chunk, against a server in
//! another thread on loopback.
//!
//! `cargo run --release -p bourse-net --example cpu_per_call`
#![allow(clippy::unwrap_used, clippy::cast_precision_loss, missing_docs)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use bourse_net::{
    Client, ClientConfig, Deadlines, EgressPolicy, HeadTemplate, Origin, OutgoingRequest, Segments,
};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue};

const CHUNK: &str = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\
    \"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},\
    \"finish_reason\":null}]}\n\n";
const STREAM_CHUNKS: u64 = 500;

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            std::thread::spawn(move || serve(socket.unwrap()));
        }
    });
    let origin = Origin::parse_operator(&format!("http://{address}"))
        .unwrap()
        .0;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure(&origin));
}

async fn measure(origin: &Origin) {
    let mut egress = EgressPolicy::deny_private();
    egress.allow_origin(origin);
    let client = Client::new(ClientConfig {
        egress,
        ..ClientConfig::default()
    })
    .unwrap();
    for (name, path, calls, chunks) in [
        ("call, 1.4 KB each way", "/whole", 50_000_u64, 1_u64),
        ("chunk at full speed", "/stream", 2000, STREAM_CHUNKS),
        ("chunk every 200 us", "/paced", 40, STREAM_CHUNKS),
    ] {
        let request = request(origin, path);
        for _ in 0..calls / 10 + 1 {
            drain(&client, origin, &request).await;
        }
        let before = cpu_ns();
        let user_before = user_ns();
        let mut frames = 0;
        for _ in 0..calls {
            frames += drain(&client, origin, &request).await;
        }
        let spent = (cpu_ns() - before) as f64 / 1000.0;
        let user = (user_ns() - user_before) as f64 / 1000.0;
        let units = calls * chunks;
        println!(
            "{name}: {:.2} us CPU, of which {:.2} outside the kernel; {:.1} to a frame",
            spent / units as f64,
            user / units as f64,
            units as f64 / frames as f64
        );
    }
}

fn request(origin: &Origin, path: &str) -> OutgoingRequest {
    let mut headers = HeaderMap::new();
    headers.insert(
        "authorization",
        HeaderValue::from_static("Bearer sk-0123456789abcdef"),
    );
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("accept", HeaderValue::from_static("text/event-stream"));
    let head = HeadTemplate::new(origin, http::Method::POST, path, headers).unwrap();
    let body = [Bytes::from(vec![b'{'; 200]), Bytes::from(vec![b'x'; 1200])];
    OutgoingRequest::new(head, Segments::from_iter(body))
}

async fn drain(client: &Client, origin: &Origin, request: &OutgoingRequest) -> u64 {
    let mut response = client
        .send(origin, request, &Deadlines::default())
        .await
        .unwrap();
    let mut frames = 0;
    while let Some(piece) = response.body.next().await {
        piece.unwrap();
        frames += 1;
    }
    frames
}

fn serve(mut socket: TcpStream) {
    socket.set_nodelay(true).unwrap();
    let headers = "content-type: application/json\r\ndate: Sat, 21 Nov 2026 10:00:00 GMT\r\n\
        server: s\r\nx-request-id: 0123456789\r\nx-ratelimit-limit: 100\r\nvary: origin\r\n\
        x-ratelimit-remaining: 99\r\nopenai-processing-ms: 12\r\ncf-ray: 1\r\n";
    let body = "y".repeat(1400);
    let whole = format!("HTTP/1.1 200 OK\r\n{headers}content-length: 1400\r\n\r\n{body}");
    let head = format!("HTTP/1.1 200 OK\r\n{headers}transfer-encoding: chunked\r\n\r\n");
    let chunk = format!("{:x}\r\n{CHUNK}\r\n", CHUNK.len());
    let mut buf = vec![0; 64 * 1024];
    loop {
        let mut got = 0;
        let (path, needed) = loop {
            let n = socket.read(buf.get_mut(got..).unwrap()).unwrap_or(0);
            if n == 0 {
                return;
            }
            got += n;
            let text = String::from_utf8_lossy(buf.get(..got).unwrap()).into_owned();
            if let Some((head, _)) = text.split_once("\r\n\r\n") {
                break (
                    text.split(' ').nth(1).unwrap().to_owned(),
                    head.len() + 4 + 1400,
                );
            }
        };
        while got < needed {
            got += socket.read(buf.get_mut(got..).unwrap()).unwrap();
        }
        if path == "/whole" {
            socket.write_all(whole.as_bytes()).unwrap();
            continue;
        }
        socket.write_all(head.as_bytes()).unwrap();
        for _ in 0..STREAM_CHUNKS {
            if path == "/paced" {
                std::thread::sleep(Duration::from_micros(200));
            }
            socket.write_all(chunk.as_bytes()).unwrap();
        }
        socket.write_all(b"0\r\n\r\n").unwrap();
    }
}

/// CPU time of this thread in nanoseconds.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// The part of it outside the kernel, which is counted in ticks of 10 ms.
fn user_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    let after_name = text.rsplit(')').next().unwrap();
    after_name
        .split_whitespace()
        .nth(11)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 10_000_000
}
