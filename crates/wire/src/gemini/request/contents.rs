//! Writing the conversation: `systemInstruction` and `contents`.

use std::collections::HashMap;

use bourse_vocab::chat::{Loss, Media, Message, Part, Reason, Request, Role};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, Format, Next};

use super::super::model::Model;
use super::super::part::{self, Signer};
use crate::dialect::CallIds;
use crate::dialect::calls::fit_ids;
use crate::dialect::media;
use crate::dialect::messages::{members_of_message, put_name_before};

/// What Google offers instead of a signature for calls that another model
/// made or a client lost: without any, the third generation refuses the
/// request ("Thought signatures", questions and answers, October 2026).
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// The conversation in Google's shape.
pub struct Conversation {
    /// Instructions, if there are any.
    pub system: Option<Value>,
    /// The turns.
    pub contents: Vec<Value>,
}

/// Writes the conversation.
///
/// # Errors
/// Nothing is left to send, a tool result answers no call, or the model does
/// not go on from its own words.
pub fn write(
    request: &Request,
    model: Model,
    losses: &mut Vec<Loss>,
) -> Result<Conversation, Failure> {
    let mut writer = Writer {
        model,
        losses,
        names: HashMap::new(),
        system: Vec::new(),
        turns: Vec::new(),
    };
    // Results find their calls by id, so ids must differ here too.
    let messages = fit_ids(&request.messages, CallIds::UniqueWords);
    writer.messages(&messages)?;
    writer.finish()
}

/// Messages of one speaker in a row.
struct Turn {
    role: &'static str,
    parts: Vec<Value>,
}

struct Writer<'a> {
    model: Model,
    losses: &'a mut Vec<Loss>,
    /// Tools by the id of the call.
    names: HashMap<String, String>,
    system: Vec<Value>,
    turns: Vec<Turn>,
}

