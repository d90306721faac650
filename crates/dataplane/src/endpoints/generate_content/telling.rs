//! How streams are told to clients of Google's format.

use bourse_vocab::chat::Event;
use bourse_vocab::{Bill, Failure, Usage};
use bourse_wire::framing::Frame;
use bourse_wire::gemini::Manner;
use bourse_wire::gemini::passthrough::StreamEdits;
use bourse_wire::{Stamp, StreamWriter};

use crate::relay::reading::Telling;

/// The same format on both sides: responses are passed on. Half of one never
/// is, so that an error can follow at any time; one that cannot be read, or
/// that is an error, is not either.
pub(super) struct PassedOn(StreamEdits);

impl PassedOn {
    pub(super) fn new(stamp: &Stamp<'_>, manner: Manner) -> Self {
        Self(StreamEdits::new(stamp, manner))
    }
}

impl Telling for PassedOn {
    /// The client sees the frame that it is in.
    fn event(&mut self, _: &Event, _: &mut Vec<u8>) -> bool {
        true
    }

    fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) {
        self.0.frame(frame, out);
    }

    fn finish(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        self.0.settle(usage, bill, out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.0.fail(failure, out);
    }
}

/// Another format on the provider's side. Thoughts that the client did not ask
/// for are not shown, and what their vendor wants back of them is.
pub(super) struct Translated {
    writer: Box<dyn StreamWriter>,
    shows_thoughts: bool,
}

impl Translated {
    pub(super) fn new(writer: Box<dyn StreamWriter>, manner: Manner) -> Self {
        Self {
            writer,
            shows_thoughts: manner.shows_thoughts,
        }
    }
}

impl Telling for Translated {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) -> bool {
        let is_seen = match event {
            // Told once the call is settled.
            Event::Usage(_) | Event::Done => return false,
            Event::Reasoning { .. } => self.shows_thoughts,
            _ => true,
        };
        self.writer.event(event, out);
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
