//! Callers that mean harm. They are no witnesses: none of what they send may
//! be served, cost anything, or hurt the calls of others, so every answer is
//! a refusal or a closed connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::crash::market::PROBE_MODEL;
use crate::words::mix;

/// Bytes of a body that is made to be dear to read: below what the server
/// takes (32 MiB).
const LARGE_BYTES: usize = 31 << 20;
/// A large body is one in so many: sending it is most of what a run does
/// otherwise.
const LARGE_EVERY: u64 = 40;
/// Longest that an intruder waits for anything.
const WAIT_MAX: Duration = Duration::from_secs(8);
/// How long a slow one goes on.
const SLOW_MAX: Duration = Duration::from_secs(2);
/// Pause while nobody listens.
const AWAY: Duration = Duration::from_millis(20);
/// Statuses that refuse. Anything else is a mistake of the server's.
const REFUSALS: [u16; 15] = [
    400, 401, 402, 403, 404, 405, 408, 411, 413, 414, 415, 429, 431, 501, 503,
];
/// What may come besides where it is the provider that refuses: on a busy
/// machine it may say so too late, or be stopped before.
const NO_PROVIDER: [u16; 2] = [502, 504];

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    key: String,
    seed: u64,
    is_over: AtomicBool,
    is_resting: AtomicBool,
    busy: AtomicU32,
    tried: AtomicU64,
    wrong: Mutex<Vec<String>>,
    large: Vec<Vec<u8>>,
}

/// The intruders, on threads of their own.
#[derive(Debug)]
pub struct Intruders {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Intruders {
    /// Starts so many, who hold a good key.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(count: u32, seed: u64, server: SocketAddr, key: String) -> Result<Self, String> {
        let large = match count {
            0 => Vec::new(),
            _ => large(),
        };
        let shared = Arc::new(Shared {
            server,
            key,
            seed,
            is_over: AtomicBool::new(false),
            is_resting: AtomicBool::new(false),
            busy: AtomicU32::new(0),
            tried: AtomicU64::new(0),
            wrong: Mutex::default(),
            large,
        });
        let mut threads = Vec::new();
        for _ in 0..count {
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new()
                .name("intruder".to_owned())
                .spawn(move || shared.go_on())
                .map_err(|error| error.to_string())?;
            threads.push(thread);
        }
        Ok(Self { shared, threads })
    }

    /// Waits until none of them is at anything, and lets them begin nothing
    /// new. What is wrong inside a message only a provider says, so that a
    /// little money is set aside for some of what they send, for a moment.
    ///
    /// # Errors
    /// When some do not end in time.
    pub fn rest(&self, wait_max: Duration) -> Result<(), String> {
        self.shared.is_resting.store(true, Ordering::SeqCst);
        let end = Instant::now() + wait_max;
        while self.shared.busy.load(Ordering::SeqCst) > 0 {
            if Instant::now() > end {
                return Err("intruders do not come to rest".to_owned());
            }
            std::thread::sleep(AWAY);
        }
        Ok(())
    }

    /// Lets them go on.
    pub fn resume(&self) {
        self.shared.is_resting.store(false, Ordering::SeqCst);
    }

    /// How many things they have tried.
    #[must_use]
    pub fn tried(&self) -> u64 {
        self.shared.tried.load(Ordering::Acquire)
    }

    /// What was served that must not be, since the last time.
    #[must_use]
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = self
            .shared
            .wrong
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *wrong)
    }
}

impl Drop for Intruders {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            // One that panicked has failed the run's tests already.
            let _ = thread.join();
        }
    }
}

