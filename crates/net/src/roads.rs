//! By which road an origin is reached: straight, or through a proxy.

mod exception;

use std::net::IpAddr;

use crate::host::{OriginHost, Scheme};
use crate::origin::Origin;
use crate::proxy::Proxy;
pub use exception::{Exception, NotAnException};

/// The roads of all others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roads {
    /// What plain HTTP goes through.
    pub http: Option<Proxy>,
    /// What TLS goes through.
    pub https: Option<Proxy>,
    /// Who is reached straight all the same.
    pub exceptions: Vec<Exception>,
}

impl Roads {
    /// The proxy of an origin; `None` if it is reached straight.
    ///
    /// This machine, and the link-local addresses at which clouds serve
    /// credentials, are never behind a proxy: it would reach its own.
    pub(crate) fn proxy(&self, origin: &Origin) -> Option<&Proxy> {
        let proxy = match origin.scheme() {
            Scheme::Http => self.http.as_ref(),
            Scheme::Https => self.https.as_ref(),
        }?;
        let is_straight = is_here(origin.host())
            || self
                .exceptions
                .iter()
                .any(|exception| exception.is_of(origin.host(), origin.port()));
        (!is_straight).then_some(proxy)
    }
}

fn is_here(host: &OriginHost) -> bool {
    match host {
        OriginHost::Name(name) => &**name == "localhost" || name.ends_with(".localhost"),
        OriginHost::Ip(ip) => match ip.to_canonical() {
            IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roads(exceptions: &[&str]) -> Roads {
        let proxy = |name: &str| Proxy::parse(&format!("http://{name}:3128"), "net.proxy").ok();
        Roads {
            http: proxy("plain.example"),
            https: proxy("secure.example"),
            exceptions: exceptions.iter().map(|one| one.parse().unwrap()).collect(),
        }
    }

    fn road(roads: &Roads, url: &str) -> String {
        let (origin, _) = Origin::parse_operator(url).unwrap();
        let proxy = roads.proxy(&origin);
        proxy.map_or_else(|| "straight".to_owned(), ToString::to_string)
    }

    #[test]
    fn each_scheme_has_its_proxy_and_this_machine_has_none() {
        let roads = roads(&[]);
        assert_eq!(
            road(&roads, "https://api.example"),
            "http://secure.example:3128"
        );
        assert_eq!(
            road(&roads, "http://api.example"),
            "http://plain.example:3128"
        );
        for url in [
            "http://localhost:8000",
            "http://a.localhost",
            "https://127.0.0.1:1",
            "https://[::1]",
            "http://169.254.169.254",
            "http://[fe80::1]",
        ] {
            assert_eq!(road(&roads, url), "straight", "{url}");
        }
        assert_eq!(
            road(&roads, "https://10.0.0.1"),
            "http://secure.example:3128"
        );
    }

    #[test]
    fn exceptions_are_reached_straight() {
        let roads = roads(&[
            "corp.example",
            ".inner.example",
            "10.0.0.0/8",
            "one.example:8443",
        ]);
        for url in [
            "https://corp.example",
            "https://a.corp.example",
            "https://x.inner.example",
            "https://inner.example",
            "https://10.200.0.1",
            "https://one.example:8443",
        ] {
            assert_eq!(road(&roads, url), "straight", "{url}");
        }
        for url in [
            "https://notcorp.example",
            "https://corp.example.com",
            "https://11.0.0.1",
            "https://one.example",
        ] {
            assert_eq!(road(&roads, url), "http://secure.example:3128", "{url}");
        }
        assert_eq!(
            road(&super::tests::roads(&["*"]), "https://any.example"),
            "straight"
        );
    }
}
