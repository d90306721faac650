//! Streams: from a provider, and to a client.

mod frames;
mod message;
mod reader;
mod thought;
mod writer;

pub use reader::Reader;
pub use writer::Writer;
