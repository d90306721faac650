//! Between two formats: frames to events, events to frames.

use bourse_vocab::chat::Event;
use bourse_vocab::{Bill, Failure, Format, Usage};
use bourse_wire::StreamWriter;
use bourse_wire::framing::{Frame, Framing};

use super::reading::{Reading, Telling};

/// Writes what was read in one format in another.
pub struct Translate {
    writer: Box<dyn StreamWriter>,
    hide_reasoning: bool,
}

impl Translate {
    /// From a provider's format and framing to the writer's. With
    /// `hide_reasoning` the client is not shown what the model thought.
    #[must_use]
    pub fn begin(
        from: Format,
        framing: Framing,
        writer: Box<dyn StreamWriter>,
        hide_reasoning: bool,
    ) -> Reading<Self> {
        let telling = Self {
            writer,
            hide_reasoning,
        };
        Reading::new(from, framing, telling)
    }
}

impl Telling for Translate {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) -> bool {
        let is_seen = match event {
            // Told once the call is settled.
            Event::Usage(_) | Event::Done => false,
            Event::Reasoning { .. } => !self.hide_reasoning,
            _ => true,
        };
        if is_seen {
            self.writer.event(event, out);
        }
        is_seen
    }

    /// Its events were written.
    fn frame(&mut self, _: &Frame<'_>, _: &mut Vec<u8>) {}

    fn finish(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        self.writer.event(&Event::Settled(*usage, *bill), out);
        self.writer.event(&Event::Done, out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.writer
            .event(&Event::Error(Box::new(failure.clone())), out);
    }
}
