//! Google's generateContent, as `generativelanguage.googleapis.com` serves
//! it under `v1beta` (Gemini API reference, November 2026).
//!
//! The model and whether to stream stand in the URL, so neither is in a
//! body: what is read has an empty `model`, and callers fill it in.

mod failure;
mod model;
mod part;
pub mod passthrough;
mod reply;
mod request;
mod schema;
pub(crate) mod seal;
mod stream;
pub(crate) mod usage;

#[cfg(test)]
mod tests;

use bourse_vocab::chat::{Reply, Request};
use bourse_vocab::json::Value;
use bourse_vocab::{Failure, Format};

use crate::codec::{Codec, ErrorReply, Stamp, StreamReader, StreamWriter, WriteTarget, Written};

pub(crate) use request::fields;
pub(crate) use usage::costs as usage_costs;

/// Google's generateContent.
#[derive(Debug, Clone, Copy)]
pub struct Gemini;

/// Whose thoughts these are, in OpenRouter's words.
const SCHEME: &str = "google-gemini-v1";

impl Codec for Gemini {
    fn format(&self) -> Format {
        Format::Gemini
    }

    fn read_value(&self, body: Value) -> Result<Request, Failure> {
        request::read(body)
    }

    fn write_request(
        &self,
        request: &Request,
        target: &WriteTarget<'_>,
    ) -> Result<Written, Failure> {
        request::write(request, target)
    }

    fn read_reply(&self, body: &[u8]) -> Result<Reply, Failure> {
        reply::read(body)
    }

    fn write_reply(&self, reply: &Reply, stamp: &Stamp<'_>) -> Vec<u8> {
        write_reply(reply, stamp, Manner::default())
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(stream::Reader::default())
    }

    fn stream_writer(&self, stamp: &Stamp<'_>) -> Box<dyn StreamWriter> {
        stream_writer(stamp, Manner::default())
    }

    fn read_failure(&self, reply: &ErrorReply<'_>) -> Failure {
        failure::read(reply)
    }

    fn write_failure(&self, failure: &Failure) -> Vec<u8> {
        failure::write(failure)
    }
}

/// How an answer is told to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// A stream is one JSON array instead of server-sent events.
    pub is_array: bool,
    /// What the model thought is shown.
    pub shows_thoughts: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            is_array: false,
            shows_thoughts: true,
        }
    }
}

/// Writes a whole reply for a client.
#[must_use]
pub fn write_reply(reply: &Reply, stamp: &Stamp<'_>, manner: Manner) -> Vec<u8> {
    reply::write(reply, stamp, manner.shows_thoughts)
}

/// Begins to write a client's stream.
#[must_use]
pub fn stream_writer(stamp: &Stamp<'_>, manner: Manner) -> Box<dyn StreamWriter> {
    Box::new(stream::Writer::new(stamp, manner))
}

/// The member of `value` that is a text.
fn text<'a>(value: &'a bourse_vocab::json::Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(bourse_vocab::json::Value::as_str)
}
