//! Cohere's `POST /v2/chat` (types of cohere-ai/cohere-python, August 2026;
//! docs.cohere.com/reference/chat and /docs/streaming, 2026).
//!
//! What it says that its imitation of OpenAI's API has no word for: what is
//! billed apart from what was counted, the plan before a call of tools, how many
//! tokens may be thought, and documents that answers cite.
//!
//! Not carried over: log probabilities, which are of pieces of text and not of
//! tokens; files and sound, which it has no member for; and citations of what has
//! no address, for which the public shape has no place.

mod model;
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

/// Cohere's chat.
#[derive(Debug, Clone, Copy)]
pub struct Cohere;

impl Codec for Cohere {
    fn format(&self) -> Format {
        Format::Cohere
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

    /// An error is `{"id": …, "message": "a sentence"}`
    /// (docs.cohere.com/reference/errors, 2026). A token that is refused has a
    /// status of its own, 498.
    fn read_failure(&self, reply: &ErrorReply<'_>) -> Failure {
        let status = if reply.status == 498 {
            401
        } else {
            reply.status
        };
        let mut failure = failure_text::read(&ErrorReply { status, ..*reply });
        if let Some(upstream) = &mut failure.upstream {
            upstream.status = Some(reply.status);
        }
        failure
    }

    fn write_failure(&self, failure: &Failure) -> Vec<u8> {
        json!({"message": failure.message}).to_string().into_bytes()
    }
}

/// The member of `value` that is a text.
fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}
