//! Reading a provider's stream (platform.openai.com/docs/api-reference/
//! responses-streaming, November 2026).

use std::collections::BTreeMap;

use bourse_vocab::Failure;
use bourse_vocab::chat::{Event, ReasoningDelta, ReasoningKind};
use bourse_vocab::json::Value;

use super::super::{SCHEME, annotations, pieces, reply};
use crate::codec::StreamReader;
use crate::dialect::answer::text_of;
use crate::dialect::calls::{CALLS_MAX, NO_ARGUMENTS};
use crate::failure_text;
use crate::openai_chat::usage as counts;
use crate::sse::Frame;

/// Items that one answer may have: far above what models do, and a bound on
/// what a hostile stream can make us remember.
const ITEMS_MAX: usize = 4_096;

/// Reads frames into events.
#[derive(Debug, Default)]
pub struct Reader {
    items: BTreeMap<u64, Item>,
    thoughts: u32,
    calls: u32,
    started: bool,
    over: bool,
}

/// What is known of an item.
#[derive(Debug, Default)]
struct Item {
    /// Its number among the calls.
    call: Option<u32>,
    /// The provider's id, if it is reasoning.
    id: Option<String>,
    /// The last piece of reasoning: its kind, its place in the item, and its
    /// number among all pieces.
    piece: Option<(Sort, u64, u32)>,
    /// Something of it was told.
    heard: bool,
    /// It is closed.
    done: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Summary,
    Text,
}

impl StreamReader for Reader {
    fn frame(&mut self, frame: &Frame<'_>, events: &mut Vec<Event>) -> Result<(), Failure> {
        let data = frame.data.trim_ascii();
        if self.over || data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        let event = bourse_vocab::json::parse(data)
            .map_err(|error| broken(&format!("not JSON: {error}")))?;
        let kind = text_of(&event, "type").unwrap_or(frame.event);
        match kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                self.start(&event, events);
            }
            "response.output_item.added" => self.item_added(&event, events)?,
            "response.output_item.done" => self.item_done(&event, events)?,
            "response.output_text.delta" => self.text(&event, events)?,
            "response.refusal.delta" => self.refusal(&event, events)?,
            "response.function_call_arguments.delta" => self.arguments(&event, events)?,
            "response.reasoning_summary_text.delta" => {
                self.thought(&event, Sort::Summary, "summary_index", events)?;
            }
            "response.reasoning_text.delta" => {
                self.thought(&event, Sort::Text, "content_index", events)?;
            }
            "response.output_text.annotation.added" => self.annotation(&event, events)?,
            "response.completed" | "response.incomplete" => self.complete(&event, events)?,
            "response.failed" | "error" | "response.error" => {
                self.over = true;
                let said = event.get("response").unwrap_or(&event);
                let failure = failure_text::read_late(said);
                events.push(Event::Error(Box::new(failure)));
            }
            // The ends of parts repeat what was told, and new sorts of events
            // are to be tolerated.
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<Event>) -> Result<(), Failure> {
        if std::mem::replace(&mut self.over, true) {
            return Ok(());
        }
        Err(broken("closed before response.completed"))
    }
}

fn broken(inside: &str) -> Failure {
    Failure::unavailable("The provider's stream broke off or could not be read").inside(inside)
}

impl Reader {
    fn start(&mut self, event: &Value, events: &mut Vec<Event>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let response = event.get("response").unwrap_or(&Value::Null);
        events.push(Event::Start {
            upstream_id: text_of(response, "id").map(str::to_owned),
            upstream_model: text_of(response, "model").map(str::to_owned),
        });
    }

    /// The item that an event is about, begun if it is new.
    fn item(&mut self, event: &Value, events: &mut Vec<Event>) -> Result<&mut Item, Failure> {
        self.start(&Value::Null, events);
        let Some(at) = event.get("output_index").and_then(Value::as_u64) else {
            return Err(broken("an event without an output_index"));
        };
        if self.items.len() >= ITEMS_MAX && !self.items.contains_key(&at) {
            return Err(broken("too many items"));
        }
        let item = self.items.entry(at).or_default();
        if item.done {
            return Err(broken("an item goes on after its end"));
        }
        Ok(item)
    }

