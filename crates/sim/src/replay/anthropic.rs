//! What Anthropic checks of a conversation.
//!
//! Facts: Claude platform docs "Extended thinking" (preserving thinking blocks,
//! tool choice, `budget_tokens`), "Adaptive thinking" (earlier turns need no
//! thoughts), "Handle tool calls" (results follow at once, come first, one for
//! each call), read 2026-11; the sentences as in anomalyco/opencode #3077,
//! tailcallhq/forgecode #1853 and in the docs' troubleshooting.

use std::collections::HashSet;

use serde_json::Value;

use super::{claude_signature, is_plain, list, text};
use crate::ask::{Refusal, Replay};

/// The least that `budget_tokens` may be.
const BUDGET_MIN: u64 = 1024;

/// Messages of one role that follow one another, which the API joins.
struct Turn<'a> {
    /// Its first message.
    at: usize,
    is_assistant: bool,
    blocks: Vec<&'a Value>,
}

pub(super) fn read(body: &Value) -> Result<Replay, Refusal> {
    check_settings(body)?;
    let turns = turns_of(list(body.get("messages")));
    let mut seen = HashSet::new();
    for (number, turn) in turns.iter().enumerate() {
        check_blocks(turn, &mut seen)?;
        let before = number.checked_sub(1).and_then(|before| turns.get(before));
        check_results(turn, before)?;
        if turn.is_assistant && number + 1 == turns.len() {
            check_results(
                &Turn {
                    at: turn.at + 1,
                    is_assistant: false,
                    blocks: Vec::new(),
                },
                Some(turn),
            )?;
        }
    }
    let replay = replay(&turns);
    let is_enabled = thinking(body) == "enabled";
    if let (true, Some(open)) = (is_enabled, open_round(&turns))
        && !thinks_first(open)
    {
        let found = open
            .blocks
            .first()
            .map_or("nothing", |block| text(block, "type"));
        return Err(Refusal::bad(format!(
            "messages.{}.content.0.type: Expected `thinking` or `redacted_thinking`, but found \
             `{found}`. When `thinking` is enabled, a final `assistant` message must start with a \
             thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks).",
            open.at
        )));
    }
    Ok(replay)
}

fn thinking(body: &Value) -> &str {
    body.get("thinking")
        .map_or("", |thinking| text(thinking, "type"))
}

/// What may not stand beside thinking.
fn check_settings(body: &Value) -> Result<(), Refusal> {
    let thinking = thinking(body);
    if thinking.is_empty() || thinking == "disabled" {
        return Ok(());
    }
    let choice = body
        .get("tool_choice")
        .map_or("", |choice| text(choice, "type"));
    if matches!(choice, "any" | "tool") {
        return Err(Refusal::bad(
            "Thinking may not be enabled when tool_choice forces tool use.",
        ));
    }
    let heat = body.get("temperature").and_then(Value::as_f64);
    if heat.is_some_and(|heat| (heat - 1.0).abs() > f64::EPSILON) {
        return Err(Refusal::bad(
            "`temperature` may only be set to 1 when thinking is enabled.",
        ));
    }
    if thinking != "enabled" {
        return Ok(());
    }
    let budget = body
        .pointer("/thinking/budget_tokens")
        .and_then(Value::as_u64);
    let budget =
        budget.ok_or_else(|| Refusal::bad("thinking.enabled.budget_tokens: Field required"))?;
    if budget < BUDGET_MIN {
        return Err(Refusal::bad(format!(
            "thinking.enabled.budget_tokens: Input should be greater than or equal to {BUDGET_MIN}"
        )));
    }
    if body
        .get("max_tokens")
        .and_then(Value::as_u64)
        .is_some_and(|max| max <= budget)
    {
        return Err(Refusal::bad(
            "`max_tokens` must be greater than `thinking.budget_tokens`.",
        ));
    }
    Ok(())
}

fn turns_of(messages: &[Value]) -> Vec<Turn<'_>> {
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let is_assistant = text(message, "role") == "assistant";
        let blocks = list(message.get("content"));
        match turns
            .last_mut()
            .filter(|last| last.is_assistant == is_assistant)
        {
            Some(last) => last.blocks.extend(blocks),
            None => turns.push(Turn {
                at,
                is_assistant,
                blocks: blocks.iter().collect(),
            }),
        }
    }
    turns
}

