//! Passing a stream on, event by event.
//!
//! Events go on as they came, but for two: `message_start` gets the id, the
//! model and the provider, and the `message_delta` that says why the answer
//! ended is held back until the call is settled, and says then what it cost.
//! The end, `message_stop`, follows it.

use std::borrow::Cow;

use bourse_vocab::{Bill, Usage};
use bytes::Bytes;

use super::reply::{Marks, marked, priced};
use crate::codec::Stamp;
use crate::json::splice::Splice;
use crate::json::{Kind, scan, text, walk};
use crate::lossy;
use crate::sse::{Frame, write_frame};

/// A stream of which all was read that has been passed on.
#[derive(Debug)]
pub struct StreamEdits {
    marks: Marks,
    metadata: Option<String>,
    /// The event that is held back. One at most, and no longer than an event
    /// may be.
    held: Option<Vec<u8>>,
}

impl StreamEdits {
    /// A stream that nothing has been written to.
    #[must_use]
    pub fn new(stamp: &Stamp<'_>) -> Self {
        Self {
            marks: Marks::of(stamp),
            metadata: stamp.metadata.map(str::to_owned),
            held: None,
        }
    }

    /// Passes on an event that was read and understood, appending to `out`.
    pub fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) {
        let text = lossy::utf8(frame.data);
        let data = text.as_bytes();
        let kind = kind_of(data).unwrap_or(Cow::Borrowed(frame.event));
        match &*kind {
            "message_start" => {
                let started = self.started(data);
                emit(&kind, started.as_deref().unwrap_or(data), out);
            }
            "message_delta" => {
                self.release(out);
                self.held = Some(data.to_vec());
            }
            // Told when the call is settled.
            "message_stop" => {}
            "ping" => emit(&kind, data, out),
            _ => {
                self.release(out);
                emit(&kind, data, out);
            }
        }
    }

    /// Appends what the answer cost, and the end.
    pub fn settle(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        if let Some(held) = self.held.take() {
            let data = self.concluded(&held, usage, bill);
            emit("message_delta", data.as_deref().unwrap_or(&held), out);
        }
        emit("message_stop", b"{\"type\":\"message_stop\"}", out);
    }

    /// Writes what was held back: it was not the last of its kind.
    fn release(&mut self, out: &mut Vec<u8>) {
        if let Some(held) = self.held.take() {
            emit("message_delta", &held, out);
        }
    }

    fn started(&self, data: &[u8]) -> Option<Vec<u8>> {
        let message = object(data, b"message")?;
        let message = marked(message, &self.marks)?;
        edited(data, [("message", message)])
    }

    fn concluded(&self, data: &[u8], usage: &Usage, bill: &Bill) -> Option<Vec<u8>> {
        let usage = priced(object(data, b"usage"), usage, bill);
        let metadata = self.metadata.clone().map(String::into_bytes);
        let metadata = metadata.map(|metadata| ("openrouter_metadata", metadata));
        edited(data, [("usage", usage)].into_iter().chain(metadata))
    }
}

/// Appends an event under its own name: SDKs skip those without, and other
/// framings than server-sent events have no place for it.
fn emit(kind: &str, data: &[u8], out: &mut Vec<u8>) {
    write_frame(&Frame { event: kind, data }, out);
}

/// The longest type of an event, quoted: known ones have some twenty letters.
/// It is told as the event's name beside it, which no reader expects to be long.
const KIND_BYTES_MAX: usize = 128;

/// The type of an event.
fn kind_of(data: &[u8]) -> Option<Cow<'_, str>> {
    let member = walk::members(data).find(|member| member.name == b"type")?;
    let is_short = member.value.len() <= KIND_BYTES_MAX;
    text::string(member.value).filter(|_| is_short)
}

/// A member that is an object.
fn object<'a>(data: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let member = walk::members(data).find(|member| member.name == name)?;
    (member.kind == Kind::Object).then_some(member.value)
}

/// An object with other values; nothing, if it can be read in two ways.
fn edited(
    data: &[u8],
    values: impl IntoIterator<Item = (&'static str, Vec<u8>)>,
) -> Option<Vec<u8>> {
    let outline = scan(data).ok()?;
    let mut splice = Splice::new(&outline);
    for (name, value) in values {
        splice.set(name, value);
    }
    Some(splice.write(&[Bytes::copy_from_slice(data)]).concat())
}
