//! Ollama's own `POST /api/chat` (docs/api.md, docs/api/errors.mdx and
//! api/types.go of ollama/ollama, August 2026).
//!
//! What it says that its imitation of OpenAI's API has no word for: how long a
//! model stays in memory (`keep_alive`), how it runs (`options`, among them the
//! size of its context), thinking on, off or by level, and counts in every
//! stream. Streams are lines of JSON ([`crate::framing::Framing::JsonLines`]),
//! of which the last says `"done": true`.
//!
//! Not carried over: files, sound and films, which it has no member for, and
//! pictures that it would have to fetch.

mod logprobs;
mod moment;
mod reply;
mod request;
mod stream;
#[cfg(test)]
mod tests;
mod usage;

use bourse_vocab::chat::{Reply, Request};
use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{Failure, Format};

use crate::codec::{Codec, ErrorReply, Stamp, StreamReader, StreamWriter, WriteTarget, Written};
use crate::failure_text;

/// Ollama's chat.
#[derive(Debug, Clone, Copy)]
pub struct Ollama;

impl Codec for Ollama {
    fn format(&self) -> Format {
        Format::Ollama
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

    /// An error is `{"error": "a sentence"}`, and its status tells the rest.
    fn read_failure(&self, reply: &ErrorReply<'_>) -> Failure {
        failure_text::read(reply)
    }

    fn write_failure(&self, failure: &Failure) -> Vec<u8> {
        json!({"error": failure.message}).to_string().into_bytes()
    }
}

/// The member of `value` that is a text.
fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}
