//! What can go wrong between us and an upstream, in words that routing can act on.

use std::error::Error as StdError;
use std::fmt;

/// The class of a network failure. Closed on purpose: routing, metrics and
/// failover match on it and never on text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NetErrorKind {
    /// The host name did not resolve, and no earlier answer is known.
    Resolve,
    /// The address is one that this origin may not reach.
    Egress,
    /// No address of the origin accepted a connection.
    Connect,
    /// Connecting, TLS included, took longer than `Deadlines::connect`.
    ConnectTimeout,
    /// The proxy on the way cannot be reached, does not know us or does not let
    /// us through. The origin was not asked.
    Proxy,
    /// The TLS handshake failed: certificate, name or protocol.
    Tls,
    /// Our own bound on connections is reached. Nothing was sent.
    Exhausted,
    /// No response head within `Deadlines::head`.
    HeadTimeout,
    /// The body stalled for longer than `Deadlines::idle`.
    IdleTimeout,
    /// The upstream closed without sending a single response byte.
    ClosedBeforeResponse,
    /// The connection or stream broke (reset, broken pipe, protocol error).
    Reset,
    /// The response ended before its framing said that it would.
    Truncated,
    /// The response breaks HTTP's framing rules.
    Malformed,
    /// A bound of ours was exceeded (response head, bounded body read).
    TooLarge,
}

impl NetErrorKind {
    /// A stable lower-case label for metrics and logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Egress => "egress",
            Self::Connect => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Exhausted => "exhausted",
            Self::HeadTimeout => "head_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::ClosedBeforeResponse => "closed_before_response",
            Self::Reset => "reset",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
        }
    }
}

type Source = Box<dyn StdError + Send + Sync>;

/// A failed exchange with an upstream.
pub struct NetError {
    /// What happened.
    pub kind: NetErrorKind,
    /// Whether the upstream may have seen any part of the request. When
    /// `false`, sending it again elsewhere cannot duplicate work.
    pub wrote_request: bool,
    /// Whether the connection had served another request before.
    pub reused: bool,
    source: Option<Source>,
}

impl NetError {
    /// An error before anything was written.
    #[must_use]
    pub fn new(kind: NetErrorKind) -> Self {
        Self {
            kind,
            wrote_request: false,
            reused: false,
            source: None,
        }
    }

    /// An error with a cause, which is either an error or a plain sentence.
    #[must_use]
    pub fn because(kind: NetErrorKind, source: impl Into<Source>) -> Self {
        Self {
            kind,
            wrote_request: false,
            reused: false,
            source: Some(source.into()),
        }
    }

    pub(crate) fn written(mut self, wrote_request: bool) -> Self {
        self.wrote_request = wrote_request;
        self
    }

    pub(crate) fn on_reused(mut self, reused: bool) -> Self {
        self.reused = reused;
        self
    }
}

impl fmt::Debug for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetError")
            .field("kind", &self.kind)
            .field("wrote_request", &self.wrote_request)
            .field("reused", &self.reused)
            .field("source", &self.source)
            .finish()
    }
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.label())?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for NetError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}
