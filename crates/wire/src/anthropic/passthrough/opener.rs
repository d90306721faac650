//! How a conversation begins: what its later requests have in common.
//!
//! As in chat completions, the first message of the system and the first of
//! anybody else; here the former has a member of its own.

use std::hash::Hasher;

use bytes::Bytes;

use super::Envelope;
use crate::json::{self, Kind, walk};
use crate::openai_chat::passthrough::opener::{WINDOW_BYTES, add, hasher, opener};

impl Envelope {
    /// A hash of how the conversation begins. Two that begin alike have the
    /// same.
    #[must_use]
    pub fn opener(&self, segments: &[Bytes]) -> Option<u64> {
        let window = |name: &str| {
            let value = &self.outline.get(name)?.value;
            let end = value.end.min(value.start.saturating_add(WINDOW_BYTES));
            Some(json::raw(segments, &(value.start..end)))
        };
        let messages = window("messages")?;
        let mut hasher = hasher();
        if let Some(system) = window("system") {
            add(&mut hasher, first_text(&system));
        }
        hasher.write_u64(opener(&messages));
        Some(hasher.finish())
    }
}

/// The text of `system`, or of its first block.
fn first_text(system: &[u8]) -> &[u8] {
    let Some(block) = walk::elements(system).next() else {
        return system;
    };
    let text = walk::members(block.value).find(|member| member.name == b"text");
    text.filter(|text| text.kind == Kind::String)
        .map_or(block.value, |text| text.value)
}
