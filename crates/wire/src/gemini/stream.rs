//! Streams of responses.

mod frames;
mod reader;
mod thought;
mod writer;

pub use frames::Frames;
pub use reader::Reader;
pub use writer::Writer;
