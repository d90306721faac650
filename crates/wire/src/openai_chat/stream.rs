//! Streams: from a provider, and to a client.

mod read;
mod write;

pub use read::ChatReader;
pub use write::{Bits, ChatBits, ChunkWriter, SoFar};
