//! What must be right about a request's head, whatever is asked for.
//!
//! A request that two programs may read in two ways is refused (400), and so
//! is one that was meant for another server (403): a page on the internet can
//! let its own name point to 127.0.0.1, and a browser then takes what a server
//! there says for the page's. It cannot make the browser leave its name out
//! of `Host`.

use std::net::IpAddr;

use bourse_vocab::{Failure, FailureKind};
use http::header::{HOST, TRANSFER_ENCODING};
use http::{Request, Version};

/// Stands for any name in `server.hosts`.
pub(crate) const ANY_HOST: &str = "*";

/// Under which names a server may be called.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    /// In lower case, without a port; `None`: any.
    names: Option<Vec<String>>,
}

impl Hosts {
    /// The names that the operator wrote, and what always means this machine:
    /// addresses and `localhost`. With nothing written a server that listens
    /// on a loopback address has no other name, and one that does not may have
    /// any.
    #[must_use]
    pub fn new(written: Option<&[String]>, is_loopback: bool) -> Self {
        let names = match written {
            Some(names) if names.iter().any(|name| name == ANY_HOST) => None,
            Some(names) => Some(names.iter().map(|name| name.to_ascii_lowercase()).collect()),
            None => is_loopback.then(Vec::new),
        };
        Self { names }
    }

    fn allow(&self, host: &str) -> bool {
        let Some(names) = &self.names else {
            return true;
        };
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        // A browser that was sent here by a number asks for that number: no
        // name server has a say in it.
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || host.ends_with(".localhost")
            || address.parse::<IpAddr>().is_ok()
            || names.contains(&host)
    }
}

/// Checks a head.
///
/// # Errors
/// What is wrong with it. The connection is to be closed behind the answer.
pub fn check<B>(request: &Request<B>, hosts: &Hosts) -> Result<(), Failure> {
    let headers = request.headers();
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(encoding) = encodings.next()
        && (encodings.next().is_some() || !encoding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Err(Failure::invalid(
            "Transfer-Encoding: the only one that is understood is a single `chunked`",
        ));
    }
    let mut said = headers.get_all(HOST).iter();
    let host = match (said.next(), said.next()) {
        (_, Some(_)) => return Err(Failure::invalid("Host: is there twice")),
        (Some(host), None) => host.to_str().unwrap_or(""),
        // Health checks of old load balancers say none, and no browser does.
        (None, None) if request.version() == Version::HTTP_10 => return Ok(()),
        (None, None) => return Err(Failure::invalid("Host: is required")),
    };
    let Some(name) = name(host) else {
        return Err(Failure::invalid(
            "Host: is not a name or an address, with or without a port",
        ));
    };
    let target = request.uri().authority();
    if target.is_some_and(|target| !target.as_str().eq_ignore_ascii_case(host)) {
        return Err(Failure::invalid(
            "Host: differs from the host of the request's target",
        ));
    }
    if hosts.allow(name) {
        Ok(())
    } else {
        Err(misdirected())
    }
}

/// Both lengths were said.
pub fn ambiguous() -> Failure {
    Failure::invalid("Content-Length and Transfer-Encoding: a request may have only one of them")
}

/// Not echoed: whoever asked knows what they asked for.
fn misdirected() -> Failure {
    Failure::new(
        FailureKind::PermissionDenied,
        "Host: this server is not called by that name. Its operator can add it to `server.hosts`",
    )
}

/// The host of a `Host` header without its port (RFC 9110, section 7.2), if
/// it is well-formed.
pub(crate) fn name(host: &str) -> Option<&str> {
    let (name, port) = if host.starts_with('[') {
        let end = host.find(']')?.checked_add(1)?;
        host.split_at_checked(end)?
    } else {
        host.split_at_checked(host.find(':').unwrap_or(host.len()))?
    };
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 5;
    let is_name = if let Some(address) = name.strip_prefix('[') {
        let address = address.strip_suffix(']')?;
        address.parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        let is_letter =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        !name.is_empty() && name.len() <= 255 && name.bytes().all(is_letter)
    };
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    (is_name && is_port).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(hosts: &Hosts, version: Version, uri: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().version(version).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        check(&request, hosts).map_or_else(|failure| failure.status(), |()| 200)
    }

    fn called(hosts: &Hosts, host: &str) -> u16 {
        status(hosts, Version::HTTP_11, "/metrics", &[("host", host)])
    }

    #[test]
    fn a_loopback_server_answers_to_this_machine_and_to_no_other_name() {
        let hosts = Hosts::new(None, true);
        for host in [
            "localhost",
            "LocalHost:8787",
            "api.localhost.",
            "127.0.0.1:8787",
            "127.8.8.8",
            "[::1]:8787",
            "[::1]",
            "192.168.1.4:80",
        ] {
            assert_eq!(called(&hosts, host), 200, "{host}");
        }
        for host in [
            "rebind.attacker.example",
            "rebind.attacker.example:8787",
            "127.0.0.1.attacker.example",
            "localhost.attacker.example",
            "notlocalhost",
            "0x7f000001",
            "api.example.com",
        ] {
            assert_eq!(called(&hosts, host), 403, "{host}");
        }
    }

    #[test]
    fn names_that_the_operator_wrote_count_everywhere_and_a_star_means_all() {
        let written = ["Api.Example.com".to_owned()];
        for is_loopback in [true, false] {
            let hosts = Hosts::new(Some(&written), is_loopback);
            assert_eq!(called(&hosts, "api.example.com:443"), 200);
            assert_eq!(called(&hosts, "127.0.0.1"), 200);
            assert_eq!(called(&hosts, "other.example.com"), 403);
            let any = Hosts::new(Some(&["*".to_owned()]), is_loopback);
            assert_eq!(called(&any, "other.example.com"), 200);
        }
        let open = Hosts::new(None, false);
        assert_eq!(called(&open, "other.example.com"), 200);
    }

    #[test]
    fn a_missing_doubled_or_broken_host_is_refused() {
        let hosts = Hosts::new(None, false);
        for host in [
            "", " ", ":80", "a b", "a/b", "user@a", "a,b", "a:b", "a:123456", "[::1", "[x]", "::1",
            "a\tb", "a:80:80", "[::1]x", "ä",
        ] {
            assert_eq!(called(&hosts, host), 400, "{host:?}");
        }
        let one = ("host", "a");
        let eleven = Version::HTTP_11;
        assert_eq!(status(&hosts, eleven, "/", &[one, one]), 400);
        assert_eq!(status(&hosts, eleven, "/", &[]), 400);
        assert_eq!(status(&hosts, Version::HTTP_10, "/", &[]), 200);
        assert_eq!(status(&hosts, eleven, "http://b/", &[one]), 400);
        assert_eq!(status(&hosts, eleven, "http://A/", &[one]), 200);
    }

    #[test]
    fn only_a_single_chunked_is_an_encoding() {
        let hosts = Hosts::default();
        let code = |values: &[&str]| {
            let mut headers = vec![("host", "a")];
            headers.extend(values.iter().map(|value| ("transfer-encoding", *value)));
            status(&hosts, Version::HTTP_11, "/", &headers)
        };
        assert_eq!(code(&["chunked"]), 200);
        assert_eq!(code(&["Chunked"]), 200);
        for odd in [
            "gzip, chunked",
            "chunked, chunked",
            "identity",
            "xchunked",
            "",
        ] {
            assert_eq!(code(&[odd]), 400, "{odd}");
        }
        assert_eq!(code(&["chunked", "chunked"]), 400);
        assert_eq!(code(&["identity", "chunked"]), 400);
    }
}
