//! What Ollama checks of a conversation: arguments are an object, for they are
//! read into one, and roles are known (`Message` and `ToolCallFunctionArguments`
//! of api/types.go, August 2026). Ids are taken and not compared.

use serde_json::Value;

use super::{list, text};
use crate::ask::{Refusal, Replay};

pub(super) fn read(body: &Value) -> Result<Replay, Refusal> {
    let mut replay = Replay::default();
    for message in list(body.get("messages")) {
        let role = text(message, "role");
        if !["system", "user", "assistant", "tool"].contains(&role) {
            return Err(Refusal::bad(format!("invalid role: {role}")));
        }
        let calls = list(message.get("tool_calls"));
        for call in calls {
            let arguments = call.pointer("/function/arguments");
            if !arguments.is_some_and(Value::is_object) {
                return Err(Refusal::bad(
                    "json: cannot unmarshal string into Go struct field ChatRequest.messages.tool_calls.function.arguments",
                ));
            }
        }
        if role == "user" {
            replay.unthought = None;
        }
        if role != "assistant" || calls.is_empty() {
            continue;
        }
        if replay.unthought.is_none() && text(message, "thinking").is_empty() {
            replay.unthought = Some(replay.rounds);
        }
        replay.rounds += 1;
    }
    Ok(replay)
}
