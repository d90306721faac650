//! Server-sent events: cutting a byte stream into frames (WHATWG HTML,
//! section 9.2, "Server-sent events").

/// One event of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The `event:` field; empty if there was none.
    pub event: &'a str,
    /// The `data:` field, its lines joined by line feeds.
    pub data: &'a [u8],
}
