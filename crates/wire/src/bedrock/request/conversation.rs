//! Writing `system` and `messages`.

use std::collections::BTreeSet;

use bourse_vocab::chat::{Loss, Message, Part, Reason, Request, Role};
use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{Failure, Next};

use super::super::model::Model;
use super::blocks::Blocks;
use super::point::{POINT, cache_point, kind};
use crate::dialect::CallIds;
use crate::dialect::calls::fit_ids;

/// Breakpoints that one request may hold ("Prompt caching",
/// docs.aws.amazon.com, 2026).
const BREAKPOINTS_MAX: usize = 4;

/// The conversation in Bedrock's shape.
pub struct Conversation {
    pub system: Vec<Value>,
    pub messages: Vec<Value>,
    /// Names of the tools that were called.
    pub calls: BTreeSet<String>,
    /// It stands in the middle of a tool loop whose first answer does not
    /// start with a thought.
    pub is_unthought: bool,
}

/// Messages of one speaker in a row.
struct Turn {
    role: &'static str,
    blocks: Vec<Value>,
}

/// Writes the conversation.
///
/// # Errors
/// Nothing is left to send, it does not begin with the user, or the model does
/// not go on from its own words.
pub fn write(
    request: &Request,
    model: &Model,
    losses: &mut Vec<Loss>,
) -> Result<Conversation, Failure> {
    // `toolUseId` has words of 64 characters at most; those of Claude's own API
    // fit too.
    let messages = &*fit_ids(&request.messages, CallIds::UniqueWords);
    let mut blocks = Blocks::new(model, losses);
    let (mut system, mut turns) = spoken(messages, &mut blocks);
    if turns.is_empty() {
        return Err(Failure::invalid(
            "messages: nothing is left to send; Bedrock needs at least one message with content",
        )
        .next(Next::TryAnother));
    }
    check_ends(&turns, model)?;
    if let (Some(cache), Some(turn)) = (&request.cache, turns.last_mut())
        && turn.blocks.last().and_then(kind) != Some(POINT)
    {
        match cache_point(model, cache) {
            Some(point) => turn.blocks.push(point),
            None => losses.push(Loss::new(
                "cache_control",
                "the model caches nothing on demand",
            )),
        }
    }
    limit_breakpoints(&mut system, &mut turns, request, losses);
    let is_unthought = is_unthought(&turns);
    let messages_written = turns
        .into_iter()
        .map(|turn| json!({"role": turn.role, "content": turn.blocks}));
    Ok(Conversation {
        system,
        calls: calls(messages),
        messages: messages_written.collect(),
        is_unthought,
    })
}

fn calls(messages: &[Message]) -> BTreeSet<String> {
    let parts = messages.iter().flat_map(|message| &message.parts);
    parts
        .filter_map(|part| match part {
            Part::ToolCall { name, .. } => Some(name.clone()),
            _ => None,
        })
        .collect()
}

/// Who says what: the instructions at the beginning, and the turns.
fn spoken(messages: &[Message], blocks: &mut Blocks<'_>) -> (Vec<Value>, Vec<Turn>) {
    let is_system = |message: &Message| matches!(message.role, Role::System | Role::Developer);
    let mut leading = messages.iter().take_while(|m| is_system(m)).count();
    let only_system = leading == messages.len() && leading > 0;
    if only_system {
        // Bedrock wants something to answer.
        leading -= 1;
        blocks.lose(
            &format!("messages[{leading}].role"),
            Reason::emulated("sent as the user's, because there is no other message"),
        );
    }
    let mut system = Vec::new();
    let mut turns: Vec<Turn> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let path = format!("messages[{index}]");
        let mut written = blocks.message(message, &path);
        if index < leading {
            let before = written.len();
            written.retain(|block| kind(block).is_some_and(|kind| kind == "text" || kind == POINT));
            if written.len() < before {
                blocks.refuse(&path, "Bedrock's system prompt is text only");
            }
            system.append(&mut written);
            continue;
        }
        if written.is_empty() {
            continue;
        }
        let role = match message.role {
            Role::Assistant => "assistant",
            Role::User | Role::Tool => "user",
            Role::System | Role::Developer if only_system => "user",
            Role::System | Role::Developer => {
                demote(&mut written);
                blocks.lose(
                    &format!("{path}.role"),
                    Reason::emulated(
                        "sent as the user's, because Bedrock takes instructions at the beginning",
                    ),
                );
                "user"
            }
        };
        match turns.last_mut() {
            Some(turn) if turn.role == role => turn.blocks.append(&mut written),
            _ => turns.push(Turn {
                role,
                blocks: written,
            }),
        }
    }
    (system, turns)
}

/// Marks later instructions as what they are.
fn demote(blocks: &mut [Value]) {
    for block in blocks {
        if let Some(Value::String(text)) = block.get_mut("text") {
            *text = format!("<system>\n{text}\n</system>");
        }
    }
}

/// "A conversation must start with a user message" (ValidationException); and
/// Claude goes on from its own words up to 4.5 only.
fn check_ends(turns: &[Turn], model: &Model) -> Result<(), Failure> {
    let is_model = |turn: Option<&Turn>| turn.is_some_and(|turn| turn.role == "assistant");
    if is_model(turns.first()) {
        return Err(
            Failure::invalid("messages: a conversation with Bedrock begins with the user")
                .next(Next::TryAnother),
        );
    }
    if is_model(turns.last()) && !model.claude.prefill {
        return Err(Failure::invalid(
            "messages: this model does not continue an assistant message; \
             end the conversation with a user message",
        )
        .next(Next::TryAnotherModel));
    }
    Ok(())
}

/// Takes away the earliest breakpoints beyond the limit: the later ones cover
/// what they covered.
fn limit_breakpoints(
    system: &mut Vec<Value>,
    turns: &mut [Turn],
    request: &Request,
    losses: &mut Vec<Loss>,
) {
    let of_tools = request.tools.iter().filter(|tool| {
        matches!(
            tool,
            bourse_vocab::chat::Tool::Function { cache: Some(_), .. }
        )
    });
    let is_point = |block: &Value| kind(block) == Some(POINT);
    let count = |blocks: &[Value]| blocks.iter().filter(|block| is_point(block)).count();
    let in_turns: usize = turns.iter().map(|turn| count(&turn.blocks)).sum();
    let all = of_tools.count() + count(system) + in_turns;
    let mut excess = all.saturating_sub(BREAKPOINTS_MAX);
    if excess == 0 {
        return;
    }
    losses.push(Loss::new(
        "cache_control",
        "Bedrock takes four breakpoints; the last were kept",
    ));
    let lists = std::iter::once(system).chain(turns.iter_mut().map(|turn| &mut turn.blocks));
    for blocks in lists {
        blocks.retain(|block| {
            let goes = excess > 0 && is_point(block);
            excess -= usize::from(goes);
            !goes
        });
    }
}

/// See [`Conversation::is_unthought`].
fn is_unthought(turns: &[Turn]) -> bool {
    let has_results = |turn: &Turn| turn.blocks.iter().any(|b| kind(b) == Some("toolResult"));
    if !turns.last().is_some_and(has_results) {
        return false;
    }
    // The loop reaches back to the last thing that the user said unasked.
    let first = turns
        .iter()
        .rev()
        .take_while(|turn| turn.role != "user" || has_results(turn))
        .filter(|turn| turn.role == "assistant")
        .last();
    let start = first.and_then(|turn| turn.blocks.first()).and_then(kind);
    start != Some("reasoningContent")
}
