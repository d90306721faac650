//! What Amazon's Converse checks of a conversation, and what the models of
//! Anthropic behind it do.
//!
//! Facts: the service model of `bedrock-runtime` 2023-09-30 in botocore 1.44.8
//! (`ToolUseBlock`, `ToolResultBlock`: ids of 1 to 64 of `[a-zA-Z0-9_-]`),
//! docs.aws.amazon.com "Use a tool to complete an Amazon Bedrock model
//! response" and "Claude extended thinking", read 2026-11; the model's own
//! refusals come as in anomalyco/opencode #3077.

use serde_json::Value;

use super::{claude_signature, is_plain, list, text};
use crate::ask::{Refusal, Replay};

const ID_CHARS_MAX: usize = 64;

pub(super) fn read(body: &Value) -> Result<Replay, Refusal> {
    let messages = list(body.get("messages"));
    let mut called: Vec<&str> = Vec::new();
    let mut last_role = "";
    for (at, message) in messages.iter().enumerate() {
        let role = text(message, "role");
        if role == last_role {
            return Err(Refusal::bad(
                "A conversation must alternate between user and assistant roles. Make sure the \
                 conversation alternates between user and assistant roles and try again.",
            ));
        }
        last_role = role;
        let blocks = list(message.get("content"));
        check_blocks(at, blocks)?;
        if role == "user" {
            check_results(at, blocks, &called)?;
        }
        called = members(blocks, "toolUse")
            .map(|call| text(call, "toolUseId"))
            .collect();
    }
    if !called.is_empty() {
        check_results(messages.len(), &[], &called)?;
    }
    let rounds: Vec<usize> = (0..messages.len())
        .filter(|at| messages.get(*at).is_some_and(calls))
        .collect();
    let thinking = body.pointer("/additionalModelRequestFields/thinking/type");
    let is_enabled = thinking.and_then(Value::as_str) == Some("enabled");
    let open = messages
        .len()
        .checked_sub(2)
        .filter(|at| rounds.contains(at));
    if let Some(at) = open.filter(|_| is_enabled)
        && messages
            .get(at)
            .is_some_and(|message| !thinks_first(message))
    {
        return Err(of_model(format!(
            "messages.{at}.content.0.type: Expected `thinking` or `redacted_thinking`, but found \
             `tool_use`. When `thinking` is enabled, a final `assistant` message must start with a \
             thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks)."
        )));
    }
    let said = messages.iter().rposition(|message| {
        text(message, "role") == "user"
            && members(list(message.get("content")), "toolResult")
                .next()
                .is_none()
    });
    let past = rounds
        .iter()
        .filter(|at| said.is_some_and(|said| **at < said))
        .count();
    let is_unthought = |at: &usize| {
        messages
            .get(*at)
            .is_some_and(|message| !thinks_first(message))
    };
    let unthought = rounds.iter().skip(past).position(is_unthought);
    Ok(Replay {
        rounds: rounds.len(),
        unthought: unthought.map(|at| past + at),
    })
}

/// A refusal of the model's, as the service hands it on.
fn of_model(sentence: impl std::fmt::Display) -> Refusal {
    Refusal::bad(format!(
        "The model returned the following errors: {sentence}"
    ))
}

fn members<'a>(blocks: &'a [Value], name: &'static str) -> impl Iterator<Item = &'a Value> {
    blocks.iter().filter_map(move |block| block.get(name))
}

fn calls(message: &Value) -> bool {
    members(list(message.get("content")), "toolUse")
        .next()
        .is_some()
}

fn thinks_first(message: &Value) -> bool {
    let first = list(message.get("content")).first();
    first.is_some_and(|block| block.get("reasoningContent").is_some())
}

fn check_blocks(message: usize, blocks: &[Value]) -> Result<(), Refusal> {
    for (at, block) in blocks.iter().enumerate() {
        if let Some(said) = block.get("text").and_then(Value::as_str)
            && said.trim().is_empty()
        {
            return Err(Refusal::bad(format!(
                "The text field in the ContentBlock object at messages.{message}.content.{at} is \
                 blank. Add text to the text field, and try again."
            )));
        }
        if let Some(thought) = block.pointer("/reasoningContent/reasoningText")
            && text(thought, "signature") != claude_signature(text(thought, "text"))
        {
            return Err(of_model(format!(
                "messages.{message}.content.{at}: Invalid `signature` in `thinking` block"
            )));
        }
        if block.pointer("/reasoningContent/redactedContent").is_some() {
            return Err(of_model(format!(
                "messages.{message}.content.{at}: Invalid `data` in `redacted_thinking` block"
            )));
        }
        let id = block.get("toolUse").or_else(|| block.get("toolResult"));
        let id = id.map(|of| text(of, "toolUseId"));
        if let Some(id) = id.filter(|id| !is_plain(id) || id.len() > ID_CHARS_MAX) {
            return Err(Refusal::bad(format!(
                "1 validation error detected: Value '{id}' at 'messages.{message}.content.{at}.toolUseId' \
                 failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+"
            )));
        }
    }
    Ok(())
}

fn check_results(message: usize, blocks: &[Value], called: &[&str]) -> Result<(), Refusal> {
    let results: Vec<&str> = members(blocks, "toolResult")
        .map(|result| text(result, "toolUseId"))
        .collect();
    let missing: Vec<&str> = called
        .iter()
        .filter(|id| !results.contains(id))
        .copied()
        .collect();
    if !missing.is_empty() {
        return Err(Refusal::bad(format!(
            "Expected toolResult blocks at messages.{message}.content for the following Ids: {}",
            missing.join(", ")
        )));
    }
    if results.len() > called.len() {
        return Err(Refusal::bad(format!(
            "The number of toolResult blocks at messages.{message}.content exceeds the number of \
             toolUse blocks of previous turn."
        )));
    }
    Ok(())
}
