//! Anthropic's Messages.
//!
//! Written against version `2023-06-01` of the API, which the provider layer
//! puts into the `anthropic-version` header: the later `2026-10-21` refuses
//! sampling parameters that older models still take (platform.claude.com,
//! migration to 2026-10-21, October 2026). No beta header is needed for what
//! the writer writes, structured outputs, effort and adaptive thinking
//! included; only `file` sources, which are written for Anthropic's own
//! clients alone, need `files-api-2025-04-14` (platform.claude.com, Files
//! API, 2026).
//!
//! Not carried over: citations of documents (only web citations have a
//! place in OpenAI's `annotations`), and blocks of Anthropic's server tools
//! in streams. Both survive where client and provider both speak Anthropic,
//! because there the bytes are passed through.

mod failure;
mod model;
pub mod passthrough;
mod reply;
mod request;
mod seal;
mod stream;
#[cfg(test)]
mod tests;
mod usage;

use bourse_vocab::chat::{Reply, Request};
use bourse_vocab::json::Value;
use bourse_vocab::{Failure, Format};

use crate::codec::{Codec, ErrorReply, Stamp, StreamReader, StreamWriter, WriteTarget, Written};
use crate::dialect::json_answer;

pub use failure::write_with_id;
pub(crate) use model::Model;
pub use model::{ThinkingStyle, takes_prefill, thinking_style};
// Claude is told the same elsewhere, in another shape.
pub(crate) use request::{Given, plan, read_thinking, unknown_sampling, unless};

/// Whose signatures these are, in OpenRouter's words.
const SCHEME: &str = "anthropic-claude-v1";

/// Anthropic's Messages.
#[derive(Debug, Clone, Copy)]
pub struct Anthropic;

impl Codec for Anthropic {
    fn format(&self) -> Format {
        Format::Anthropic
    }

    fn read_value(&self, body: Value) -> Result<Request, Failure> {
        request::read(body)
    }

    fn write_request(
        &self,
        request: &Request,
        target: &WriteTarget<'_>,
    ) -> Result<Written, Failure> {
        let model = Model::named(target.model);
        let by_tool = json_answer::by_tool(request, model.structured, model.forced_tools);
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

    fn write_reply(&self, reply: &Reply, stamp: &Stamp<'_>) -> Vec<u8> {
        reply::write(reply, stamp)
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(json_answer::Told::<stream::Reader>::default())
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
