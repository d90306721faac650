//! A piece of reasoning while it is told: summaries and thoughts in parts, one
//! open at a time, and a seal that comes with the end.

use bourse_vocab::chat::{ReasoningDelta, ReasoningKind};

use super::frames::{Frames, Place};
use crate::openai_responses::item::{self, Status, text_part};
use crate::openai_responses::pieces::Thought;

/// What an open part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Summary,
    Text,
}

impl Sort {
    /// The name of its number in events.
    const fn index(self) -> &'static str {
        match self {
            Self::Summary => "summary_index",
            Self::Text => "content_index",
        }
    }

    const fn part(self) -> &'static str {
        match self {
            Self::Summary => "summary_text",
            Self::Text => "reasoning_text",
        }
    }

    /// The events of a part: its beginning, more of it, its text, its end.
    const fn events(self) -> [&'static str; 4] {
        match self {
            Self::Summary => [
                "response.reasoning_summary_part.added",
                "response.reasoning_summary_text.delta",
                "response.reasoning_summary_text.done",
                "response.reasoning_summary_part.done",
            ],
            Self::Text => [
                "response.content_part.added",
                "response.reasoning_text.delta",
                "response.reasoning_text.done",
                "response.content_part.done",
            ],
        }
    }
}

/// An item of reasoning that is open.
#[derive(Debug)]
pub struct OpenThought {
    id: String,
    at: usize,
    thought: Thought,
    /// The part that is open, and which piece it is.
    part: Option<(Sort, u32)>,
    /// The piece whose seal came last.
    sealed: Option<u32>,
}

impl OpenThought {
    /// Begins an item. `made_up` is its id if the provider gave none.
    pub fn begin(
        delta: &ReasoningDelta,
        made_up: String,
        at: usize,
        frames: &mut Frames,
        out: &mut Vec<u8>,
    ) -> Self {
        let thought = Thought {
            id: delta.id.clone(),
            scheme: delta.scheme.clone(),
            ..Thought::default()
        };
        let id = delta.id.clone().unwrap_or(made_up);
        frames.item("response.output_item.added", at, out, |out| {
            item::reasoning(out, &id, &thought, Status::InProgress);
        });
        Self {
            id,
            at,
            thought,
            part: None,
            sealed: None,
        }
    }

    /// Whether a bit belongs to this item.
    pub fn takes(&self, delta: &ReasoningDelta) -> bool {
        let (id, mut scheme) = (delta.id.as_deref(), delta.scheme.as_deref());
        let is_signature = matches!(
            &delta.kind,
            ReasoningKind::Text { text, signature: Some(_) } if text.is_empty()
        );
        // Amazon's streams say whose a thought is only when they sign it.
        if is_signature && self.thought.scheme.is_none() {
            scheme = None;
        }
        let goes_on = self.sealed == Some(delta.index)
            && self.thought.id.as_deref() == id
            && matches!(delta.kind, ReasoningKind::Encrypted(_));
        goes_on || self.thought.takes(&delta.kind, id, scheme)
    }

    /// Adds a bit.
    pub fn add(&mut self, delta: &ReasoningDelta, frames: &mut Frames, out: &mut Vec<u8>) {
        match &delta.kind {
            ReasoningKind::Summary(text) => {
                self.say(Sort::Summary, delta.index, text, frames, out);
            }
            ReasoningKind::Text { text, signature } => {
                if !text.is_empty() {
                    self.say(Sort::Text, delta.index, text, frames, out);
                }
                if let Some(signature) = signature {
                    self.thought.signature = Some(signature.clone());
                    self.thought.scheme.clone_from(&delta.scheme);
                }
            }
            ReasoningKind::Encrypted(more) => {
                self.sealed = Some(delta.index);
                let sealed = self.thought.sealed.get_or_insert_default();
                sealed.push_str(more);
            }
        }
    }

    fn texts(&mut self, sort: Sort) -> &mut Vec<String> {
        match sort {
            Sort::Summary => &mut self.thought.summary,
            Sort::Text => &mut self.thought.content,
        }
    }

    fn say(&mut self, sort: Sort, piece: u32, more: &str, frames: &mut Frames, out: &mut Vec<u8>) {
        let [added, delta, ..] = sort.events();
        let is_open = self.part == Some((sort, piece));
        if !is_open {
            self.close_part(frames, out);
            self.part = Some((sort, piece));
            self.texts(sort).push(String::new());
        }
        let index = self.texts(sort).len().saturating_sub(1);
        if let Some(text) = self.texts(sort).last_mut() {
            text.push_str(more);
        }
        let place = Place {
            id: &self.id,
            at: self.at,
        };
        if !is_open {
            frames.inside(added, place, out, |event| {
                event
                    .put(sort.index(), &index)
                    .nested("part", |out| text_part(out, sort.part(), ""));
            });
        }
        frames.inside(delta, place, out, |event| {
            event.put(sort.index(), &index).put("delta", more);
        });
    }

    fn close_part(&mut self, frames: &mut Frames, out: &mut Vec<u8>) {
        let Some((sort, _)) = self.part.take() else {
            return;
        };
        let [.., text_done, part_done] = sort.events();
        let texts = match sort {
            Sort::Summary => &self.thought.summary,
            Sort::Text => &self.thought.content,
        };
        let index = texts.len().saturating_sub(1);
        let text = texts.last().map_or("", String::as_str);
        let place = Place {
            id: &self.id,
            at: self.at,
        };
        frames.inside(text_done, place, out, |event| {
            event.put(sort.index(), &index).put("text", text);
        });
        frames.inside(part_done, place, out, |event| {
            event
                .put(sort.index(), &index)
                .nested("part", |out| text_part(out, sort.part(), text));
        });
    }

    /// Ends the item; its place, and how it stands in the answer.
    pub fn end(mut self, frames: &mut Frames, out: &mut Vec<u8>) -> (usize, Vec<u8>) {
        self.close_part(frames, out);
        let mut whole = Vec::new();
        item::reasoning(&mut whole, &self.id, &self.thought, Status::Completed);
        frames.item("response.output_item.done", self.at, out, |out| {
            out.extend_from_slice(&whole);
        });
        (self.at, whole)
    }
}
