//! Whether a chunk or a whole reply is written.

use crate::codec::Stamp;
use crate::json::text;

/// Whether a chunk or a whole reply is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Chunk,
    Reply,
}

impl Form {
    /// What `object` says.
    const fn object(self) -> &'static str {
        match self {
            Self::Chunk => "chat.completion.chunk",
            Self::Reply => "chat.completion",
        }
    }

    /// The member of a choice that holds the content.
    pub const fn body(self) -> &'static [u8] {
        match self {
            Self::Chunk => b"delta",
            Self::Reply => b"message",
        }
    }

    /// Writes the members that the gateway owns, up to and without a comma.
    pub fn head(self, stamp: &Stamp<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"id\":");
        text::write_string(stamp.id, out);
        out.extend_from_slice(b",\"object\":\"");
        out.extend_from_slice(self.object().as_bytes());
        out.extend_from_slice(b"\",\"created\":");
        out.extend_from_slice(itoa::Buffer::new().format(stamp.created).as_bytes());
        out.extend_from_slice(b",\"model\":");
        text::write_string(stamp.model, out);
        out.extend_from_slice(b",\"provider\":");
        text::write_string(stamp.provider, out);
    }
}
