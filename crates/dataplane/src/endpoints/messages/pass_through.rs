//! Same format on both sides: events are forwarded, and say whose they are and
//! what they cost.

use bourse_vocab::chat::Event;
use bourse_vocab::{Bill, Failure, Usage};
use bourse_wire::anthropic::passthrough::StreamEdits;
use bourse_wire::framing::Frame;
use bourse_wire::{Stamp, StreamWriter, codec};

use super::FORMAT;
use crate::relay::reading::{Reading, Telling};
use crate::way::Way;

/// A stream of events that is passed on. Half an event never is, so that an
/// error can follow at any time; one that cannot be read, or that is an error,
/// is not either.
pub(super) struct PassThrough {
    edits: StreamEdits,
    /// Words errors; writes nothing else.
    writer: Box<dyn StreamWriter>,
}

/// Begins to pass a stream on.
pub(super) fn begin(way: &Way, stamp: &Stamp<'_>) -> Reading<PassThrough> {
    let telling = PassThrough {
        edits: StreamEdits::new(stamp),
        writer: codec(FORMAT).stream_writer(stamp),
    };
    Reading::new(FORMAT, way.framing, telling)
}

impl Telling for PassThrough {
    /// The client sees the frame that it is in.
    fn event(&mut self, _: &Event, _: &mut Vec<u8>) -> bool {
        true
    }

    fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) {
        self.edits.frame(frame, out);
    }

    fn finish(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        self.edits.settle(usage, bill, out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.writer
            .event(&Event::Error(Box::new(failure.clone())), out);
    }
}
