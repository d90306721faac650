//! A provider's stream that is read, event by event, for what the client is
//! to see and for what the call must know.

use bourse_vocab::chat::Event;
use bourse_vocab::{Bill, Failure, Format, Usage};
use bourse_wire::framing::{Decoder, Frame, Framing};
use bourse_wire::tool_calls::Made;
use bourse_wire::{StreamReader, codec};
use bytes::Bytes;

use super::meter::Meter;
use super::told::Told;
use super::{Delivered, FRAME_BYTES_MAX, Feed, Report};

/// What becomes of a stream that is read.
pub trait Telling: Send {
    /// An event was read. What is left of it is metered and told.
    ///
    /// # Errors
    /// It cannot be told.
    fn admit(&mut self, _event: &mut Event) -> Result<(), Failure> {
        Ok(())
    }

    /// See [`Feed::told`].
    fn told(&self) -> Option<Told> {
        None
    }

    /// An event was read and metered; returns whether the client sees it.
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) -> bool;

    /// A frame was read, with all of its events.
    fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>);

    /// See [`Feed::finish`].
    fn finish(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>);

    /// See [`Feed::fail`].
    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>);
}

/// A stream that is read, metered and told.
pub struct Reading<T> {
    decoder: Decoder,
    inner: Inner<T>,
}

struct Inner<T> {
    reader: Box<dyn StreamReader>,
    events: Vec<Event>,
    meter: Meter,
    has_content: bool,
    /// The first answer has ended.
    has_first: bool,
    telling: T,
}

impl<T: Telling> Reading<T> {
    /// Begins to read a stream of a provider's format and framing.
    #[must_use]
    pub fn new(from: Format, framing: Framing, telling: T) -> Self {
        Self {
            decoder: framing.decoder(FRAME_BYTES_MAX),
            inner: Inner {
                reader: codec(from).stream_reader(),
                events: Vec::new(),
                meter: Meter::default(),
                has_content: false,
                has_first: false,
                telling,
            },
        }
    }
}

impl<T: Telling> Inner<T> {
    fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<(), Failure> {
        if self.meter.is_complete {
            return Ok(());
        }
        let read = self.reader.frame(frame, &mut self.events);
        self.drain(out)?;
        read?;
        self.telling.frame(frame, out);
        Ok(())
    }

    /// Bytes behind the end of an answer say nothing of it, also where they are
    /// no frames.
    fn unless_complete(&self, fed: Result<(), Failure>) -> Result<(), Failure> {
        if self.meter.is_complete { Ok(()) } else { fed }
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

    /// Notes and tells what the last frame meant.
    fn drain(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        for mut event in self.events.drain(..) {
            self.telling.admit(&mut event)?;
            match &event {
                Event::Finish { choice: 0, .. } => self.has_first = true,
                // Whoever asks gets a first answer, and most formats know no
                // other: its client would be told of an end and nothing else.
                Event::Done if !self.has_first => return Err(no_first()),
                _ => {}
            }
            self.meter.note(&event)?;
            let is_seen = self.telling.event(&event, out);
            self.has_content |= is_seen && event.is_content();
        }
        Ok(())
    }
}

#[cold]
fn no_first() -> Failure {
    Failure::unavailable("The provider gave others than the first answer, and not that one")
}

impl<T: Telling> Feed for Reading<T> {
    fn feed(&mut self, piece: &Bytes, out: &mut Vec<u8>) -> Result<(), Failure> {
        let Self { decoder, inner } = self;
        let fed = decoder.feed(piece, |frame| inner.frame(&frame, out));
        inner.unless_complete(fed)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let Self { decoder, inner } = self;
        let ended = decoder.end(|frame| inner.frame(&frame, out));
        inner.unless_complete(ended)?;
        inner.end(out)
    }

    fn has_content(&self) -> bool {
        self.inner.has_content
    }

    fn has_answered(&self) -> bool {
        self.inner.meter.has_answered
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

    fn told(&self) -> Option<Told> {
        self.inner.telling.told()
    }

    fn calls(&mut self) -> Option<Box<Made>> {
        self.inner.meter.calls.take()
    }

    fn finish(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        self.inner.telling.finish(usage, bill, out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.inner.telling.fail(failure, out);
    }
}
