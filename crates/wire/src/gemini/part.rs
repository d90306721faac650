//! Parts of an answer, and the signatures that ride on them.
//!
//! A thought signature stands on the part that the thought led to. Here it
//! is a piece of reasoning of its own, directly before that part, with the
//! id of the call if the part is one: that is how OpenRouter's
//! `reasoning_details` keep it while the message is in a client's hands.

use bourse_vocab::Format;
use bourse_vocab::chat::{Media, Part, Reasoning, ReasoningKind};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};

use super::{SCHEME, seal, text};

/// What one part says.
#[derive(Debug, PartialEq)]
pub enum Said {
    /// Nothing: parts may carry a signature only.
    Nothing,
    /// Text of the answer.
    Text(String),
    /// Text of a thought.
    Thought(String),
    /// A call of a tool.
    Call {
        /// The model's name for it, where it gave one.
        id: Option<String>,
        /// Which tool.
        name: String,
        /// JSON text of an object.
        arguments: String,
    },
    /// Bytes in base64.
    Media {
        /// Their type.
        mime: String,
        /// The base64 text.
        data: String,
    },
    /// What only Gemini understands.
    Other,
}

/// Reads a part: its signature, and what it says.
pub fn read(part: &Value) -> (Option<String>, Said) {
    let signature = text(part, "thoughtSignature")
        .filter(|signature| !signature.is_empty())
        .map(str::to_owned);
    (signature, said(part))
}

fn said(part: &Value) -> Said {
    let is_thought = part.get("thought").and_then(Value::as_bool) == Some(true);
    if let Some(words) = text(part, "text") {
        return match words {
            "" => Said::Nothing,
            words if is_thought => Said::Thought(words.to_owned()),
            words => Said::Text(words.to_owned()),
        };
    }
    if let Some(call) = part.get("functionCall") {
        return Said::Call {
            id: text(call, "id").filter(|id| !id.is_empty()).map(Into::into),
            name: text(call, "name").unwrap_or_default().to_owned(),
            arguments: match call.get("args") {
                Some(args) if args.is_object() => args.to_string(),
                _ => "{}".to_owned(),
            },
        };
    }
    if let Some(data) = part.get("inlineData") {
        return Said::Media {
            mime: text(data, "mimeType").unwrap_or_default().to_owned(),
            data: text(data, "data").unwrap_or_default().to_owned(),
        };
    }
    let signed_only = part
        .as_object()
        .is_some_and(|members| members.keys().all(|name| name.starts_with("thought")));
    if signed_only {
        Said::Nothing
    } else {
        Said::Other
    }
}

/// A piece of the model's reasoning.
pub fn reasoning(kind: ReasoningKind, id: Option<String>) -> Part {
    Part::Reasoning(Reasoning {
        kind,
        id,
        scheme: Some(SCHEME.to_owned()),
        replayed: None,
    })
}

/// A thought that people can read.
pub const fn thought(text: String) -> ReasoningKind {
    ReasoningKind::Text {
        text,
        signature: None,
    }
}

/// A medium of an answer or a question, by its type.
pub fn media(mime: String, data: String) -> Part {
    match mime.split_once('/') {
        Some(("image", _)) => Part::Image {
            media: Media::Base64 { mime, data },
            detail: None,
            cache: None,
        },
        Some(("audio", format)) => Part::Audio {
            data,
            format: format.to_owned(),
        },
        Some(("video", _)) => Part::Video {
            media: Media::Base64 { mime, data },
        },
        _ => Part::File {
            filename: None,
            media: Media::Base64 { mime, data },
            cache: None,
        },
    }
}

/// An id for a call that the model did not name. Calls are named after the
/// answer they are part of, so that a conversation holds no name twice.
pub fn call_id(response: Option<&str>, index: usize, name: &str) -> String {
    /// Clients limit ids to 40 bytes; Google's have 22 or so.
    const RESPONSE_BYTES_MAX: usize = 24;
    match response.filter(|id| !id.is_empty()) {
        Some(id) => {
            let id = crate::failure_text::cut(id, RESPONSE_BYTES_MAX);
            format!("call_{id}_{index}")
        }
        None => format!("call_{index}_{name}"),
    }
}

/// Text as a part.
pub fn write_text(text: &str) -> Value {
    json!({ "text": text })
}

/// Bytes in base64 as a part.
pub fn write_media(mime: &str, data: &str) -> Value {
    json!({"inlineData": {"mimeType": mime, "data": data}})
}

