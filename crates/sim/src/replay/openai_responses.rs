//! What OpenAI checks of a conversation in Responses.
//!
//! Facts: OpenAI API reference "Responses" (input items; `store` false needs
//! `encrypted_content`) and guides "Reasoning" (keeping reasoning items in
//! context) and "Function calling", read 2026-11; the sentences as OpenAI's API
//! gives them, for example in vercel/ai #7099.

use std::collections::HashSet;

use serde_json::Value;

use super::{list, text, unsealable};
use crate::ask::{Refusal, Replay};

/// Longest id of an item and of a call.
const ID_CHARS_MAX: usize = 64;

pub(super) fn read(body: &Value) -> Result<Replay, Refusal> {
    let items = list(body.get("input"));
    let is_stored = body.get("store").and_then(Value::as_bool) != Some(false);
    let mut seen = HashSet::new();
    for (at, item) in items.iter().enumerate() {
        check_id(at, item)?;
        let id = text(item, "id");
        if !id.is_empty() && !seen.insert(id) {
            return Err(Refusal::bad(format!(
                "Duplicate item found with id {id}. Remove duplicate items from your input and try again."
            )));
        }
        if kind(item) == "reasoning" {
            check_thought(item, items.get(at + 1), is_stored)?;
        }
    }
    check_calls(items)?;
    Ok(replay(items))
}

fn kind(item: &Value) -> &str {
    match text(item, "type") {
        "" => "message",
        kind => kind,
    }
}

fn check_id(at: usize, item: &Value) -> Result<(), Refusal> {
    let begins = match kind(item) {
        "reasoning" => "rs",
        "function_call" => "fc",
        "message" => "msg",
        _ => return Ok(()),
    };
    for (member, begins) in [("id", begins), ("call_id", "")] {
        let id = text(item, member);
        if !id.is_empty() && !id.starts_with(begins) {
            return Err(Refusal::bad(format!(
                "Invalid 'input[{at}].{member}': '{id}'. Expected an ID that begins with '{begins}'."
            )));
        }
        if id.len() > ID_CHARS_MAX {
            return Err(Refusal::bad(format!(
                "Invalid 'input[{at}].{member}': string too long. Expected a string with maximum \
                 length {ID_CHARS_MAX}, but got a string with length {} instead.",
                id.len()
            )));
        }
    }
    Ok(())
}

/// A thought is whole, and what it led to follows it.
fn check_thought(item: &Value, next: Option<&Value>, is_stored: bool) -> Result<(), Refusal> {
    let id = text(item, "id");
    match item.get("encrypted_content").and_then(Value::as_str) {
        Some(sealed) => {
            if let Some(reason) = unsealable(sealed, (!id.is_empty()).then_some(id)) {
                return Err(Refusal::bad(format!(
                    "The encrypted content for item {id} could not be verified. Reason: {reason}"
                )));
            }
        }
        // Nothing is ever stored here, whatever the request asks for.
        None if !is_stored => {
            return Err(Refusal::bad(format!(
                "Item with id '{id}' not found. Items are not persisted when `store` is set to \
                 false. Try again with `store` set to true, or remove this item from your input."
            )));
        }
        None => return Err(Refusal::bad(format!("Item with id '{id}' not found."))),
    }
    let leads_on = next.is_some_and(|next| match kind(next) {
        "message" => text(next, "role") == "assistant",
        kind => kind != "function_call_output",
    });
    if leads_on {
        return Ok(());
    }
    Err(Refusal::bad(format!(
        "Item '{id}' of type 'reasoning' was provided without its required following item."
    )))
}

/// Each call has an output after it, and each output a call before it.
fn check_calls(items: &[Value]) -> Result<(), Refusal> {
    let mut open: Vec<&str> = Vec::new();
    for item in items {
        let id = text(item, "call_id");
        match kind(item) {
            "function_call" => open.push(id),
            "function_call_output" => {
                let known = open.iter().position(|waits| *waits == id);
                let known = known.ok_or_else(|| {
                    Refusal::bad(format!(
                        "No tool call found for function call output with call_id {id}."
                    ))
                })?;
                open.swap_remove(known);
            }
            _ => {}
        }
    }
    match open.first() {
        Some(id) => Err(Refusal::bad(format!(
            "No tool output found for function call {id}."
        ))),
        None => Ok(()),
    }
}

/// Calls that follow one another are one round.
fn replay(items: &[Value]) -> Replay {
    let mut replay = Replay::default();
    let (mut is_within, mut has_thought) = (false, false);
    for item in items {
        match kind(item) {
            "reasoning" => has_thought = true,
            "function_call" => {
                if !is_within {
                    if !has_thought && replay.unthought.is_none() {
                        replay.unthought = Some(replay.rounds);
                    }
                    replay.rounds += 1;
                }
                is_within = true;
            }
            "function_call_output" => (is_within, has_thought) = (false, false),
            "message" if text(item, "role") == "user" => {
                replay.unthought = None;
                (is_within, has_thought) = (false, false);
            }
            _ => {}
        }
    }
    replay
}
