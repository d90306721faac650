//! Amazon Bedrock's Converse and ConverseStream (service model of
//! `bedrock-runtime` 2023-09-30 in botocore 1.44.8, November 2026; "Using the
//! Converse API", docs.aws.amazon.com, 2026).
//!
//! One shape for the models of many makers: what all of them have is in it,
//! what one of them has besides goes into `additionalModelRequestFields`. The
//! model and whether to stream stand in the URL, so neither is in a body, and
//! what is read has an empty `model`, as with Gemini. Streams are binary
//! messages ([`crate::framing::Framing::EventStream`]).
//!
//! Not carried over: blocks of tools that Amazon runs itself, and pictures
//! that come in pieces of a stream, which no model of the catalog makes here.

mod blob;
mod failure;
mod model;
mod reply;
mod request;
mod stream;
#[cfg(test)]
mod tests;
mod usage;

use bourse_vocab::chat::{Reply, Request};
use bourse_vocab::json::Value;
use bourse_vocab::{Failure, Format};

use crate::codec::{Codec, ErrorReply, Stamp, StreamReader, StreamWriter, WriteTarget, Written};
use crate::dialect::json_answer;

/// Whose signatures these are: Claude's are good wherever it is called
/// (platform.claude.com, extended thinking, 2026), and no other maker's models
/// sign here.
const SCHEME: &str = "anthropic-claude-v1";

/// Amazon Bedrock's Converse.
#[derive(Debug, Clone, Copy)]
pub struct Bedrock;

impl Codec for Bedrock {
    fn format(&self) -> Format {
        Format::Bedrock
    }

    fn read_value(&self, body: Value) -> Result<Request, Failure> {
        request::read(body)
    }

    fn write_request(
        &self,
        request: &Request,
        target: &WriteTarget<'_>,
    ) -> Result<Written, Failure> {
        let model = model::Model::named(target.model);
        let forces = model.claude.forced_tools && model.takes_names_and_statuses();
        let by_tool = json_answer::by_tool(request, model.claude.structured, forces);
        let Some((asked, loss)) = by_tool else {
            return request::write(request, target);
        };
        let mut written = request::write(&asked, target)?;
        written.losses.push(loss);
        Ok(written)
    }

    fn read_reply(&self, body: &[u8]) -> Result<Reply, Failure> {
        reply::read(body).map(json_answer::told)
    }

    fn write_reply(&self, reply: &Reply, _stamp: &Stamp<'_>) -> Vec<u8> {
        reply::write(reply)
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(json_answer::Told::<stream::Reader>::default())
    }

    fn stream_writer(&self, _stamp: &Stamp<'_>) -> Box<dyn StreamWriter> {
        Box::new(stream::Writer::default())
    }

    fn read_failure(&self, reply: &ErrorReply<'_>) -> Failure {
        failure::read(reply)
    }

    fn write_failure(&self, failure: &Failure) -> Vec<u8> {
        failure::write(failure)
    }
}

/// The member of `value` that is a text.
fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}
