//! Between two formats: frames to events, events to frames.

use bourse_vocab::chat::Event;
use bourse_vocab::{Bill, Failure, Format, Usage};
use bourse_wire::sse::Decoder;
use bourse_wire::{Stamp, StreamReader, StreamWriter, codec};
use bytes::Bytes;

use super::{Feed, Report};

/// A stream that is read in one format and written in another.
pub struct Translate {
    decoder: Decoder,
    reader: Box<dyn StreamReader>,
    writer: Box<dyn StreamWriter>,
    events: Vec<Event>,
    report: Report,
    has_content: bool,
    complete: bool,
}

impl Translate {
    /// From a provider's format to the writer's.
    #[must_use]
    pub fn new(from: Format, writer: Box<dyn StreamWriter>) -> Self {
        Self {
            decoder: Decoder::new(),
            reader: codec(from).stream_reader(),
            writer,
            events: Vec::new(),
            report: Report::default(),
            has_content: false,
            complete: false,
        }
    }

    /// From a provider's format to a client's.
    #[must_use]
    pub fn between(from: Format, to: Format, stamp: &Stamp<'_>) -> Self {
        Self::new(from, codec(to).stream_writer(stamp))
    }

    /// Notes and writes what the last frame meant.
    fn drain(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        for event in self.events.drain(..) {
            match &event {
                Event::Usage(usage) => {
                    self.report.usage.merge(usage);
                    continue;
                }
                Event::Done => {
                    self.complete = true;
                    continue;
                }
                Event::Error(failure) => return Err((**failure).clone()),
                Event::Start { upstream_id, .. } => {
                    self.report.upstream_id.clone_from(upstream_id);
                }
                Event::Finish { reason, native, .. } => {
                    self.report.finish = Some(reason.name());
                    self.report.native_finish.clone_from(native);
                }
                _ => {}
            }
            if event.is_content() {
                self.has_content = true;
                self.report.content_pieces += 1;
                self.report.content_bytes += content_bytes(&event);
            }
            self.writer.event(&event, out);
        }
        Ok(())
    }
}

/// Bytes of text in an event, an upper bound for its tokens. Media is
/// counted by the provider or not at all.
fn content_bytes(event: &Event) -> u64 {
    use bourse_vocab::chat::ReasoningKind;
    let bytes = match event {
        Event::Text { text, .. } | Event::Refusal { text, .. } => text.len(),
        Event::Reasoning { delta, .. } => match &delta.kind {
            ReasoningKind::Text { text, .. } => text.len(),
            ReasoningKind::Summary(text) => text.len(),
            ReasoningKind::Encrypted(_) => 0,
        },
        Event::ToolStart { name, .. } => name.len(),
        Event::ToolArguments { fragment, .. } => fragment.len(),
        _ => 0,
    };
    bytes as u64
}

impl Feed for Translate {
    fn feed(&mut self, piece: &Bytes, out: &mut Vec<u8>) -> Result<(), Failure> {
        let mut rest: &[u8] = piece;
        while !self.complete {
            let Some(frame) = self.decoder.next(&mut rest)? else { break };
            let read = self.reader.frame(&frame, &mut self.events);
            self.drain(out)?;
            read?;
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        if self.complete {
            return Ok(());
        }
        let ended = self.reader.end(&mut self.events);
        self.drain(out)?;
        ended?;
        self.complete = true;
        Ok(())
    }

    fn has_content(&self) -> bool {
        self.has_content
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn content_bytes(&self) -> u64 {
        self.report.content_bytes
    }

    fn report(&self) -> Report {
        self.report.clone()
    }

    fn finish(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        self.writer.event(&Event::Settled(*usage, *bill), out);
        self.writer.event(&Event::Done, out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.writer.event(&Event::Error(Box::new(failure.clone())), out);
    }
}
