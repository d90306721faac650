//! How a conversation begins: what its later requests have in common.
//!
//! Clients send the whole conversation each time, so the first message of the
//! system and the first of anybody else stay what they are while it grows
//! (openrouter.ai/docs, prompt caching, October 2026, tells conversations apart
//! by these two). Only their texts count: breakpoints for the cache wander from
//! message to message.

use std::hash::{DefaultHasher, Hasher};
use std::ops::Range;

use bytes::Bytes;

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
    let mut hasher = DefaultHasher::new();
    let mut has_instructions = false;
    let mut is_empty = true;
    for message in walk::elements(messages).take(MESSAGES_MAX) {
        let is_of_system = is_of_system(message.value);
        if is_of_system && has_instructions {
            continue;
        }
        has_instructions |= is_of_system;
        is_empty = false;
        hasher.write_u8(u8::from(is_of_system));
        add(&mut hasher, said(message.value));
        if !is_of_system {
            break;
        }
    }
    if is_empty {
        // The first message is longer than the window, whoever's it is.
        add(&mut hasher, messages);
    }
    hasher.finish()
}

pub(crate) fn add(hasher: &mut DefaultHasher, text: &[u8]) {
    let head = text.get(..HEAD_BYTES).unwrap_or(text);
    let rest = text.get(head.len()..).unwrap_or_default();
    let tail = rest.len().saturating_sub(TAIL_BYTES);
    hasher.write_usize(text.len());
    hasher.write(head);
    hasher.write(rest.get(tail..).unwrap_or_default());
}

fn is_of_system(message: &[u8]) -> bool {
    let role = walk::members(message).find(|member| member.name == b"role");
    role.is_some_and(|role| matches!(role.value, b"\"system\"" | b"\"developer\""))
}

/// The text of a message, or of its first part; all of it, if it has none.
fn said(message: &[u8]) -> &[u8] {
    let Some(content) = walk::members(message).find(|member| member.name == b"content") else {
        return message;
    };
    if content.kind == Kind::Array
        && let Some(part) = walk::elements(content.value).next()
    {
        let text = walk::members(part.value).find(|member| member.name == b"text");
        return text.map_or(part.value, |text| text.value);
    }
    content.value
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
