//! Writing a client's stream.

use bourse_vocab::chat::{Event, Finish, ReasoningDelta, ReasoningKind};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Bill, Failure, Usage};

use super::super::{Manner, failure, part, reply, seal, usage};
use super::frames::Frames;
use super::thought::Open;
use crate::codec::{Stamp, StreamWriter};

/// Writes a stream of responses.
///
/// Calls come whole in this format, so they are collected. They, the reasons
/// for the end and the usage are one response, the last: SDKs take a response
/// without content for a broken one, and forget the turn. Nothing else marks
/// the end of the stream but its closing.
#[derive(Debug)]
pub struct Writer {
    frames: Frames,
    marks: reply::Marks,
    shows_thoughts: bool,
    calls: Vec<Call>,
    /// Signatures of calls: (id of the call, signature).
    signatures: Vec<(String, String)>,
    /// Another vendor's thought that may go on.
    thought: Option<Open>,
    /// Answers that have ended, and why.
    ends: Vec<(u32, Finish)>,
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
            Event::ToolArguments {
                choice,
                index,
                fragment,
            } => self.arguments((*choice, *index), fragment),
            Event::Reasoning { choice, delta } => self.reasoning(*choice, delta, out),
            said => {
                self.close_thought(out);
                self.said(said, out);
            }
        }
    }

    fn restamp(&mut self, stamp: &Stamp<'_>) {
        self.marks.restamp(stamp);
    }
}

impl Writer {
    /// Begins a stream.
    pub fn new(stamp: &Stamp<'_>, manner: Manner) -> Self {
        Self {
            frames: Frames::new(manner.is_array),
            marks: reply::Marks::of(stamp),
            shows_thoughts: manner.shows_thoughts,
            calls: Vec::new(),
            signatures: Vec::new(),
            thought: None,
            ends: Vec::new(),
            tier: None,
        }
    }

