//! Reads a provider's stream (`ConverseStreamOutput`).

use std::collections::BTreeMap;

use bourse_vocab::Failure;
use bourse_vocab::chat::{Event, ReasoningDelta, ReasoningKind};
use bourse_vocab::json::Value;

use super::super::{SCHEME, reply, text, usage};
use crate::codec::StreamReader;
use crate::sse::Frame;

/// Content blocks that one answer may open: far above what models do, and a
/// bound on what a hostile stream can make us remember.
const BLOCKS_MAX: usize = 4096;

/// Reads frames into events.
#[derive(Debug, Default)]
pub struct Reader {
    blocks: BTreeMap<u64, Block>,
    opened: usize,
    thoughts: u32,
    calls: u32,
    started: bool,
    finished: bool,
    over: bool,
}

/// What an open block is.
#[derive(Debug, Clone, Copy)]
enum Block {
    Text,
    Thought {
        index: u32,
    },
    Call {
        index: u32,
        /// Whether any fragment of its arguments came.
        heard: bool,
    },
    /// A block of a tool that Amazon runs, or a picture.
    Other,
}

impl StreamReader for Reader {
    fn frame(&mut self, frame: &Frame<'_>, events: &mut Vec<Event>) -> Result<(), Failure> {
        if self.over {
            return Ok(());
        }
        let is_content = frame.event.starts_with("contentBlock");
        let is_known =
            is_content || matches!(frame.event, "messageStart" | "messageStop" | "metadata");
        // Kinds of events yet to come, and what a service sends first of all
        // (`initial-response`).
        if !is_known {
            return Ok(());
        }
        let event: Value = bourse_vocab::json::parse(frame.data)
            .map_err(|error| broken(&format!("not JSON: {error}")))?;
        if is_content && self.finished {
            return Err(broken("content after the stop reason"));
        }
        if !self.started && frame.event != "messageStart" {
            return Err(broken("an event before messageStart"));
        }
        match frame.event {
            "messageStart" => self.message_start(events),
            "contentBlockStart" => return self.block_start(&event, events),
            "contentBlockDelta" => return self.block_delta(&event, events),
            "contentBlockStop" => self.block_stop(&event, events),
            "messageStop" => return self.message_stop(&event, events),
            _ => self.metadata(&event, events),
        }
        Ok(())
    }

    fn end(&mut self, events: &mut Vec<Event>) -> Result<(), Failure> {
        if self.over {
            return Ok(());
        }
        self.over = true;
        // With the stop reason everything has been said but the counts.
        if self.finished {
            events.push(Event::Done);
            return Ok(());
        }
        Err(broken("closed before messageStop"))
    }
}

fn broken(inside: &str) -> Failure {
    Failure::unavailable("The provider's stream broke off or could not be read").inside(inside)
}

fn position(event: &Value) -> Result<u64, Failure> {
    let position = event.get("contentBlockIndex").and_then(Value::as_u64);
    position.ok_or_else(|| broken("content without contentBlockIndex"))
}

