//! Writes a client's stream.

use std::collections::BTreeSet;

use bourse_vocab::chat::{Event, Finish};
use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{Failure, Usage};

use super::super::{reply, usage};
use crate::codec::{Stamp, StreamWriter};
use crate::sse::{Frame, write_frame};

/// Writes events as frames, each named by its type.
#[derive(Debug)]
pub struct Writer {
    id: String,
    started: bool,
    next: u64,
    /// The open block: what it is, and its number.
    open: Option<(&'static str, u64)>,
    /// Calls that have not ended: their arguments may come in turns.
    calls: BTreeSet<u32>,
    finish: Option<&'static str>,
    usage: Usage,
}

impl Writer {
    pub fn new(stamp: &Stamp<'_>) -> Self {
        Self {
            id: stamp.id.to_owned(),
            started: false,
            next: 0,
            open: None,
            calls: BTreeSet::new(),
            finish: None,
            usage: Usage::default(),
        }
    }
}

impl StreamWriter for Writer {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { .. } => self.start(out),
            Event::Text { text, .. } | Event::Refusal { text, .. } => self.say("text", text, out),
            Event::Reasoning { delta, .. } => {
                self.say("thinking", reply::readable(&delta.kind), out);
            }
            Event::ToolStart {
                index, id, name, ..
            } => {
                self.close(out);
                self.start(out);
                self.calls.insert(*index);
                let call = json!({"id": id, "type": "function",
                    "function": {"name": name, "arguments": ""}});
                tell(
                    "tool-call-start",
                    u64::from(*index),
                    &json!({"tool_calls": call}),
                    out,
                );
            }
            Event::ToolArguments {
                index, fragment, ..
            } => {
                let call = json!({"tool_calls": {"function": {"arguments": fragment}}});
                tell("tool-call-delta", u64::from(*index), &call, out);
            }
            Event::Finish { reason, native, .. } => {
                self.close(out);
                self.start(out);
                for index in std::mem::take(&mut self.calls) {
                    send(&json!({"type": "tool-call-end", "index": index}), out);
                }
                self.finish = Some(reply::finish_reason(*reason, native.as_deref()));
            }
            Event::Settled(usage, _) => self.usage = *usage,
            Event::Done => self.done(out),
            Event::Error(error) => self.fail(error, out),
            // No event of Cohere's has a place for them.
            Event::Tier(_) | Event::Image { .. } | Event::Other { .. } | Event::Usage(_) => {}
        }
    }
}

impl Writer {
    fn start(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.started, true) {
            let message = json!({"role": "assistant", "content": [], "tool_plan": "",
                "tool_calls": [], "citations": []});
            let start = json!({"type": "message-start", "id": self.id,
                "delta": {"message": message}});
            send(&start, out);
        }
    }

    fn say(&mut self, kind: &'static str, said: &str, out: &mut Vec<u8>) {
        if said.is_empty() {
            return;
        }
        self.start(out);
        let number = match self.open {
            Some((open, number)) if open == kind => number,
            _ => {
                self.close(out);
                let number = self.next;
                self.next = number.saturating_add(1);
                self.open = Some((kind, number));
                let content = json!({"type": kind, kind: ""});
                tell("content-start", number, &json!({"content": content}), out);
                number
            }
        };
        tell(
            "content-delta",
            number,
            &json!({"content": {kind: said}}),
            out,
        );
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if let Some((_, number)) = self.open.take() {
            send(&json!({"type": "content-end", "index": number}), out);
        }
    }

    fn done(&self, out: &mut Vec<u8>) {
        let reason = self
            .finish
            .unwrap_or(reply::finish_reason(Finish::Stop, None));
        let delta = json!({"finish_reason": reason, "usage": usage::write(&self.usage)});
        send(&json!({"type": "message-end", "delta": delta}), out);
    }

    /// An error is told with the end.
    fn fail(&mut self, error: &Failure, out: &mut Vec<u8>) {
        self.close(out);
        self.start(out);
        let delta = json!({"finish_reason": "ERROR", "error": error.message});
        send(&json!({"type": "message-end", "delta": delta}), out);
    }
}

fn tell(kind: &str, number: u64, message: &Value, out: &mut Vec<u8>) {
    let event = json!({"type": kind, "index": number, "delta": {"message": message}});
    send(&event, out);
}

fn send(event: &Value, out: &mut Vec<u8>) {
    let kind = super::super::text(event, "type").unwrap_or_default();
    let data = event.to_string();
    let frame = Frame {
        event: kind,
        data: data.as_bytes(),
    };
    write_frame(&frame, out);
}
