//! Pairs of what goes in and what comes out, through the whole codec.

mod failures;
mod replies;
mod requests;
mod streams;

use bourse_vocab::Failure;
use bourse_vocab::chat::{Loss, Request};
use bourse_vocab::json::Value;

use super::Bedrock;
use crate::codec::{Codec, WriteTarget};
use crate::dialect::{Dialect, TierWords};
use crate::openai_chat::OpenAiChat;

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const OPUS: &str = "global.anthropic.claude-opus-4-6-v1";
const NOVA: &str = "us.amazon.nova-pro-v1:0";
const LLAMA: &str = "meta.llama4-maverick-17b-instruct-v1:0";

/// A request as Bedrock gets it, and what could not be said.
fn write(request: &Request, model: &str) -> (Value, Vec<Loss>) {
    try_write(request, model).unwrap()
}

/// The same, if it can be said at all.
fn try_write(request: &Request, model: &str) -> Result<(Value, Vec<Loss>), Failure> {
    const OWN: Dialect = Dialect {
        tiers: TierWords::NONE,
        ..Dialect::PLAIN
    };
    let target = WriteTarget {
        model,
        max_output: Some(64_000),
        limit: None,
        efforts: bourse_vocab::chat::Efforts::default(),
        tier: bourse_vocab::TierWish::None,
        dialect: &OWN,
    };
    let written = Bedrock.write_request(request, &target)?;
    let body = bourse_vocab::json::parse(&written.body).unwrap();
    Ok((body, written.losses))
}

/// A chat completion request as Bedrock gets it, and the fields lost.
fn from_chat(body: &Value, model: &str) -> (Value, Vec<String>) {
    let request = OpenAiChat
        .read_request(body.to_string().as_bytes())
        .unwrap();
    let (body, losses) = write(&request, model);
    (body, losses.into_iter().map(|loss| loss.field).collect())
}
