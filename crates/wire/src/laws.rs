//! The laws of a stream of events, and a driver that feeds bytes to a reader.
//!
//! For tests of every format; see `bourse_vocab::chat::Event` for what the
//! events mean. The laws:
//!
//! 1. At most one `Start`, and nothing before it.
//! 2. One `Finish` for each answer that was heard of, and nothing of an
//!    answer after it.
//! 3. `Usage` may come at any time, refined as often as the provider likes;
//!    `Settled` comes once at most, after every `Finish`.
//! 4. A tool call is opened once, by the next free index of its answer,
//!    before its arguments.
//! 5. Nothing follows `Done` or `Error`, and neither follows a failure.
//! 6. A stream without a `Finish` never ends in `Done`; a stream that is
//!    neither done nor failed is cut short, and `end` says so.

use std::collections::{HashMap, HashSet};

use bourse_vocab::chat::Event;
use bourse_vocab::{Failure, Format};

use crate::codec::Codec;
use crate::framing::{Framing, FramingError, MessageKind, encode};
use crate::sse::{FRAME_BYTES_MAX, Frame, FrameTooLong, write_frame};

/// What came of reading one stream.
#[derive(Debug)]
pub struct Outcome {
    /// What happened, in order.
    pub events: Vec<Event>,
    /// Why the reader gave up, if it did.
    pub failure: Option<Failure>,
}

impl Outcome {
    /// Everything that callers can tell apart, as text to be compared.
    #[must_use]
    pub fn summary(&self) -> String {
        format!("{:#?}\n{:#?}", self.events, self.failure)
    }
}

/// Reads a stream that arrives in `pieces`, in the framing of those who
/// invented the format.
pub fn read_stream<'a>(codec: &dyn Codec, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut reader = codec.stream_reader();
    let mut decoder = Framing::of(codec.format()).decoder(FRAME_BYTES_MAX);
    let mut outcome = Outcome {
        events: Vec::new(),
        failure: None,
    };
    for piece in pieces {
        let events = &mut outcome.events;
        let fed = decoder.feed(piece, |frame| {
            reader.frame(&frame, events).map_err(Stop::Reader)
        });
        // What is behind the end says nothing of the answer: a relay reads no
        // further than an end or an error.
        if matches!(outcome.events.last(), Some(Event::Done | Event::Error(_))) {
            return outcome;
        }
        if let Err(stop) = fed {
            outcome.failure = Some(match stop {
                Stop::TooLong(error) => Failure::unavailable(error.to_string()),
                Stop::Framing(error) => error.into(),
                Stop::Reader(failure) => failure,
            });
            return outcome;
        }
    }
    outcome.failure = reader.end(&mut outcome.events).err();
    outcome
}

/// A stream that is written as server-sent events, as the format's own vendor
/// sends it. An exception of a binary stream is an event whose name begins with
/// `exception `.
#[must_use]
pub fn framed(format: Format, text: &[u8]) -> Vec<u8> {
    if Framing::of(format) != Framing::EventStream {
        return text.to_vec();
    }
    let mut out = Vec::new();
    let mut decoder = Framing::Sse.decoder(FRAME_BYTES_MAX);
    let write = |frame: Frame<'_>| -> Result<(), FramingError> {
        let kind = match frame.event.strip_prefix(EXCEPTION) {
            Some(name) => (MessageKind::Exception, name),
            None => (MessageKind::Event, frame.event),
        };
        encode(kind, frame.data, &mut out);
        Ok(())
    };
    // What is written down by hand is short and well-formed.
    let _ = decoder.feed(text, write);
    out
}

/// What [`framed`] made, as it was written.
#[must_use]
pub fn readable(format: Format, bytes: &[u8]) -> Vec<u8> {
    if Framing::of(format) != Framing::EventStream {
        return bytes.to_vec();
    }
    let mut out = Vec::new();
    let mut decoder = Framing::EventStream.decoder(FRAME_BYTES_MAX);
    let mut write = |event: &str, data: &[u8]| write_frame(&Frame { event, data }, &mut out);
    let fed: Result<(), FramingError> = decoder.feed(bytes, |frame| {
        write(frame.event, frame.data);
        Ok(())
    });
    match fed {
        Ok(()) => {}
        Err(FramingError::Reported { code, text }) => {
            write(&format!("{EXCEPTION}{code}"), text.as_bytes());
        }
        Err(broken) => write("broken", broken.to_string().as_bytes()),
    }
    out
}

