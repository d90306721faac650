//! A blocking client that shows exactly what arrived.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bourse_sim::{Script, Sim, SimHandle};
use serde_json::Value;

pub const KEY: &str = "authorization: Bearer sk-secret-value-1234\r\n";
pub const ANTHROPIC: &str = "x-api-key: sk-ant-secret-9876\r\nanthropic-version: 2023-06-01\r\n";

/// What a response was, and how it ended.
#[derive(Debug, Clone, Default)]
pub struct Got {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    /// HTTP chunks, empty for a body with a length.
    pub chunks: Vec<Vec<u8>>,
    /// Whether the body ended as its framing promised.
    pub whole: bool,
}

impl Got {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// Data lines, in order.
    pub fn data(&self) -> Vec<String> {
        self.text()
            .lines()
            .filter_map(|l| l.strip_prefix("data: ").map(str::to_owned))
            .collect()
    }

    /// Data lines that are JSON.
    pub fn events(&self) -> Vec<Value> {
        self.data()
            .iter()
            .filter_map(|data| serde_json::from_str(data).ok())
            .collect()
    }
}

pub fn sim(script: Script) -> SimHandle {
    Sim::builder()
        .script(script)
        .record_bodies(true)
        .spawn_thread("127.0.0.1:0".parse().unwrap())
        .unwrap()
}

pub fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

pub fn send(stream: &mut TcpStream, method: &str, path: &str, headers: &str, body: &[u8]) {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: sim\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
}

/// Reads one response from a connection.
pub fn receive(stream: &mut TcpStream) -> Got {
    let mut got = Got::default();
    let mut byte = [0u8; 1];
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return got,
        }
    }
    got.head = String::from_utf8(head).unwrap();
    got.status = got.head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = got
        .head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    if let Some(length) = length {
        let length: usize = length.parse().unwrap();
        while got.body.len() < length {
            let mut buf = vec![0; length - got.body.len()];
            match stream.read(&mut buf) {
                Ok(n) if n > 0 => got.body.extend_from_slice(&buf[..n]),
                _ => return got,
            }
        }
        got.whole = true;
        return got;
    }
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => line.push(byte[0]),
                _ => return got,
            }
        }
        let size = String::from_utf8(line).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        if stream.read_exact(&mut chunk).is_err() {
            return got;
        }
        chunk.truncate(size);
        if size == 0 {
            got.whole = true;
            return got;
        }
        got.body.extend_from_slice(&chunk);
        got.chunks.push(chunk);
    }
}

pub fn post(addr: SocketAddr, path: &str, headers: &str, body: &Value) -> Got {
    let mut stream = connect(addr);
    send(
        &mut stream,
        "POST",
        path,
        headers,
        body.to_string().as_bytes(),
    );
    receive(&mut stream)
}

pub fn get(addr: SocketAddr, path: &str) -> Got {
    let mut stream = connect(addr);
    send(&mut stream, "GET", path, "", b"");
    receive(&mut stream)
}

/// Waits until every answer is logged to its end.
pub fn idle(sim: &SimHandle) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    assert!(runtime.block_on(sim.quiet(Duration::from_secs(5))));
}

/// Asks again until a condition holds; fails after five seconds.
pub fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..500 {
        if let Some(found) = ask() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never came true");
}
