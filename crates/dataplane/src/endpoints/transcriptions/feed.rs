//! A transcript that is streamed, on its way to the client.

use bourse_vocab::{Bill, Failure, Usage};
use bourse_wire::sse::Frame;
use bourse_wire::transcription::stream::{Stream, Told};

use super::note_length;
use crate::endpoints::event_feed::Events;
use crate::relay::Report;

/// A transcript of what was said in so many milliseconds, as events.
pub(super) struct Transcript {
    stream: Stream,
    heard_ms: u64,
}

impl Transcript {
    /// Before the first event.
    pub fn new(heard_ms: u64) -> Self {
        Self {
            stream: Stream::default(),
            heard_ms,
        }
    }
}

impl Events for Transcript {
    const CUT_OFF: &'static str = "The provider ended its transcript before its last event";

    fn event(
        &mut self,
        frame: &Frame<'_>,
        report: &mut Report,
        out: &mut Vec<u8>,
    ) -> Result<bool, Failure> {
        match self.stream.frame(frame, out)? {
            Told::Text(bytes) => {
                report.content_pieces = report.content_pieces.saturating_add(1);
                report.content_bytes = report.content_bytes.saturating_add(bytes as u64);
                Ok(false)
            }
            Told::Done => {
                report.usage = self.stream.usage;
                note_length(&mut report.usage, self.heard_ms);
                Ok(true)
            }
            Told::Nothing => Ok(false),
        }
    }

    fn finish(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        self.stream.finish(usage, bill, out);
    }
}
