//! A stream of events that is no chat, on its way to the client: a sound, a
//! transcript, a picture. What the events are is its reader's; framing,
//! counting and the end are the same for all.

use bourse_vocab::{Bill, Failure, Usage};
use bourse_wire::framing::{Decoder, Framing};
use bourse_wire::sse::Frame;
use bytes::Bytes;
use http::HeaderValue;

use super::write_failure;
use crate::relay::{Delivered, FRAME_BYTES_MAX, Feed, Report};

/// How a stream ends that is there to its end.
const FINISHED: &str = "stop";

/// Reads the events of an answer, and tells them as the client wants them.
pub(super) trait Events: Send {
    /// What the provider did not send, where its stream ends too early.
    const CUT_OFF: &'static str;

    /// Reads an event, notes what there was in it, and says whether it was the
    /// last.
    ///
    /// # Errors
    /// It is none, or the provider reported an error.
    fn event(
        &mut self,
        frame: &Frame<'_>,
        report: &mut Report,
        out: &mut Vec<u8>,
    ) -> Result<bool, Failure>;

    /// Writes the last event, with what was used and what that costs.
    fn finish(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>);

    /// What the client's answer is called, where it is told no events: it can
    /// then be told of no error either.
    fn media_type(&self) -> Option<HeaderValue> {
        None
    }
}

/// Such a stream.
pub(super) struct EventFeed<E> {
    decoder: Decoder,
    events: E,
    report: Report,
    is_complete: bool,
}

impl<E: Events> EventFeed<E> {
    /// Before the first event; what is known already is in `report`.
    pub fn new(framing: Framing, events: E, report: Report) -> Self {
        Self {
            decoder: framing.decoder(FRAME_BYTES_MAX),
            events,
            report,
            is_complete: false,
        }
    }
}

impl<E: Events> Feed for EventFeed<E> {
    fn media_type(&self) -> Option<HeaderValue> {
        self.events.media_type()
    }

    fn breaks_off(&self) -> bool {
        self.events.media_type().is_some()
    }

    /// A piece is no measure of what it took: only the last event tells.
    fn counts_at_its_end(&self) -> bool {
        true
    }

    fn feed(&mut self, piece: &Bytes, out: &mut Vec<u8>) -> Result<(), Failure> {
        let Self {
            decoder,
            events,
            report,
            is_complete,
        } = self;
        decoder.feed(piece, |frame| {
            if events.event(&frame, report, out)? {
                report.finish = Some(FINISHED);
                *is_complete = true;
            }
            Ok(())
        })
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Result<(), Failure> {
        match self.is_complete {
            true => Ok(()),
            false => Err(Failure::unavailable(E::CUT_OFF)),
        }
    }

    fn has_content(&self) -> bool {
        self.report.content_pieces > 0
    }

    fn has_answered(&self) -> bool {
        self.report.content_pieces > 0
    }

    fn is_complete(&self) -> bool {
        self.is_complete
    }

    fn content_bytes(&self) -> u64 {
        self.report.content_bytes
    }

    fn content_pieces(&self) -> u64 {
        self.report.content_pieces
    }

    fn delivered(&self) -> Delivered {
        self.report.delivered()
    }

    fn report(&self) -> Report {
        self.report.clone()
    }

    fn finish(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        self.events.finish(usage, bill, out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        if !self.breaks_off() {
            write_failure(failure, out);
        }
    }
}
