//! Who is reached without the proxy: what `NO_PROXY` says.
//!
//! There is no standard. What curl (its manual, "NO_PROXY", read 2026-11) and
//! Go (`golang.org/x/net/http/httpproxy`, read 2026-11) agree on is taken: a
//! name means itself and everything below it, with or without a dot in
//! front; an address means itself; a network is an address with a length; a
//! port behind any of them narrows it; `*` is everybody.

use std::net::IpAddr;
use std::str::FromStr;

use crate::host::OriginHost;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Whom {
    Everybody,
    Name(Box<str>),
    Network(IpAddr, u32),
}

/// One entry of such a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    whom: Whom,
    port: Option<u16>,
}

/// It is neither a name nor an address nor a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no name, address, network (\"10.0.0.0/8\") or \"*\", with or without a port")]
pub struct NotAnException;

impl FromStr for Exception {
    type Err = NotAnException;

    fn from_str(text: &str) -> Result<Self, NotAnException> {
        if text == "*" {
            let whom = Whom::Everybody;
            return Ok(Self { whom, port: None });
        }
        if let Some((address, bits)) = text.split_once('/') {
            let ip: IpAddr = address.parse().map_err(|_| NotAnException)?;
            let bits = bits.parse().map_err(|_| NotAnException)?;
            if bits > width(ip) {
                return Err(NotAnException);
            }
            let whom = Whom::Network(ip, bits);
            return Ok(Self { whom, port: None });
        }
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = bare.parse::<IpAddr>() {
            let whom = Whom::Network(ip, width(ip));
            return Ok(Self { whom, port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| NotAnException)?)),
            None => (text, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = host.parse::<IpAddr>() {
            let whom = Whom::Network(ip, width(ip));
            return Ok(Self { whom, port });
        }
        let name = host.trim_start_matches("*.").trim_start_matches('.');
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if name.is_empty() || !name.bytes().all(is_part) {
            return Err(NotAnException);
        }
        let whom = Whom::Name(name.to_ascii_lowercase().into());
        Ok(Self { whom, port })
    }
}

impl Exception {
    pub(super) fn is_of(&self, host: &OriginHost, port: u16) -> bool {
        if self.port.is_some_and(|only| only != port) {
            return false;
        }
        match (&self.whom, host) {
            (Whom::Everybody, _) => true,
            (Whom::Name(name), OriginHost::Name(host)) => host
                .strip_suffix(&**name)
                .is_some_and(|before| before.is_empty() || before.ends_with('.')),
            (Whom::Network(network, bits), OriginHost::Ip(ip)) => is_within(*ip, *network, *bits),
            _ => false,
        }
    }
}

const fn width(ip: IpAddr) -> u32 {
    match ip {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn is_within(ip: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (ip.to_canonical(), network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            let differ = u32::from(ip) ^ u32::from(network);
            differ.leading_zeros() >= bits
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => {
            let differ = u128::from(ip) ^ u128::from(network);
            differ.leading_zeros() >= bits
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_exception_is_refused_and_networks_are_compared_by_bits() {
        for bad in [
            "",
            ".",
            "10.0.0.0/33",
            "a b",
            "a:port",
            "x/8",
            "http://a",
            "::1/129",
        ] {
            assert_eq!(bad.parse::<Exception>(), Err(NotAnException), "{bad}");
        }
        let is_of = |text: &str, ip: &str, port| {
            let exception: Exception = text.parse().unwrap();
            exception.is_of(&OriginHost::Ip(ip.parse().unwrap()), port)
        };
        assert!(is_of("0.0.0.0/0", "8.8.8.8", 443));
        assert!(is_of("192.168.4.0/22", "192.168.7.255", 443));
        assert!(!is_of("192.168.4.0/22", "192.168.8.0", 443));
        assert!(is_of("10.0.0.1", "::ffff:10.0.0.1", 443));
        assert!(is_of("fd00::/8", "fd12::1", 443));
        assert!(!is_of("fd00::/8", "fe00::1", 443));
        assert!(is_of("[::1]:8080", "::1", 8080));
        assert!(!is_of("10.0.0.1:80", "10.0.0.1", 443));
    }
}
