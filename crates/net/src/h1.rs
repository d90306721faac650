//! HTTP/1.1 as a client, on a raw socket and in the caller's own task.
//!
//! There is no connection task and no channel: the future that sends and the
//! body that streams poll the socket themselves. A connection is owned by
//! exactly one exchange at a time; whatever interrupts the exchange drops
//! the connection with it, so no leftover byte can reach the next one.

mod body;
mod chunked;
mod conn;
mod exchange;
mod head;
mod reply;

pub(crate) use body::{H1Body, Progress};
pub(crate) use chunked::Chunked;
pub(crate) use conn::Conn;
pub(crate) use exchange::exchange;
pub(crate) use head::ends as head_ends;
pub use reply::{Reply, reply_of};
