//! A sound on its way to the client.

use bourse_vocab::{Bill, Failure, Usage, UsageReport};
use bourse_wire::speech::events::{Source, Told};
use bourse_wire::speech::{self, Asked};
use bourse_wire::sse::Frame;
use bytes::Bytes;
use http::HeaderValue;

use crate::endpoints::event_feed::Events;
use crate::relay::{Delivered, Feed, Report};

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
pub(super) struct Sound {
    events: speech::events::Events,
    /// What the sound is called, where it is told as itself.
    media_type: Option<HeaderValue>,
    /// Characters, of a vendor that sells those and counts them nowhere.
    characters: Option<u64>,
}

impl Sound {
    /// Before the first event.
    pub fn new(source: Source, asked: &Asked) -> Self {
        let media_type = HeaderValue::from_static(asked.format.media_type());
        Self {
            events: speech::events::Events::new(source, asked),
            media_type: (!asked.wants_events).then_some(media_type),
            characters: (source == Source::Mistral).then_some(asked.characters),
        }
    }

    /// What is known before the first event.
    pub fn report(&self) -> Report {
        let mut usage = UsageReport::default();
        usage.units.characters = self.characters;
        Report {
            usage,
            ..Report::default()
        }
    }
}

impl Events for Sound {
    const CUT_OFF: &'static str = "The provider ended its sound before its last event";

    fn event(
        &mut self,
        frame: &Frame<'_>,
        report: &mut Report,
        out: &mut Vec<u8>,
    ) -> Result<bool, Failure> {
        match self.events.frame(frame, out)? {
            // A piece counts as a token, which is too few: what was used is
            // told at the end.
            Told::Sound(_) => {
                report.content_pieces = report.content_pieces.saturating_add(1);
                Ok(false)
            }
            told @ (Told::Last(_) | Told::Done) => {
                if matches!(told, Told::Last(_)) {
                    report.content_pieces = report.content_pieces.saturating_add(1);
                }
                report.usage = self.events.usage;
                report.usage.units.characters = self.characters;
                if report.content_pieces == 0 {
                    return Err(Failure::unavailable("The provider sent an empty sound"));
                }
                Ok(true)
            }
            Told::Nothing => Ok(false),
        }
    }

    fn finish(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        self.events.finish(usage, bill, out);
    }

    fn media_type(&self) -> Option<HeaderValue> {
        self.media_type.clone()
    }
}
