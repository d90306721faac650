//! A message while it is told: parts of text and of refusal, one open at a
//! time.

use bourse_vocab::json::Value;

use super::frames::{Frames, Place};
use crate::openai_responses::item::{self, Content, Status};

/// A message that is open.
#[derive(Debug)]
pub struct Message {
    id: String,
    at: usize,
    /// Its parts; the last is open.
    content: Vec<Content>,
}

impl Message {
    /// Begins a message.
    pub fn begin(id: String, at: usize, frames: &mut Frames, out: &mut Vec<u8>) -> Self {
        frames.item("response.output_item.added", at, out, |out| {
            item::message(out, &id, &[], Status::InProgress);
        });
        Self {
            id,
            at,
            content: Vec::new(),
        }
    }

    fn place(&self) -> Place<'_> {
        Place {
            id: &self.id,
            at: self.at,
        }
    }

    /// The number of the open part.
    fn last(&self) -> usize {
        self.content.len().saturating_sub(1)
    }

    fn open(&mut self, part: Content, frames: &mut Frames, out: &mut Vec<u8>) {
        self.close_part(frames, out);
        self.content.push(part);
        let (index, part) = (self.last(), self.content.last());
        frames.inside("response.content_part.added", self.place(), out, |event| {
            event.put("content_index", &index);
            if let Some(part) = part {
                event.nested("part", |out| part.write(out));
            }
        });
    }

    fn open_text(&mut self, frames: &mut Frames, out: &mut Vec<u8>) {
        if !matches!(self.content.last(), Some(Content::Text { .. })) {
            self.open(Content::text(), frames, out);
        }
    }

    /// Appends to the text.
    pub fn say(&mut self, more: &str, tokens: &[Value], frames: &mut Frames, out: &mut Vec<u8>) {
        self.open_text(frames, out);
        if let Some(Content::Text { text, logprobs, .. }) = self.content.last_mut() {
            text.push_str(more);
            logprobs.extend_from_slice(tokens);
        }
        let index = self.last();
        frames.inside("response.output_text.delta", self.place(), out, |event| {
            event
                .put("content_index", &index)
                .put("delta", more)
                .put("logprobs", tokens);
        });
    }

    /// Adds citations to the text.
    pub fn cite(&mut self, cited: Vec<Value>, frames: &mut Frames, out: &mut Vec<u8>) {
        self.open_text(frames, out);
        let index = self.last();
        for annotation in cited {
            let number = match self.content.last() {
                Some(Content::Text { annotations, .. }) => annotations.len(),
                _ => 0,
            };
            let kind = "response.output_text.annotation.added";
            frames.inside(kind, self.place(), out, |event| {
                event
                    .put("content_index", &index)
                    .put("annotation_index", &number)
                    .put("annotation", &annotation);
            });
            if let Some(Content::Text { annotations, .. }) = self.content.last_mut() {
                annotations.push(annotation);
            }
        }
    }

    /// Appends to the refusal.
    pub fn refuse(&mut self, more: &str, frames: &mut Frames, out: &mut Vec<u8>) {
        if !matches!(self.content.last(), Some(Content::Refusal(_))) {
            self.open(Content::Refusal(String::new()), frames, out);
        }
        if let Some(Content::Refusal(refusal)) = self.content.last_mut() {
            refusal.push_str(more);
        }
        let index = self.last();
        frames.inside("response.refusal.delta", self.place(), out, |event| {
            event.put("content_index", &index).put("delta", more);
        });
    }

    fn close_part(&self, frames: &mut Frames, out: &mut Vec<u8>) {
        let Some(part) = self.content.last() else {
            return;
        };
        let index = self.last();
        let kind = match part {
            Content::Text { .. } => "response.output_text.done",
            Content::Refusal(_) => "response.refusal.done",
        };
        frames.inside(kind, self.place(), out, |event| {
            event.put("content_index", &index);
            match part {
                Content::Text { text, logprobs, .. } => {
                    event.put("text", text).put("logprobs", logprobs);
                }
                Content::Refusal(refusal) => {
                    event.put("refusal", refusal);
                }
            }
        });
        frames.inside("response.content_part.done", self.place(), out, |event| {
            event
                .put("content_index", &index)
                .nested("part", |out| part.write(out));
        });
    }

    /// Ends the message; its place and the item as it stands in the answer.
    pub fn end(self, status: Status, frames: &mut Frames, out: &mut Vec<u8>) -> (usize, Vec<u8>) {
        self.close_part(frames, out);
        let mut whole = Vec::new();
        item::message(&mut whole, &self.id, &self.content, status);
        frames.item("response.output_item.done", self.at, out, |out| {
            out.extend_from_slice(&whole);
        });
        (self.at, whole)
    }
}