/// What each block must be by itself.
fn check_blocks<'a>(turn: &Turn<'a>, seen: &mut HashSet<&'a str>) -> Result<(), Refusal> {
    let place = |at: usize| format!("messages.{}.content.{at}", turn.at);
    for (at, block) in turn.blocks.iter().enumerate() {
        match text(block, "type") {
            "text" if text(block, "text").is_empty() => {
                return Err(Refusal::bad(
                    "messages: text content blocks must be non-empty",
                ));
            }
            "thinking" if text(block, "signature") != claude_signature(text(block, "thinking")) => {
                let what = "Invalid `signature` in `thinking` block";
                return Err(Refusal::bad(format!("{}: {what}", place(at))));
            }
            // No simulated model hides what it thinks.
            "redacted_thinking" => {
                let what = "Invalid `data` in `redacted_thinking` block";
                return Err(Refusal::bad(format!("{}: {what}", place(at))));
            }
            "tool_use" => {
                let id = text(block, "id");
                let what = if !is_plain(id) {
                    ".tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
                } else if !seen.insert(id) {
                    ": `tool_use` ids must be unique"
                } else if !block.get("input").is_some_and(Value::is_object) {
                    ".tool_use.input: Input should be a valid dictionary"
                } else {
                    continue;
                };
                return Err(Refusal::bad(format!("{}{what}", place(at))));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Results are of the calls just before, for each one, and come first.
fn check_results(turn: &Turn<'_>, before: Option<&Turn<'_>>) -> Result<(), Refusal> {
    if turn.is_assistant {
        return Ok(());
    }
    let before = before.map_or(&[][..], |turn| &turn.blocks);
    let called: Vec<&str> = ids(before, "tool_use", "id").collect();
    let mut answered = HashSet::new();
    for (at, block) in turn.blocks.iter().enumerate() {
        if text(block, "type") != "tool_result" {
            continue;
        }
        let id = text(block, "tool_use_id");
        if !called.contains(&id) {
            return Err(Refusal::bad(format!(
                "messages.{}.content.{at}: unexpected `tool_use_id` found in `tool_result` blocks: \
                 {id}. Each `tool_result` block must have a corresponding `tool_use` block in the \
                 previous message.",
                turn.at
            )));
        }
        if !answered.insert(id) {
            return Err(Refusal::bad(format!(
                "messages.{}.content.{at}: each tool_use must have a single result. Found multiple \
                 `tool_result` blocks with id: {id}",
                turn.at
            )));
        }
    }
    let first = turn
        .blocks
        .iter()
        .take_while(|block| text(block, "type") == "tool_result");
    let first: HashSet<&str> = first.map(|block| text(block, "tool_use_id")).collect();
    let missing: Vec<&str> = called
        .into_iter()
        .filter(|id| !first.contains(id))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Refusal::bad(format!(
        "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. \
         Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
        turn.at.saturating_sub(1),
        missing.join(", ")
    )))
}

fn ids<'a>(
    blocks: &[&'a Value],
    kind: &'static str,
    member: &'static str,
) -> impl Iterator<Item = &'a str> {
    let of_kind = blocks
        .iter()
        .filter(move |block| text(block, "type") == kind);
    of_kind.map(move |block| text(block, member))
}

fn calls(turn: &Turn<'_>) -> bool {
    turn.is_assistant && ids(&turn.blocks, "tool_use", "id").next().is_some()
}

fn thinks_first(turn: &Turn<'_>) -> bool {
    let first = turn.blocks.first().map(|block| text(block, "type"));
    matches!(first, Some("thinking" | "redacted_thinking"))
}

/// The round whose results the request ends with.
fn open_round<'a, 'b>(turns: &'a [Turn<'b>]) -> Option<&'a Turn<'b>> {
    let [.., round, _results] = turns else {
        return None;
    };
    calls(round).then_some(round)
}

fn replay(turns: &[Turn<'_>]) -> Replay {
    let rounds: Vec<&Turn<'_>> = turns.iter().filter(|turn| calls(turn)).collect();
    let of_now = current_rounds(turns);
    let past = rounds.len().saturating_sub(of_now);
    let unthought = rounds
        .iter()
        .skip(past)
        .position(|turn| !thinks_first(turn));
    Replay {
        rounds: rounds.len(),
        unthought: unthought.map(|at| past + at),
    }
}

/// How many rounds there were since a user last said something.
fn current_rounds(turns: &[Turn<'_>]) -> usize {
    let is_said = |turn: &&Turn<'_>| {
        !turn.is_assistant
            && ids(&turn.blocks, "tool_result", "tool_use_id")
                .next()
                .is_none()
    };
    let since = turns.iter().rev().take_while(|turn| !is_said(turn));
    since.filter(|turn| calls(turn)).count()
}
