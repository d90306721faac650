//! What a place in the vocabulary is called in the client's request.
//!
//! A translation speaks of the messages that it was given, and those are not
//! the client's: the system prompt is one of them, and so is every result of a
//! tool. Clients are told where to look in what they sent, in the way in which
//! Anthropic says it: `messages.2.content.0`.

use std::fmt::Write as _;

use bourse_vocab::chat::Loss;
use bytes::Bytes;

use super::Envelope;
use crate::json::{Kind, walk};
use crate::places::{indexed, renamed};

/// The parts of the request's messages.
const MESSAGES: &str = "messages[";

impl Envelope {
    /// Has losses say where they are in the client's request.
    pub fn locate(&self, losses: &mut [Loss], segments: &[Bytes]) {
        let needs_messages = losses.iter().any(|loss| loss.field.starts_with(MESSAGES));
        let messages = needs_messages
            .then(|| self.raw("messages", segments))
            .flatten();
        for loss in losses {
            let located = messages
                .as_deref()
                .and_then(|messages| located(&loss.field, messages, self.has("system")));
            loss.field = located
                .or_else(|| self.named(&loss.field))
                .unwrap_or_else(|| dotted(&loss.field));
        }
    }

    /// What the client calls a member that is no message.
    fn named(&self, field: &str) -> Option<String> {
        let has_config = self.has("output_config");
        let format = if has_config || !self.has("output_format") {
            "output_config.format"
        } else {
            "output_format"
        };
        let user = if self.has("metadata") {
            "metadata.user_id"
        } else {
            "user"
        };
        [
            ("stop", "stop_sequences"),
            ("user", user),
            (
                "parallel_tool_calls",
                "tool_choice.disable_parallel_tool_use",
            ),
            ("response_format.json_schema", format),
            ("response_format", format),
            ("verbosity", "output_config.effort"),
            ("reasoning.effort", "output_config.effort"),
            ("reasoning.max_tokens", "thinking.budget_tokens"),
            ("reasoning", "thinking"),
        ]
        .into_iter()
        .find_map(|(ours, own)| renamed(field, ours, own))
        .map(|field| dotted(&field))
    }
}

/// A place inside messages; nothing, if it is elsewhere or there is no such
/// message.
fn located(field: &str, messages: &[u8], has_system: bool) -> Option<String> {
    let (message, rest) = indexed(field.strip_prefix("messages")?)?;
    let (part, rest) = match rest.strip_prefix(".content").and_then(indexed) {
        Some((part, rest)) => (Some(part), rest),
        None => (None, rest),
    };
    let mut ahead = message;
    if has_system {
        match ahead.checked_sub(1) {
            Some(left) => ahead = left,
            None => {
                let part = part.map_or_else(String::new, |part| format!(".{part}"));
                return Some(format!("system{part}{}", dotted(rest)));
            }
        }
    }
    for (index, turn) in walk::elements(messages).enumerate() {
        let content = walk::members(turn.value).find(|member| member.name == b"content")?;
        let mut path = format!("messages.{index}.content");
        if content.kind != Kind::Array {
            if ahead == 0 {
                path.push_str(&dotted(rest));
                return Some(path);
            }
            ahead = ahead.saturating_sub(1);
            continue;
        }
        let (results, others) = sorted(content.value);
        let alone = results.iter().map(std::slice::from_ref);
        let together = (results.is_empty() || !others.is_empty()).then_some(&*others);
        for blocks in alone.chain(together) {
            if ahead == 0 {
                if let Some(block) = part.and_then(|part| blocks.get(part)) {
                    // Writing to a `String` cannot fail.
                    let _ = write!(path, ".{block}");
                }
                path.push_str(&dotted(rest));
                return Some(path);
            }
            ahead = ahead.saturating_sub(1);
        }
    }
    None
}

/// Where in a content the results of tools are, which become messages of their
/// own, and where everything else.
fn sorted(content: &[u8]) -> (Vec<usize>, Vec<usize>) {
    let is_result = |block: &[u8]| {
        walk::members(block)
            .any(|member| member.name == b"type" && member.value == b"\"tool_result\"")
    };
    let blocks = walk::elements(content).enumerate();
    let (results, others): (Vec<_>, Vec<_>) = blocks
        .map(|(index, block)| (index, is_result(block.value)))
        .partition(|(_, is_result)| *is_result);
    let places = |blocks: Vec<(usize, bool)>| blocks.into_iter().map(|(index, _)| index).collect();
    (places(results), places(others))
}

/// A path with dots for brackets.
fn dotted(path: &str) -> String {
    path.replace('[', ".").replace(']', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &str = r#"[{"role":"user","content":"a"},
        {"role":"assistant","content":[{"type":"thinking"},{"type":"tool_use"}]},
        {"role":"user","content":[{"type":"text"},{"type":"tool_result"},{"type":"image"},{"type":"tool_result"}]},
        {"role":"user","content":[{"type":"tool_result"}]},
        {"role":"user","content":[]},
        {"role":"user","content":[{"type":"x"}]}]"#;

    #[test]
    fn a_place_is_called_as_the_client_knows_it() {
        for (field, expected) in [
            ("messages[0].content[0]", "messages.0.content"),
            (
                "messages[1].content[1].arguments",
                "messages.1.content.1.arguments",
            ),
            ("messages[1]", "messages.1.content"),
            (
                "messages[2].content[0].content[3]",
                "messages.2.content.1.content.3",
            ),
            ("messages[3].content[0]", "messages.2.content.3"),
            ("messages[4].content[1]", "messages.2.content.2"),
            ("messages[5].content[0]", "messages.3.content.0"),
            ("messages[6]", "messages.4.content"),
            ("messages[7].content[0]", "messages.5.content.0"),
        ] {
            let told = located(field, MESSAGES.as_bytes(), false);
            assert_eq!(told.as_deref(), Some(expected), "{field}");
        }
        assert_eq!(located("messages[8]", MESSAGES.as_bytes(), false), None);
        for (field, expected) in [
            ("messages[0].content[2]", "system.2"),
            ("messages[1].content[0]", "messages.0.content"),
            ("messages[8].content[0]", "messages.5.content.0"),
        ] {
            let told = located(field, MESSAGES.as_bytes(), true);
            assert_eq!(told.as_deref(), Some(expected), "{field}");
        }
        assert_eq!(dotted("tools[3].strict"), "tools.3.strict");
    }
}
