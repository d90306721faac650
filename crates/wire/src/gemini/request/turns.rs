//! Turns of a client's conversation, as messages.
//!
//! Whoever streamed an answer may replay it as it came, a content for each
//! response (chat sessions of google-genai do). Together they are one message
//! of the model's, whose texts and thoughts are whole again.

use bourse_vocab::chat::{Message, Part, Reasoning, ReasoningKind, Role};

use super::super::seal;

/// Adds the parts of one turn. A user's turn may mix tool results with other
/// parts; here each result is a message of its own.
pub fn add(role: Role, parts: Vec<Part>, messages: &mut Vec<Message>) {
    if role == Role::Assistant {
        return answer(parts, messages);
    }
    let mut rest = Vec::new();
    for part in parts {
        if matches!(part, Part::ToolResult { .. }) {
            messages.push(message(Role::Tool, vec![part]));
        } else {
            rest.push(part);
        }
    }
    if !rest.is_empty() {
        messages.push(message(role, rest));
    }
}

/// A message of nobody in particular.
pub const fn message(role: Role, parts: Vec<Part>) -> Message {
    Message {
        role,
        name: None,
        parts,
    }
}

fn answer(parts: Vec<Part>, messages: &mut Vec<Message>) {
    if parts.is_empty() {
        return;
    }
    if messages
        .last()
        .is_none_or(|last| last.role != Role::Assistant)
    {
        messages.push(message(Role::Assistant, Vec::new()));
    }
    let Some(whole) = messages.last_mut().map(|last| &mut last.parts) else {
        return;
    };
    let mut goes_on = !whole.is_empty();
    for part in parts {
        match part {
            Part::Text { text, cache: None } if goes_on => match whole.last_mut() {
                Some(Part::Text { text: before, .. }) => before.push_str(&text),
                _ => whole.push(Part::text(text)),
            },
            Part::Reasoning(thought) => think(thought, whole),
            other => whole.push(other),
        }
        goes_on = false;
    }
}

/// Adds a thought. A seal ends the thought that was shown before it.
fn think(mut thought: Reasoning, whole: &mut Vec<Part>) {
    let is_googles = seal::is_googles(thought.scheme.as_deref());
    let shown = match whole.last_mut() {
        Some(Part::Reasoning(last)) => shown(last),
        _ => None,
    };
    let Some(before) = shown else {
        whole.push(Part::Reasoning(thought));
        return;
    };
    match &mut thought.kind {
        ReasoningKind::Text {
            text,
            signature: None,
        } if is_googles && thought.id.is_none() => {
            before.push_str(text);
        }
        ReasoningKind::Text { text, .. } if !is_googles => {
            text.insert_str(0, before);
            whole.pop();
            whole.push(Part::Reasoning(thought));
        }
        ReasoningKind::Encrypted(_) if !is_googles => {
            let summary = Reasoning {
                kind: ReasoningKind::Summary(std::mem::take(before)),
                ..thought.clone()
            };
            whole.pop();
            whole.push(Part::Reasoning(summary));
            whole.push(Part::Reasoning(thought));
        }
        _ => whole.push(Part::Reasoning(thought)),
    }
}

/// The text of a thought that nobody signed: it may be another vendor's.
fn shown(thought: &mut Reasoning) -> Option<&mut String> {
    let is_loose = thought.id.is_none() && seal::is_googles(thought.scheme.as_deref());
    match &mut thought.kind {
        ReasoningKind::Text {
            text,
            signature: None,
        } if is_loose => Some(text),
        _ => None,
    }
}