/// A call as a part. Arguments that are no object are wrapped into one;
/// `false` says so.
pub fn write_call(id: &str, name: &str, arguments: &str) -> (Value, bool) {
    let trimmed = arguments.trim();
    let (args, whole) = match bourse_vocab::json::parse(trimmed.as_bytes()) {
        Ok(args @ Value::Object(_)) => (args, true),
        _ if trimmed.is_empty() => (json!({}), true),
        _ => (json!({ "arguments": arguments }), false),
    };
    let mut call = Map::new();
    if !id.is_empty() {
        call.insert("id".to_owned(), json!(id));
    }
    call.insert("name".to_owned(), json!(name));
    call.insert("args".to_owned(), args);
    (json!({ "functionCall": call }), whole)
}

/// Puts a signature on a part.
pub fn sign(part: &mut Value, signature: String) {
    if let Value::Object(members) = part {
        members.insert("thoughtSignature".to_owned(), Value::String(signature));
    }
}

/// Puts signatures back where they came from.
///
/// Signatures of calls go to the call with their id. One without an id goes
/// to the next part that is no call; clients that keep reasoning apart from
/// content put all of it first, which comes to the same.
#[derive(Debug, Default)]
pub struct Signer {
    /// Signatures of calls that have not come yet.
    calls: Vec<(String, String)>,
    loose: std::collections::VecDeque<String>,
}

impl Signer {
    /// Takes the signature out of a piece of reasoning. `false` says that
    /// the piece is another vendor's.
    pub fn take(&mut self, reasoning: &Reasoning) -> bool {
        if reasoning.scheme.as_deref() != Some(SCHEME) {
            return false;
        }
        let signature = match &reasoning.kind {
            ReasoningKind::Encrypted(signature) => Some(signature),
            ReasoningKind::Text { signature, .. } => signature.as_ref(),
            // Gemini does not want its thoughts back, only their seals.
            ReasoningKind::Summary(_) => None,
        };
        if let Some(signature) = signature.filter(|signature| !signature.is_empty()) {
            match &reasoning.id {
                Some(id) => self.calls.push((id.clone(), signature.clone())),
                None => self.loose.push_back(signature.clone()),
            }
        }
        true
    }

    /// Takes the signatures of all `parts` that name a call: they may stand
    /// behind it.
    pub fn take_calls(&mut self, parts: &[Part]) {
        for part in parts {
            if let Part::Reasoning(reasoning) = part
                && reasoning.id.is_some()
            {
                self.take(reasoning);
            }
        }
    }

    /// Signs a call. `false` says that there is no signature for it.
    pub fn sign_call(&mut self, id: &str, part: &mut Value) -> bool {
        let Some(at) = self.calls.iter().position(|(known, _)| known == id) else {
            return false;
        };
        let (_, signature) = self.calls.swap_remove(at);
        sign(part, signature);
        true
    }

    /// Signs a part that is no call, if a signature waits for one.
    pub fn sign_loose(&mut self, part: &mut Value) {
        if let Some(signature) = self.loose.pop_front() {
            sign(part, signature);
        }
    }

    /// Places what is left, behind the other `parts`.
    pub fn finish(&mut self, parts: &mut Vec<Value>) {
        for signature in self.loose.drain(..) {
            let free = parts.last_mut().filter(|part| {
                part.get("functionCall").is_none() && part.get("thoughtSignature").is_none()
            });
            if let Some(part) = free {
                sign(part, signature);
            } else {
                // A part of a stream that brings only the signature looks
                // like this too ("Thought signatures", October 2026).
                let mut part = write_text("");
                sign(&mut part, signature);
                parts.push(part);
            }
        }
    }
}

/// What another vendor thought, as a thought whose signature says whose it is.
/// `None` if there is nothing to show and nothing to give back.
pub fn write_foreign(reasoning: &Reasoning, shows: bool) -> Option<Value> {
    let (scheme, id) = (reasoning.scheme.as_deref(), reasoning.id.as_deref());
    let (text, seal) = match &reasoning.kind {
        ReasoningKind::Text { text, signature } => {
            let hidden = if shows { "" } else { text };
            let signature = signature.as_ref();
            let seal = signature.map(|signature| seal::signed(scheme, id, signature, hidden));
            (text.as_str(), seal)
        }
        ReasoningKind::Summary(text) => (text.as_str(), None),
        ReasoningKind::Encrypted(data) => ("", Some(seal::encrypted(scheme, id, data))),
    };
    let text = if shows { text } else { "" };
    if text.is_empty() && seal.is_none() {
        return None;
    }
    let mut part = json!({"text": text, "thought": true});
    if let Some(seal) = seal {
        sign(&mut part, seal);
    }
    Some(part)
}

/// A part that only Gemini understands.
pub fn opaque(part: &Value) -> Part {
    Part::Opaque {
        format: Format::Gemini,
        value: part.clone(),
    }
}
