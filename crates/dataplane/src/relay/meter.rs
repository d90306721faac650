//! What is learned from an answer on its way: usage, how it ended, how much
//! of it there was.

use bourse_vocab::Failure;
use bourse_vocab::chat::{Event, Finish, Part, ReasoningKind, Reply};
use bourse_wire::tool_calls::Made;

use super::{Delivered, Report};

/// Follows the events of a stream.
#[derive(Debug, Default)]
pub struct Meter {
    /// What was learned so far.
    pub report: Report,
    /// Whether the provider has said that the stream is complete.
    pub is_complete: bool,
    /// Whether anything but thoughts was said.
    pub has_answered: bool,
    /// The tool calls, to be judged.
    pub calls: Option<Box<Made>>,
}

impl Meter {
    /// Notes an event.
    ///
    /// # Errors
    /// It is an error of the provider's.
    pub fn note(&mut self, event: &Event) -> Result<(), Failure> {
        match event {
            Event::Usage(usage) => self.report.usage.merge(usage),
            Event::Done => self.is_complete = true,
            Event::Error(failure) => return Err((**failure).clone()),
            Event::Start { upstream_id, .. } => {
                self.report.upstream_id.clone_from(upstream_id);
            }
            Event::Tier(name) => self.report.service_tier = Some(name.clone()),
            Event::Finish { reason, native, .. } => {
                self.report.finish = Some(reason.name());
                self.report.native_finish.clone_from(native);
            }
            Event::ToolStart { .. } | Event::ToolArguments { .. } => {
                self.calls.get_or_insert_default().note(event);
            }
            _ => {}
        }
        if event.is_content() {
            self.has_answered |= !matches!(event, Event::Reasoning { .. });
            self.report.content_pieces = self.report.content_pieces.saturating_add(1);
            let bytes = content_bytes(event);
            self.report.content_bytes = self.report.content_bytes.saturating_add(bytes);
        }
        Ok(())
    }
}

impl Report {
    /// How much of the answer there was so far.
    #[must_use]
    pub const fn delivered(&self) -> Delivered {
        Delivered {
            content_bytes: self.content_bytes,
            content_pieces: self.content_pieces,
            prompt: self.usage.prompt,
        }
    }
}

/// What a whole reply says of itself.
#[must_use]
pub fn report_of(reply: &Reply) -> Report {
    let first = reply.choices.first();
    Report {
        usage: reply.usage.unwrap_or_default(),
        upstream_id: reply.upstream_id.clone(),
        finish: first.and_then(|choice| choice.finish).map(Finish::name),
        native_finish: first.and_then(|choice| choice.native_finish.clone()),
        service_tier: reply.service_tier.clone(),
        content_bytes: reply
            .choices
            .iter()
            .flat_map(|choice| &choice.parts)
            .map(part_bytes)
            .sum(),
        content_pieces: 0,
    }
}

/// Bytes of text in an event, an upper bound for its tokens. Media is
/// counted by the provider or not at all.
fn content_bytes(event: &Event) -> u64 {
    let bytes = match event {
        Event::Text { text, .. } | Event::Refusal { text, .. } => text.len(),
        Event::Reasoning { delta, .. } => thought_bytes(&delta.kind),
        Event::ToolStart { name, .. } => name.len(),
        Event::ToolArguments { fragment, .. } => fragment.len(),
        _ => 0,
    };
    bytes as u64
}

/// The same for a part of a whole reply.
fn part_bytes(part: &Part) -> u64 {
    let bytes = match part {
        Part::Text { text, .. } | Part::Refusal(text) => text.len(),
        Part::ToolCall {
            name, arguments, ..
        } => name.len().saturating_add(arguments.len()),
        Part::Reasoning(reasoning) => thought_bytes(&reasoning.kind),
        _ => 0,
    };
    bytes as u64
}

fn thought_bytes(kind: &ReasoningKind) -> usize {
    match kind {
        ReasoningKind::Text { text, .. } => text.len(),
        ReasoningKind::Summary(text) => text.len(),
        ReasoningKind::Encrypted(_) => 0,
    }
}
