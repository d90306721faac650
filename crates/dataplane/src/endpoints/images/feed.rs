//! A picture that is streamed, on its way to the client.

use bourse_vocab::{Bill, Failure, Usage, UsageReport};
use bourse_wire::images::stream::{PARTIAL_TOKENS, Stream, Told};
use bourse_wire::sse::Frame;

use super::note_uncounted;
use crate::endpoints::event_feed::Events;
use crate::relay::Report;

/// A picture as events.
pub(super) struct Picture {
    stream: Stream,
    /// The most tokens that it takes, with its beginnings.
    tokens_max: u64,
    /// Whether others were given.
    is_edit: bool,
}

impl Picture {
    /// Before the first event.
    pub fn new(tokens_max: u64, is_edit: bool) -> Self {
        Self {
            stream: Stream::default(),
            tokens_max,
            is_edit,
        }
    }

    /// What is known before the first event: beginnings are no pictures, where
    /// those are sold by the piece.
    pub fn report() -> Report {
        let mut usage = UsageReport::default();
        usage.units.pictures = Some(0);
        Report {
            usage,
            ..Report::default()
        }
    }
}

impl Events for Picture {
    const CUT_OFF: &'static str = "The provider ended its stream before the picture was whole";

    fn event(
        &mut self,
        frame: &Frame<'_>,
        report: &mut Report,
        out: &mut Vec<u8>,
    ) -> Result<bool, Failure> {
        match self.stream.frame(frame, out)? {
            // What a stream that breaks off is billed by: what its beginnings
            // cost.
            Told::Partial => {
                report.content_pieces = report.content_pieces.saturating_add(PARTIAL_TOKENS);
                // They are pictures, which cost more than what is said.
                report.usage.completion_image = Some(report.content_pieces);
                Ok(false)
            }
            Told::Done => {
                report.usage = self.stream.usage;
                report.content_pieces = report.content_pieces.max(1);
                if let Some(tokens) =
                    note_uncounted(&mut report.usage, self.tokens_max, self.is_edit)
                {
                    report.content_pieces = tokens;
                }
                Ok(true)
            }
            Told::Nothing => Ok(false),
        }
    }

    fn finish(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        self.stream.finish(usage, bill, out);
    }
}
