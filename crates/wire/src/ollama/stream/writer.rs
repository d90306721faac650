//! Writes a client's stream.

use std::collections::BTreeMap;

use bourse_vocab::chat::{Event, Finish, Media};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, Usage};

use super::super::{logprobs, reply, request, usage};
use crate::codec::{Stamp, StreamWriter};

/// Writes events as lines. A call is told whole, when the answer has ended.
#[derive(Debug)]
pub struct Writer {
    model: String,
    created: u64,
    calls: BTreeMap<u32, Call>,
    finish: Option<Finish>,
    usage: Usage,
}

#[derive(Debug)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

impl Writer {
    pub fn new(stamp: &Stamp<'_>) -> Self {
        Self {
            model: stamp.model.to_owned(),
            created: stamp.created,
            calls: BTreeMap::new(),
            finish: None,
            usage: Usage::default(),
        }
    }
}

impl StreamWriter for Writer {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Text { text, logprobs, .. } => {
                let list = logprobs.as_ref().and_then(logprobs::write);
                self.said(&json!({"content": text}), list, out);
            }
            Event::Refusal { text, .. } => self.said(&json!({"content": text}), None, out),
            Event::Reasoning { delta, .. } => {
                let thought = reply::readable(&delta.kind);
                if !thought.is_empty() {
                    let said = json!({"content": "", "thinking": thought});
                    self.said(&said, None, out);
                }
            }
            Event::Image {
                media: Media::Base64 { data, .. },
                ..
            } => self.said(&json!({"content": "", "images": [data]}), None, out),
            Event::ToolStart {
                index, id, name, ..
            } => {
                let call = Call {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                };
                self.calls.insert(*index, call);
            }
            Event::ToolArguments {
                index, fragment, ..
            } => {
                if let Some(call) = self.calls.get_mut(index) {
                    call.arguments.push_str(fragment);
                }
            }
            Event::Finish { reason, .. } => {
                self.finish = Some(*reason);
                self.tell_calls(out);
            }
            Event::Settled(usage, _) => self.usage = *usage,
            Event::Done => self.done(out),
            Event::Error(error) => fail(error, out),
            // A line has no place for them.
            Event::Start { .. }
            | Event::Tier(_)
            | Event::Image { .. }
            | Event::Other { .. }
            | Event::Usage(_) => {}
        }
    }
}

impl Writer {
    fn said(&self, said: &Value, list: Option<Value>, out: &mut Vec<u8>) {
        let mut message = Map::new();
        message.insert("role".to_owned(), json!("assistant"));
        let members = said.as_object().into_iter().flat_map(Map::iter);
        message.extend(members.map(|(name, value)| (name.clone(), value.clone())));
        let mut line = reply::head(&self.model, self.created);
        line.insert("message".to_owned(), Value::Object(message));
        line.insert("done".to_owned(), json!(false));
        if let Some(list) = list {
            line.insert("logprobs".to_owned(), list);
        }
        send(line, out);
    }

    fn tell_calls(&mut self, out: &mut Vec<u8>) {
        for call in std::mem::take(&mut self.calls).into_values() {
            let call = request::call(&call.id, &call.name, &call.arguments).0;
            self.said(&json!({"content": "", "tool_calls": [call]}), None, out);
        }
    }

    fn done(&self, out: &mut Vec<u8>) {
        let mut line = reply::head(&self.model, self.created);
        let message = json!({"role": "assistant", "content": ""});
        line.insert("message".to_owned(), message);
        let finish = self.finish.unwrap_or(Finish::Stop);
        let reason = reply::done_reason(finish);
        line.insert("done_reason".to_owned(), json!(reason));
        line.insert("done".to_owned(), json!(true));
        usage::write(&self.usage, &mut line);
        send(line, out);
    }
}

fn send(line: Map, out: &mut Vec<u8>) {
    out.extend_from_slice(Value::Object(line).to_string().as_bytes());
    out.push(b'\n');
}

fn fail(error: &Failure, out: &mut Vec<u8>) {
    let line = json!({"error": error.message});
    out.extend_from_slice(line.to_string().as_bytes());
    out.push(b'\n');
}
