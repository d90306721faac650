//! Vendors whose requests for speech look like OpenAI's: the client's bytes go
//! on, but for the members that they do not know.

use bourse_vocab::Failure;
use bourse_vocab::speech::Shape;

use super::asked::{Asked, is_for_vendors};
use super::events::Source;
use super::{Codec, Written};
use crate::json::splice::Splice;
use crate::json::text::write_string;

/// How a vendor strays from OpenAI's shape.
#[derive(Debug)]
pub struct Alike {
    shape: Shape,
    /// Whether it is asked for events.
    is_events: bool,
    /// Whether it is told how to read.
    takes_instructions: bool,
}

/// OpenAI's older models, and servers that imitate them
/// (platform.openai.com/docs/api-reference, `createSpeech`, November 2026):
/// `instructions` and `stream_format` are not for them.
pub static OPENAI: Alike = Alike {
    shape: Shape::OpenAi,
    is_events: false,
    takes_instructions: false,
};

/// OpenAI's models that are sold by the token (the same).
pub static EVENTS: Alike = Alike {
    shape: Shape::OpenAiEvents,
    is_events: true,
    takes_instructions: true,
};

impl Codec for Alike {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn source(&self) -> Option<Source> {
        self.is_events.then_some(Source::OpenAi)
    }

    fn write(&self, asked: &Asked, model: &str) -> Result<Written, Failure> {
        if !self.is_events {
            asked.refuse_events()?;
        }
        let losses = match self.takes_instructions {
            true => asked.unknown.clone(),
            false => asked.losses_without_instructions(),
        };
        let mut splice = Splice::new(&asked.outline);
        for (name, _) in asked.outline.iter() {
            if !is_for_vendors(name) {
                splice.remove(name);
            }
        }
        splice.set("model", json_text(model));
        // Said, because what a vendor takes for the usual differs.
        splice.set("response_format", json_text(asked.format.name()));
        splice.remove("stream_format");
        if self.is_events {
            splice.set("stream_format", "\"sse\"");
        }
        if !self.takes_instructions && asked.has("instructions") {
            splice.remove("instructions");
        }
        Ok(Written {
            body: splice.write(&asked.segments),
            losses,
        })
    }
}

fn json_text(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len().saturating_add(2));
    write_string(text, &mut out);
    out
}
