//! The items of an answer, as JSON.

use bourse_vocab::chat::Media;
use bourse_vocab::json::Value;

use super::pieces::Thought;
use crate::object::{Object, array, object};

/// How far an item is, or a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// More of it comes.
    InProgress,
    /// All of it is there.
    Completed,
    /// It was cut off.
    Incomplete,
    /// The provider failed.
    Failed,
}

impl Status {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
        }
    }
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// What was said.
    Text {
        /// The text.
        text: String,
        /// Citations, as this format has them.
        annotations: Vec<Value>,
        /// Log probabilities of its tokens.
        logprobs: Vec<Value>,
    },
    /// What was declined.
    Refusal(String),
}

impl Content {
    /// Nothing said yet.
    pub const fn text() -> Self {
        Self::Text {
            text: String::new(),
            annotations: Vec::new(),
            logprobs: Vec::new(),
        }
    }

    /// Writes the part.
    pub fn write(&self, out: &mut Vec<u8>) {
        object(out, |part| match self {
            Self::Text {
                text,
                annotations,
                logprobs,
            } => {
                part.put("type", "output_text")
                    .put("text", text)
                    .put("annotations", annotations)
                    .put("logprobs", logprobs);
            }
            Self::Refusal(refusal) => {
                part.put("type", "refusal").put("refusal", refusal);
            }
        });
    }
}

/// A message of the model.
pub fn message(out: &mut Vec<u8>, id: &str, content: &[Content], status: Status) {
    object(out, |item| {
        item.put("type", "message")
            .put("id", id)
            .put("role", "assistant")
            .put("status", status.word())
            .nested("content", |out| {
                array(out, content, |out, part| part.write(out));
            });
    });
}

/// A piece of reasoning, with OpenRouter's `format` and `signature`
/// (openrouter.ai/docs, API document, `OutputReasoningItem`, October 2026).
pub fn reasoning(out: &mut Vec<u8>, id: &str, thought: &Thought, status: Status) {
    object(out, |item| {
        item.put("type", "reasoning")
            .put("id", id)
            .nested("summary", |out| {
                array(out, &thought.summary, |out, text| {
                    text_part(out, "summary_text", text);
                });
            });
        if !thought.content.is_empty() {
            item.nested("content", |out| {
                array(out, &thought.content, |out, text| {
                    text_part(out, "reasoning_text", text);
                });
            });
        }
        item.put_some("encrypted_content", thought.seal().as_ref())
            .put_some("signature", thought.signature.as_ref())
            .put_some("format", thought.scheme.as_ref())
            .put("status", status.word());
    });
}

/// A part of a piece of reasoning.
pub fn text_part(out: &mut Vec<u8>, kind: &str, text: &str) {
    object(out, |part| {
        part.put("type", kind).put("text", text);
    });
}

/// A call of a tool of the client's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The model's name for it.
    pub call_id: String,
    /// Which tool.
    pub name: String,
    /// The group that the tool stands in.
    pub namespace: Option<String>,
    /// What it is given: JSON text, or any text if the tool is a custom one.
    pub given: String,
    /// Whether the tool is a custom one.
    pub is_custom: bool,
}

impl Call {
    /// Writes the item.
    pub fn write(&self, out: &mut Vec<u8>, id: &str, status: Status) {
        let (kind, given) = if self.is_custom {
            ("custom_tool_call", "input")
        } else {
            ("function_call", "arguments")
        };
        object(out, |item| {
            item.put("type", kind)
                .put("id", id)
                .put("call_id", &self.call_id)
                .put("name", &self.name)
                .put_some("namespace", self.namespace.as_ref())
                .put(given, &self.given)
                .put("status", status.word());
        });
    }

    /// What the ids of such items begin with.
    pub const fn prefix(&self) -> &'static str {
        if self.is_custom { "ctc" } else { "fc" }
    }
}

/// A picture that the model made. Nothing can be shown of one that is known
/// only by the id of an upload.
pub fn picture(out: &mut Vec<u8>, id: &str, media: &Media) {
    let result = match media {
        Media::Base64 { data, .. } => Some(data.as_str()),
        Media::Url(url) => Some(url.as_str()),
        Media::FileId(_) => None,
    };
    object(out, |item: &mut Object<'_>| {
        item.put("type", "image_generation_call")
            .put("id", id)
            .put("status", Status::Completed.word())
            .put("result", &result);
    });
}
