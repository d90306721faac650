//! Reads a provider's stream (`V2ChatStreamResponse`).

use std::collections::BTreeMap;

use bourse_vocab::Failure;
use bourse_vocab::chat::{Event, ReasoningDelta, ReasoningKind};
use bourse_vocab::json::Value;

use super::super::{reply, text, usage};
use crate::codec::StreamReader;
use crate::dialect::calls::CALLS_MAX;
use crate::failure_text;
use crate::sse::Frame;

/// Reads frames into events.
#[derive(Debug, Default)]
pub struct Reader {
    started: bool,
    /// Open calls by the provider's number: ours, and whether arguments came.
    open: BTreeMap<u64, (u32, bool)>,
    calls: u32,
    /// The thought that is going on, or comes next.
    thought: u32,
    is_thinking: bool,
    over: bool,
}

impl StreamReader for Reader {
    fn frame(&mut self, frame: &Frame<'_>, events: &mut Vec<Event>) -> Result<(), Failure> {
        if self.over || frame.data == b"[DONE]" {
            return Ok(());
        }
        let event: Value = bourse_vocab::json::parse(frame.data)
            .map_err(|error| broken(&format!("not JSON: {error}")))?;
        let Some(kind) = text(&event, "type") else {
            // An error that comes where an event should.
            self.over = true;
            return Err(failure_text::read_late(&event));
        };
        if kind == "message-start" {
            self.start(&event, events);
            return Ok(());
        }
        if !self.started {
            return Err(broken("an event before message-start"));
        }
        let message = event.pointer("/delta/message");
        match kind {
            "content-start" | "content-delta" => {
                let content = message.and_then(|message| message.get("content"));
                content
                    .into_iter()
                    .for_each(|bit| self.content(bit, events));
            }
            "tool-plan-delta" => {
                let plan = message.and_then(|message| text(message, "tool_plan"));
                self.think(plan.unwrap_or_default(), events);
            }
            "tool-call-start" => return self.call_start(&event, message, events),
            "tool-call-delta" => return self.call_delta(&event, message, events),
            "tool-call-end" => self.call_end(number(&event), events),
            "citation-start" => {
                let citation = message.and_then(|message| message.get("citations"));
                let cited = citation.map(reply::annotations).unwrap_or_default();
                if !cited.is_empty() {
                    events.push(Event::Other {
                        choice: 0,
                        name: "annotations",
                        value: Value::Array(cited),
                    });
                }
            }
            "message-end" => return self.end_of(&event, events),
            // Ends of blocks and of citations, what is said for debugging, and
            // kinds of events yet to come.
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, _events: &mut Vec<Event>) -> Result<(), Failure> {
        if std::mem::replace(&mut self.over, true) {
            return Ok(());
        }
        Err(broken("closed before message-end"))
    }
}

fn broken(inside: &str) -> Failure {
    Failure::unavailable("The provider's stream broke off or could not be read").inside(inside)
}

fn number(event: &Value) -> u64 {
    event.get("index").and_then(Value::as_u64).unwrap_or(0)
}

impl Reader {
    fn start(&mut self, event: &Value, events: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.started, true) {
            events.push(Event::Start {
                upstream_id: text(event, "id").map(str::to_owned),
                upstream_model: None,
            });
        }
    }

    fn content(&mut self, bit: &Value, events: &mut Vec<Event>) {
        self.think(text(bit, "thinking").unwrap_or_default(), events);
        let said = text(bit, "text").unwrap_or_default();
        if !said.is_empty() {
            self.stop_thinking();
            events.push(Event::Text {
                choice: 0,
                text: said.to_owned(),
                logprobs: None,
            });
        }
    }

    fn think(&mut self, thought: &str, events: &mut Vec<Event>) {
        if thought.is_empty() {
            return;
        }
        self.is_thinking = true;
        events.push(Event::Reasoning {
            choice: 0,
            delta: ReasoningDelta {
                index: self.thought,
                kind: ReasoningKind::Text {
                    text: thought.to_owned(),
                    signature: None,
                },
                id: None,
                scheme: None,
            },
        });
    }

    /// What is thought after something else is another piece.
    fn stop_thinking(&mut self) {
        if std::mem::take(&mut self.is_thinking) {
            self.thought = self.thought.saturating_add(1);
        }
    }

    fn call_start(
        &mut self,
        event: &Value,
        message: Option<&Value>,
        events: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let call = message.and_then(|message| message.get("tool_calls"));
        let function = call.and_then(|call| call.get("function"));
        let id = call.and_then(|call| text(call, "id"));
        let name = function.and_then(|function| text(function, "name"));
        let (Some(id), Some(name)) = (id, name) else {
            return Err(broken("a tool call without id or name"));
        };
        if usize::try_from(self.calls).is_ok_and(|calls| calls >= CALLS_MAX) {
            return Err(broken("too many tool calls"));
        }
        self.stop_thinking();
        let index = self.calls;
        self.calls = index.saturating_add(1);
        events.push(Event::ToolStart {
            choice: 0,
            index,
            id: id.to_owned(),
            name: name.to_owned(),
        });
        self.open.insert(number(event), (index, false));
        self.call_delta(event, message, events)
    }

    fn call_delta(
        &mut self,
        event: &Value,
        message: Option<&Value>,
        events: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let fragment = message
            .and_then(|message| message.pointer("/tool_calls/function/arguments"))
            .and_then(Value::as_str)
            .unwrap_or_default();
        let Some((index, heard)) = self.open.get_mut(&number(event)) else {
            return Err(broken("arguments of no open call"));
        };
        if !fragment.is_empty() {
            *heard = true;
            events.push(Event::ToolArguments {
                choice: 0,
                index: *index,
                fragment: fragment.to_owned(),
            });
        }
        Ok(())
    }

    /// A tool without parameters gets no fragment at all, and clients parse what
    /// they collected.
    fn call_end(&mut self, number: u64, events: &mut Vec<Event>) {
        if let Some((index, false)) = self.open.remove(&number) {
            events.push(Event::ToolArguments {
                choice: 0,
                index,
                fragment: "{}".to_owned(),
            });
        }
    }

    fn end_of(&mut self, event: &Value, events: &mut Vec<Event>) -> Result<(), Failure> {
        let delta = event.get("delta").unwrap_or(&Value::Null);
        if delta.get("error").is_some_and(failure_text::says_something) {
            self.over = true;
            return Err(failure_text::read_late(delta));
        }
        let Some(reason) = text(delta, "finish_reason") else {
            return Err(broken("message-end without finish_reason"));
        };
        self.over = true;
        // What was not ended is over too.
        let open: Vec<u64> = self.open.keys().copied().collect();
        for number in open {
            self.call_end(number, events);
        }
        events.push(Event::Finish {
            choice: 0,
            reason: reply::finish(reason),
            native: Some(reason.to_owned()),
        });
        events.extend(delta.get("usage").map(usage::read).map(Event::Usage));
        events.push(Event::Done);
        Ok(())
    }
}
