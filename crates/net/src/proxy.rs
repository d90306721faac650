//! A proxy, and how it is asked.
//!
//! A proxy is asked for a tunnel (`CONNECT`, RFC 9110 section 9.3.6) whatever
//! is spoken in it: TLS, plain HTTP, HTTP/2 or WebSocket. So it sees a host
//! and a port and nothing of a call, a stream comes through it byte by byte,
//! and its own answers cannot be mistaken for a provider's. The price is that
//! a proxy that allows tunnels to port 443 alone does not take plain-HTTP
//! upstreams; it says so, and then they are written as exceptions.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::{Host, Url};

use crate::host::OriginHost;

/// Longest address of a proxy that is read.
const URL_BYTES_MAX: usize = 2 * 1024;

/// Why a proxy's address was refused. None of them repeats it: it may hold a
/// password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Not a URL.
    #[error("is not the address of a proxy, such as \"http://proxy.example:3128\"")]
    Syntax,
    /// Another scheme than `http`.
    #[error(
        "a proxy is spoken to in plain HTTP (\"http://…\"); TLS and SOCKS to it are not supported"
    )]
    Scheme,
    /// A path, a query or a fragment.
    #[error("a proxy's address ends with its port")]
    Path,
    /// A user's name with a colon, or one that is not text.
    #[error("its user name or password cannot be sent")]
    Credentials,
}

#[derive(PartialEq, Eq, Hash)]
struct Parts {
    host: OriginHost,
    port: u16,
    /// What is sent as `Proxy-Authorization`, which is a secret.
    authorization: Option<Box<str>>,
    /// Where it was written, for whoever has to change it.
    written_at: Box<str>,
}

/// A proxy that the operator wrote. It prints without its password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Proxy(Arc<Parts>);

impl Proxy {
    /// Reads an address: `http://host:port`, with a user and a password if it
    /// asks for them, or `host:port` as variables often say it. The port is 80
    /// if there is none. `written_at` names the key or the variable.
    ///
    /// # Errors
    /// A sentence that does not repeat the address.
    pub fn parse(text: &str, written_at: &str) -> Result<Self, ProxyError> {
        if text.len() > URL_BYTES_MAX || text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(ProxyError::Syntax);
        }
        let url = match text.split_once("://") {
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") => Url::parse(text),
            Some(_) => return Err(ProxyError::Scheme),
            None => Url::parse(&format!("http://{text}")),
        };
        let url = url.map_err(|_| ProxyError::Syntax)?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyError::Path);
        }
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => OriginHost::Name(Arc::from(name)),
            Some(Host::Ipv4(ip)) => OriginHost::Ip(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => OriginHost::Ip(IpAddr::V6(ip)),
            _ => return Err(ProxyError::Syntax),
        };
        let port = url.port_or_known_default().filter(|port| *port > 0);
        Ok(Self(Arc::new(Parts {
            host,
            port: port.ok_or(ProxyError::Syntax)?,
            authorization: authorization(url.username(), url.password())?,
            written_at: written_at.into(),
        })))
    }

    /// Where it was written.
    #[must_use]
    pub fn written_at(&self) -> &str {
        &self.0.written_at
    }

    pub(crate) fn host(&self) -> &OriginHost {
        &self.0.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.port
    }

    pub(crate) fn authorization(&self) -> Option<&str> {
        self.0.authorization.as_deref()
    }

    fn authority(&self) -> String {
        authority(&self.0.host, self.0.port)
    }
}

/// The Basic scheme (RFC 7617 section 2). A user's name cannot hold a colon,
/// for the first one ends it.
fn authorization(user: &str, password: Option<&str>) -> Result<Option<Box<str>>, ProxyError> {
    if user.is_empty() && password.is_none() {
        return Ok(None);
    }
    let decoded = |text: &str| unescaped(text).ok_or(ProxyError::Credentials);
    let (user, password) = (decoded(user)?, decoded(password.unwrap_or(""))?);
    if user.contains(&b':') {
        return Err(ProxyError::Credentials);
    }
    let pair = [user.as_slice(), b":", &password].concat();
    Ok(Some(format!("Basic {}", STANDARD.encode(pair)).into()))
}

/// What a URL says with `%`.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let value = digit()?.checked_mul(16)?.checked_add(digit()?)?;
        out.push(u8::try_from(value).ok()?);
    }
    Some(out)
}

/// A host and a port, as `CONNECT` wants both.
pub(crate) fn authority(host: &OriginHost, port: u16) -> String {
    match host {
        OriginHost::Name(name) => format!("{name}:{port}"),
        OriginHost::Ip(IpAddr::V4(ip)) => format!("{ip}:{port}"),
        OriginHost::Ip(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority())
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self}, {:?})", self.0.written_at)
    }
}

/// What the operator said of one provider's road.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Via {
    /// Straight, whatever others do.
    Straight,
    /// Through this proxy, whatever others do.
    Proxy(Proxy),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_proxies_are_read_as_people_write_them() {
        let show = |text: &str| Proxy::parse(text, "net.proxy").map(|proxy| proxy.to_string());
        assert_eq!(
            show("http://p.example:3128").unwrap(),
            "http://p.example:3128"
        );
        assert_eq!(show("p.example:3128").unwrap(), "http://p.example:3128");
        assert_eq!(show("HTTP://P.example/").unwrap(), "http://p.example:80");
        assert_eq!(show("http://[::1]:8080").unwrap(), "http://[::1]:8080");
        assert_eq!(show("http://u:p@10.0.0.1:1").unwrap(), "http://10.0.0.1:1");
        for (text, why) in [
            ("socks5://p.example:1080", ProxyError::Scheme),
            ("https://p.example:3128", ProxyError::Scheme),
            ("http://p.example:3128/path", ProxyError::Path),
            ("http://p.example:0", ProxyError::Syntax),
            ("http://", ProxyError::Syntax),
            ("", ProxyError::Syntax),
            ("http://p.example :1", ProxyError::Syntax),
            ("http://a%3Ab:c@p.example:1", ProxyError::Credentials),
            ("http://a%zz:c@p.example:1", ProxyError::Credentials),
        ] {
            assert_eq!(show(text), Err(why), "{text}");
        }
    }

    #[test]
    fn a_password_is_sent_decoded_and_shown_nowhere() {
        let proxy = Proxy::parse("http://Aladdin:open%20sesame@p.example:1", "HTTPS_PROXY");
        let proxy = proxy.unwrap();
        // The example of RFC 7617 section 2.
        let sent = proxy.0.authorization.as_deref();
        assert_eq!(sent, Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        let shown = format!("{proxy} {proxy:?}");
        assert!(
            !shown.contains("Aladdin") && !shown.contains("sesame"),
            "{shown}"
        );
        assert!(!shown.contains("QWxh"), "{shown}");
    }
}
