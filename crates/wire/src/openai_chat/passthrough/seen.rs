//! What was seen of an answer while it was rewritten.

use std::ops::Range;

use bourse_vocab::chat::Finish;
use bourse_vocab::{Failure, UsageReport};

use crate::json::walk::Entry;

/// A string that carries content: copied as it is, however it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hole {
    /// Where its content is in the vendor's text.
    pub from: Range<usize>,
    /// Where copies of it begin in the output.
    pub to: Vec<usize>,
    /// Whether it is part of the answer (and not padding).
    pub is_content: bool,
    /// The place of the call whose arguments it is part of.
    pub call: Option<u32>,
}

/// One choice, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChoiceSeen {
    pub index: u32,
    /// The reason to stop and the vendor's own word for it, as the client was
    /// told with this chunk.
    pub finish: Option<(Finish, Option<String>)>,
}

/// What was seen while rewriting.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub usage: Option<UsageReport>,
    /// What the vendor reports instead of an answer.
    pub error: Option<Box<Failure>>,
    pub choices: Vec<ChoiceSeen>,
    /// Strings of content. Only of chunks: a reply has no successor that
    /// could be like it.
    pub holes: Vec<Hole>,
    /// Bytes of content outside of holes.
    pub other_content: usize,
    /// Whether the client sees any of it.
    pub shows_content: bool,
    /// Reasoning was there and is not shown.
    pub hid_reasoning: bool,
    /// A thought was dressed as a piece of reasoning with a number.
    pub thinks: bool,
    /// Something other than a thought was said.
    pub speaks: bool,
    /// A tool call began.
    pub begins_call: bool,
    /// The choice that is being read has content, shown or hidden.
    pub content: bool,
    /// Calls of choices that end with this chunk and have no arguments so
    /// far: the choice, and the place of the call.
    pub silent_calls: Vec<(u32, usize)>,
    /// A tool call went on.
    pub continues_call: bool,
    pub upstream_id: Option<String>,
    pub upstream_model: Option<String>,
    pub service_tier: Option<String>,
    pub has_fingerprint: bool,
    pub has_choices: bool,
}

impl Seen {
    /// Notes a string that was written as the last of `written` bytes, its
    /// closing quote included.
    pub fn hole(&mut self, entry: &Entry<'_>, written: usize, is_content: bool) {
        let to = written + 1 - entry.value.len();
        self.holes.push(Hole {
            from: inside(entry),
            to: vec![to],
            is_content,
            call: None,
        });
    }

    /// Notes a string that is not shown.
    pub fn hidden_hole(&mut self, entry: &Entry<'_>, is_content: bool) {
        self.holes.push(Hole {
            from: inside(entry),
            to: Vec::new(),
            is_content,
            call: None,
        });
    }

    /// Bytes of content, those in holes included.
    pub fn content_bytes(&self) -> usize {
        let holes = self.holes.iter().filter(|hole| hole.is_content);
        let holes: usize = holes.map(|hole| hole.from.len()).sum();
        self.other_content.saturating_add(holes)
    }

    /// Takes in what the vendor counted.
    pub fn count(&mut self, report: UsageReport) {
        match &mut self.usage {
            Some(usage) => usage.merge(&report),
            None => self.usage = Some(report),
        }
    }

    /// Whether there is nothing in it for the client.
    pub fn is_silent(&self) -> bool {
        let hidden = self.hid_reasoning
            && !self.shows_content
            && self.choices.iter().all(|choice| choice.finish.is_none());
        (self.choices.is_empty() && self.usage.is_some()) || hidden
    }
}

/// Where the content of a string is, without its quotes.
const fn inside(entry: &Entry<'_>) -> Range<usize> {
    entry.at.start + 1..entry.at.end - 1
}
