//! How a conversation begins: what its later requests have in common.
//!
//! As in chat completions, the first message of the system and the first of
//! anybody else; here the former has a member of its own.

use std::hash::Hasher;

use bytes::Bytes;

use super::Envelope;
use crate::json::{self, Kind, walk};
use crate::openai_chat::passthrough::opener::{WINDOW_BYTES, add, hasher};

impl Envelope {
    /// A hash of how the conversation begins. Two that begin alike have the
    /// same.
    #[must_use]
    pub fn opener(&self, segments: &[Bytes]) -> Option<u64> {
        let window = |name: &str| {
            let value = &self.member(name)?.value;
            let end = value.end.min(value.start.saturating_add(WINDOW_BYTES));
            Some(json::raw(segments, &(value.start..end)))
        };
        let contents = window("contents")?;
        let mut hasher = hasher();
        if let Some(system) = window("systemInstruction") {
            add(&mut hasher, first_text(&system));
        }
        let first = walk::elements(&contents).next();
        let first = first.map_or(&*contents, |content| content.value);
        add(&mut hasher, first_text(first));
        Some(hasher.finish())
    }
}

/// The text of the first part of a content; all of it, if it has none.
fn first_text(content: &[u8]) -> &[u8] {
    let member = |object, name: &[u8]| walk::members(object).find(|member| member.name == name);
    let Some(parts) = member(content, b"parts") else {
        return content;
    };
    let first = walk::elements(parts.value).next();
    let part = first.map_or(parts.value, |part| part.value);
    let text = member(part, b"text").filter(|text| text.kind == Kind::String);
    text.map_or(part, |text| text.value)
}
