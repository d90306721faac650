//! Where a request goes: scheme, host and port, parsed once and strictly.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use url::{Host, Url};

pub use crate::host::{OriginHost, Scheme};
use crate::proxy::Via;

/// Longest URL that we read. Providers' addresses are far shorter; signed
/// object-store URLs stay below 4 KB.
const URL_BYTES_MAX: usize = 8 * 1024;

/// Whether an origin is called with HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Http2 {
    /// On TLS, whatever ALPN chooses (h2 preferred); HTTP/1.1 on plain TCP.
    #[default]
    Auto,
    /// HTTP/1.1 only.
    Never,
    /// HTTP/2 without asking (h2c on plain TCP).
    Prior,
}

/// Who wrote the URL. It decides which addresses may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum WrittenBy {
    /// A caller, a tenant, a catalog: public addresses only.
    Anyone,
    /// The operator, in the configuration.
    Operator,
}

/// Why a URL was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Not a URL, or one with characters that parsers disagree about.
    #[error("not a valid absolute URL")]
    Syntax,
    /// Longer than 8 KB.
    #[error("the URL is too long")]
    TooLong,
    /// Neither `http` nor `https`.
    #[error("only http and https URLs are called")]
    Scheme,
    /// Carries a user name or a password.
    #[error("a URL may not carry a user name or password")]
    UserInfo,
    /// No usable host: empty, or with a trailing dot.
    #[error("the URL's host is not usable")]
    Host,
    /// Port zero.
    #[error("the URL's port is not usable")]
    Port,
    /// Carries a fragment, which would never be sent.
    #[error("a URL that is called may not carry a fragment")]
    Fragment,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    scheme: Scheme,
    host: OriginHost,
    port: u16,
    http2: Http2,
    written_by: WrittenBy,
    via: Option<Via>,
}

/// Scheme, host and port of an upstream. Cheap to clone; also the key of
/// the connection pool.
///
/// Who wrote the URL is part of the identity: a caller's URL that happens
/// to name the operator's private server is another origin, with other
/// rights, and never shares its connections.
#[derive(Clone)]
pub struct Origin {
    parts: Arc<Parts>,
    hash: u64,
}

impl Origin {
    /// Reads a URL that may come from anybody. Only public addresses will
    /// be reachable through it. Returns the origin, and the path and query.
    ///
    /// # Errors
    /// When the URL has a form that we refuse to call, see [`OriginError`].
    pub fn parse(url: &str) -> Result<(Self, String), OriginError> {
        Self::read(url, WrittenBy::Anyone)
    }

    /// Reads a URL that the operator wrote in the configuration. It may be
    /// given private addresses with [`crate::EgressPolicy::allow_origin`].
    ///
    /// # Errors
    /// When the URL has a form that we refuse to call, see [`OriginError`].
    pub fn parse_operator(url: &str) -> Result<(Self, String), OriginError> {
        Self::read(url, WrittenBy::Operator)
    }

