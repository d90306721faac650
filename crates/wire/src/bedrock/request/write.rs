//! Writes a request for Bedrock.

use bourse_vocab::chat::{Reason, Request, ResponseFormat};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, Format};

use super::super::model::Model;
use super::draft::Draft;
use super::{MORE, conversation, inference, tools};
use crate::codec::{WriteTarget, Written};
use crate::dialect::parameters;
use crate::dialect::schema::close_objects;
use crate::dialect::service;

/// Writes a request.
///
/// # Errors
/// Nothing is left to send, or the model does not take how the conversation
/// begins or ends.
pub fn write(request: &Request, target: &WriteTarget<'_>) -> Result<Written, Failure> {
    let mut writer = Draft {
        request,
        model: Model::named(target.model),
        losses: Vec::new(),
        body: Map::new(),
        more: Map::new(),
        effort: None,
    };
    writer.extras(target);
    let conversation = conversation::write(request, &writer.model, &mut writer.losses)?;
    let is_unthought = conversation.is_unthought;
    let calls = conversation.calls;
    if !conversation.system.is_empty() {
        writer.set("system", Value::Array(conversation.system));
    }
    writer.set("messages", Value::Array(conversation.messages));
    inference::write(&mut writer, target, is_unthought);
    tools::write(&mut writer, calls);
    writer.output();
    writer.rest();
    writer.finish(target)
}

impl Draft<'_> {
    /// Starts from what only Bedrock understands, so that what follows is laid
    /// over it.
    fn extras(&mut self, target: &WriteTarget<'_>) {
        let extras = &self.request.extras;
        if extras.format == Format::Bedrock {
            self.body = extras.members.clone();
            if let Some(Value::Object(more)) = self.body.remove(MORE) {
                self.more = more;
            }
            self.body.remove("serviceTier");
        } else {
            let names = extras.members.keys();
            for name in names.filter(|name| *name != service::MEMBER) {
                let reason = format!("only {} has this parameter", extras.format);
                self.losses.push(parameters::loss(name, reason));
            }
            self.losses.extend(self.request.reasoning_losses());
        }
        if let Some(word) = target.dialect.tier_word(target.tier) {
            self.set("serviceTier", json!({"type": word}));
        }
    }

    /// Writes `outputConfig`: the effort, and the answer's schema, which is a
    /// text of JSON here (`JsonSchemaDefinition`).
    fn output(&mut self) {
        let mut config = match self.body.remove("outputConfig") {
            Some(Value::Object(config)) => config,
            _ => Map::new(),
        };
        if let Some(effort) = self.effort {
            config.insert("effort".to_owned(), json!(effort));
        }
        if let Some(format) = self.text_format() {
            config.insert("textFormat".to_owned(), format);
        }
        if !config.is_empty() {
            self.set("outputConfig", Value::Object(config));
        }
    }

    fn text_format(&mut self) -> Option<Value> {
        match &self.request.response_format {
            None | Some(ResponseFormat::Text) => {}
            Some(ResponseFormat::JsonSchema {
                name,
                description,
                schema,
                ..
            }) if self.model.claude.structured => {
                let mut schema = schema.clone();
                if close_objects(&mut schema) {
                    self.lose(
                        "response_format",
                        Reason::degraded(
                            "additionalProperties was set to false, which Bedrock insists on",
                        ),
                    );
                }
                let mut definition = Map::new();
                definition.insert("schema".to_owned(), json!(schema.to_string()));
                definition.insert("name".to_owned(), json!(name));
                if let Some(text) = description {
                    definition.insert("description".to_owned(), json!(text));
                }
                return Some(json!({
                    "type": "json_schema",
                    "structure": {"jsonSchema": definition},
                }));
            }
            Some(ResponseFormat::JsonSchema { .. }) => {
                self.refuse("response_format", "the model cannot follow a schema");
            }
            Some(ResponseFormat::JsonObject) => self.refuse(
                "response_format",
                "Bedrock has no JSON mode without a schema; send a json_schema",
            ),
            Some(ResponseFormat::Opaque(_)) => {
                self.refuse("response_format", "Bedrock does not know this kind");
            }
        }
        None
    }

    fn rest(&mut self) {
        if self.request.user.is_some() {
            self.lose("user", "Bedrock has no such parameter");
        }
        if self.request.modalities.iter().any(|kind| kind != "text") {
            self.lose("modalities", "Bedrock answers in text only");
        }
    }

    fn finish(mut self, target: &WriteTarget<'_>) -> Result<Written, Failure> {
        if !self.more.is_empty() {
            let more = std::mem::take(&mut self.more);
            self.set(MORE, Value::Object(more));
        }
        for name in target.dialect.rejects {
            if self.body.remove(name).is_some() {
                self.lose(name, "the provider takes no such parameter");
            }
        }
        let body = self
            .body
            .to_bytes()
            .map_err(|error| Failure::server(format!("a request could not be written: {error}")))?;
        Ok(Written {
            body,
            losses: self.losses,
        })
    }
}
