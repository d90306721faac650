//! Writing `messages`.

use std::collections::HashMap;

use bourse_vocab::Format;
use bourse_vocab::chat::{
    CacheControl, Loss, Media, Message, Part, Reason, Reasoning, ReasoningKind, Role,
};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};

use super::super::reply::readable;
use crate::dialect::calls::as_object;
use crate::dialect::media;
use crate::dialect::messages::members_of_message;

/// Writes the conversation, noting what cannot be said in it.
pub fn write(messages: &[Message], losses: &mut Vec<Loss>) -> Vec<Value> {
    let mut conversation = Conversation {
        losses,
        names: HashMap::new(),
        written: Vec::new(),
    };
    for (index, message) in messages.iter().enumerate() {
        conversation.message(message, &format!("messages[{index}]"));
    }
    conversation.written
}

/// A call as Ollama has it, and whether its arguments were an object.
pub fn call(id: &str, name: &str, arguments: &str) -> (Value, bool) {
    let (arguments, is_whole) = as_object(arguments);
    let call = json!({"id": id, "function": {"name": name, "arguments": arguments}});
    (call, is_whole)
}

struct Conversation<'a> {
    losses: &'a mut Vec<Loss>,
    /// Names of the tools that were called, by the id of the call.
    names: HashMap<String, String>,
    written: Vec<Value>,
}

/// One message that is being written.
#[derive(Default)]
struct Draft {
    said: Vec<String>,
    thought: Vec<String>,
    images: Vec<Value>,
    calls: Vec<Value>,
}

impl Draft {
    fn is_empty(&self) -> bool {
        self.said.is_empty()
            && self.thought.is_empty()
            && self.images.is_empty()
            && self.calls.is_empty()
    }

    fn written(self, role: &str) -> Map {
        let mut message = Map::new();
        message.insert("role".to_owned(), json!(role));
        message.insert("content".to_owned(), json!(self.said.join("\n")));
        if !self.thought.is_empty() {
            message.insert("thinking".to_owned(), json!(self.thought.join("\n")));
        }
        for (name, list) in [("images", self.images), ("tool_calls", self.calls)] {
            if !list.is_empty() {
                message.insert(name.to_owned(), Value::Array(list));
            }
        }
        message
    }
}

impl Conversation<'_> {
    fn lose(&mut self, path: &str, reason: impl Into<Reason>) {
        self.losses.push(Loss::new(path, reason));
    }

    fn refuse(&mut self, path: &str, reason: impl Into<Reason>) {
        self.losses.push(Loss::content(path, reason));
    }

    fn message(&mut self, message: &Message, path: &str) {
        let role = match message.role {
            Role::System | Role::Developer => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
        };
        let mut draft = Draft::default();
        for (index, part) in message.parts.iter().enumerate() {
            self.part(part, &format!("{path}.content[{index}]"), &mut draft);
        }
        if let Some(name) = message.name.as_deref().filter(|name| !name.is_empty()) {
            // Ollama knows no participants: the name goes before the text.
            match draft.said.first_mut() {
                Some(text) => *text = format!("{name}: {text}"),
                None => self.lose(&format!("{path}.name"), "there is no text to put it before"),
            }
        }
        if !draft.is_empty() {
            self.written.push(Value::Object(draft.written(role)));
        }
    }

    fn part(&mut self, part: &Part, path: &str, draft: &mut Draft) {
        if cache_of(part).is_some() {
            self.lose(
                &format!("{path}.cache_control"),
                "Ollama caches by itself what prompts share",
            );
        }
        match part {
            Part::Text { text, .. } | Part::Refusal(text) => {
                if !text.is_empty() {
                    draft.said.push(text.clone());
                }
            }
            Part::Image { media, detail, .. } => {
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.lose(&format!("{path}.detail"), "Ollama has no detail setting");
                }
                draft.images.extend(self.picture(media, path));
            }
            Part::Reasoning(reasoning) => self.thought(reasoning, path, draft),
            Part::ToolCall {
                id,
                name,
                arguments,
            } => {
                self.names.insert(id.clone(), name.clone());
                let (call, is_whole) = call(id, name, arguments);
                if !is_whole {
                    self.lose(
                        &format!("{path}.arguments"),
                        Reason::emulated("not a JSON object; sent as text under raw_arguments"),
                    );
                }
                draft.calls.push(call);
            }
            Part::ToolResult {
                call_id,
                name,
                parts,
                is_error,
                ..
            } => {
                if *is_error {
                    self.lose(
                        &format!("{path}.is_error"),
                        "Ollama is not told that a tool failed",
                    );
                }
                let name = self.names.get(call_id).or(name.as_ref()).cloned();
                self.result(call_id, name, parts, path);
            }
            Part::Audio { .. } => self.refuse(path, "Ollama has no member for sound"),
            Part::File { .. } => self.refuse(path, "Ollama has no member for files"),
            Part::Video { .. } => self.refuse(path, "Ollama has no member for films"),
            Part::Opaque { format, .. } => match members_of_message(part, path) {
                Some(losses) => self.losses.extend(losses),
                None if *format == Format::Ollama => {
                    self.refuse(path, "Ollama has no parts of messages");
                }
                None => self.refuse(path, format!("only {format} understands this part")),
            },
        }
    }

    fn picture(&mut self, media: &Media, path: &str) -> Option<Value> {
        match media {
            Media::Base64 { mime, data } if media::mime_type(mime).starts_with("image/") => {
                return Some(json!(data));
            }
            Media::Url(url) => {
                if let Some((_, data)) = media::data_url(url) {
                    return Some(json!(data));
                }
            }
            Media::Base64 { .. } | Media::FileId(_) => {}
        }
        self.refuse(path, "Ollama fetches nothing; send the bytes of a picture");
        None
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
        if !text.is_empty() {
            draft.thought.push(text.to_owned());
        }
    }

    /// A tool's result is a message of its own. Pictures in it follow as the
    /// user's: templates of models look for them there.
    fn result(&mut self, id: &str, name: Option<String>, parts: &[Part], path: &str) {
        let mut draft = Draft::default();
        for (index, part) in parts.iter().enumerate() {
            self.part(part, &format!("{path}.content[{index}]"), &mut draft);
        }
        let images = std::mem::take(&mut draft.images);
        let mut message = draft.written("tool");
        if let Some(name) = name {
            message.insert("tool_name".to_owned(), json!(name));
        }
        message.insert("tool_call_id".to_owned(), json!(id));
        self.written.push(Value::Object(message));
        if !images.is_empty() {
            self.lose(
                path,
                Reason::emulated("the pictures of a tool's result are sent as the user's"),
            );
            let shown = Draft {
                images,
                ..Draft::default()
            };
            self.written.push(Value::Object(shown.written("user")));
        }
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
