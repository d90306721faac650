//! Which addresses may be reached: deny by default, checked after resolution.
//!
//! Every connection that this crate opens passes [`EgressPolicy::check`]
//! with the very address that is then connected to, so a name that resolves
//! differently the second time gains nothing. Redirects are never followed.
//!
//! Through a proxy no name is resolved here, so [`EgressPolicy::check_named`]
//! judges what is written: literal addresses as ever, and names that are
//! known to mean a machine nearby. What a public name leads to behind the
//! proxy is the proxy's to judge.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::error::{NetError, NetErrorKind};
use crate::names::is_private_name;
use crate::origin::{Origin, OriginHost};
use crate::proxy::{Proxy, Via};
use crate::roads::Roads;

/// The egress rules: public addresses for everyone, and more for the origins
/// that the operator named.
#[derive(Debug, Clone, Default)]
pub struct EgressPolicy {
    allowed: HashSet<Origin>,
    roads: Arc<Roads>,
}

impl EgressPolicy {
    /// Public addresses only, reached straight.
    #[must_use]
    pub fn deny_private() -> Self {
        Self::default()
    }

    /// Public addresses only, reached by these roads.
    #[must_use]
    pub fn by(roads: &Arc<Roads>) -> Self {
        Self {
            roads: Arc::clone(roads),
            ..Self::default()
        }
    }

    /// The proxy through which an origin is reached, if it is through one.
    #[must_use]
    pub fn proxy<'a>(&'a self, origin: &'a Origin) -> Option<&'a Proxy> {
        match origin.via() {
            Some(Via::Straight) => None,
            Some(Via::Proxy(proxy)) => Some(proxy),
            None => self.roads.proxy(origin),
        }
    }

    /// Lets an origin that the operator wrote reach private and loopback
    /// addresses. It has no effect on an origin from [`Origin::parse`].
    pub fn allow_origin(&mut self, origin: &Origin) {
        if origin.is_operators() {
            self.allowed.insert(origin.bare());
        }
    }

    /// Decides whether `origin` may connect to `ip`.
    ///
    /// # Errors
    /// `NetErrorKind::Egress` when it may not.
    pub fn check(&self, origin: &Origin, ip: IpAddr) -> Result<(), NetError> {
        let ip = ip.to_canonical();
        if is_globally_routable(ip) {
            return Ok(());
        }
        let allowed = self.is_allowed(origin) && may_be_allowed(origin, ip);
        if allowed { Ok(()) } else { Err(refused(ip)) }
    }

    /// Decides whether a proxy may be asked for `origin`, by what is written.
    ///
    /// # Errors
    /// `NetErrorKind::Egress` when it may not.
    pub fn check_named(&self, origin: &Origin) -> Result<(), NetError> {
        match origin.host() {
            OriginHost::Ip(ip) => self.check(origin, *ip),
            OriginHost::Name(name) if is_private_name(name) && !self.is_allowed(origin) => {
                Err(refused(name))
            }
            OriginHost::Name(_) => Ok(()),
        }
    }

    fn is_allowed(&self, origin: &Origin) -> bool {
        origin.is_operators() && self.allowed.contains(&origin.bare())
    }
}

fn refused(host: impl std::fmt::Display) -> NetError {
    NetError::because(
        NetErrorKind::Egress,
        format!("{host} is not an address this origin may reach"),
    )
}

/// What even an allowed origin may not reach: addresses that are no
/// machine's, and link-local ones (where clouds serve credentials) unless
/// the operator wrote that very address.
fn may_be_allowed(origin: &Origin, ip: IpAddr) -> bool {
    let literal = matches!(origin.host(), OriginHost::Ip(written) if written.to_canonical() == ip);
    match ip {
        IpAddr::V4(v4) => {
            let [first, ..] = v4.octets();
            let is_unassigned = first == 0 || first >= 224;
            let credentials = v4.is_link_local() || v4 == Ipv4Addr::new(100, 100, 100, 200);
            !is_unassigned && (!credentials || literal)
        }
        IpAddr::V6(v6) => {
            // fd00:ec2::254 is the EC2 metadata service (AWS, "Access instance
            // metadata", 2026).
            let credentials = v6.is_unicast_link_local()
                || v6 == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
            !v6.is_unspecified() && !v6.is_multicast() && (!credentials || literal)
        }
    }
}

/// Whether an address is a public, globally routable unicast address.
///
/// The tables follow IANA's special-purpose registries for IPv4 and IPv6
/// (RFC 6890 and its updates, read 2026-11). Transition prefixes that embed an
/// IPv4 address (6to4, Teredo, NAT64) are refused outright, since what they
/// reach is decided elsewhere.
#[must_use]
pub fn is_globally_routable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4_is_global(v4),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4_is_global(v4),
            None => v6_is_global(v6),
        },
    }
}

fn v4_is_global(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _) // this network, private, loopback, multicast, reserved
            | (100, 64..=127, _)         // shared address space (RFC 6598)
            | (169, 254, _)              // link-local, metadata services
            | (172, 16..=31, _)          // private
            | (192, 0, 0 | 2)            // protocol assignments, documentation
            | (192, 31, 196)             // AS112
            | (192, 52, 193)             // AMT
            | (192, 88, 99)              // 6to4 relays
            | (192, 168, _)              // private
            | (192, 175, 48)             // AS112
            | (198, 18..=19, _)          // benchmarking
            | (198, 51, 100)             // documentation
            | (203, 0, 113) // documentation
    )
}

fn v6_is_global(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    // Only 2000::/3 is assigned for global unicast; everything else (::/8,
    // 64:ff9b::/96, 100::/64, 5f00::/16, fc00::/7, fe80::/10, fec0::/10,
    // ff00::/8) is refused without being listed.
    (0x2000..=0x3fff).contains(&a)
        && !(a == 0x2001 && b < 0x0200) // 2001::/23: Teredo, benchmarking, ORCHID
        && !(a == 0x2001 && b == 0x0db8) // documentation
        && a != 0x2002 // 6to4
        && !(a == 0x2620 && b == 0x004f) // AS112 (2620:4f:8000::/48)
        && !(a == 0x3fff && b < 0x1000) // documentation
}

#[cfg(test)]
#[rustfmt::skip] // Tables of addresses, many to a line.
mod tests;
