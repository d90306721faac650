//! Same format on both sides: bytes are forwarded, ids replaced.

use bourse_vocab::{Bill, Failure, Usage};
use bourse_wire::Stamp;
use bourse_wire::openai_chat::passthrough::StreamRelay;
use bourse_wire::tool_calls::Made;
use bytes::Bytes;

use crate::relay::{Delivered, Feed, Report};

/// A stream of chat completion chunks that is passed on.
pub struct PassThrough(StreamRelay);

impl PassThrough {
    /// Begins to pass a stream on.
    #[must_use]
    pub fn new(stamp: &Stamp<'_>, hide_reasoning: bool) -> Self {
        Self(StreamRelay::new(stamp, hide_reasoning))
    }
}

impl Feed for PassThrough {
    fn feed(&mut self, piece: &Bytes, out: &mut Vec<u8>) -> Result<(), Failure> {
        self.0.feed(piece, out)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        self.0.end(out)
    }

    fn has_content(&self) -> bool {
        self.0.content_seen()
    }

    fn has_answered(&self) -> bool {
        self.0.has_answered()
    }

    fn is_complete(&self) -> bool {
        // A finish is not enough: the usage comes after it.
        self.0.is_done()
    }

    fn content_bytes(&self) -> u64 {
        self.0.content_bytes()
    }

    fn content_pieces(&self) -> u64 {
        self.0.content_events()
    }

    fn delivered(&self) -> Delivered {
        Delivered {
            content_bytes: self.0.content_bytes(),
            content_pieces: self.0.content_events(),
            prompt: self.0.usage().and_then(|usage| usage.prompt),
        }
    }

    fn report(&self) -> Report {
        let finish = self.0.finishes().first();
        Report {
            usage: self.0.usage().copied().unwrap_or_default(),
            upstream_id: self.0.upstream_id().map(str::to_owned),
            finish: finish.map(|finish| finish.reason.name()),
            native_finish: finish.map(|finish| finish.native.clone()),
            service_tier: self.0.service_tier().map(str::to_owned),
            content_bytes: self.0.content_bytes(),
            content_pieces: self.0.content_events(),
        }
    }

    fn calls(&mut self) -> Option<Box<Made>> {
        self.0.take_calls()
    }

    fn finish(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        self.0.settle(usage, bill, out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.0.fail(failure, out);
    }
}
