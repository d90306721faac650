//! What OpenAI checks of a conversation in Chat Completions.
//!
//! Facts: OpenAI API reference "Chat Completions" (`messages`: a tool message
//! answers a call by its id; its content is text) and guide "Function calling",
//! read 2026-11; the sentences as OpenAI's API gives them. Servers that show
//! thoughts as `reasoning_content` want them back within a turn (DeepSeek,
//! "Thinking mode", tool calls, read 2026-11), which a script asks for.

use serde_json::Value;

use super::{is_plain, list, text};
use crate::ask::{Refusal, Replay};

/// Longest id of a call.
const ID_CHARS_MAX: usize = 40;
/// Longest name of a function.
const NAME_CHARS_MAX: usize = 64;

pub(super) fn read(body: &Value) -> Result<Replay, Refusal> {
    let messages = list(body.get("messages"));
    let mut replay = Replay::default();
    // Calls that no result has come for yet.
    let mut waiting: Vec<&str> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let role = text(message, "role");
        if role == "tool" {
            check_result(at, message)?;
            let id = text(message, "tool_call_id");
            let known = waiting.iter().position(|waits| *waits == id);
            let known = known.ok_or_else(|| {
                Refusal::bad(
                    "Invalid parameter: messages with role 'tool' must be a response to a \
                     preceeding message with 'tool_calls'.",
                )
            })?;
            waiting.swap_remove(known);
            continue;
        }
        all_answered(&waiting)?;
        if role == "user" {
            replay.unthought = None;
        }
        let calls = list(message.get("tool_calls"));
        if role != "assistant" || calls.is_empty() {
            continue;
        }
        for (number, call) in calls.iter().enumerate() {
            check_call(at, number, call)?;
        }
        waiting = calls.iter().map(|call| text(call, "id")).collect();
        let thought = ["reasoning_content", "reasoning"].map(|name| text(message, name));
        if replay.unthought.is_none() && thought.iter().all(|thought| thought.is_empty()) {
            replay.unthought = Some(replay.rounds);
        }
        replay.rounds += 1;
    }
    all_answered(&waiting)?;
    Ok(replay)
}

fn all_answered(waiting: &[&str]) -> Result<(), Refusal> {
    if waiting.is_empty() {
        return Ok(());
    }
    Err(Refusal::bad(format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to \
         each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        waiting.join(", ")
    )))
}

fn check_call(at: usize, number: usize, call: &Value) -> Result<(), Refusal> {
    let place = format!("messages[{at}].tool_calls[{number}]");
    let id = text(call, "id");
    if id.is_empty() {
        return Err(Refusal::bad(format!(
            "Missing required parameter: '{place}.id'."
        )));
    }
    if id.len() > ID_CHARS_MAX {
        return Err(Refusal::bad(format!(
            "Invalid '{place}.id': string too long. Expected a string with maximum length \
             {ID_CHARS_MAX}, but got a string with length {} instead.",
            id.len()
        )));
    }
    let function = call.get("function").unwrap_or(&Value::Null);
    let name = text(function, "name");
    if !is_plain(name) || name.len() > NAME_CHARS_MAX {
        return Err(Refusal::bad(format!(
            "Invalid '{place}.function.name': string does not match pattern. Expected a string \
             that matches the pattern '^[a-zA-Z0-9_-]+$'."
        )));
    }
    if function.get("arguments").is_some_and(Value::is_string) {
        return Ok(());
    }
    Err(Refusal::bad(format!(
        "Invalid type for '{place}.function.arguments': expected a string."
    )))
}

fn check_result(at: usize, message: &Value) -> Result<(), Refusal> {
    let parts = list(message.get("content"));
    if parts.iter().all(|part| text(part, "type") == "text") {
        return Ok(());
    }
    Err(Refusal::bad(format!(
        "Invalid 'messages[{at}]'. Image URLs are only allowed for messages with role 'user', but \
         this message with role 'tool' contains an image URL."
    )))
}
