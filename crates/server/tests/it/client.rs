//! A blocking HTTP/1.1 client that shows exactly what arrived.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longer than anything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A reply, or as much of it as came.
#[derive(Debug, Clone, Default)]
pub struct Got {
    /// 0 if the connection ended before a head.
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the body ended as its framing promised.
    pub whole: bool,
}

impl Got {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(n, _)| n == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice");
        value
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.status, self.text()))
    }

    /// The reply of a call that must have succeeded.
    #[track_caller]
    pub fn answer(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        assert!(self.whole);
        assert!(
            self.header("x-generation-id")
                .is_some_and(|id| id.starts_with("gen-"))
        );
        let json = self.json();
        assert!(
            json["choices"][0]["message"]["content"].is_string(),
            "{json}"
        );
        json
    }

    /// The `error` object of a call that must have failed so: an integer
    /// `code` that is the status, a message, an `error_type`.
    #[track_caller]
    pub fn error(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert!(self.whole);
        assert_eq!(self.header("content-type"), Some("application/json"));
        let json = self.json();
        let error = json["error"].clone();
        assert_eq!(error["code"].as_u64(), Some(u64::from(status)), "{json}");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{json}"
        );
        assert!(error["metadata"]["error_type"].is_string(), "{json}");
        assert_eq!(json.as_object().unwrap().len(), 1, "{json}");
        error
    }

    /// Its message.
    #[track_caller]
    pub fn error_message(&self, status: u16) -> String {
        self.error(status)["message"].as_str().unwrap().to_owned()
    }

    /// The events of a stream.
    #[track_caller]
    pub fn stream(&self) -> Stream {
        assert_eq!(self.status, 200, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("text/event-stream"));
        Stream::of(&self.text(), self.whole)
    }
}

/// A stream of chat completion chunks.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    pub chunks: Vec<Value>,
    pub comments: Vec<String>,
    pub done: bool,
    /// Whether HTTP's framing ended as promised.
    pub whole: bool,
}

impl Stream {
    #[track_caller]
    fn of(text: &str, whole: bool) -> Self {
        let mut stream = Self {
            whole,
            ..Self::default()
        };
        for event in text.split_terminator("\n\n") {
            if let Some(comment) = event.strip_prefix(':') {
                stream.comments.push(comment.trim().to_owned());
                continue;
            }
            let data = event
                .strip_prefix("data: ")
                .unwrap_or_else(|| panic!("not an event: {event:?}"));
            assert!(!stream.done, "something follows [DONE]: {text}");
            if data == "[DONE]" {
                stream.done = true;
                continue;
            }
            // Half of a surrogate pair is legal JSON and passed on as it came;
            // clients in JavaScript and Python read it, this parser does not.
            let data = data.replace("\\ud83e", "\\ufffd");
            let chunk: Value =
                serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {data}"));
            stream.chunks.push(chunk);
        }
        stream
    }

    pub fn text(&self) -> String {
        self.chunks
            .iter()
            .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
            .collect()
    }

    /// Every finish reason that is not null.
    pub fn finishes(&self) -> Vec<&str> {
        self.chunks
            .iter()
            .filter_map(|chunk| chunk["choices"][0]["finish_reason"].as_str())
            .collect()
    }

    /// The usage of a whole answer: told once, with the last chunk before
    /// `[DONE]`, after exactly one finish that is not an error.
    #[track_caller]
    pub fn complete(&self) -> Value {
        assert!(self.whole && self.done, "{self:#?}");
        let told: Vec<_> = self
            .chunks
            .iter()
            .filter(|chunk| !chunk["usage"].is_null())
            .collect();
        assert_eq!(told.len(), 1, "{self:#?}");
        assert_eq!(Some(told[0]), self.chunks.last(), "{self:#?}");
        assert!(self.chunks.iter().all(|chunk| chunk["error"].is_null()));
        assert_eq!(self.finishes().len(), 1, "{self:#?}");
        assert_ne!(self.finishes(), ["error"]);
        told[0]["usage"].clone()
    }

