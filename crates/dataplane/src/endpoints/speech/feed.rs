//! A sound on its way to the client.

use bourse_vocab::{Bill, Failure, Usage, UsageReport};
use bourse_wire::framing::{Decoder, Framing};
use bourse_wire::speech::Asked;
use bourse_wire::speech::events::{Events, Told};
use bytes::Bytes;
use http::HeaderValue;

use crate::endpoints::write_failure;
use crate::relay::{Delivered, FRAME_BYTES_MAX, Feed, Report};

/// How a sound ends that is there to its end.
const FINISHED: &str = "stop";

/// A sound that is passed on byte for byte.
pub struct SoundFeed {
    media_type: HeaderValue,
    report: Report,
    is_complete: bool,
}

impl SoundFeed {
    /// Before the first byte. What is sold by the character is known already.
    pub fn new(asked: &Asked) -> Self {
        let mut usage = UsageReport::default();
        usage.units.characters = Some(asked.characters);
        Self {
            media_type: HeaderValue::from_static(asked.format.media_type()),
            report: Report {
                usage,
                ..Report::default()
            },
            is_complete: false,
        }
    }
}

impl Feed for SoundFeed {
    /// As the provider says: it knows what it made.
    fn announced(&mut self, content_type: &str) {
        if let Ok(media_type) = HeaderValue::from_str(content_type) {
            self.media_type = media_type;
        }
    }

    fn media_type(&self) -> Option<HeaderValue> {
        Some(self.media_type.clone())
    }

    fn breaks_off(&self) -> bool {
        true
    }

    fn feed(&mut self, piece: &Bytes, out: &mut Vec<u8>) -> Result<(), Failure> {
        if !piece.is_empty() {
            out.extend_from_slice(piece);
            self.report.content_pieces = self.report.content_pieces.saturating_add(1);
        }
        Ok(())
    }

    /// The provider's framing says that this is the end; a connection that was
    /// cut is an error of the connection.
    fn end(&mut self, _: &mut Vec<u8>) -> Result<(), Failure> {
        if self.report.content_pieces == 0 {
            return Err(Failure::unavailable("The provider sent an empty sound"));
        }
        self.report.finish = Some(FINISHED);
        self.is_complete = true;
        Ok(())
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
        0
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

    fn finish(&mut self, _: &Usage, _: &Bill, _: &mut Vec<u8>) {}

    fn fail(&mut self, _: &Failure, _: &mut Vec<u8>) {}
}

/// A sound that comes as events, told as events or as itself.
pub struct EventFeed {
    decoder: Decoder,
    events: Events,
    /// What the sound is called, where it is told as itself.
    media_type: Option<HeaderValue>,
    report: Report,
    is_complete: bool,
}

impl EventFeed {
    /// Before the first event.
    pub fn new(framing: Framing, asked: &Asked) -> Self {
        let media_type = HeaderValue::from_static(asked.format.media_type());
        Self {
            decoder: framing.decoder(FRAME_BYTES_MAX),
            events: Events::new(asked.wants_events),
            media_type: (!asked.wants_events).then_some(media_type),
            report: Report::default(),
            is_complete: false,
        }
    }
}

impl Feed for EventFeed {
    fn media_type(&self) -> Option<HeaderValue> {
        self.media_type.clone()
    }

    fn breaks_off(&self) -> bool {
        self.media_type.is_some()
    }

    fn counts_at_its_end(&self) -> bool {
        true
    }

    fn feed(&mut self, piece: &Bytes, out: &mut Vec<u8>) -> Result<(), Failure> {
        let Self {
            decoder,
            events,
            report,
            is_complete,
            ..
        } = self;
        decoder.feed(piece, |frame| {
            match events.frame(&frame, out)? {
                // A piece counts as a token, which is too few: what was used is
                // told at the end.
                Told::Sound(_) => report.content_pieces = report.content_pieces.saturating_add(1),
                Told::Done => {
                    report.usage = events.usage;
                    report.finish = Some(FINISHED);
                    *is_complete = true;
                }
                Told::Nothing => {}
            }
            Ok(())
        })
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Result<(), Failure> {
        match self.is_complete {
            true => Ok(()),
            false => Err(Failure::unavailable(
                "The provider ended its sound before its last event",
            )),
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
        0
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
        if self.media_type.is_none() {
            write_failure(failure, out);
        }
    }
}
