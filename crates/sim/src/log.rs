//! What the simulator received and did: counters and a bounded log.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::ask::Format;
use crate::truth::Truth;

/// Requests kept when the configuration says nothing else.
pub const LOG_ENTRIES_DEFAULT: usize = 10_000;
/// Most of one body that is kept, in bytes.
pub const BODY_KEPT_BYTES_MAX: usize = 256 * 1024;
/// Headers whose values are secrets.
const SECRET_HEADERS: [&str; 7] = [
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "proxy-authorization",
    "x-amz-security-token",
];

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has not yet.
    #[default]
    Open,
    /// Everything was sent.
    Complete,
    /// The client closed the connection first.
    ClientGone,
    /// The script cut the connection.
    Cut,
    /// The script stalled until the simulator gave up.
    Stalled,
    /// The script made it fail.
    Failed,
    /// The vendor would have refused it.
    Refused,
}

/// One request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Position among all requests since the last reset, from 0.
    pub ordinal: u64,
    /// Position among those of the same provider or model script.
    pub script_ordinal: u64,
    /// Connection it came on.
    pub connection: u64,
    /// Method.
    pub method: String,
    /// Path and query, without keys.
    pub path: String,
    /// `/p/<name>`.
    pub provider: Option<String>,
    /// Format, when the path has one.
    pub format: Option<Format>,
    /// Model, when the body was read.
    pub model: Option<String>,
    /// Headers in order, secrets shortened to a hash and four characters.
    pub headers: Vec<(String, String)>,
    /// Body length in bytes.
    pub body_bytes: u64,
    /// Body, when bodies are recorded.
    pub body: Option<String>,
    /// Whether events were asked for.
    pub stream: bool,
    /// Status sent; 0 when none was.
    pub status: u16,
    /// When the head had arrived, microseconds since 1970.
    pub started_unix_us: u64,
    /// From there to the response head, in microseconds.
    pub head_sent_us: Option<u64>,
    /// From there to the end, in microseconds. With `client_gone` this is
    /// when the departure was noticed.
    pub ended_us: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// Body bytes sent, before chunk framing.
    pub sent_bytes: u64,
    /// Tokens sent in whole events.
    pub sent_tokens: u64,
    /// What the answer truly costs, text left out.
    pub truth: Option<Truth>,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Totals since the start or the last reset.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: AtomicU64,)*
        }

        /// `Counters` at one moment.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct CountersNow {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// Reads all counters.
            #[must_use]
            pub fn now(&self) -> CountersNow {
                CountersNow { $($name: self.$name.load(Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Connections accepted.
    connections,
    /// Connections open now (a level: reset leaves it).
    connections_open,
    /// Requests whose head was read, fast ones included, control ones not.
    requests,
    /// Requests being answered now (a level: reset leaves it).
    in_flight,
    /// Fast requests.
    fast_requests,
    /// Answers sent to the end.
    complete,
    /// Clients that left before the end.
    client_gone,
    /// Connections that a script cut.
    cut,
    /// Answers that a script stalled to the simulator's limit.
    stalled,
    /// Scripted failures.
    failed,
    /// Requests the vendor would refuse.
    refused,
    /// Request body bytes.
    received_bytes,
    /// Response body bytes, before chunk framing.
    sent_bytes,
    /// Tokens sent.
    sent_tokens,
}

impl Counters {
    /// Sets everything but levels to zero.
    pub fn reset(&self) {
        for counter in [
            &self.connections,
            &self.requests,
            &self.fast_requests,
            &self.complete,
            &self.client_gone,
            &self.cut,
            &self.stalled,
            &self.failed,
            &self.refused,
            &self.received_bytes,
            &self.sent_bytes,
            &self.sent_tokens,
        ] {
            counter.store(0, Relaxed);
        }
    }

    /// Counts an ending.
    pub fn ended(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Open => return,
            Outcome::Complete => &self.complete,
            Outcome::ClientGone => &self.client_gone,
            Outcome::Cut => &self.cut,
            Outcome::Stalled => &self.stalled,
            Outcome::Failed => &self.failed,
            Outcome::Refused => &self.refused,
        };
        counter.fetch_add(1, Relaxed);
    }
}

/// The log of the last requests.
#[derive(Debug)]
pub struct Log {
    kept_max: usize,
    record_bodies: bool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    entries: VecDeque<Entry>,
    script_ordinals: HashMap<String, u64>,
}

/// Refers to an entry that is still being written.
#[derive(Debug, Clone, Copy)]
pub struct Open {
    /// The entry's ordinal.
    pub ordinal: u64,
    /// When the head had arrived.
    pub started: Instant,
}

impl Log {
    /// An empty log that keeps so many entries.
    #[must_use]
    pub fn new(kept_max: usize, record_bodies: bool) -> Self {
        Self {
            kept_max: kept_max.max(1),
            record_bodies,
            inner: Mutex::default(),
        }
    }

    // A panic elsewhere leaves the log whole: every change is one step.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an entry; numbers and dates it.
    pub fn open(&self, mut entry: Entry, started: Instant) -> Open {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut inner = self.lock();
        entry.ordinal = inner.next;
        entry.started_unix_us =
            u64::try_from((since.saturating_sub(started.elapsed())).as_micros()).unwrap_or(0);
        inner.next += 1;
        if inner.entries.len() >= self.kept_max {
            inner.entries.pop_front();
        }
        let ordinal = entry.ordinal;
        inner.entries.push_back(entry);
        Open { ordinal, started }
    }

    /// Counts a request under a script's name; returns its position from 0.
    pub fn count_under(&self, name: &str) -> u64 {
        let mut inner = self.lock();
        let next = inner.script_ordinals.entry(name.to_owned()).or_default();
        let this = *next;
        *next += 1;
        this
    }

    /// Changes an entry, if it is still kept.
    pub fn change(&self, open: Open, with: impl FnOnce(&mut Entry)) {
        let mut inner = self.lock();
        let Some(first) = inner.entries.front().map(|entry| entry.ordinal) else {
            return;
        };
        let at = open
            .ordinal
            .checked_sub(first)
            .and_then(|at| usize::try_from(at).ok());
        // A reset in between may have put another request here.
        if let Some(entry) = at.and_then(|at| inner.entries.get_mut(at))
            && entry.ended_us.is_none()
        {
            with(entry);
        }
    }

    /// Notes the body, when bodies are recorded.
    #[must_use]
    pub fn body_of(&self, body: &[u8]) -> Option<String> {
        let kept = body
            .get(..body.len().min(BODY_KEPT_BYTES_MAX))
            .unwrap_or_default();
        self.record_bodies
            .then(|| String::from_utf8_lossy(kept).into_owned())
    }

    /// All kept entries from an ordinal on.
    #[must_use]
    pub fn entries(&self, since: u64) -> Vec<Entry> {
        self.lock()
            .entries
            .iter()
            .filter(|entry| entry.ordinal >= since)
            .cloned()
            .collect()
    }

    /// Forgets entries and per-script positions. Ordinals go on, so that
    /// requests still open cannot be mistaken for new ones.
    pub fn reset(&self) {
        let mut inner = self.lock();
        inner.entries.clear();
        inner.script_ordinals.clear();
    }
}

/// Microseconds since a moment.
#[must_use]
pub fn micros_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// A header's value as the log shows it.
#[must_use]
pub fn shown_header(name: &str, value: &[u8]) -> String {
    if SECRET_HEADERS
        .iter()
        .any(|secret| name.eq_ignore_ascii_case(secret))
    {
        return shortened(value);
    }
    String::from_utf8_lossy(value).into_owned()
}

/// A path as the log shows it: the value of Gemini's `key=` is a secret.
#[must_use]
pub fn shown_path(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else {
        return path.to_owned();
    };
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some(("key", value)) => format!("key={}", shortened(value.as_bytes())),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{path}?{}", pairs.join("&"))
}

/// Four characters of a short key would be too much of it.
fn shortened(value: &[u8]) -> String {
    let digest = blake3::hash(value).to_hex();
    let text = String::from_utf8_lossy(value);
    let tail: String = if text.chars().count() >= 12 {
        let chars: Vec<char> = text.chars().collect();
        chars.iter().skip(chars.len() - 4).collect()
    } else {
        String::new()
    };
    let head: String = digest.chars().take(16).collect();
    format!("blake3:{head}…{tail}")
}
