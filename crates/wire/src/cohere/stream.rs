//! Streams, both ways.

mod reader;
mod writer;

pub(super) use reader::Reader;
pub(super) use writer::Writer;
