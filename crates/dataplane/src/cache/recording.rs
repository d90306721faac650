//! A request whose answer is taken down as it comes.

use std::borrow::Cow;
use std::sync::Arc;

use bourse_vocab::{Bill, Failure, Usage};
use bourse_wire::tool_calls::Made;
use bourse_wire::{Stamp, StreamWriter, WriteTarget};
use bytes::Bytes;

use super::record::Record;
use crate::bodies::Bodies;
use crate::endpoints::{ClientRequest, Prepared, PreparedRest, Rest, WholeReply};
use crate::relay::told::Told;
use crate::relay::{Delivered, Feed, Report};
use crate::way::Way;

/// A request whose answer is taken down.
pub struct Recording {
    /// The request.
    pub request: Arc<dyn ClientRequest>,
    /// Where that takes its room.
    pub underway: Arc<Bodies>,
}

impl Recording {
    fn begin(&self, way: &Way) -> Record {
        Record::begin(way.format, way.framing, &self.underway)
    }
}

impl ClientRequest for Recording {
    fn bytes(&self) -> usize {
        self.request.bytes()
    }

    fn translates(&self, way: &Way) -> bool {
        self.request.translates(way)
    }

    fn write(&self, way: &Way, target: &WriteTarget<'_>) -> Result<Prepared, Failure> {
        self.request.write(way, target)
    }

    fn feed(&self, way: &Way, stamp: &Stamp<'_>) -> Box<dyn Feed> {
        Box::new(Recorded {
            feed: self.request.feed(way, stamp),
            record: Some(self.begin(way)),
        })
    }

    fn writer(&self, stamp: &Stamp<'_>) -> Option<(Box<dyn StreamWriter>, bool)> {
        self.request.writer(stamp)
    }

    fn write_rest(
        &self,
        way: &Way,
        target: &WriteTarget<'_>,
        rest: &Rest<'_>,
    ) -> Result<PreparedRest, Failure> {
        self.request.write_rest(way, target, rest)
    }

    fn tools(&self) -> Option<Cow<'_, [u8]>> {
        self.request.tools()
    }

    fn whole(&self, way: &Way, stamp: &Stamp<'_>, body: &Bytes) -> Result<WholeReply, Failure> {
        let mut whole = self.request.whole(way, stamp, body)?;
        let mut record = self.begin(way);
        record.push(body);
        whole.record = Some(record);
        Ok(whole)
    }
}

/// A stream that is taken down.
struct Recorded {
    feed: Box<dyn Feed>,
    record: Option<Record>,
}

impl Feed for Recorded {
    fn feed(&mut self, piece: &Bytes, out: &mut Vec<u8>) -> Result<(), Failure> {
        if let Some(record) = &mut self.record {
            record.push(piece);
        }
        self.feed.feed(piece, out)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        self.feed.end(out)
    }

    fn has_content(&self) -> bool {
        self.feed.has_content()
    }

    fn has_answered(&self) -> bool {
        self.feed.has_answered()
    }

    fn is_complete(&self) -> bool {
        self.feed.is_complete()
    }

    fn content_bytes(&self) -> u64 {
        self.feed.content_bytes()
    }

    fn content_pieces(&self) -> u64 {
        self.feed.content_pieces()
    }

    fn delivered(&self) -> Delivered {
        self.feed.delivered()
    }

    fn report(&self) -> Report {
        self.feed.report()
    }

    fn told(&self) -> Option<Told> {
        self.feed.told()
    }

    fn record(&mut self) -> Option<Record> {
        self.record.take()
    }

    fn calls(&mut self) -> Option<Box<Made>> {
        self.feed.calls()
    }

    fn finish(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        self.feed.finish(usage, bill, out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.feed.fail(failure, out);
    }
}
