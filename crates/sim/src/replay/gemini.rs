//! What Google checks of a conversation.
//!
//! Facts: Gemini API docs "Thought signatures" (which parts are signed, that
//! models from Gemini 3 on refuse the calls of the current turn without, the
//! two texts that stand for a signature), "Function calling" and
//! "Troubleshooting", read 2026-11.

use serde_json::Value;

use super::{is_geminis, list, text};
use crate::ask::{Refusal, Replay};

/// What stands for a signature that there is none of (Gemini API docs,
/// "Thought signatures", FAQ, read 2026-11).
pub const DUMMIES: [&str; 2] = [
    "skip_thought_signature_validator",
    "context_engineering_is_the_way_to_go",
];

/// The first Gemini that refuses calls without their signatures.
const SIGNED_FROM: u32 = 3;

/// Contents of one role that follow one another, which are one turn: who keeps
/// a stream keeps each of its responses as a content (google-genai 3.6, chats).
struct Turn<'a> {
    is_model: bool,
    parts: Vec<&'a Value>,
}

impl<'a> Turn<'a> {
    fn members(&self, name: &'static str) -> Vec<&'a Value> {
        let of_name = self.parts.iter().filter_map(|part| part.get(name));
        of_name.collect()
    }
}

pub(super) fn read(body: &Value, model: &str) -> Result<Replay, Refusal> {
    let turns = turns_of(list(body.get("contents")));
    for (at, turn) in turns.iter().enumerate() {
        check_signatures(turn)?;
        let before = at.checked_sub(1).and_then(|before| turns.get(before));
        check_turn(turn, before, turns.get(at + 1))?;
    }
    let said = turns
        .iter()
        .rposition(|turn| !turn.is_model && turn.members("functionResponse").is_empty());
    let mut replay = Replay::default();
    for (at, turn) in turns.iter().enumerate() {
        let first = turn
            .parts
            .iter()
            .find(|part| part.get("functionCall").is_some());
        let Some(call) = first else {
            continue;
        };
        let is_now = said.is_none_or(|said| at > said);
        if is_now && signature(call).is_none() {
            if must_sign(model) {
                let name = call.pointer("/functionCall/name").and_then(Value::as_str);
                return Err(Refusal::bad(format!(
                    "Function call is missing a thought_signature in functionCall parts. This is \
                     required for tools to work correctly. Additional data, function call \
                     `default_api:{}`, position {at}.",
                    name.unwrap_or_default()
                )));
            }
            replay.unthought = replay.unthought.or(Some(replay.rounds));
        }
        replay.rounds += 1;
    }
    Ok(replay)
}

fn turns_of(contents: &[Value]) -> Vec<Turn<'_>> {
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for content in contents {
        let is_model = text(content, "role") == "model";
        let parts = list(content.get("parts"));
        match turns.last_mut().filter(|last| last.is_model == is_model) {
            Some(last) => last.parts.extend(parts),
            None => turns.push(Turn {
                is_model,
                parts: parts.iter().collect(),
            }),
        }
    }
    turns
}

fn must_sign(model: &str) -> bool {
    let version = model.strip_prefix("gemini-").unwrap_or_default();
    let major = version.split(['.', '-']).next().unwrap_or_default();
    major.parse().is_ok_and(|major: u32| major >= SIGNED_FROM)
}

/// Names come in either style.
fn signature(part: &Value) -> Option<&str> {
    let signature = part
        .get("thoughtSignature")
        .or_else(|| part.get("thought_signature"));
    signature?
        .as_str()
        .filter(|signature| !signature.is_empty())
}

fn check_signatures(turn: &Turn<'_>) -> Result<(), Refusal> {
    for part in &turn.parts {
        if let Some(signature) = signature(part)
            && !is_geminis(signature)
            && !DUMMIES.contains(&signature)
        {
            return Err(Refusal::bad("Corrupted thought signature."));
        }
    }
    Ok(())
}

/// Calls follow what the user or a tool said, and their results follow them.
fn check_turn(
    turn: &Turn<'_>,
    before: Option<&Turn<'_>>,
    next: Option<&Turn<'_>>,
) -> Result<(), Refusal> {
    let calls = turn.members("functionCall");
    if !calls.is_empty() {
        if before.is_none() || !turn.is_model {
            return Err(Refusal::bad(
                "Please ensure that function call turn comes immediately after a user turn or after \
                 a function response turn.",
            ));
        }
        let answers = next.map_or(Vec::new(), |next| next.members("functionResponse"));
        if answers.len() != calls.len() {
            return Err(Refusal::bad(
                "Please ensure that the number of function response parts is equal to the number of \
                 function call parts of the function call turn.",
            ));
        }
        return check_ids(&calls, &answers);
    }
    let is_answer = !turn.members("functionResponse").is_empty();
    if is_answer && before.is_none_or(|before| before.members("functionCall").is_empty()) {
        return Err(Refusal::bad(
            "Please ensure that function response turn comes immediately after a function call turn.",
        ));
    }
    Ok(())
}

/// A result has the name of a call, and its id where it has one.
fn check_ids(calls: &[&Value], answers: &[&Value]) -> Result<(), Refusal> {
    for answer in answers {
        let id = text(answer, "id");
        let is_known = calls.iter().any(|call| {
            let of = text(call, "id");
            text(call, "name") == text(answer, "name")
                && (id.is_empty() || of.is_empty() || of == id)
        });
        if !is_known {
            return Err(Refusal::bad(format!(
                "Function response `{}` has no function call of its name and id.",
                text(answer, "name")
            )));
        }
    }
    Ok(())
}
