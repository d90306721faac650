//! OpenAI's chat completions, with OpenRouter's additions.

use bourse_vocab::chat::{Reply, Request};
use bourse_vocab::{Failure, Format};

use crate::codec::{Codec, ErrorReply, Stamp, StreamReader, StreamWriter, WriteTarget, Written};

pub mod passthrough;
pub mod usage;

/// OpenAI's chat completions, with OpenRouter's additions.
#[derive(Debug, Clone, Copy)]
pub struct OpenAiChat;

impl Codec for OpenAiChat {
    fn format(&self) -> Format {
        Format::OpenAiChat
    }

    fn read_request(&self, _body: &[u8]) -> Result<Request, Failure> {
        unimplemented!()
    }

    fn write_request(
        &self,
        _request: &Request,
        _target: &WriteTarget<'_>,
    ) -> Result<Written, Failure> {
        unimplemented!()
    }

    fn read_reply(&self, _body: &[u8]) -> Result<Reply, Failure> {
        unimplemented!()
    }

    fn write_reply(&self, _reply: &Reply, _stamp: &Stamp<'_>) -> Vec<u8> {
        unimplemented!()
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        unimplemented!()
    }

    fn stream_writer(&self, _stamp: &Stamp<'_>) -> Box<dyn StreamWriter> {
        unimplemented!()
    }

    fn read_failure(&self, _reply: &ErrorReply<'_>) -> Failure {
        unimplemented!()
    }

    fn write_failure(&self, _failure: &Failure) -> Vec<u8> {
        unimplemented!()
    }
}