    fn item_added(&mut self, event: &Value, events: &mut Vec<Event>) -> Result<(), Failure> {
        let entry = event.get("item").unwrap_or(&Value::Null);
        let item = self.item(event, events)?;
        match text_of(entry, "type") {
            Some("function_call") => self.call(event, entry, events),
            Some("reasoning") => {
                item.id = pieces::own_id(text_of(entry, "id").map(str::to_owned));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A call begins.
    fn call(
        &mut self,
        event: &Value,
        entry: &Value,
        events: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let Some(name) = text_of(entry, "name") else {
            return Err(broken("a call without a name"));
        };
        let index = self.calls;
        if index as usize >= CALLS_MAX {
            return Err(broken("too many tool calls"));
        }
        let item = self.item(event, events)?;
        if item.call.is_some() {
            return Ok(());
        }
        item.call = Some(index);
        self.calls = index.saturating_add(1);
        events.push(Event::ToolStart {
            choice: 0,
            index,
            id: reply::call_id(entry),
            name: name.to_owned(),
        });
        Ok(())
    }

    fn text(&mut self, event: &Value, events: &mut Vec<Event>) -> Result<(), Failure> {
        let tokens = event.get("logprobs").and_then(Value::as_array);
        let logprobs = reply::logprobs(tokens.cloned().unwrap_or_default());
        let text = text_of(event, "delta").unwrap_or_default().to_owned();
        if text.is_empty() && logprobs.is_none() {
            return Ok(());
        }
        self.item(event, events)?.heard = true;
        events.push(Event::Text {
            choice: 0,
            text,
            logprobs,
        });
        Ok(())
    }

    fn refusal(&mut self, event: &Value, events: &mut Vec<Event>) -> Result<(), Failure> {
        self.item(event, events)?.heard = true;
        events.extend(text_of(event, "delta").map(|text| Event::Refusal {
            choice: 0,
            text: text.to_owned(),
        }));
        Ok(())
    }

    fn arguments(&mut self, event: &Value, events: &mut Vec<Event>) -> Result<(), Failure> {
        let Some(fragment) = text_of(event, "delta") else {
            return Ok(());
        };
        let item = self.item(event, events)?;
        item.heard = true;
        let Some(index) = item.call else {
            return Err(broken("arguments of a call that has not begun"));
        };
        events.push(Event::ToolArguments {
            choice: 0,
            index,
            fragment: fragment.to_owned(),
        });
        Ok(())
    }

    /// A bit of reasoning; each part of an item is a piece of its own.
    fn thought(
        &mut self,
        event: &Value,
        sort: Sort,
        place: &str,
        events: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let Some(text) = text_of(event, "delta") else {
            return Ok(());
        };
        let place = event.get(place).and_then(Value::as_u64).unwrap_or(0);
        let next = self.thoughts;
        let item = self.item(event, events)?;
        item.heard = true;
        let index = match item.piece {
            Some((before, at, index)) if (before, at) == (sort, place) => index,
            _ => next,
        };
        item.piece = Some((sort, place, index));
        let id = item.id.clone();
        self.thoughts = next.max(index.saturating_add(1));
        let text = text.to_owned();
        let kind = match sort {
            Sort::Summary => ReasoningKind::Summary(text),
            Sort::Text => ReasoningKind::Text {
                text,
                signature: None,
            },
        };
        events.push(bit(index, kind, id, None));
        Ok(())
    }

    fn annotation(&mut self, event: &Value, events: &mut Vec<Event>) -> Result<(), Failure> {
        self.item(event, events)?;
        events.extend(event.get("annotation").map(|annotation| Event::Other {
            choice: 0,
            name: "annotations",
            value: Value::Array(vec![annotations::read(annotation)]),
        }));
        Ok(())
    }

    /// What of an item comes with its end alone.
    fn item_done(&mut self, event: &Value, events: &mut Vec<Event>) -> Result<(), Failure> {
        let entry = event.get("item").unwrap_or(&Value::Null);
        match text_of(entry, "type") {
            Some("function_call") => {
                self.call(event, entry, events)?;
                let item = self.item(event, events)?;
                if let (Some(index), false) = (item.call, item.heard) {
                    let given = text_of(entry, "arguments").unwrap_or(NO_ARGUMENTS);
                    events.push(Event::ToolArguments {
                        choice: 0,
                        index,
                        fragment: given.to_owned(),
                    });
                }
            }
            Some("reasoning") => self.thought_done(event, entry, events)?,
            Some("message") => {
                let told = self.item(event, events)?.heard;
                if !told {
                    whole_message(entry, events);
                }
            }
            Some("image_generation_call") => {
                self.item(event, events)?;
                events.extend(reply::picture(entry).map(|media| Event::Image { choice: 0, media }));
            }
            _ => {}
        }
        self.item(event, events)?.done = true;
        Ok(())
    }

    fn thought_done(
        &mut self,
        event: &Value,
        entry: &Value,
        events: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let told = self.item(event, events)?.heard;
        let thought = reply::thought(entry);
        for piece in thought.pieces() {
            let is_proof = match &piece.kind {
                ReasoningKind::Encrypted(_) => true,
                ReasoningKind::Text { signature, .. } => signature.is_some(),
                ReasoningKind::Summary(_) => false,
            };
            let kind = match piece.kind {
                // The text of a piece with a proof was told before it.
                ReasoningKind::Text {
                    signature: Some(signature),
                    ..
                } if told => ReasoningKind::Text {
                    text: String::new(),
                    signature: Some(signature),
                },
                _ if told && !is_proof => continue,
                kind => kind,
            };
            let item = self.item(event, events)?;
            let open = item.piece.filter(|(sort, ..)| *sort == Sort::Text);
            let index = match (&kind, open) {
                (ReasoningKind::Text { .. }, Some((_, _, index))) if told => index,
                _ => self.thoughts,
            };
            self.thoughts = self.thoughts.max(index.saturating_add(1));
            events.push(bit(index, kind, piece.id, piece.scheme));
        }
        Ok(())
    }

    fn complete(&mut self, event: &Value, events: &mut Vec<Event>) -> Result<(), Failure> {
        let response = event.get("response").unwrap_or(&Value::Null);
        if let Some(failure) = reply::error_in(response) {
            self.over = true;
            events.push(Event::Error(Box::new(failure)));
            return Ok(());
        }
        self.start(event, events);
        let open = self
            .items
            .values()
            .any(|item| item.call.is_some() && !item.done);
        let status = text_of(response, "status");
        if open && status != Some("incomplete") {
            return Err(broken("completed with a call that has not ended"));
        }
        self.over = true;
        events.extend(reply::tier(response).map(Event::Tier));
        if let Some(usage) = response.get("usage").filter(|usage| usage.is_object()) {
            events.push(Event::Usage(counts::read_usage(usage)));
        }
        let (reason, native) = reply::finish_of(response, self.calls > 0);
        events.push(Event::Finish {
            choice: 0,
            reason,
            native: Some(native),
        });
        events.push(Event::Done);
        Ok(())
    }
}

/// Tells a message whose text came with its end.
fn whole_message(entry: &Value, events: &mut Vec<Event>) {
    let content = entry.get("content").and_then(Value::as_array);
    for part in content.into_iter().flatten() {
        events.extend(text_of(part, "text").map(|text| Event::Text {
            choice: 0,
            text: text.to_owned(),
            logprobs: None,
        }));
        events.extend(text_of(part, "refusal").map(|text| Event::Refusal {
            choice: 0,
            text: text.to_owned(),
        }));
    }
}

fn bit(index: u32, kind: ReasoningKind, id: Option<String>, scheme: Option<String>) -> Event {
    Event::Reasoning {
        choice: 0,
        delta: ReasoningDelta {
            index,
            kind,
            id,
            scheme: Some(scheme.unwrap_or_else(|| SCHEME.to_owned())),
        },
    }
}
