//! Writing `messages`.

use bourse_vocab::Format;
use bourse_vocab::chat::{
    CacheControl, Loss, Media, Message, Part, Reason, Reasoning, ReasoningKind, Role,
};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};

use super::super::reply::readable;
use crate::dialect::media;
use crate::dialect::messages::members_of_message;

/// Writes the conversation, noting what cannot be said in it. `thinks` says
/// whether the model takes its thoughts back; others have a plan before calls.
pub fn write(messages: &[Message], thinks: bool, losses: &mut Vec<Loss>) -> Vec<Value> {
    let mut conversation = Conversation {
        losses,
        thinks,
        shown: Vec::new(),
        written: Vec::new(),
    };
    for (index, message) in messages.iter().enumerate() {
        conversation.message(message, &format!("messages[{index}]"));
    }
    conversation.show();
    conversation.written
}

/// A call as Cohere has it, arguments as the text that they are.
pub fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

struct Conversation<'a> {
    losses: &'a mut Vec<Loss>,
    thinks: bool,
    /// Pictures of the results of tools so far, which follow the last of these.
    shown: Vec<Value>,
    written: Vec<Value>,
}

/// One message that is being written.
#[derive(Default)]
struct Draft {
    content: Vec<Value>,
    plan: Vec<String>,
    calls: Vec<Value>,
}

