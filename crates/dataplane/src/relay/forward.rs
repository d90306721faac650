//! Same format on both sides: frames are forwarded byte for byte, and read
//! beside that for what the call must know.

use bourse_vocab::chat::Event;
use bourse_vocab::{Bill, Failure, Format, Usage};
use bourse_wire::framing::{Frame, Framing};
use bourse_wire::sse::write_frame;
use bourse_wire::{Stamp, StreamWriter, codec};

use super::reading::{Reading, Telling};

/// Forwards frames as server-sent events, whatever frames they came in. Half
/// a frame is never forwarded, so that an error can follow at any time; one
/// that cannot be read, or that is an error, is not either.
pub struct Forward {
    /// Words errors; writes nothing else.
    writer: Box<dyn StreamWriter>,
}

impl Forward {
    /// Begins to forward a stream of a format.
    #[must_use]
    pub fn begin(format: Format, framing: Framing, stamp: &Stamp<'_>) -> Reading<Self> {
        let writer = codec(format).stream_writer(stamp);
        Reading::new(format, framing, Self { writer })
    }
}

impl Telling for Forward {
    /// The client sees the frame that it is in.
    fn event(&mut self, _: &Event, _: &mut Vec<u8>) -> bool {
        true
    }

    fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) {
        write_frame(frame, out);
    }

    /// The provider's own usage and the end of its stream were forwarded.
    fn finish(&mut self, _: &Usage, _: &Bill, _: &mut Vec<u8>) {}

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.writer
            .event(&Event::Error(Box::new(failure.clone())), out);
    }
}