/// Bodies that take long to read, or would take gigabytes as a tree. The model
/// is one that nobody can pay for.
fn large() -> Vec<Vec<u8>> {
    let begin = format!(r#"{{"model":"{PROBE_MODEL}","max_tokens":1000000000,"messages":["#);
    let fill = |part: &str, end: &str| {
        let times = (LARGE_BYTES - begin.len() - end.len()) / part.len();
        [
            begin.as_bytes(),
            part.repeat(times).as_bytes(),
            end.as_bytes(),
        ]
        .concat()
    };
    let user = r#"{"role":"user","content":"q"}"#;
    vec![
        fill(r#"{"role":"user","content":""},"#, &format!("{user}]}}")),
        fill("0,", &format!("0],\"a\":[{user}]}}")),
        fill("[", ""),
        fill("{\"\":", ""),
        fill("\\u0000", "]}"),
        fill(
            r#"{"role":"user","content":[{"type":"text","text":"\ud83e\udd80"}]},"#,
            &format!("{user}]}}"),
        ),
    ]
}

impl Shared {
    fn go_on(&self) {
        while !self.is_over.load(Ordering::Acquire) {
            // Counted before it is asked whether to rest: whoever sees nobody
            // busy after that knows that nobody will be.
            self.busy.fetch_add(1, Ordering::SeqCst);
            let is_away = self.is_resting.load(Ordering::SeqCst) || !self.try_one();
            self.busy.fetch_sub(1, Ordering::SeqCst);
            if is_away {
                std::thread::sleep(AWAY);
            }
        }
    }

    /// Tries the next thing; returns whether there was somebody to listen.
    fn try_one(&self) -> bool {
        let turn = self.tried.fetch_add(1, Ordering::AcqRel);
        match self.one(mix(self.seed ^ 0x1d1e, turn)) {
            Ok(Some(wrong)) => {
                let mut all = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
                all.push(wrong);
                true
            }
            Ok(None) => true,
            // Refused, closed, or killed in the middle: all of it is fine.
            Err(_) => false,
        }
    }

    /// Tries one thing; returns what was served that must not be.
    fn one(&self, draw: u64) -> io::Result<Option<String>> {
        let mut stream = TcpStream::connect_timeout(&self.server, WAIT_MAX)?;
        stream.set_read_timeout(Some(WAIT_MAX))?;
        stream.set_write_timeout(Some(WAIT_MAX))?;
        if draw.is_multiple_of(LARGE_EVERY) {
            let at = usize::try_from(draw / LARGE_EVERY).unwrap_or(0) % self.large.len().max(1);
            return self.huge(&mut stream, self.large.get(at).map_or(&[], Vec::as_slice));
        }
        let manners = self.texts();
        let at = usize::try_from(draw >> 8).unwrap_or(0) % (manners.len() + 3);
        match manners.get(at) {
            Some(text) => {
                stream.write_all(text.as_bytes())?;
                judge(&mut stream, text, &[])
            }
            None if at == manners.len() => self.slow(&mut stream, draw),
            None if at == manners.len() + 1 => self.aborted(&mut stream, draw),
            None => {
                let text = self.left_to_the_provider();
                stream.write_all(text.as_bytes())?;
                judge(&mut stream, &text, &NO_PROVIDER)
            }
        }
    }

    fn head(&self, rest: &str) -> String {
        format!(
            "POST /api/v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\n{rest}\r\n",
            self.server, self.key
        )
    }

    fn with_body(&self, body: &str) -> String {
        format!(
            "{}{body}",
            self.head(&format!("content-length: {}\r\n", body.len()))
        )
    }

    /// Wrong inside a message, which only the provider reads.
    fn left_to_the_provider(&self) -> String {
        self.with_body(
            "{\"model\":\"crash/good\",\"messages\":[{\"role\":\"user\",\"content\":\"\u{0}\"}]}",
        )
    }

    /// Requests that are wrong in one way each, and reach no provider.
    fn texts(&self) -> Vec<String> {
        let good = r#"{"model":"crash/good","messages":[{"role":"user","content":"q"}]}"#;
        let length = good.len();
        let host = self.server;
        let smuggled = format!("0\r\n\r\n{}", self.with_body(good));
        vec![
            // Two lengths, two hosts, lengths that are none.
            format!("{}{smuggled}", self.head("content-length: 5\r\ntransfer-encoding: chunked\r\n")),
            format!("{}{smuggled}", self.head("transfer-encoding: chunked\r\ncontent-length: 5\r\n")),
            format!("{}{good}", self.head(&format!("content-length: {length}\r\ncontent-length: 5\r\n"))),
            format!("{}{good}", self.head(&format!("content-length: +{length}\r\n"))),
            format!("{}{good}", self.head(&format!("host: other.example\r\ncontent-length: {length}\r\n"))),
            format!("{}{good}", self.head("transfer-encoding: chunked, identity\r\n")),
            format!("{}{:x}\n{good}\r\n0\r\n\r\n", self.head("transfer-encoding: chunked\r\n"), length),
            // Another host's name, a method that is none, HTTP/2 without a question.
            format!("GET /metrics HTTP/1.1\r\nhost: evil.example\r\nauthorization: Bearer {}\r\n\r\n", self.key),
            format!("\u{1}\u{2}\u{3} / HTTP/1.1\r\nhost: {host}\r\n\r\n"),
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            format!("GET /api/v1/keys HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\n\r\n", self.key),
            format!("POST /api/v1/chat/completions HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n{good}"),
            // Members that parsers read otherwise, names that are none.
            self.with_body(r#"{"model":"crash/good","Model":"crash/plain","messages":[{"role":"user","content":"q"}]}"#),
            self.with_body(r#"{"model":"crash/good","model":"crash/plain","messages":[{"role":"user","content":"q"}]}"#),
            self.with_body(r#"{"\u006dodel":"crash/good","messages":[{"role":"user","content":"q"}]}"#),
            self.with_body(r#"{"model":"crash/god","messages":[{"role":"user","content":"q"}]}"#),
            self.with_body(r#"{"model":"crash/good","messages":[{"role":"user","content":"q"}],"max_tokens":-1}"#),
            self.with_body(r#"{"model":"crash/good","messages":"q"}"#),
            self.with_body(r#"{"model":"crash/good","messages":[{"role":"user","content":"q"}],"n":1e9}"#),
            self.with_body(&format!("{}{}", "[".repeat(5_000), "]".repeat(5_000))),
            self.with_body("null"),
            // Too much head.
            self.head(&format!("x: {}\r\ncontent-length: 0\r\n", "y".repeat(200_000))),
            self.head(&"x: y\r\n".repeat(2_000)),
        ]
    }

    /// A large body. The answer may come before it is all sent.
    fn huge(&self, stream: &mut TcpStream, body: &[u8]) -> io::Result<Option<String>> {
        let head = self.head(&format!("content-length: {}\r\n", body.len()));
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        judge(stream, &head, &[])
    }

    /// A body byte by byte, and then no more.
    fn slow(&self, stream: &mut TcpStream, draw: u64) -> io::Result<Option<String>> {
        let text = self.head("content-length: 100000\r\n");
        // Some never end their head either.
        let sent = match draw % 2 {
            0 => text.as_bytes(),
            _ => text.as_bytes().get(..text.len() / 2).unwrap_or_default(),
        };
        stream.write_all(sent)?;
        let began = Instant::now();
        while began.elapsed() < SLOW_MAX && !self.is_over.load(Ordering::Acquire) {
            stream.write_all(b" ")?;
            std::thread::sleep(AWAY);
        }
        Ok(None)
    }

    /// A good request that ends at some byte.
    fn aborted(&self, stream: &mut TcpStream, draw: u64) -> io::Result<Option<String>> {
        let text =
            self.with_body(r#"{"model":"crash/good","messages":[{"role":"user","content":"q"}]}"#);
        let end = usize::try_from(draw >> 16).unwrap_or(0) % text.len();
        stream.write_all(text.as_bytes().get(..end).unwrap_or_default())?;
        Ok(None)
    }
}

/// Reads the answer's status, if one comes: one of [`REFUSALS`], or of `besides`.
fn judge(stream: &mut TcpStream, asked: &str, besides: &[u16]) -> io::Result<Option<String>> {
    let mut reply = [0; 1_024];
    let read = stream.read(&mut reply)?;
    let text = String::from_utf8_lossy(reply.get(..read).unwrap_or_default()).into_owned();
    if text.is_empty() {
        return Ok(None);
    }
    let status = text
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| text.strip_prefix("HTTP/1.0 "))
        .and_then(|rest| rest.get(..3))
        .and_then(|digits| digits.parse::<u16>().ok());
    match status {
        Some(status) if REFUSALS.contains(&status) || besides.contains(&status) => Ok(None),
        _ => {
            let asked: String = asked.chars().take(400).collect();
            Ok(Some(format!("an intruder was answered\n{asked}\n{text}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> Shared {
        Shared {
            server: SocketAddr::from(([127, 0, 0, 1], 1)),
            key: "k".to_owned(),
            seed: 1,
            is_over: AtomicBool::new(false),
            is_resting: AtomicBool::new(false),
            busy: AtomicU32::new(0),
            tried: AtomicU64::new(0),
            wrong: Mutex::default(),
            large: large(),
        }
    }

    #[test]
    fn large_bodies_are_just_below_what_is_taken() {
        for body in shared().large {
            assert!(
                (LARGE_BYTES - 100..=LARGE_BYTES).contains(&body.len()),
                "{}",
                body.len()
            );
        }
    }

    #[test]
    fn every_text_differs_and_names_no_mark() {
        let texts = shared().texts();
        let unique: std::collections::BTreeSet<_> = texts.iter().collect();
        assert_eq!(unique.len(), texts.len());
        assert!(
            texts
                .iter()
                .all(|text| crate::crash::call::Mark::find(text).is_none())
        );
    }
}
