//! TLS, DNS, connection pools, egress rules.
//!
//! [`Client`] calls upstreams. HTTP/1.1 is spoken on the raw socket in the
//! caller's own task (`h1`); HTTP/2 goes through hyper with several
//! connections per origin (`h2`). Every connection passes the egress rules
//! (`egress`) with the address that is then connected to. Nothing here
//! follows a redirect, retries a request that may have been seen, or knows a
//! vendor.

mod body;
mod client;
mod deadline;
mod dial;
mod dns;
mod egress;
mod encoding;
mod error;
mod h1;
pub mod h1_server;
mod h2;
mod headers;
mod host;
mod names;
mod origin;
mod permit;
mod pool;
mod proxy;
mod request;
mod roads;
pub mod server_tls;
mod stream;
mod tls;
mod tunnel;
mod upstream;
mod urls;
pub mod websocket;

pub use body::{Response, Timing, UpstreamBody};
pub use client::{Client, ClientConfig, Upgraded};
pub use deadline::Deadlines;
pub use dns::{Resolve, Resolving, SystemResolver};
pub use egress::{EgressPolicy, is_globally_routable};
pub use error::{NetError, NetErrorKind};
#[doc(hidden)]
pub use h1::{Reply, reply_of};
pub use headers::ResponseHeaders;
pub use origin::{Http2, Origin, OriginError, OriginHost, Scheme};
pub use pool::{PoolLimits, PoolStats};
pub use proxy::{Proxy, ProxyError, Via};
pub use request::{HeadTemplate, OutgoingRequest, RequestError, Segments};
pub use roads::{Exception, NotAnException, Roads};
pub use tls::SetupError;
pub use upstream::Upstream;
pub use urls::{URL_BYTES_MAX, is_public_url};

#[cfg(test)]
mod tests;
