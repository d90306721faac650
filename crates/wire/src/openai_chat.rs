//! OpenAI's chat completions, with OpenRouter's additions.

pub mod completions;
pub(crate) mod failure;
pub mod passthrough;
mod paths;
pub(crate) mod reasoning;
mod reply;
mod request;
mod stream;
pub mod usage;

#[cfg(test)]
mod tests;

use bourse_vocab::chat::{Reply, Request};
use bourse_vocab::json::Value;
use bourse_vocab::{Failure, Format};

pub use paths::locate;

use crate::codec::{Codec, ErrorReply, Stamp, StreamReader, StreamWriter, WriteTarget, Written};

/// The end of a stream.
const DONE: &[u8] = b"data: [DONE]\n\n";

/// OpenAI's chat completions, with OpenRouter's additions.
#[derive(Debug, Clone, Copy)]
pub struct OpenAiChat;

impl Codec for OpenAiChat {
    fn format(&self) -> Format {
        Format::OpenAiChat
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
        Box::new(stream::ChatReader::default())
    }

    fn stream_writer(&self, stamp: &Stamp<'_>) -> Box<dyn StreamWriter> {
        Box::new(stream::ChunkWriter::new(stream::ChatBits, stamp))
    }

    fn read_failure(&self, reply: &ErrorReply<'_>) -> Failure {
        crate::failure_text::read(reply)
    }

    fn write_failure(&self, failure: &Failure) -> Vec<u8> {
        failure::write(failure)
    }
}
