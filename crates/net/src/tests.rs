//! The client against servers that speak raw bytes.

mod deadlines;
mod dial;
mod encoding;
mod exchange;
mod framing;
mod http2;
mod pool;
mod proxy;
mod support;
mod tls;
