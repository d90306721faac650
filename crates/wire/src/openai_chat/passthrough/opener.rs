//! How a conversation begins: what its later requests have in common.
//!
//! Clients send the whole conversation each time, so the first message of the
//! system and the first of anybody else stay what they are while it grows
//! (openrouter.ai/docs, prompt caching, October 2026, tells conversations apart
//! by these two). Only their texts count: breakpoints for the cache wander from
//! message to message.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use bytes::Bytes;
use foldhash::quality::{FixedState, FoldHasher};

use super::Param;
use super::envelope::Envelope;
use crate::json::{self, Kind, walk};

/// How far into the messages is looked: both are there, or they are so long
/// that the beginning of the first one says enough.
pub(crate) const WINDOW_BYTES: usize = 32 * 1024;
/// How many messages are looked at: of a conversation that begins with more
/// instructions than these, the first is all that is known.
const MESSAGES_MAX: usize = 8;
/// How much of a text is hashed besides its length: instructions that begin
/// with so much, end alike and are as long are those of one program.
const HEAD_BYTES: usize = 1_024;
const TAIL_BYTES: usize = 64;

impl Envelope {
    /// A hash of how the conversation begins; nothing, if there are no
    /// messages. Two that begin alike have the same.
    #[must_use]
    pub fn opener(&self, segments: &[Bytes]) -> Option<u64> {
        let messages = &self.member(Param::Messages)?.value;
        let end = messages
            .end
            .min(messages.start.saturating_add(WINDOW_BYTES));
        Some(opener(&json::raw(
            segments,
            &Range {
                start: messages.start,
                end,
            },
        )))
    }
}

/// The same of the JSON text of the messages, or of its beginning.
pub(crate) fn opener(messages: &[u8]) -> u64 {
    let mut hasher = hasher();
    let mut has_instructions = false;
    let mut is_empty = true;
    let mut at = walk::next_object(messages, messages.len().min(1));
    for _ in 0..MESSAGES_MAX {
        let Some((message, end)) = at.and_then(|open| Message::read(messages, open)) else {
            break;
        };
        at = walk::next_object(messages, end);
        if message.is_of_system && has_instructions {
            continue;
        }
        has_instructions |= message.is_of_system;
        is_empty = false;
        hasher.write_u8(u8::from(message.is_of_system));
        add(&mut hasher, message.said);
        if !message.is_of_system {
            break;
        }
    }
    if is_empty {
        // The first message is longer than the window, whoever's it is.
        add(&mut hasher, messages);
    }
    hasher.finish()
}

/// What is needed of a message.
struct Message<'a> {
    is_of_system: bool,
    /// Its text, or that of its first part; all of it, if it has none.
    said: &'a [u8],
}

impl<'a> Message<'a> {
    /// The message that begins at `open`, and the offset behind it; nothing,
    /// if it does not end here. Each byte is looked at once.
    fn read(messages: &'a [u8], open: usize) -> Option<(Self, usize)> {
        let mut is_of_system = false;
        let mut said = None;
        let mut members = walk::Members::of_object_at(messages, open);
        for member in members.by_ref() {
            match member.name {
                b"role" => {
                    is_of_system = matches!(member.value, b"\"system\"" | b"\"developer\"");
                }
                b"content" if said.is_none() => said = Some(text_of(&member)),
                _ => {}
            }
        }
        let end = members.end()?;
        let all = messages.get(open..end)?;
        let said = said.unwrap_or(all);
        Some((Self { is_of_system, said }, end))
    }
}

/// What a `content` says first.
fn text_of<'a>(content: &walk::Entry<'a>) -> &'a [u8] {
    if content.kind != Kind::Array {
        return content.value;
    }
    let Some(part) = walk::elements(content.value).next() else {
        return content.value;
    };
    let text = walk::members(part.value).find(|member| member.name == b"text");
    text.map_or(part.value, |text| text.value)
}

/// What tells openers apart. It need not withstand anybody: a caller who finds
/// two that collide has two of their own conversations at one endpoint.
pub(crate) fn hasher() -> FoldHasher<'static> {
    FixedState::default().build_hasher()
}

pub(crate) fn add(hasher: &mut FoldHasher<'_>, text: &[u8]) {
    let head = text.get(..HEAD_BYTES).unwrap_or(text);
    let rest = text.get(head.len()..).unwrap_or_default();
    let tail = rest.len().saturating_sub(TAIL_BYTES);
    hasher.write_usize(text.len());
    hasher.write(head);
    hasher.write(rest.get(tail..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSTEM: &str = r#"{"role":"system","content":"You help."}"#;
    const USER: &str = r#"{"role":"user","content":"Hello"}"#;
    const ANSWER: &str = r#"{"role":"assistant","content":"Hi"}"#;

    fn of(messages: &[&str]) -> u64 {
        opener(format!("[{}]", messages.join(",")).as_bytes())
    }

    #[test]
    fn a_conversation_begins_the_same_however_long_it_is_and_wherever_its_cache_breaks() {
        let begun = of(&[SYSTEM, USER]);
        assert_eq!(of(&[SYSTEM, USER, ANSWER, USER]), begun);
        let parts = r#"{"role":"user","content":[{"type":"text","text":"Hello","cache_control":{"type":"ephemeral"}}]}"#;
        assert_eq!(of(&[SYSTEM, parts, ANSWER]), begun);
        let late = r#"{"role":"system","content":"Now be brief."}"#;
        assert_eq!(of(&[SYSTEM, late, USER]), begun);
        let later_role = r#"{"content":"Hello","role":"user"}"#;
        assert_eq!(of(&[SYSTEM, later_role]), begun);
    }

    #[test]
    fn another_beginning_is_another_conversation() {
        let other_user = r#"{"role":"user","content":"Bye"}"#;
        let other_system = r#"{"role":"developer","content":"You hurt."}"#;
        let as_user = r#"{"role":"user","content":"You help."}"#;
        let all = [
            of(&[SYSTEM, USER]),
            of(&[SYSTEM, other_user]),
            of(&[other_system, USER]),
            of(&[as_user, USER]),
            of(&[USER]),
            of(&[]),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn long_texts_are_told_apart_by_their_ends_and_by_their_lengths() {
        let long = |filling: &str, end: &str| {
            let text = format!("{}{end}", filling.repeat(5_000));
            of(&[&format!(r#"{{"role":"user","content":"{text}"}}"#)])
        };
        assert_eq!(long("ab", "x"), long("ab", "x"));
        assert_ne!(long("ab", "x"), long("ab", "y"));
        assert_ne!(long("ab", "x"), long("ab", "abx"));
        // Cut at the window, in the middle of the first message.
        let cut = |text: &str| opener(text.as_bytes().get(..100).unwrap());
        let text = format!(r#"[{{"role":"user","content":"{}"#, "a".repeat(200));
        assert_eq!(cut(&text), cut(&text));
        assert_ne!(cut(&text), cut(&text.replacen("aaa", "bbb", 1)));
    }
}
