//! Passing a whole reply on.

use bourse_vocab::{Bill, Failure, Usage, UsageReport};

use super::chunk::rewrite;
use super::faults::{by_provider, malformed};
use super::form::Form;
use super::relay::FinishSeen;
use super::seen::Seen;
use super::state::State;
use crate::codec::Stamp;
use crate::dialect::parameters::CHOICES_MAX;
use crate::lossy;
use crate::openai_chat::usage::write_usage;
use crate::tool_calls::Made;

/// A provider's reply, ready for the client but for its price.
#[derive(Debug, Clone)]
pub struct ReplyParts {
    /// Everything but usage, metadata and the last brace.
    text: Vec<u8>,
    metadata: Option<String>,
    /// What the provider says it counted.
    pub usage: Option<UsageReport>,
    /// Why each choice ended; those that do not say are not listed.
    pub finishes: Vec<FinishSeen>,
    /// Whether there is any text, thought, tool call, refusal, sound or
    /// picture. Without, the caller may not owe anything.
    pub has_content: bool,
    /// Bytes of content as written in JSON: no fewer than tokens.
    pub content_bytes: u64,
    /// The provider's id for the answer.
    pub upstream_id: Option<String>,
    /// The model as the provider names it.
    pub upstream_model: Option<String>,
    /// The tier that served, where the provider says so.
    pub service_tier: Option<String>,
    /// The tool calls, to be judged.
    pub calls: Option<Box<Made>>,
}

impl ReplyParts {
    /// The client's reply, with usage and price.
    #[must_use]
    pub fn render(self, usage: &Usage, bill: &Bill) -> Vec<u8> {
        let mut out = self.text;
        out.extend_from_slice(b",\"usage\":");
        write_usage(usage, bill, &mut out);
        if let Some(metadata) = &self.metadata {
            out.extend_from_slice(b",\"openrouter_metadata\":");
            out.extend_from_slice(metadata.as_bytes());
        }
        out.push(b'}');
        out
    }
}

/// Room for what a reply grows by: head, usage, native reasons.
const GROWTH: usize = 1_024;

/// Reads a reply and puts it into the client's shape; members that the
/// gateway does not know survive byte for byte.
///
/// A body that is not a chat completion with choices is a failure of kind
/// `Unavailable`, so that another target is tried; one that reports an
/// error is that error.
pub fn splice_reply(
    body: &[u8],
    stamp: &Stamp<'_>,
    hide_reasoning: bool,
) -> Result<ReplyParts, Failure> {
    let body = lossy::utf8(body);
    let mut text = Vec::with_capacity(body.len().saturating_add(GROWTH));
    Form::Reply.head(stamp, &mut text);
    let mut state = State::default();
    let mut seen = Seen::default();
    rewrite(
        &body,
        Form::Reply,
        hide_reasoning,
        &mut state,
        &mut seen,
        &mut text,
    )?;
    if let Some(error) = seen.error {
        return Err(by_provider(*error, stamp.provider));
    }
    if seen.choices.is_empty() {
        return Err(malformed("the reply has no choices"));
    }
    if seen.choices.len() as u64 > CHOICES_MAX {
        return Err(malformed(
            "the reply has more choices than can be asked for",
        ));
    }
    let content_bytes = seen.content_bytes();
    let finishes = seen.choices.into_iter().filter_map(|choice| {
        choice.finish.map(|(reason, native)| FinishSeen {
            choice: choice.index,
            reason,
            native: native.unwrap_or_default(),
        })
    });
    Ok(ReplyParts {
        text,
        metadata: stamp.metadata.map(str::to_owned),
        finishes: finishes.collect(),
        usage: seen.usage,
        has_content: seen.shows_content || content_bytes > 0,
        content_bytes: u64::try_from(content_bytes).unwrap_or(u64::MAX),
        upstream_id: seen.upstream_id,
        upstream_model: seen.upstream_model,
        service_tier: seen.service_tier,
        calls: state.made,
    })
}
