//! Same format on both sides: frames are forwarded byte for byte, and read
//! beside that for what the call must know.

use bourse_vocab::chat::Event;
use bourse_vocab::{Bill, Failure, Format, Usage};
use bourse_wire::framing::{Decoder, Frame, Framing};
use bourse_wire::sse::write_frame;
use bourse_wire::{Stamp, StreamReader, StreamWriter, codec};
use bytes::Bytes;

use super::meter::Meter;
use super::{Delivered, FRAME_BYTES_MAX, Feed, Report};

/// A stream whose frames are forwarded as server-sent events, whatever frames
/// they came in. Half a frame is never forwarded, so that an error can follow
/// at any time; one that cannot be read, or that is an error, is not either.
pub struct Forward {
    decoder: Decoder,
    inner: Inner,
}

struct Inner {
    reader: Box<dyn StreamReader>,
    /// Words errors; writes nothing else.
    writer: Box<dyn StreamWriter>,
    events: Vec<Event>,
    meter: Meter,
    has_content: bool,
}

impl Forward {
    /// Begins to forward a stream of a format.
    #[must_use]
    pub fn new(format: Format, framing: Framing, stamp: &Stamp<'_>) -> Self {
        Self {
            decoder: framing.decoder(FRAME_BYTES_MAX),
            inner: Inner {
                reader: codec(format).stream_reader(),
                writer: codec(format).stream_writer(stamp),
                events: Vec::new(),
                meter: Meter::default(),
                has_content: false,
            },
        }
    }
}

impl Inner {
    fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<(), Failure> {
        if self.meter.is_complete {
            return Ok(());
        }
        let read = self.reader.frame(frame, &mut self.events);
        self.note()?;
        read?;
        write_frame(frame, out);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        if self.meter.is_complete {
            return Ok(());
        }
        let ended = self.reader.end(&mut self.events);
        self.note()?;
        ended?;
        self.meter.is_complete = true;
        Ok(())
    }

    fn note(&mut self) -> Result<(), Failure> {
        for event in self.events.drain(..) {
            self.has_content |= event.is_content();
            self.meter.note(&event)?;
        }
        Ok(())
    }
}

impl Feed for Forward {
    fn feed(&mut self, piece: &Bytes, out: &mut Vec<u8>) -> Result<(), Failure> {
        let Self { decoder, inner } = self;
        decoder.feed(piece, |frame| inner.frame(&frame, out))
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let Self { decoder, inner } = self;
        decoder.end(|frame| inner.frame(&frame, out))?;
        inner.end()
    }

    fn has_content(&self) -> bool {
        self.inner.has_content
    }

    fn is_complete(&self) -> bool {
        self.inner.meter.is_complete
    }

    fn content_bytes(&self) -> u64 {
        self.inner.meter.report.content_bytes
    }

    fn content_pieces(&self) -> u64 {
        self.inner.meter.report.content_pieces
    }

    fn delivered(&self) -> Delivered {
        self.inner.meter.report.delivered()
    }

    fn report(&self) -> Report {
        self.inner.meter.report.clone()
    }

    /// The provider's own usage and the end of its stream were forwarded.
    fn finish(&mut self, _: &Usage, _: &Bill, _: &mut Vec<u8>) {}

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.inner
            .writer
            .event(&Event::Error(Box::new(failure.clone())), out);
    }
}