impl Conversation<'_> {
    fn lose(&mut self, path: &str, reason: impl Into<Reason>) {
        self.losses.push(Loss::new(path, reason));
    }

    fn refuse(&mut self, path: &str, reason: impl Into<Reason>) {
        self.losses.push(Loss::content(path, reason));
    }

    /// Results of tools stand together behind their calls, so that pictures in
    /// them come after all of these, as the user's.
    fn show(&mut self) {
        if !self.shown.is_empty() {
            let content = std::mem::take(&mut self.shown);
            self.written
                .push(json!({"role": "user", "content": content}));
        }
    }

    fn message(&mut self, message: &Message, path: &str) {
        if message.role != Role::Tool {
            self.show();
        }
        let role = self.role(message.role, path);
        let mut draft = Draft::default();
        for (index, part) in message.parts.iter().enumerate() {
            self.part(part, &format!("{path}.content[{index}]"), &mut draft);
        }
        let said = draft
            .content
            .iter_mut()
            .find_map(|block| block.get_mut("text"));
        if let Some(name) = message.name.as_deref().filter(|name| !name.is_empty()) {
            // Cohere knows no participants: the name goes before the text.
            match said {
                Some(Value::String(text)) => *text = format!("{name}: {text}"),
                _ => self.lose(&format!("{path}.name"), "there is no text to put it before"),
            }
        }
        if role == "system" || role == "assistant" {
            self.texts_alone(role, path, &mut draft.content);
        }
        let mut written = Map::new();
        written.insert("role".to_owned(), json!(role));
        if !draft.plan.is_empty() {
            if draft.calls.is_empty() {
                self.lose(
                    path,
                    "the model takes thoughts back as a plan before calls alone",
                );
            } else {
                written.insert("tool_plan".to_owned(), json!(draft.plan.join("\n")));
            }
        }
        for (name, list) in [("content", draft.content), ("tool_calls", draft.calls)] {
            if !list.is_empty() {
                written.insert(name.to_owned(), Value::Array(list));
            }
        }
        if written.len() > 1 {
            self.written.push(Value::Object(written));
        }
    }

    /// "system turn must be the first in the list" (docs.cohere.com/reference/errors,
    /// 2026): later instructions are the user's.
    fn role(&mut self, role: Role, path: &str) -> &'static str {
        let is_system = |said: &Value| said.get("role").and_then(Value::as_str) == Some("system");
        match role {
            Role::System | Role::Developer if self.written.iter().all(is_system) => "system",
            Role::System | Role::Developer => {
                self.lose(
                    &format!("{path}.role"),
                    Reason::emulated(
                        "sent as the user's, because Cohere takes instructions at the beginning",
                    ),
                );
                "user"
            }
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
        }
    }

    fn texts_alone(&mut self, role: &str, path: &str, content: &mut Vec<Value>) {
        let before = content.len();
        content.retain(|block| block.get("image_url").is_none());
        if content.len() < before {
            self.refuse(
                path,
                format!("Cohere takes no pictures in messages of the {role}"),
            );
        }
    }

    fn part(&mut self, part: &Part, path: &str, draft: &mut Draft) {
        if cache_of(part).is_some() {
            self.lose(
                &format!("{path}.cache_control"),
                "Cohere caches by itself what prompts share",
            );
        }
        match part {
            Part::Text { text, .. } | Part::Refusal(text) => {
                if !text.is_empty() {
                    draft.content.push(json!({"type": "text", "text": text}));
                }
            }
            Part::Image { media, detail, .. } => {
                draft
                    .content
                    .extend(self.picture(media, detail.as_deref(), path));
            }
            Part::Reasoning(reasoning) => self.thought(reasoning, path, draft),
            Part::ToolCall {
                id,
                name,
                arguments,
            } => draft.calls.push(call(id, name, arguments)),
            Part::ToolResult {
                call_id,
                parts,
                is_error,
                ..
            } => {
                if *is_error {
                    self.lose(
                        &format!("{path}.is_error"),
                        "Cohere is not told that a tool failed",
                    );
                }
                self.result(call_id, parts, path);
            }
            Part::Audio { .. } => self.refuse(path, "Cohere has no member for sound"),
            Part::File { .. } => self.refuse(path, "Cohere has no member for files"),
            Part::Video { .. } => self.refuse(path, "Cohere has no member for films"),
            Part::Opaque {
                format: Format::Cohere,
                value,
            } => draft.content.push(value.clone()),
            Part::Opaque { format, .. } => match members_of_message(part, path) {
                Some(losses) => self.losses.extend(losses),
                None => self.refuse(path, format!("only {format} understands this part")),
            },
        }
    }

    fn picture(&mut self, media: &Media, detail: Option<&str>, path: &str) -> Option<Value> {
        let Some(url) = media::url(media) else {
            self.refuse(
                path,
                "Cohere has no uploads; send the picture or its address",
            );
            return None;
        };
        let mut image = Map::new();
        image.insert("url".to_owned(), json!(url));
        match detail {
            None => {}
            Some("auto" | "low" | "high") => {
                image.insert("detail".to_owned(), json!(detail));
            }
            Some(_) => self.lose(&format!("{path}.detail"), "Cohere has no such detail"),
        }
        Some(json!({"type": "image_url", "image_url": image}))
    }

    /// Thoughts go back as the text that they are; what proves or seals them
    /// means nothing to another model.
    fn thought(&mut self, reasoning: &Reasoning, path: &str, draft: &mut Draft) {
        match &reasoning.kind {
            ReasoningKind::Encrypted(_) => {
                return self.lose(path, "a sealed thought cannot be read by another model");
            }
            ReasoningKind::Text {
                signature: Some(_), ..
            } => self.lose(path, Reason::degraded("sent without its signature")),
            ReasoningKind::Text { .. } | ReasoningKind::Summary(_) => {}
        }
        let text = readable(&reasoning.kind);
        if text.is_empty() {
            return;
        }
        if self.thinks {
            draft
                .content
                .push(json!({"type": "thinking", "thinking": text}));
        } else {
            draft.plan.push(text.to_owned());
        }
    }

    /// A tool's result is a message of its own, with at least one text.
    fn result(&mut self, id: &str, parts: &[Part], path: &str) {
        let mut draft = Draft::default();
        for (index, part) in parts.iter().enumerate() {
            self.part(part, &format!("{path}.content[{index}]"), &mut draft);
        }
        let is_picture = |block: &Value| block.get("image_url").is_some();
        let (pictures, mut said): (Vec<Value>, Vec<Value>) =
            draft.content.into_iter().partition(is_picture);
        if !pictures.is_empty() {
            self.lose(
                path,
                Reason::emulated("the pictures of a tool's result are sent as the user's"),
            );
            self.shown.extend(pictures);
        }
        if said.is_empty() {
            said.push(json!({"type": "text", "text": ""}));
        }
        self.written
            .push(json!({"role": "tool", "tool_call_id": id, "content": said}));
    }
}

const fn cache_of(part: &Part) -> Option<&CacheControl> {
    match part {
        Part::Text { cache, .. }
        | Part::Image { cache, .. }
        | Part::File { cache, .. }
        | Part::ToolResult { cache, .. } => cache.as_ref(),
        _ => None,
    }
}