    /// Whether it ended, and not with an error.
    pub fn is_complete(&self) -> bool {
        self.done && self.chunks.iter().all(|chunk| chunk["error"].is_null())
    }

    /// The error of a broken answer: in the last chunk, with an integer code
    /// and the finish reason `error`, and with nothing that looks whole.
    #[track_caller]
    pub fn broken(&self) -> Value {
        assert!(self.whole, "HTTP's framing must end well: {self:#?}");
        assert!(self.done, "clients wait for [DONE]: {self:#?}");
        let last = self.chunks.last().unwrap_or(&Value::Null);
        assert!(last["error"]["code"].is_u64(), "{self:#?}");
        assert!(last["error"]["message"].is_string(), "{self:#?}");
        assert_eq!(self.finishes(), ["error"], "{self:#?}");
        assert_eq!(last["choices"][0]["finish_reason"], "error", "{self:#?}");
        assert!(
            self.chunks.iter().all(|chunk| chunk["usage"].is_null()),
            "{self:#?}"
        );
        last["error"].clone()
    }
}

/// A connection to the server.
pub struct Conn<S = TcpStream> {
    pub stream: S,
    buffer: Vec<u8>,
}

impl Conn {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: Vec::new(),
        }
    }
}

impl<S: Read + Write> Conn<S> {
    /// One that is there already.
    pub fn on(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Sends bytes; a server that has closed already may be right to.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends a request with a body of a known length.
    pub fn request(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        );
        self.send(&[head.as_bytes(), body].concat());
    }

    fn fill(&mut self) -> bool {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece) {
            Ok(length) if length > 0 => {
                self.buffer.extend_from_slice(&piece[..length]);
                true
            }
            _ => false,
        }
    }

    /// Everything up to a mark, without it.
    pub fn until(&mut self, mark: &[u8]) -> Option<Vec<u8>> {
        let mut from = 0;
        loop {
            let found = self.buffer[from..]
                .windows(mark.len())
                .position(|window| window == mark);
            if let Some(at) = found {
                let at = from + at;
                let mut taken: Vec<u8> = self.buffer.drain(..at + mark.len()).collect();
                taken.truncate(at);
                return Some(taken);
            }
            from = self.buffer.len().saturating_sub(mark.len());
            if !self.fill() {
                return None;
            }
        }
    }

    fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < length {
            if !self.fill() {
                return None;
            }
        }
        Some(self.buffer.drain(..length).collect())
    }

    /// Reads a head.
    pub fn head(&mut self) -> Got {
        let Some(head) = self.until(b"\r\n\r\n") else {
            return Got::default();
        };
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        Got {
            status: status.parse().unwrap(),
            headers: lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect(),
            ..Got::default()
        }
    }

    /// Reads one piece of a chunked body; `None` at its end or a cut.
    pub fn chunk(&mut self, got: &mut Got) -> Option<Vec<u8>> {
        let size = String::from_utf8(self.until(b"\r\n")?).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let mut chunk = self.exactly(size + 2)?;
        chunk.truncate(size);
        got.whole = size == 0;
        got.body.extend_from_slice(&chunk);
        (size > 0).then_some(chunk)
    }

    /// The length of the next piece of a chunked body; `None` where the
    /// connection ends without saying that the body does.
    pub fn try_chunk(&mut self, got: &mut Got) -> Option<usize> {
        let before = got.body.len();
        let piece = self.chunk(got);
        let length = got.body.len() - before;
        (piece.is_some() || got.whole).then_some(length)
    }

    /// Reads a reply.
    pub fn receive(&mut self) -> Got {
        let mut got = self.head();
        if let Some(length) = got.header("content-length") {
            let length = length.parse().unwrap();
            if let Some(body) = self.exactly(length) {
                got.body = body;
                got.whole = true;
            }
        } else if got.header("transfer-encoding").is_some() {
            while self.chunk(&mut got).is_some() {}
        }
        got
    }
}