impl Writer<'_> {
    fn lose(&mut self, field: &str, reason: impl Into<Reason>) {
        self.losses.push(Loss::new(field, reason));
    }

    /// Notes a part that Gemini cannot be shown.
    fn lose_part(&mut self, path: &str, reason: impl Into<Reason>) {
        self.losses.push(Loss::content(path, reason));
    }

    fn messages(&mut self, messages: &[Message]) -> Result<(), Failure> {
        let is_system = |message: &Message| matches!(message.role, Role::System | Role::Developer);
        // Gemini wants something to answer.
        let only_system = messages.iter().all(is_system);
        let mut leading = true;
        for (index, message) in messages.iter().enumerate() {
            let path = format!("messages[{index}]");
            leading &= is_system(message);
            match message.role {
                Role::System | Role::Developer if only_system && index + 1 == messages.len() => {
                    self.lose(
                        &format!("{path}.role"),
                        Reason::emulated("sent as the user's, because there is no other message"),
                    );
                    let parts = self.spoken(message, &path);
                    self.turn("user", parts);
                }
                Role::System | Role::Developer => {
                    if !leading {
                        self.lose(
                            &format!("{path}.role"),
                            Reason::emulated("moved to the beginning, because Gemini takes instructions only there"),
                        );
                    }
                    let mut parts = self.spoken(message, &path);
                    self.system.append(&mut parts);
                }
                Role::User => {
                    let parts = self.spoken(message, &path);
                    self.turn("user", parts);
                }
                Role::Assistant => {
                    let parts = self.answer(message, &path);
                    self.turn("model", parts);
                }
                Role::Tool => {
                    let parts = self.results(message, &path)?;
                    self.turn("user", parts);
                }
            }
        }
        Ok(())
    }

    fn turn(&mut self, role: &'static str, mut parts: Vec<Value>) {
        if parts.is_empty() {
            return;
        }
        match self.turns.last_mut() {
            Some(turn) if turn.role == role => turn.parts.append(&mut parts),
            _ => self.turns.push(Turn { role, parts }),
        }
    }

    fn finish(self) -> Result<Conversation, Failure> {
        if self.turns.is_empty() {
            return Err(Failure::invalid(
                "messages: nothing is left to send; Gemini needs at least one message with content",
            )
            .next(Next::TryAnother));
        }
        let ends_with_model = self.turns.last().is_some_and(|turn| turn.role == "model");
        // From 3.6 Flash on ("What's new", October 2026).
        if ends_with_model && !self.model.prefill {
            return Err(Failure::invalid(
                "messages: this model does not continue an assistant message; \
                 end with a user message",
            )
            .next(Next::TryAnotherModel));
        }
        let system = (!self.system.is_empty()).then(|| json!({ "parts": self.system }));
        let contents = self
            .turns
            .into_iter()
            .map(|turn| json!({"role": turn.role, "parts": turn.parts}))
            .collect();
        Ok(Conversation { system, contents })
    }

    /// What a person or an application says.
    fn spoken(&mut self, message: &Message, path: &str) -> Vec<Value> {
        let mut parts = Vec::new();
        for (index, said) in message.parts.iter().enumerate() {
            let path = format!("{path}.content[{index}]");
            parts.extend(self.plain(said, &path));
        }
        if let Some(name) = message.name.as_deref().filter(|name| !name.is_empty()) {
            self.prefix(name, path, &mut parts);
        }
        parts
    }

    /// Gemini knows no participants: the name goes before the text.
    fn prefix(&mut self, name: &str, path: &str, parts: &mut [Value]) {
        let text = parts.iter_mut().find_map(|part| part.get_mut("text"));
        match text {
            Some(Value::String(text)) => put_name_before(text, name),
            _ => self.lose(&format!("{path}.name"), "there is no text to put it before"),
        }
    }

    /// What the model said, thought and called.
    fn answer(&mut self, message: &Message, path: &str) -> Vec<Value> {
        let mut signer = Signer::default();
        signer.take_calls(&message.parts);
        let mut parts = Vec::new();
        let mut called = false;
        for (index, said) in message.parts.iter().enumerate() {
            let path = format!("{path}.content[{index}]");
            match said {
                Part::Reasoning(reasoning) => {
                    let known = reasoning.scheme.as_deref() == Some(super::super::SCHEME);
                    if !known {
                        self.lose(&path, "another provider's reasoning");
                    } else if reasoning.id.is_none() {
                        signer.take(reasoning);
                    }
                }
                Part::ToolCall {
                    id,
                    name,
                    arguments,
                } => {
                    self.names.insert(id.clone(), name.clone());
                    let (mut part, whole) = part::write_call(id, name, arguments);
                    if !whole {
                        let path = format!("{path}.arguments");
                        self.lose(
                            &path,
                            Reason::emulated("the arguments are not an object and were wrapped"),
                        );
                    }
                    // Only the first call of a step must be signed.
                    if !signer.sign_call(id, &mut part) && !called && self.model.third {
                        part::sign(&mut part, NO_SIGNATURE.to_owned());
                    }
                    called = true;
                    parts.push(part);
                }
                other => {
                    if let Some(mut part) = self.plain(other, &path) {
                        signer.sign_loose(&mut part);
                        parts.push(part);
                    }
                }
            }
        }
        signer.finish(&mut parts);
        parts
    }

    /// What the tools answered.
    fn results(&mut self, message: &Message, path: &str) -> Result<Vec<Value>, Failure> {
        let mut parts = Vec::new();
        for said in &message.parts {
            let Part::ToolResult {
                call_id,
                name,
                parts: content,
                is_error,
                ..
            } = said
            else {
                self.lose(path, "a tool message holds tool results only");
                continue;
            };
            // The call's own name counts: clients put all sorts of things
            // into the other.
            let name = self.names.get(call_id).or(name.as_ref()).cloned();
            let Some(name) = name else {
                return Err(Failure::invalid(format!(
                    "{path}.tool_call_id: no tool call with the id {call_id:?} comes before"
                )));
            };
            self.result(call_id, &name, content, *is_error, path, &mut parts);
        }
        Ok(parts)
    }

    fn result(
        &mut self,
        id: &str,
        name: &str,
        content: &[Part],
        is_error: bool,
        path: &str,
        parts: &mut Vec<Value>,
    ) {
        let mut words = String::new();
        let mut inside = Vec::new();
        let mut beside = Vec::new();
        for (index, said) in content.iter().enumerate() {
            let path = format!("{path}.content[{index}]");
            match said {
                Part::Text { text, .. } => words.push_str(text),
                other => {
                    let Some(part) = self.plain(other, &path) else {
                        continue;
                    };
                    // The third generation takes bytes within a result
                    // ("Function calling", multimodal, October 2026).
                    if self.model.third && part.get("inlineData").is_some() {
                        inside.push(part);
                    } else {
                        beside.push(part);
                    }
                }
            }
        }
        let mut response = Map::new();
        if !id.is_empty() {
            response.insert("id".to_owned(), json!(id));
        }
        response.insert("name".to_owned(), json!(name));
        // Google reads these two names; the text stays as the tool wrote it.
        let said = if is_error { "error" } else { "output" };
        response.insert("response".to_owned(), json!({ said: words }));
        if !inside.is_empty() {
            response.insert("parts".to_owned(), Value::Array(inside));
        }
        parts.push(json!({ "functionResponse": response }));
        parts.append(&mut beside);
    }

    /// A part that means the same in any message.
    fn plain(&mut self, said: &Part, path: &str) -> Option<Value> {
        match said {
            Part::Text { text, .. } | Part::Refusal(text) => {
                (!text.is_empty()).then(|| part::write_text(text))
            }
            Part::Image { media, detail, .. } => {
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.lose(&format!("{path}.detail"), "Gemini sees in its own detail");
                }
                self.media(media, path)
            }
            Part::Audio { data, format } => {
                Some(part::write_media(&format!("audio/{format}"), data))
            }
            Part::File { media, .. } | Part::Video { media } => self.media(media, path),
            Part::Opaque {
                format: Format::Gemini,
                value,
            } => Some(value.clone()),
            Part::Opaque { format, .. } => {
                if let Some(losses) = members_of_message(said, path) {
                    self.losses.extend(losses);
                    return None;
                }
                self.lose_part(path, format!("only {format} understands this part"));
                None
            }
            Part::Reasoning(_) | Part::ToolCall { .. } | Part::ToolResult { .. } => {
                self.lose(path, "such a part has no place in this message");
                None
            }
        }
    }

    /// Google fetches public addresses itself ("File input methods",
    /// October 2026), but only safe ones.
    fn media(&mut self, medium: &Media, path: &str) -> Option<Value> {
        let uri = match medium {
            Media::Base64 { mime, data } => {
                return Some(part::write_media(&media::mime_type(mime), data));
            }
            Media::Url(url) if url.starts_with("https://") || url.starts_with("gs://") => url,
            Media::Url(_) => {
                self.lose_part(path, "Gemini fetches https addresses only");
                return None;
            }
            Media::FileId(_) => {
                self.lose_part(path, "the upload is another provider's");
                return None;
            }
        };
        let mut data = Map::new();
        data.insert("fileUri".to_owned(), json!(uri));
        if let Some(mime) = mime_of(uri) {
            data.insert("mimeType".to_owned(), json!(mime));
        }
        Some(json!({ "fileData": data }))
    }
}

/// The type that an address says it has, by the end of its path.
fn mime_of(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next()?;
    let (_, extension) = path.rsplit('/').next()?.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "pdf" => "application/pdf",
        "txt" | "md" => "text/plain",
        "html" | "htm" => "text/html",
        "csv" => "text/csv",
        "mp3" => "audio/mp3",
        "wav" => "audio/wav",
        "flac" => "audio/flac",
        "ogg" => "audio/ogg",
        "mp4" => "video/mp4",
        "mov" => "video/mov",
        "webm" => "video/webm",
        "mpg" | "mpeg" => "video/mpeg",
        _ => return None,
    })
}
