//! Parts of an origin.

use std::net::IpAddr;
use std::sync::Arc;

/// `http` or `https`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain TCP.
    Http,
    /// TLS over TCP.
    Https,
}

/// The host part of an origin, normalised.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OriginHost {
    /// A name in lower-case ASCII (punycode for other scripts).
    Name(Arc<str>),
    /// A literal address.
    Ip(IpAddr),
}
