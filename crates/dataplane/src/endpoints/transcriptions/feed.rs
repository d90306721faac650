//! A transcript that is streamed, on its way to the client.

use bourse_vocab::{Bill, Failure, Usage};
use bourse_wire::framing::{Decoder, Framing};
use bourse_wire::transcription::stream::{Stream, Told};
use bytes::Bytes;

use super::{FINISHED, note_length};
use crate::endpoints::write_failure;
use crate::relay::{Delivered, FRAME_BYTES_MAX, Feed, Report};

/// A transcript as events.
pub struct TranscriptFeed {
    decoder: Decoder,
    stream: Stream,
    report: Report,
    heard_ms: u64,
    is_complete: bool,
}

impl TranscriptFeed {
    /// Before the first event of what was said in so many milliseconds.
    pub fn new(framing: Framing, heard_ms: u64) -> Self {
        Self {
            heard_ms,
            decoder: framing.decoder(FRAME_BYTES_MAX),
            stream: Stream::default(),
            report: Report::default(),
            is_complete: false,
        }
    }
}

impl Feed for TranscriptFeed {
    fn feed(&mut self, piece: &Bytes, out: &mut Vec<u8>) -> Result<(), Failure> {
        let Self {
            decoder,
            stream,
            report,
            heard_ms,
            is_complete,
        } = self;
        decoder.feed(piece, |frame| {
            match stream.frame(&frame, out)? {
                Told::Text(bytes) => {
                    report.content_pieces = report.content_pieces.saturating_add(1);
                    report.content_bytes = report.content_bytes.saturating_add(bytes as u64);
                }
                Told::Done => {
                    report.usage = stream.usage;
                    note_length(&mut report.usage, *heard_ms);
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
                "The provider ended its transcript before its last event",
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
        self.stream.finish(usage, bill, out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        write_failure(failure, out);
    }
}
