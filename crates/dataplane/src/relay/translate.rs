//! Between two formats: frames to events, events to frames.

use bourse_vocab::chat::Event;
use bourse_vocab::{Bill, Failure, Format, Usage};
use bourse_wire::sse::{Decoder, Frame};
use bourse_wire::{Stamp, StreamReader, StreamWriter, codec};
use bytes::Bytes;

use super::{Feed, Report};

/// The longest event of a provider's stream: a large picture in base64.
const FRAME_BYTES_MAX: usize = 16 << 20;

/// A stream that is read in one format and written in another.
pub struct Translate {
    decoder: Decoder,
    inner: Inner,
}

struct Inner {
    reader: Box<dyn StreamReader>,
    writer: Box<dyn StreamWriter>,
    events: Vec<Event>,
    report: Report,
    hide_reasoning: bool,
    has_content: bool,
    complete: bool,
}

impl Translate {
    /// From a provider's format to the writer's. With `hide_reasoning` the
    /// client is not shown what the model thought.
    #[must_use]
    pub fn new(from: Format, writer: Box<dyn StreamWriter>, hide_reasoning: bool) -> Self {
        Self {
            decoder: Decoder::with_limit(FRAME_BYTES_MAX),
            inner: Inner {
                reader: codec(from).stream_reader(),
                writer,
                events: Vec::new(),
                report: Report::default(),
                hide_reasoning,
                has_content: false,
                complete: false,
            },
        }
    }

    /// From a provider's format to a client's.
    #[must_use]
    pub fn between(from: Format, to: Format, stamp: &Stamp<'_>, hide_reasoning: bool) -> Self {
        Self::new(from, codec(to).stream_writer(stamp), hide_reasoning)
    }
}

impl Inner {
    fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<(), Failure> {
        if self.complete {
            return Ok(());
        }
        let read = self.reader.frame(frame, &mut self.events);
        self.drain(out)?;
        read
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
                self.report.content_pieces += 1;
                self.report.content_bytes += content_bytes(&event);
                if self.hide_reasoning && matches!(event, Event::Reasoning { .. }) {
                    continue;
                }
                self.has_content = true;
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
        let Self { decoder, inner } = self;
        decoder.feed(piece, |frame| inner.frame(&frame, out))
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        self.inner.end(out)
    }

    fn has_content(&self) -> bool {
        self.inner.has_content
    }

    fn is_complete(&self) -> bool {
        self.inner.complete
    }

    fn content_bytes(&self) -> u64 {
        self.inner.report.content_bytes
    }

    fn report(&self) -> Report {
        self.inner.report.clone()
    }

    fn finish(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        self.inner.writer.event(&Event::Settled(*usage, *bill), out);
        self.inner.writer.event(&Event::Done, out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.inner
            .writer
            .event(&Event::Error(Box::new(failure.clone())), out);
    }
}
