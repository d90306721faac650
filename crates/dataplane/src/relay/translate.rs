//! Between two formats: frames to events, events to frames.

use bourse_vocab::chat::Event;
use bourse_vocab::{Bill, Failure, Format, Usage};
use bourse_wire::framing::{Decoder, Frame, Framing};
use bourse_wire::{StreamReader, StreamWriter, codec};
use bytes::Bytes;

use super::meter::Meter;
use super::{Delivered, FRAME_BYTES_MAX, Feed, Report};

/// A stream that is read in one format and written in another.
pub struct Translate {
    decoder: Decoder,
    inner: Inner,
}

struct Inner {
    reader: Box<dyn StreamReader>,
    writer: Box<dyn StreamWriter>,
    events: Vec<Event>,
    meter: Meter,
    hide_reasoning: bool,
    has_content: bool,
}

impl Translate {
    /// From a provider's format and framing to the writer's. With
    /// `hide_reasoning` the client is not shown what the model thought.
    #[must_use]
    pub fn new(
        from: Format,
        framing: Framing,
        writer: Box<dyn StreamWriter>,
        hide_reasoning: bool,
    ) -> Self {
        Self {
            decoder: framing.decoder(FRAME_BYTES_MAX),
            inner: Inner {
                reader: codec(from).stream_reader(),
                writer,
                events: Vec::new(),
                meter: Meter::default(),
                hide_reasoning,
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
        self.drain(out)?;
        read
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        if self.meter.is_complete {
            return Ok(());
        }
        let ended = self.reader.end(&mut self.events);
        self.drain(out)?;
        ended?;
        self.meter.is_complete = true;
        Ok(())
    }

    /// Notes and writes what the last frame meant.
    fn drain(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        for event in self.events.drain(..) {
            self.meter.note(&event)?;
            if matches!(event, Event::Usage(_) | Event::Done) {
                continue;
            }
            if event.is_content() {
                if self.hide_reasoning && matches!(event, Event::Reasoning { .. }) {
                    continue;
                }
                self.has_content = true;
            }
            self.writer.event(&event, out);
        }
        Ok(())
    }
}

impl Feed for Translate {
    fn feed(&mut self, piece: &Bytes, out: &mut Vec<u8>) -> Result<(), Failure> {
        let Self { decoder, inner } = self;
        decoder.feed(piece, |frame| inner.frame(&frame, out))
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let Self { decoder, inner } = self;
        decoder.end(|frame| inner.frame(&frame, out))?;
        inner.end(out)
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

    fn finish(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        self.inner.writer.event(&Event::Settled(*usage, *bill), out);
        self.inner.writer.event(&Event::Done, out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.inner
            .writer
            .event(&Event::Error(Box::new(failure.clone())), out);
    }
}