impl Reader {
    fn message_start(&mut self, events: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.started, true) {
            events.push(Event::Start {
                upstream_id: None,
                upstream_model: None,
            });
        }
    }

    fn open(&mut self, position: u64, block: Block) -> Result<Block, Failure> {
        self.opened += 1;
        if self.opened > BLOCKS_MAX {
            return Err(broken("too many content blocks"));
        }
        self.blocks.insert(position, block);
        Ok(block)
    }

    fn block_start(&mut self, event: &Value, events: &mut Vec<Event>) -> Result<(), Failure> {
        let position = position(event)?;
        let start = event.get("start").unwrap_or(&Value::Null);
        let Some(call) = start.get("toolUse") else {
            // Text and thoughts begin with their first delta.
            if start.as_object().is_some_and(|start| !start.is_empty()) {
                self.open(position, Block::Other)?;
            }
            return Ok(());
        };
        if text(call, "type").is_some() {
            return self.open(position, Block::Other).map(drop);
        }
        let (Some(id), Some(name)) = (text(call, "toolUseId"), text(call, "name")) else {
            return Err(broken("toolUse without toolUseId or name"));
        };
        let index = self.calls;
        self.calls = self.calls.saturating_add(1);
        events.push(Event::ToolStart {
            choice: 0,
            index,
            id: id.to_owned(),
            name: name.to_owned(),
        });
        let call = Block::Call {
            index,
            heard: false,
        };
        self.open(position, call).map(drop)
    }

    /// The block of a delta, which opens it if it is not open.
    fn block(&mut self, position: u64, delta: &Value) -> Result<Block, Failure> {
        if let Some(block) = self.blocks.get(&position) {
            return Ok(*block);
        }
        if delta.get("text").is_some() || delta.get("citation").is_some() {
            return self.open(position, Block::Text);
        }
        if delta.get("reasoningContent").is_some() {
            let index = self.thoughts;
            self.thoughts = self.thoughts.saturating_add(1);
            return self.open(position, Block::Thought { index });
        }
        if delta.get("toolUse").is_some() {
            return Err(broken("a delta that fits no open block"));
        }
        self.open(position, Block::Other)
    }

    fn block_delta(&mut self, event: &Value, events: &mut Vec<Event>) -> Result<(), Failure> {
        let position = position(event)?;
        let delta = event.get("delta").unwrap_or(&Value::Null);
        let (said, thought, input) = (
            text(delta, "text"),
            delta.get("reasoningContent"),
            delta.get("toolUse"),
        );
        match (self.block(position, delta)?, said, thought, input) {
            (Block::Text, Some(said), ..) if !said.is_empty() => events.push(Event::Text {
                choice: 0,
                text: said.to_owned(),
                logprobs: None,
            }),
            (Block::Text, Some(_), ..) | (Block::Other, ..) => {}
            (Block::Text, None, None, None) => {
                let citation = delta.get("citation").and_then(reply::annotation);
                events.extend(citation.map(|annotation| Event::Other {
                    choice: 0,
                    name: "annotations",
                    value: Value::Array(vec![annotation]),
                }));
            }
            (Block::Thought { index }, None, Some(thought), _) => think(index, thought, events),
            (Block::Call { index, .. }, None, None, Some(input)) => {
                let fragment = text(input, "input").unwrap_or("");
                if !fragment.is_empty() {
                    let heard = Block::Call { index, heard: true };
                    self.blocks.insert(position, heard);
                    events.push(Event::ToolArguments {
                        choice: 0,
                        index,
                        fragment: fragment.to_owned(),
                    });
                }
            }
            // Put into another block, content would be in the wrong place.
            _ => return Err(broken("a delta that fits no open block")),
        }
        Ok(())
    }

    fn block_stop(&mut self, event: &Value, events: &mut Vec<Event>) {
        let position = event.get("contentBlockIndex").and_then(Value::as_u64);
        let block = position.and_then(|position| self.blocks.remove(&position));
        if let Some(block) = block {
            close(block, events);
        }
    }

    fn message_stop(&mut self, event: &Value, events: &mut Vec<Event>) -> Result<(), Failure> {
        if self.finished {
            return Ok(());
        }
        let Some(reason) = text(event, "stopReason") else {
            return Err(broken("messageStop without stopReason"));
        };
        // What was not stopped is over too.
        for block in std::mem::take(&mut self.blocks).into_values() {
            close(block, events);
        }
        self.finished = true;
        events.push(Event::Finish {
            choice: 0,
            reason: reply::finish(reason),
            native: Some(reason.to_owned()),
        });
        Ok(())
    }

    /// The counts, which come last.
    fn metadata(&mut self, event: &Value, events: &mut Vec<Event>) {
        events.extend(reply::tier(event).map(Event::Tier));
        if let Some(usage) = event.get("usage") {
            events.push(Event::Usage(usage::read(usage)));
        }
        if self.finished {
            self.over = true;
            events.push(Event::Done);
        }
    }
}

/// Ends a block. A tool without parameters gets no fragment at all, and clients
/// parse what they collected.
fn close(block: Block, events: &mut Vec<Event>) {
    if let Block::Call {
        index,
        heard: false,
    } = block
    {
        events.push(Event::ToolArguments {
            choice: 0,
            index,
            fragment: "{}".to_owned(),
        });
    }
}

/// A bit of a thought: its text, its signature, or all of one that is sealed.
fn think(index: u32, thought: &Value, events: &mut Vec<Event>) {
    let mut push = |kind, scheme: Option<&str>| {
        events.push(Event::Reasoning {
            choice: 0,
            delta: ReasoningDelta {
                index,
                kind,
                id: None,
                scheme: scheme.map(str::to_owned),
            },
        });
    };
    if let Some(said) = text(thought, "text").filter(|said| !said.is_empty()) {
        let said = ReasoningKind::Text {
            text: said.to_owned(),
            signature: None,
        };
        push(said, None);
    }
    if let Some(signature) = text(thought, "signature").filter(|sign| !sign.is_empty()) {
        let signed = ReasoningKind::Text {
            text: String::new(),
            signature: Some(signature.to_owned()),
        };
        push(signed, Some(SCHEME));
    }
    if let Some(data) = text(thought, "redactedContent").filter(|data| !data.is_empty()) {
        push(ReasoningKind::Encrypted(data.to_owned()), Some(SCHEME));
    }
}
