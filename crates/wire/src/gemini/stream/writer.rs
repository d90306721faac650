//! Writing a client's stream.

use bourse_vocab::Usage;
use bourse_vocab::chat::{Event, Finish, ReasoningDelta, ReasoningKind};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};

use super::super::{SCHEME, failure, part, reply, usage};
use crate::codec::{Stamp, StreamWriter};
use crate::sse::write_data;

/// Writes a stream of responses.
///
/// Calls come whole in this format, so they are collected, and written when
/// their answer ends. Nothing marks the end of the stream but its closing.
#[derive(Debug)]
pub struct Writer {
    model: String,
    id: String,
    calls: Vec<Call>,
    /// Signatures of calls: (id of the call, signature).
    signatures: Vec<(String, String)>,
    /// The tier of service that answers.
    tier: Option<String>,
}

/// A call that is being collected. What a provider sends in all is bounded
/// where its bytes are read.
#[derive(Debug)]
struct Call {
    choice: u32,
    index: u32,
    id: String,
    name: String,
    arguments: String,
}

impl StreamWriter for Writer {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            // The caller sees the final usage only; the end is the closing.
            Event::Start { .. } | Event::Usage(_) | Event::Done => {}
            Event::Tier(name) => self.tier = Some(name.clone()),
            Event::Text {
                choice,
                text,
                logprobs: _,
            }
            | Event::Refusal { choice, text } => {
                if !text.is_empty() {
                    self.part(*choice, &part::write_text(text), out);
                }
            }
            Event::Reasoning { choice, delta } => self.reasoning(*choice, delta, out),
            Event::ToolStart {
                choice,
                index,
                id,
                name,
            } => self.calls.push(Call {
                choice: *choice,
                index: *index,
                id: id.clone(),
                name: name.clone(),
                arguments: String::new(),
            }),
            Event::ToolArguments {
                choice,
                index,
                fragment,
            } => {
                let open = self
                    .calls
                    .iter_mut()
                    .find(|call| (call.choice, call.index) == (*choice, *index));
                if let Some(call) = open {
                    call.arguments.push_str(fragment);
                }
            }
            Event::Image { choice, media } => {
                if let Some(part) = reply::write_image(media) {
                    self.part(*choice, &part, out);
                }
            }
            Event::Other {
                choice,
                name,
                value,
            } => self.other(*choice, name, value, out),
            Event::Finish { choice, reason, .. } => self.finish(*choice, *reason, out),
            Event::Settled(used, _) => self.settled(used, out),
            Event::Error(failed) => {
                write_data(&failure::write(failed), out);
            }
        }
    }
}

impl Writer {
    /// Begins a stream.
    pub fn new(stamp: &Stamp<'_>) -> Self {
        Self {
            model: stamp.model.to_owned(),
            id: stamp.id.to_owned(),
            calls: Vec::new(),
            signatures: Vec::new(),
            tier: None,
        }
    }

    fn frame(&self, mut body: Map, out: &mut Vec<u8>) {
        body.insert("modelVersion".to_owned(), json!(self.model));
        body.insert("responseId".to_owned(), json!(self.id));
        write_data(Value::Object(body).to_string().as_bytes(), out);
    }

    fn candidate(&self, candidate: Value, out: &mut Vec<u8>) {
        let mut body = Map::new();
        body.insert("candidates".to_owned(), Value::Array(vec![candidate]));
        self.frame(body, out);
    }

    fn part(&self, choice: u32, part: &Value, out: &mut Vec<u8>) {
        let content = json!({"parts": [part], "role": "model"});
        self.candidate(json!({"content": content, "index": choice}), out);
    }

    fn reasoning(&mut self, choice: u32, delta: &ReasoningDelta, out: &mut Vec<u8>) {
        let ours = delta.scheme.as_deref() == Some(SCHEME);
        let (words, seal) = match &delta.kind {
            ReasoningKind::Text { text, signature } => (text.as_str(), signature.as_ref()),
            ReasoningKind::Summary(text) => (text.as_str(), None),
            ReasoningKind::Encrypted(seal) => ("", Some(seal)),
        };
        if !words.is_empty() {
            self.part(choice, &json!({"text": words, "thought": true}), out);
        }
        // Another vendor's seal would be sent back to Google as if it were
        // Google's own.
        match (seal.filter(|_| ours), &delta.id) {
            (Some(seal), Some(id)) => self.signatures.push((id.clone(), seal.clone())),
            (Some(seal), None) => {
                let mut signed = part::write_text("");
                part::sign(&mut signed, seal.clone());
                self.part(choice, &signed, out);
            }
            (None, _) => {}
        }
    }

    fn other(&self, choice: u32, name: &str, value: &Value, out: &mut Vec<u8>) {
        match name {
            "audio" => {
                for part in reply::write_audio(value) {
                    self.part(choice, &part, out);
                }
            }
            "annotations" => {
                if let Some(metadata) = reply::write_grounding(value) {
                    let candidate = json!({"groundingMetadata": metadata, "index": choice});
                    self.candidate(candidate, out);
                }
            }
            _ => {}
        }
    }

    fn finish(&mut self, choice: u32, reason: Finish, out: &mut Vec<u8>) {
        let (done, rest) = std::mem::take(&mut self.calls)
            .into_iter()
            .partition::<Vec<_>, _>(|call| call.choice == choice);
        self.calls = rest;
        let parts: Vec<Value> = done
            .iter()
            .map(|call| {
                let (mut part, _) = part::write_call(&call.id, &call.name, &call.arguments);
                let signature = self.signatures.iter().position(|(id, _)| *id == call.id);
                if let Some(at) = signature {
                    part::sign(&mut part, self.signatures.swap_remove(at).1);
                }
                part
            })
            .collect();
        let mut candidate = Map::new();
        if !parts.is_empty() {
            candidate.insert(
                "content".to_owned(),
                json!({"parts": parts, "role": "model"}),
            );
        }
        candidate.insert(
            "finishReason".to_owned(),
            json!(reply::native_finish(reason)),
        );
        candidate.insert("index".to_owned(), json!(choice));
        self.candidate(Value::Object(candidate), out);
    }

    fn settled(&self, used: &Usage, out: &mut Vec<u8>) {
        let mut body = Map::new();
        body.insert(
            "usageMetadata".to_owned(),
            usage::write(used, self.tier.as_deref()),
        );
        self.frame(body, out);
    }
}
