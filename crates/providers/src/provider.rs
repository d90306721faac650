//! What the gateway must know to call one vendor.

use bourse_vocab::{Failure, Format};
use bourse_wire::{Dialect, ErrorReply, codec};
use http::{HeaderName, HeaderValue};

use crate::Key;

/// What the address of one attempt depends on.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The format of the body.
    pub format: Format,
    /// The model as the vendor names it.
    pub model: &'a str,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Path of the base URL, without a trailing slash: `/v1`.
    pub base_path: &'a str,
}

/// Where to send an attempt, and with which headers besides the length
/// and type of the body.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Path and query.
    pub path: String,
    /// Credentials and the vendor's own headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// What to do with the upstream when the client has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Disconnect {
    /// Close it: the vendor stops generating and billing.
    Cancel,
    /// Read on, within bounds, for the true usage: the vendor bills the
    /// whole answer anyway.
    Drain,
}

/// How to call one vendor.
pub trait Provider: Send + Sync {
    /// The name in slugs, configuration and metrics.
    fn slug(&self) -> &str;

    /// The name that people see.
    fn name(&self) -> &str;

    /// Environment variables that may hold a key, preferred first.
    fn env(&self) -> &[&'static str];

    /// Where the vendor answers, unless configuration says otherwise.
    /// `None` if there is no default (an operator's own server).
    fn base_url(&self) -> Option<&str>;

    /// Formats the vendor speaks for `model`, preferred first.
    fn speaks(&self, model: &str) -> &[Format];

    /// How it strays from the format for `model`.
    fn dialect(&self, model: &str) -> &Dialect;

    /// Addresses and signs a body that is already in `attempt.format`.
    fn address(&self, attempt: &Attempt<'_>, key: &Key) -> Result<Outgoing, Failure>;

    /// What to do when the client has left. Vendors that stop billing on
    /// close are listed in openrouter.ai/docs, streaming (August 2026).
    fn on_disconnect(&self) -> Disconnect {
        Disconnect::Cancel
    }

    /// Understands an error reply in `format`.
    fn read_failure(&self, format: Format, reply: &ErrorReply<'_>) -> Failure {
        codec(format).read_failure(reply)
    }
}

/// Built-in providers live as long as the program; configured ones do not.
/// Both are held the same way.
impl Provider for &'static dyn Provider {
    fn slug(&self) -> &str {
        (**self).slug()
    }

    fn name(&self) -> &str {
        (**self).name()
    }

    fn env(&self) -> &[&'static str] {
        (**self).env()
    }

    fn base_url(&self) -> Option<&str> {
        (**self).base_url()
    }

    fn speaks(&self, model: &str) -> &[Format] {
        (**self).speaks(model)
    }

    fn dialect(&self, model: &str) -> &Dialect {
        (**self).dialect(model)
    }

    fn address(&self, attempt: &Attempt<'_>, key: &Key) -> Result<Outgoing, Failure> {
        (**self).address(attempt, key)
    }

    fn on_disconnect(&self) -> Disconnect {
        (**self).on_disconnect()
    }

    fn read_failure(&self, format: Format, reply: &ErrorReply<'_>) -> Failure {
        (**self).read_failure(format, reply)
    }
}
