//! Reads a provider's stream.

use std::collections::BTreeMap;

use bourse_vocab::Failure;
use bourse_vocab::chat::{Event, ReasoningDelta, ReasoningKind};
use bourse_vocab::json::Value;

use super::super::usage::Counter;
use super::super::{failure, reply, seal, usage};
use crate::codec::StreamReader;
use crate::sse::Frame;

/// Content blocks that one answer may open: far above what models do, and a
/// bound on what a hostile stream can make us remember.
const BLOCKS_MAX: usize = 4096;

/// Reads frames into events.
#[derive(Debug, Default)]
pub struct Reader {
    counter: Counter,
    blocks: BTreeMap<u64, Block>,
    opened: usize,
    thoughts: u32,
    calls: u32,
    started: bool,
    finished: bool,
    over: bool,
}

/// What an open block is.
#[derive(Debug)]
enum Block {
    Text,
    Thought {
        index: u32,
    },
    Call {
        index: u32,
        /// Arguments that came with the block's start.
        input: Option<String>,
        /// Whether any fragment followed.
        heard: bool,
    },
    /// A block of a server tool, of which a stream has no event.
    Other,
}

impl StreamReader for Reader {
    fn frame(&mut self, frame: &Frame<'_>, events: &mut Vec<Event>) -> Result<(), Failure> {
        // Compatible vendors end with OpenAI's `[DONE]`.
        if self.over || frame.data.is_empty() || frame.data == b"[DONE]" {
            return Ok(());
        }
        let event: Value = bourse_vocab::json::parse(frame.data)
            .map_err(|error| broken(&format!("not JSON: {error}")))?;
        let kind = event
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or(frame.event);
        match kind {
            "content_block_start" | "content_block_delta" if self.finished => {
                return Err(broken("content after the stop reason"));
            }
            "content_block_start" | "message_delta" if !self.started => {
                return Err(broken("content before message_start"));
            }
            "message_start" => self.message_start(&event, events),
            "content_block_start" => return self.block_start(&event, events),
            "content_block_delta" => return self.block_delta(&event, events),
            "content_block_stop" => self.block_stop(&event, events),
            "message_delta" => self.message_delta(&event, events),
            "message_stop" => {
                if !self.finished {
                    return Err(broken("message_stop without a stop reason"));
                }
                self.over = true;
                events.push(Event::Done);
            }
            "error" => {
                self.over = true;
                let failure = failure::read_late(&event);
                events.push(Event::Error(Box::new(failure)));
            }
            // Pings, and event types yet to come, which clients must
            // tolerate (versioning policy).
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, events: &mut Vec<Event>) -> Result<(), Failure> {
        if self.over {
            return Ok(());
        }
        self.over = true;
        // With the stop reason and the usage everything has been said; some
        // compatible vendors leave out the last event.
        if self.finished {
            events.push(Event::Done);
            return Ok(());
        }
        Err(broken("closed before message_stop"))
    }
}

fn broken(inside: &str) -> Failure {
    Failure::unavailable("The provider's stream broke off or could not be read").inside(inside)
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

impl Reader {
    fn message_start(&mut self, event: &Value, events: &mut Vec<Event>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let message = event.get("message").unwrap_or(&Value::Null);
        events.push(Event::Start {
            upstream_id: text(message, "id").map(str::to_owned),
            upstream_model: text(message, "model").map(str::to_owned),
        });
        // Known this early, the prompt can be billed even if the stream is
        // cut.
        if let Some(usage) = message.get("usage") {
            events.extend(usage::tier(usage).map(Event::Tier));
            self.counter.read(usage);
            events.push(Event::Usage(self.counter.report()));
        }
    }

    fn block_start(&mut self, event: &Value, events: &mut Vec<Event>) -> Result<(), Failure> {
        let Some(position) = event.get("index").and_then(Value::as_u64) else {
            return Err(broken("content_block_start without an index"));
        };
        let start = event.get("content_block").unwrap_or(&Value::Null);
        self.opened += 1;
        if self.opened > BLOCKS_MAX {
            return Err(broken("too many content blocks"));
        }
        let block = match text(start, "type") {
            Some("text") => {
                push_text(text(start, "text"), events);
                Block::Text
            }
            Some("thinking") => {
                let index = self.next_thought();
                push_thought(index, text(start, "thinking"), events);
                push_signature(index, text(start, "signature"), events);
                Block::Thought { index }
            }
            Some("redacted_thinking") => {
                let index = self.next_thought();
                let (scheme, id, data) = seal::open(text(start, "data").unwrap_or(""));
                events.push(Event::Reasoning {
                    choice: 0,
                    delta: ReasoningDelta {
                        index,
                        kind: ReasoningKind::Encrypted(data),
                        id,
                        scheme: Some(scheme),
                    },
                });
                Block::Thought { index }
            }
            Some("tool_use") => self.call(start, events)?,
            _ => Block::Other,
        };
        self.blocks.insert(position, block);
        Ok(())
    }

    fn next_thought(&mut self) -> u32 {
        let index = self.thoughts;
        self.thoughts = self.thoughts.saturating_add(1);
        index
    }

    fn call(&mut self, start: &Value, events: &mut Vec<Event>) -> Result<Block, Failure> {
        let (Some(id), Some(name)) = (text(start, "id"), text(start, "name")) else {
            return Err(broken("tool_use without id or name"));
        };
        let index = self.calls;
        self.calls = self.calls.saturating_add(1);
        events.push(Event::ToolStart {
            choice: 0,
            index,
            id: id.to_owned(),
            name: name.to_owned(),
        });
        let input = start
            .get("input")
            .filter(|input| input.as_object().is_some_and(|input| !input.is_empty()))
            .map(Value::to_string);
        Ok(Block::Call {
            index,
            input,
            heard: false,
        })
    }

    fn block_delta(&mut self, event: &Value, events: &mut Vec<Event>) -> Result<(), Failure> {
        let position = event.get("index").and_then(Value::as_u64);
        let block = position.and_then(|position| self.blocks.get_mut(&position));
        let delta = event.get("delta").unwrap_or(&Value::Null);
        match (text(delta, "type"), block) {
            (Some("text_delta"), Some(Block::Text)) => push_text(text(delta, "text"), events),
            (Some("thinking_delta"), Some(Block::Thought { index })) => {
                push_thought(*index, text(delta, "thinking"), events);
            }
            (Some("signature_delta"), Some(Block::Thought { index })) => {
                push_signature(*index, text(delta, "signature"), events);
            }
            (Some("input_json_delta"), Some(Block::Call { index, heard, .. })) => {
                let fragment = text(delta, "partial_json").unwrap_or("");
                if !fragment.is_empty() {
                    *heard = true;
                    events.push(Event::ToolArguments {
                        choice: 0,
                        index: *index,
                        fragment: fragment.to_owned(),
                    });
                }
            }
            (Some("citations_delta"), Some(Block::Text)) => {
                let citation = delta.get("citation").and_then(reply::annotation);
                if let Some(annotation) = citation {
                    events.push(Event::Other {
                        choice: 0,
                        name: "annotations",
                        value: Value::Array(vec![annotation]),
                    });
                }
            }
            // Content that has no open block to belong to would be put in
            // the wrong place.
            (
                Some("text_delta" | "thinking_delta" | "signature_delta" | "input_json_delta"),
                Some(Block::Text | Block::Thought { .. } | Block::Call { .. }) | None,
            ) => return Err(broken("a delta that fits no open block")),
            _ => {}
        }
        Ok(())
    }

    fn block_stop(&mut self, event: &Value, events: &mut Vec<Event>) {
        let position = event.get("index").and_then(Value::as_u64);
        let block = position.and_then(|position| self.blocks.remove(&position));
        if let Some(block) = block {
            close(block, events);
        }
    }

    fn message_delta(&mut self, event: &Value, events: &mut Vec<Event>) {
        let reason = event
            .get("delta")
            .and_then(|delta| text(delta, "stop_reason"));
        if let (Some(reason), false) = (reason, self.finished) {
            self.finished = true;
            // What was not stopped is over too.
            for block in std::mem::take(&mut self.blocks).into_values() {
                close(block, events);
            }
            events.push(Event::Finish {
                choice: 0,
                reason: reply::finish(reason),
                native: Some(reason.to_owned()),
            });
        }
        if let Some(usage) = event.get("usage") {
            self.counter.read(usage);
            events.push(Event::Usage(self.counter.report()));
        }
    }
}

/// A tool without parameters gets no fragment at all, and clients parse what
/// they collected.
fn close(block: Block, events: &mut Vec<Event>) {
    if let Block::Call {
        index,
        input,
        heard: false,
    } = block
    {
        events.push(Event::ToolArguments {
            choice: 0,
            index,
            fragment: input.unwrap_or_else(|| "{}".to_owned()),
        });
    }
}

fn push_text(text: Option<&str>, events: &mut Vec<Event>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        events.push(Event::Text {
            choice: 0,
            text: text.to_owned(),
            logprobs: None,
        });
    }
}

fn push_thought(index: u32, text: Option<&str>, events: &mut Vec<Event>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        events.push(Event::Reasoning {
            choice: 0,
            delta: ReasoningDelta {
                index,
                kind: ReasoningKind::Text {
                    text: text.to_owned(),
                    signature: None,
                },
                id: None,
                scheme: Some(super::super::SCHEME.to_owned()),
            },
        });
    }
}

fn push_signature(index: u32, signature: Option<&str>, events: &mut Vec<Event>) {
    if let Some(signature) = signature.filter(|it| !it.is_empty() && *it != seal::UNSIGNED) {
        let (scheme, id, signature) = seal::open(signature);
        events.push(Event::Reasoning {
            choice: 0,
            delta: ReasoningDelta {
                index,
                kind: ReasoningKind::Text {
                    text: String::new(),
                    signature: Some(signature),
                },
                id,
                scheme: Some(scheme),
            },
        });
    }
}