    fn said(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Text {
                choice,
                text,
                logprobs,
            } => self.text(*choice, text, logprobs.as_ref(), out),
            Event::Refusal { choice, text } => self.text(*choice, text, None, out),
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
            Event::Finish { choice, reason, .. } => self.ends.push((*choice, *reason)),
            Event::Settled(used, bill) => self.settled(used, bill, out),
            Event::Error(failed) => self.failed(failed, out),
            // Told before.
            _ => {}
        }
    }

    fn put(&mut self, mut response: Map, out: &mut Vec<u8>) {
        self.marks.set(&mut response);
        let text = Value::Object(response).to_string();
        self.frames.put(text.as_bytes(), out);
    }

    fn candidate(&mut self, candidate: Value, out: &mut Vec<u8>) {
        let mut response = Map::new();
        response.insert("candidates".to_owned(), Value::Array(vec![candidate]));
        self.put(response, out);
    }

    fn part(&mut self, choice: u32, part: &Value, out: &mut Vec<u8>) {
        let content = json!({"parts": [part], "role": "model"});
        self.candidate(json!({"content": content, "index": choice}), out);
    }

    fn text(&mut self, choice: u32, text: &str, logprobs: Option<&Value>, out: &mut Vec<u8>) {
        let scores = logprobs.and_then(reply::write_logprobs);
        if text.is_empty() && scores.is_none() {
            return;
        }
        let content = json!({"parts": [part::write_text(text)], "role": "model"});
        let mut candidate = Map::new();
        candidate.insert("content".to_owned(), content);
        candidate.insert("index".to_owned(), json!(choice));
        if let Some(scores) = scores {
            candidate.insert("logprobsResult".to_owned(), scores);
        }
        self.candidate(Value::Object(candidate), out);
    }

    fn arguments(&mut self, call: (u32, u32), fragment: &str) {
        let mut calls = self.calls.iter_mut();
        if let Some(open) = calls.find(|open| (open.choice, open.index) == call) {
            open.arguments.push_str(fragment);
        }
    }

    fn reasoning(&mut self, choice: u32, delta: &ReasoningDelta, out: &mut Vec<u8>) {
        if !seal::is_googles(delta.scheme.as_deref()) {
            return self.foreign(choice, delta, out);
        }
        self.close_thought(out);
        let (words, signature) = match &delta.kind {
            ReasoningKind::Text { text, signature } => (text.as_str(), signature.as_ref()),
            ReasoningKind::Summary(text) => (text.as_str(), None),
            ReasoningKind::Encrypted(signature) => ("", Some(signature)),
        };
        if !words.is_empty() && self.shows_thoughts {
            self.part(choice, &json!({"text": words, "thought": true}), out);
        }
        match (signature, &delta.id) {
            (Some(signature), Some(id)) => self.signatures.push((id.clone(), signature.clone())),
            (Some(signature), None) => {
                let mut signed = part::write_text("");
                part::sign(&mut signed, signature.clone());
                self.part(choice, &signed, out);
            }
            (None, _) => {}
        }
    }

    /// Tells of another vendor's thought: it must not come back to Google as if
    /// it were Google's own.
    fn foreign(&mut self, choice: u32, delta: &ReasoningDelta, out: &mut Vec<u8>) {
        let goes_on = |open: &Open| open.goes_on(choice, delta);
        if !self.thought.as_ref().is_some_and(goes_on) {
            self.close_thought(out);
        }
        let begin = || Open::new(choice, delta);
        let open = self.thought.get_or_insert_with(begin);
        if let Some(part) = open.take(delta, self.shows_thoughts) {
            self.part(choice, &part, out);
        }
    }

    fn close_thought(&mut self, out: &mut Vec<u8>) {
        if let Some(open) = self.thought.take() {
            let choice = open.choice;
            for part in open.close() {
                self.part(choice, &part, out);
            }
        }
    }

    fn other(&mut self, choice: u32, name: &str, value: &Value, out: &mut Vec<u8>) {
        match name {
            "audio" => {
                for part in reply::write_audio(value) {
                    self.part(choice, &part, out);
                }
            }
            "annotations" => {
                if let Some(metadata) = reply::write_grounding(value) {
                    let content = json!({"parts": [part::write_text("")], "role": "model"});
                    let candidate =
                        json!({"content": content, "groundingMetadata": metadata, "index": choice});
                    self.candidate(candidate, out);
                }
            }
            _ => {}
        }
    }

    /// The end of one answer, with its calls.
    fn end(&mut self, choice: u32, reason: Finish) -> Value {
        let (done, rest) = std::mem::take(&mut self.calls)
            .into_iter()
            .partition::<Vec<_>, _>(|call| call.choice == choice);
        self.calls = rest;
        let mut parts: Vec<Value> = Vec::with_capacity(done.len().max(1));
        for call in done {
            let (mut part, _) = part::write_call(&call.id, &call.name, &call.arguments);
            let mut signatures = self.signatures.iter();
            if let Some(at) = signatures.position(|(id, _)| *id == call.id) {
                part::sign(&mut part, self.signatures.swap_remove(at).1);
            }
            parts.push(part);
        }
        if parts.is_empty() {
            parts.push(part::write_text(""));
        }
        json!({
            "content": {"parts": parts, "role": "model"},
            "finishReason": reply::native_finish(reason),
            "index": choice,
        })
    }

    fn settled(&mut self, used: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        let ends = std::mem::take(&mut self.ends);
        let candidates: Vec<Value> = ends
            .into_iter()
            .map(|(choice, reason)| self.end(choice, reason))
            .collect();
        let mut response = Map::new();
        if !candidates.is_empty() {
            response.insert("candidates".to_owned(), Value::Array(candidates));
        }
        let metadata = usage::write(used, self.tier.as_deref(), Some(bill));
        response.insert("usageMetadata".to_owned(), metadata);
        self.marks.set_last(&mut response);
        self.put(response, out);
        self.frames.close(out);
    }

    /// Tells an error. Nothing that was held back is told: a broken answer is
    /// not shown as a finished one.
    fn failed(&mut self, failed: &Failure, out: &mut Vec<u8>) {
        self.frames.put(&failure::write(failed), out);
        self.frames.close(out);
    }
}
