//! Streams: each frame is a whole GenerateContentResponse with a bit of the
//! answer ("Streaming", Gemini API reference, October 2026).

mod reader;
mod writer;

pub use reader::Reader;
pub use writer::Writer;
