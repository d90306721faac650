//! Server-sent events: cutting a byte stream into frames (WHATWG HTML,
//! section 9.2, "Server-sent events").

mod decoder;
mod writer;

pub use decoder::{Decoder, FRAME_BYTES_MAX, FrameTooLong};
pub use writer::{write_comment, write_data, write_frame};

/// One event of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The `event:` field; empty if there was none.
    pub event: &'a str,
    /// The `data:` field, its lines joined by line feeds.
    pub data: &'a [u8],
}
