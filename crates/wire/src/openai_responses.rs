//! OpenAI's Responses, with OpenRouter's additions (openrouter.ai/docs, API
//! document of 27 October 2026; platform.openai.com/docs/api-reference/
//! responses, November 2026).
//!
//! One answer is a list of items: a message, pieces of reasoning, calls. What
//! the vocabulary has no word for is kept whole and goes back to who has this
//! format, and to nobody else.
//!
//! A custom tool, whose input is plain text, is offered to every model as a
//! function with one text ([`custom`]): the client that defined it is told of
//! its calls in its own words.

mod annotations;
pub mod custom;
pub mod echo;
mod failure;
mod item;
pub mod members;
mod paths;
mod pieces;
mod reply;
mod request;
mod response;
mod stream;
#[cfg(test)]
mod tests;
pub mod tools;
mod usage;

use std::sync::Arc;

use bourse_vocab::chat::{Reply, Request};
use bourse_vocab::json::Value;
use bourse_vocab::{Failure, Format};

use crate::codec::{Codec, ErrorReply, Stamp, StreamReader, StreamWriter, WriteTarget, Written};

pub use echo::Echo;
pub(crate) use members::is_shared_with_chat;
pub use paths::locate;

/// The end of a stream (openrouter.ai/docs, Responses, streaming, 2026).
const DONE: &[u8] = b"data: [DONE]\n\n";
/// Whose sealed thoughts OpenAI's are, in OpenRouter's words.
const SCHEME: &str = "openai-responses-v1";
/// What the ids of items that are made up here have behind their prefix: ids
/// of generations begin so, and no provider's ids do.
const MADE_UP: &str = "_gen-";

/// OpenAI's Responses.
#[derive(Debug, Clone, Copy)]
pub struct OpenAiResponses;

impl Codec for OpenAiResponses {
    fn format(&self) -> Format {
        Format::OpenAiResponses
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
        write_reply(reply, stamp, &Echo::default())
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(stream::Reader::default())
    }

    fn stream_writer(&self, stamp: &Stamp<'_>) -> Box<dyn StreamWriter> {
        stream_writer(stamp, Arc::default())
    }

    fn read_failure(&self, reply: &ErrorReply<'_>) -> Failure {
        crate::failure_text::read(reply)
    }

    fn write_failure(&self, failure: &Failure) -> Vec<u8> {
        failure::write(failure)
    }
}

/// Writes a whole reply that repeats what was asked for.
#[must_use]
pub fn write_reply(reply: &Reply, stamp: &Stamp<'_>, echo: &Echo) -> Vec<u8> {
    reply::write(reply, stamp, echo)
}

/// Begins a stream whose responses repeat what was asked for.
#[must_use]
pub fn stream_writer(stamp: &Stamp<'_>, echo: Arc<Echo>) -> Box<dyn StreamWriter> {
    Box::new(stream::Writer::new(stamp, echo))
}
