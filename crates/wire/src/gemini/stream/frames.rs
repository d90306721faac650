//! How a client's stream is cut into frames.
//!
//! With `alt=sse` in the address each response is a server-sent event. Without
//! it all of them are one JSON array, whose elements come one by one (AIP-127
//! and ai.google.dev/api, November 2026: `streamGenerateContent`).

use crate::sse::write_data;

/// Writes one response after the other.
#[derive(Debug, Clone, Copy)]
pub struct Frames {
    is_array: bool,
    has_begun: bool,
}

impl Frames {
    /// A stream that nothing was written to.
    pub const fn new(is_array: bool) -> Self {
        Self {
            is_array,
            has_begun: false,
        }
    }

    /// Appends a response.
    pub fn put(&mut self, json: &[u8], out: &mut Vec<u8>) {
        if !self.is_array {
            return write_data(json, out);
        }
        out.extend_from_slice(if self.has_begun { b",\r\n" } else { b"[" });
        self.has_begun = true;
        out.extend_from_slice(json);
    }

    /// Appends the end: nothing marks that of events but their closing.
    pub fn close(&self, out: &mut Vec<u8>) {
        if self.is_array {
            out.extend_from_slice(if self.has_begun { b"]" } else { b"[]" });
        }
    }
}
