//! Streams, both ways (streaming messages, November 2026).

mod reader;
mod writer;

pub(super) use reader::Reader;
pub(super) use writer::Writer;