/// How the name of an exception begins in [`framed`].
const EXCEPTION: &str = "exception ";

/// Why reading stopped.
enum Stop {
    TooLong(FrameTooLong),
    Framing(FramingError),
    Reader(Failure),
}

impl From<FrameTooLong> for Stop {
    fn from(error: FrameTooLong) -> Self {
        Self::TooLong(error)
    }
}

impl From<FramingError> for Stop {
    fn from(error: FramingError) -> Self {
        Self::Framing(error)
    }
}

/// Checks the laws.
///
/// # Errors
/// The law that is broken, and where.
pub fn check(outcome: &Outcome) -> Result<(), String> {
    let mut laws = Laws::default();
    for (at, event) in outcome.events.iter().enumerate() {
        laws.event(at, event)
            .map_err(|what| format!("event {at}, {event:?}: {what}"))?;
    }
    let ended = laws.done || laws.failed;
    match (&outcome.failure, ended) {
        (Some(_), true) => Err("failed after the stream had ended".into()),
        (None, false) => Err("the stream was cut short and nobody said so".into()),
        _ => Ok(()),
    }
}

#[derive(Default)]
struct Laws {
    started: bool,
    heard: HashSet<u32>,
    finished: HashSet<u32>,
    calls: HashMap<u32, u32>,
    settled: bool,
    done: bool,
    failed: bool,
}

impl Laws {
    fn event(&mut self, at: usize, event: &Event) -> Result<(), &'static str> {
        if self.done || self.failed {
            return Err("nothing follows the end");
        }
        match event {
            Event::Start { .. } if at > 0 => Err("only the first event starts"),
            Event::Start { .. } => {
                self.started = true;
                Ok(())
            }
            Event::Error(_) => {
                self.failed = true;
                Ok(())
            }
            _ if !self.started => Err("nothing comes before the start"),
            Event::Text { choice, .. }
            | Event::Refusal { choice, .. }
            | Event::Reasoning { choice, .. }
            | Event::Image { choice, .. }
            | Event::Other { choice, .. } => self.content(*choice),
            Event::ToolStart { choice, index, .. } => {
                self.content(*choice)?;
                let open = self.calls.entry(*choice).or_default();
                if *index != *open {
                    return Err("tool calls are opened once and in order");
                }
                *open += 1;
                Ok(())
            }
            Event::ToolArguments { choice, index, .. } => {
                self.content(*choice)?;
                if self.calls.get(choice).is_none_or(|open| index >= open) {
                    return Err("arguments belong to an open call");
                }
                Ok(())
            }
            Event::Finish { choice, .. } => {
                self.heard.insert(*choice);
                if self.settled {
                    return Err("the settlement follows every finish");
                }
                if !self.finished.insert(*choice) {
                    return Err("an answer finishes once");
                }
                Ok(())
            }
            Event::Usage(_) if self.settled => Err("the settlement is the last word on usage"),
            Event::Usage(_) | Event::Tier(_) => Ok(()),
            Event::Settled(..) if self.settled => Err("a call is settled once"),
            Event::Settled(..) if self.heard != self.finished => {
                Err("the settlement follows every finish")
            }
            Event::Settled(..) => {
                self.settled = true;
                Ok(())
            }
            Event::Done if self.finished.is_empty() || self.heard != self.finished => {
                Err("a stream without a finish is not done")
            }
            Event::Done => {
                self.done = true;
                Ok(())
            }
        }
    }

    fn content(&mut self, choice: u32) -> Result<(), &'static str> {
        self.heard.insert(choice);
        if self.finished.contains(&choice) {
            return Err("nothing of an answer follows its finish");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As relays do, who tell their client of the error and let go.
    #[test]
    fn nobody_reads_on_behind_an_error() {
        let error = "data: {\"error\":{\"code\":500,\"message\":\"m\"}}\n\n";
        for format in Format::ALL {
            if Framing::of(format) != Framing::Sse {
                continue;
            }
            let stream = format!("{error}event: none\ndata: {{\"\n\n");
            let whole = read_stream(crate::codec(format), [stream.as_bytes()]);
            check(&whole).unwrap();
            let cut = read_stream(crate::codec(format), stream.as_bytes().chunks(3));
            assert_eq!(whole.summary(), cut.summary(), "{format:?}");
        }
    }
}
