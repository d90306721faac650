//! Which addresses of others a caller may have fetched.
//!
//! This crate fetches nothing that a caller names. Providers do: a picture's
//! address goes with the prompt, and a provider on the operator's network
//! would fetch what is only there. So the rule that bounds our own
//! connections is applied to what callers write, as far as it can be known
//! without asking a name server: a public name that leads to a private address
//! is not noticed here, and must be stopped where it is fetched.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::egress::is_globally_routable;
use crate::names::is_private_name;

/// The longest address that is looked at; longer ones are refused. As long
/// as the longest that we call ourselves.
pub const URL_BYTES_MAX: usize = 8 * 1024;

/// Whether an address is one that anybody on the internet could fetch:
/// `http` or `https`, to a public address or a name that is not known to be
/// private. Also data in the address itself, which nobody fetches.
///
/// Strict: what different programs read differently is not public.
#[must_use]
pub fn is_public_url(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once(':') else {
        return false;
    };
    if scheme.eq_ignore_ascii_case("data") {
        return true;
    }
    let is_web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    // Programs differ in what they make of white space and backslashes.
    let is_odd = |char: char| char.is_control() || char.is_whitespace() || char == '\\';
    if !is_web || url.len() > URL_BYTES_MAX || url.contains(is_odd) {
        return false;
    }
    let Some(rest) = rest.strip_prefix("//") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    is_public_authority(authority)
}

/// A host with or without a port, and without a user's name.
fn is_public_authority(authority: &str) -> bool {
    if let Some(rest) = authority.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else {
            return false;
        };
        let address = address.parse::<Ipv6Addr>();
        return is_port(port)
            && address.is_ok_and(|address| is_globally_routable(IpAddr::V6(address)));
    }
    let at = authority.find(':').unwrap_or(authority.len());
    let (host, port) = authority.split_at_checked(at).unwrap_or_default();
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if !is_port(port) || !host.bytes().all(is_letter) {
        return false;
    }
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let last = host.rsplit('.').next().unwrap_or_default();
    // Browsers read `0x7f.1` and `2130706433` as addresses; only the usual
    // spelling is one here.
    if last.starts_with(|char: char| char.is_ascii_digit()) {
        let address = host.parse::<Ipv4Addr>();
        return address.is_ok_and(|address| is_globally_routable(IpAddr::V4(address)));
    }
    !is_private_name(&host)
}

fn is_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_and_data_may_be_handed_on() {
        for url in [
            "https://example.com/a.png",
            "HTTP://Example.COM:8080?x=1",
            "https://93.184.216.34/x",
            "https://[2606:2800:220:1:248:1893:25c8:1946]:443/",
            "https://upload.wikimedia.org/a:b@c/d%20e.jpg#f",
            "https://xn--bcher-kva.example/",
            "data:image/png;base64,AAAA",
        ] {
            assert!(is_public_url(url), "{url}");
        }
    }

    #[test]
    fn private_local_and_ambiguous_addresses_may_not() {
        for url in [
            "file:///etc/passwd",
            "FILE:/etc/passwd",
            "ftp://example.com/",
            "gs://bucket/object",
            "s3://bucket/object",
            "unix:/run/docker.sock",
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.0.0.1/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.0.0.1.:80/",
            "http://10.0.0.8/x.png",
            "http://172.16.0.1/",
            "http://192.168.1.1/",
            "http://100.64.0.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://0.0.0.0/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[fd00:ec2::254]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[::1%25eth0]/",
            "http://localhost:8000/",
            "http://api.localhost/",
            "http://LOCALHOST./",
            "http://printer.local/",
            "http://metadata.google.internal/",
            "http://vllm/",
            "http://router.lan/",
            "http://1.0.0.127.in-addr.arpa/",
            "http://example.com@127.0.0.1/",
            "http://user:pass@example.com/",
            "http:/\\127.0.0.1/",
            "http://127.0.0.1\\@example.com/",
            "http:127.0.0.1/",
            "http:///127.0.0.1/",
            "http://exa\tmple.com/",
            " http://127.0.0.1/",
            "http://１２７.０.０.１/",
            "http://127%2e0.0.1/",
            "//127.0.0.1/",
            "example.com/a.png",
            "http://",
            "http://.",
            "",
        ] {
            assert!(!is_public_url(url), "{url}");
        }
        assert!(!is_public_url(&format!(
            "https://example.com/{}",
            "a".repeat(URL_BYTES_MAX)
        )));
    }
}