    fn read(text: &str, written_by: WrittenBy) -> Result<(Self, String), OriginError> {
        if text.len() > URL_BYTES_MAX {
            return Err(OriginError::TooLong);
        }
        // The URL standard drops tabs and line breaks, trims blanks and reads a
        // backslash as a slash. Other parsers do not, so whoever checked this
        // text before us may have seen another host. Refuse instead.
        if text
            .bytes()
            .any(|byte| byte <= b' ' || byte == b'\\' || byte == 0x7f)
        {
            return Err(OriginError::Syntax);
        }
        check_authority(text)?;
        let url = Url::parse(text).map_err(|_| OriginError::Syntax)?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(OriginError::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OriginError::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(OriginError::Fragment);
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => {
                // "name." and "name" are one machine with two spellings.
                if name.is_empty() || name.ends_with('.') || name.starts_with('.') {
                    return Err(OriginError::Host);
                }
                OriginHost::Name(Arc::from(name))
            }
            Some(Host::Ipv4(ip)) => OriginHost::Ip(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => OriginHost::Ip(IpAddr::V6(ip)),
            None => return Err(OriginError::Host),
        };
        let port = url.port_or_known_default().ok_or(OriginError::Port)?;
        if port == 0 {
            return Err(OriginError::Port);
        }
        let mut path = url.path().to_owned();
        if let Some(query) = url.query() {
            path.push('?');
            path.push_str(query);
        }
        let parts = Parts {
            scheme,
            host,
            port,
            http2: Http2::Auto,
            written_by,
            via: None,
        };
        Ok((Self::from_parts(parts), path))
    }

    fn from_parts(parts: Parts) -> Self {
        // Hashed once here, so that a pool lookup does not hash a string.
        let mut hasher = std::hash::DefaultHasher::new();
        parts.scheme.hash(&mut hasher);
        parts.host.hash(&mut hasher);
        parts.port.hash(&mut hasher);
        parts.http2.hash(&mut hasher);
        parts.written_by.hash(&mut hasher);
        parts.via.hash(&mut hasher);
        Self {
            hash: hasher.finish(),
            parts: Arc::new(parts),
        }
    }

    /// The same origin with another HTTP/2 policy.
    #[must_use]
    pub fn with_http2(&self, http2: Http2) -> Self {
        Self::from_parts(Parts {
            http2,
            ..Parts::clone(&self.parts)
        })
    }

    /// The same origin by another road: `None` is the one that the rules give
    /// to all. Connections by different roads are never mixed.
    #[must_use]
    pub fn with_via(&self, via: Option<Via>) -> Self {
        Self::from_parts(Parts {
            via,
            ..Parts::clone(&self.parts)
        })
    }

    /// Whether both are the same scheme, host and port, by whomever they were
    /// written and however they are called.
    #[must_use]
    pub fn is_same_place(&self, other: &Self) -> bool {
        let (one, other) = (&self.parts, &other.parts);
        one.scheme == other.scheme && one.host == other.host && one.port == other.port
    }

    /// What it is to the egress rules: how it is called and by which road is
    /// nothing to them.
    pub(crate) fn bare(&self) -> Self {
        Self::from_parts(Parts {
            http2: Http2::default(),
            via: None,
            ..Parts::clone(&self.parts)
        })
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.parts.scheme
    }

    /// The normalised host.
    #[must_use]
    pub fn host(&self) -> &OriginHost {
        &self.parts.host
    }

    /// The port, also when the URL left it to the scheme.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.parts.port
    }

    /// The HTTP/2 policy.
    #[must_use]
    pub fn http2(&self) -> Http2 {
        self.parts.http2
    }

    /// Its own road, if it has one.
    #[must_use]
    pub fn via(&self) -> Option<&Via> {
        self.parts.via.as_ref()
    }

    /// Whether the operator wrote the URL.
    #[must_use]
    pub fn is_operators(&self) -> bool {
        self.parts.written_by == WrittenBy::Operator
    }

    /// Host and port as in a `host` header: the port only when it is not
    /// the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        let standard = match self.parts.scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        };
        let host = match &self.parts.host {
            OriginHost::Name(name) => name.to_string(),
            OriginHost::Ip(IpAddr::V4(ip)) => ip.to_string(),
            OriginHost::Ip(IpAddr::V6(ip)) => format!("[{ip}]"),
        };
        if self.parts.port == standard {
            host
        } else {
            format!("{host}:{}", self.parts.port)
        }
    }
}

/// Refuses what parsers read in different ways.
fn check_authority(text: &str) -> Result<(), OriginError> {
    // "http:host" and "http:///host" also mean "http://host" to some.
    let rest = match text.split_once("://") {
        Some((scheme, rest)) if is_http(scheme) => rest,
        Some(_) => return Err(OriginError::Scheme),
        None => return Err(OriginError::Syntax),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() {
        return Err(OriginError::Host);
    }
    if authority.contains('@') {
        return Err(OriginError::UserInfo);
    }
    // An escape in a host is decoded by some parsers and kept by others.
    if authority.contains('%') {
        return Err(OriginError::Host);
    }
    Ok(())
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.parts, &other.parts)
            || (self.hash == other.hash && self.parts == other.parts)
    }
}

impl Eq for Origin {}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.parts.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}", self.authority())
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}
