//! A picture that is streamed: beginnings of it, and the whole one last, with
//! the usage (`image_generation.partial_image` and `.completed`, and the same of
//! `image_edit`; openai-python 3, `image_gen_*_event.py`, November 2026).

use std::borrow::Cow;

use bourse_vocab::{Bill, Failure, Usage, UsageReport};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::read::{broken, usage};
use super::reply::openais_usage;
use crate::object::Object;
use crate::sse::{Frame, write_frame};

/// Tokens of each beginning that is shown
/// (developers.openai.com/api/docs/guides/image-generation, streaming, 2026:
/// "each partial image will incur an additional 100 image output tokens").
pub const PARTIAL_TOKENS: u64 = 100;

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The beginning of a picture.
    Partial,
    /// The whole picture: that was all.
    Done,
    /// Nothing that anybody would notice.
    Nothing,
}

/// An event, as far as it is read.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    b64_json: Option<&'a RawValue>,
    #[serde(borrow, default)]
    created_at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    background: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output_format: Option<&'a RawValue>,
    #[serde(borrow, default)]
    quality: Option<&'a RawValue>,
    #[serde(borrow, default)]
    size: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// Reads the events of a picture and passes them on, but for the last.
#[derive(Debug, Default)]
pub struct Stream {
    /// What the provider counted.
    pub usage: UsageReport,
    /// The name of the last event, and its members but for usage.
    done: Option<(String, Vec<u8>)>,
    is_done: bool,
}

impl Stream {
    /// Reads a frame. Beginnings are passed on as they came; the whole picture
    /// waits for its price, and what has another name is passed by.
    ///
    /// # Errors
    /// It is no event, it is an error, or what it shows is no picture.
    pub fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<Told, Failure> {
        if self.is_done || frame.data == b"[DONE]" {
            return Ok(Told::Nothing);
        }
        let event: Event<'_> = serde_json::from_slice(frame.data)
            .map_err(|error| broken("an event is none").inside(error.to_string()))?;
        let kind = event.kind.as_deref().unwrap_or_default();
        if kind == "error" || event.error.is_some_and(|error| error.get() != "null") {
            return Err(broken("the provider reported an error"));
        }
        let (is_whole, is_partial) = (
            kind.ends_with(".completed"),
            kind.ends_with(".partial_image"),
        );
        if !is_whole && !is_partial {
            return Ok(Told::Nothing);
        }
        if !event.b64_json.is_some_and(|text| is_picture(text.get())) {
            return Err(broken("an event has none"));
        }
        if is_partial {
            write_frame(frame, out);
            return Ok(Told::Partial);
        }
        self.usage = usage(event.usage);
        self.usage.units.pictures = Some(1);
        self.done = Some((kind.to_owned(), without_usage(kind, &event)));
        self.is_done = true;
        Ok(Told::Done)
    }

    /// Writes the last event, with what was used and what that costs.
    pub fn finish(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        let Some((kind, mut data)) = self.done.take() else {
            return;
        };
        let mut event = Object::resume(&mut data);
        event.nested("usage", |out| openais_usage(usage, bill, out));
        event.close();
        let frame = Frame {
            event: &kind,
            data: &data,
        };
        write_frame(&frame, out);
    }
}

/// Whether a JSON value is a text of base64, and not an empty one.
fn is_picture(json: &str) -> bool {
    let text = json
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    text.is_some_and(|text| {
        // A slash may be escaped.
        let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=\\".contains(&byte);
        !text.is_empty() && text.bytes().all(is_digit)
    })
}

/// The event's own members, open for its usage.
fn without_usage(kind: &str, event: &Event<'_>) -> Vec<u8> {
    let picture = event.b64_json.map_or(0, |text| text.get().len());
    // Members around the picture, with usage.
    let mut out = Vec::with_capacity(picture.saturating_add(1_024));
    let mut whole = Object::open(&mut out);
    whole.put("type", kind);
    for (name, value) in [
        ("b64_json", event.b64_json),
        ("created_at", event.created_at),
        ("background", event.background),
        ("output_format", event.output_format),
        ("quality", event.quality),
        ("size", event.size),
    ] {
        if let Some(value) = value {
            whole.raw(name, value.get());
        }
    }
    out
}
