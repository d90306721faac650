//! Google's generateContent, as `generativelanguage.googleapis.com` serves
//! it under `v1beta` (Gemini API reference, November 2026).
//!
//! The model and whether to stream stand in the URL, so neither is in a
//! body: what is read has an empty `model`, and callers fill it in.

mod failure;
mod model;
mod part;
mod reply;
mod request;
mod schema;
mod stream;
mod usage;

#[cfg(test)]
mod tests;

use bourse_vocab::chat::{Reply, Request};
use bourse_vocab::json::Value;
use bourse_vocab::{Failure, Format};

use crate::codec::{Codec, ErrorReply, Stamp, StreamReader, StreamWriter, WriteTarget, Written};

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
        reply::write(reply, stamp)
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(stream::Reader::default())
    }

    fn stream_writer(&self, stamp: &Stamp<'_>) -> Box<dyn StreamWriter> {
        Box::new(stream::Writer::new(stamp))
    }

    fn read_failure(&self, reply: &ErrorReply<'_>) -> Failure {
        failure::read(reply)
    }

    fn write_failure(&self, failure: &Failure) -> Vec<u8> {
        failure::write(failure)
    }
}

/// The member of `value` that is a text.
fn text<'a>(value: &'a bourse_vocab::json::Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(bourse_vocab::json::Value::as_str)
}
