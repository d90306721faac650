//! The items of `input`: what was said, thought, called and answered.
//!
//! What the model did in a row is one turn of the vocabulary, whatever number
//! of items it was.

use bourse_vocab::chat::{Message, Part, Role};
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, Format};

use super::parts;
use crate::fields::{Fields, Path};
use crate::openai_responses::{custom, reply, tools};

/// A conversation while it is read.
#[derive(Debug, Default)]
pub struct Conversation {
    /// The turns so far.
    pub messages: Vec<Message>,
    /// Members that nobody here knows, under their paths.
    pub extras: Map,
}

impl Conversation {
    /// Adds a turn of one who is not the model.
    pub fn push(&mut self, role: Role, parts: Vec<Part>) {
        self.messages.push(Message {
            role,
            name: None,
            parts,
        });
    }

    /// Adds to the model's turn.
    fn answer(&mut self, parts: impl IntoIterator<Item = Part>) {
        match self.messages.last_mut() {
            Some(last) if last.role == Role::Assistant => last.parts.extend(parts),
            _ => self.push(Role::Assistant, parts.into_iter().collect()),
        }
    }

    /// Reads one item.
    pub fn item(&mut self, item: Value, path: &Path<'_>) -> Result<(), Failure> {
        let kind = item.get("type").and_then(Value::as_str).map(str::to_owned);
        match kind.as_deref() {
            None | Some("message") => self.message(item, path),
            Some("function_call") => self.call(item, path, "arguments"),
            Some("custom_tool_call") => self.call(item, path, "input"),
            Some("function_call_output" | "custom_tool_call_output") => self.result(item, path),
            Some("reasoning") => {
                let mut fields = Fields::of(item.clone(), path)?;
                for name in ["summary", "content"] {
                    fields.array(name, super::PARTS_MAX)?;
                }
                let pieces = reply::thought(&item).pieces();
                self.answer(pieces.into_iter().map(Part::Reasoning));
                Ok(())
            }
            Some("item_reference") => {
                Err(path.invalid("no items are stored here; send the item itself"))
            }
            Some(_) => {
                self.answer([Part::Opaque {
                    format: Format::OpenAiResponses,
                    value: item,
                }]);
                Ok(())
            }
        }
    }

    fn message(&mut self, item: Value, path: &Path<'_>) -> Result<(), Failure> {
        let mut fields = Fields::of(item, path)?;
        // What only says where an answer came from.
        for name in ["type", "id", "status"] {
            fields.take(name);
        }
        let role = fields.required_text("role")?;
        let Some(parts) = parts::content(&mut fields, "content", &mut self.extras)? else {
            return Err(fields.invalid("content", "is required"));
        };
        match role.as_str() {
            "assistant" => self.answer(parts),
            "user" => self.push(Role::User, parts),
            "system" => self.push(Role::System, parts),
            "developer" => self.push(Role::Developer, parts),
            _ => {
                return Err(
                    fields.invalid("role", "must be one of system, developer, user, assistant")
                );
            }
        }
        fields.rest_into(&mut self.extras);
        Ok(())
    }

    fn call(&mut self, item: Value, path: &Path<'_>, given: &str) -> Result<(), Failure> {
        let mut fields = Fields::of(item, path)?;
        for name in ["type", "id", "status"] {
            fields.take(name);
        }
        let id = fields.required_text("call_id")?;
        let namespace = fields.text("namespace")?;
        let name = tools::flat(namespace.as_deref(), &fields.required_text("name")?);
        let text = fields.text(given)?.unwrap_or_default();
        self.answer([Part::ToolCall {
            id,
            name,
            arguments: if given == "input" {
                custom::arguments(&text)
            } else {
                text
            },
        }]);
        fields.rest_into(&mut self.extras);
        Ok(())
    }

    fn result(&mut self, item: Value, path: &Path<'_>) -> Result<(), Failure> {
        let mut fields = Fields::of(item, path)?;
        for name in ["type", "id", "status"] {
            fields.take(name);
        }
        let call_id = fields.required_text("call_id")?;
        let Some(parts) = parts::content(&mut fields, "output", &mut self.extras)? else {
            return Err(fields.invalid("output", "is required"));
        };
        self.push(
            Role::Tool,
            vec![Part::ToolResult {
                call_id,
                name: None,
                parts,
                is_error: false,
                cache: None,
            }],
        );
        fields.rest_into(&mut self.extras);
        Ok(())
    }
}
