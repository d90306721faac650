//! Reading a provider's stream.

use bourse_vocab::chat::{Event, Finish, Part, ReasoningDelta, ReasoningKind};
use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::service::public_name;
use bourse_vocab::{Failure, UsageReport};

use super::super::reply::{error_in, index_of};
use super::super::{reasoning, usage};
use crate::codec::StreamReader;
use crate::dialect::answer::{Pieces, images, plain_reasoning, spoken, text_of};
use crate::dialect::calls::{Calls, NO_ARGUMENTS};
use crate::dialect::finish::{self, Endings};
use crate::dialect::parameters::CHOICES_MAX;
use crate::failure_text;
use crate::sse::Frame;

/// Reads a stream of chat completion chunks.
#[derive(Debug, Default)]
pub struct ChatReader {
    state: State,
    /// The provider's id for the answer.
    id: Option<String>,
    choices: Vec<Choice>,
    endings: Endings,
    /// Usage that came with an ending which is still held: it follows it.
    report: Option<UsageReport>,
    /// The tier of service that was told last.
    tier: Option<String>,
}

#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
enum State {
    #[default]
    Before,
    Answering,
    /// Done or failed: nothing more is read.
    Over,
}

/// One answer of the stream.
#[derive(Debug)]
struct Choice {
    index: u32,
    calls: Calls,
    pieces: Pieces,
}

impl StreamReader for ChatReader {
    fn frame(&mut self, frame: &Frame<'_>, events: &mut Vec<Event>) -> Result<(), Failure> {
        let data = frame.data.trim_ascii();
        if self.state == State::Over || data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            return self.end(events);
        }
        let chunk = bourse_vocab::json::parse(data).map_err(|error| {
            Failure::unavailable("The provider sent a chunk that is not JSON")
                .inside(error.to_string())
        })?;
        if frame.event == "error" {
            self.fail(failure_text::read_late(&chunk), events);
            return Ok(());
        }
        if let Some(failure) = error_in(&chunk) {
            self.fail(failure, events);
            return Ok(());
        }
        self.chunk(&chunk, events)
    }

    /// A stream is complete when every answer is, with or without `[DONE]`:
    /// some vendors just close it.
    fn end(&mut self, events: &mut Vec<Event>) -> Result<(), Failure> {
        if self.state == State::Over {
            return Ok(());
        }
        if self.choices.iter().any(|choice| choice.calls.unnamed()) {
            return Err(Failure::unavailable("The provider named no tool to call"));
        }
        for (choice, reason, native) in self.endings.close() {
            if let Some(ended) = self.choices.iter().find(|known| known.index == choice) {
                ended.tell_silent_calls(reason, events);
            }
            events.push(Event::Finish {
                choice,
                reason,
                native,
            });
        }
        events.extend(self.report.take().map(Event::Usage));
        if !self.endings.is_complete() {
            return Err(Failure::unavailable(
                "The provider's stream ended before the answer was complete",
            ));
        }
        self.state = State::Over;
        events.push(Event::Done);
        Ok(())
    }
}

impl ChatReader {
    fn fail(&mut self, failure: Failure, events: &mut Vec<Event>) {
        self.state = State::Over;
        events.push(Event::Error(Box::new(failure)));
    }

    fn chunk(&mut self, chunk: &Value, events: &mut Vec<Event>) -> Result<(), Failure> {
        let choices = chunk.get("choices").and_then(Value::as_array);
        let report = report_in(chunk, choices);
        if choices.is_none() && report.is_none() {
            // Debug output, keep-alives and inventions: not our business.
            return Ok(());
        }
        if self.state == State::Before {
            self.state = State::Answering;
            self.id = text_of(chunk, "id").map(str::to_owned);
            events.push(Event::Start {
                upstream_id: self.id.clone(),
                upstream_model: text_of(chunk, "model").map(str::to_owned),
            });
        }
        if let Some(word) = text_of(chunk, "service_tier")
            && self.tier.as_deref() != Some(word)
        {
            self.tier = Some(word.to_owned());
            events.push(Event::Tier(public_name(word).into_owned()));
        }
        for (item, position) in choices.into_iter().flatten().zip(0..) {
            self.choice(item, position, events)?;
        }
        if let Some(report) = report.map(usage::read_usage) {
            self.report.get_or_insert_default().merge(&report);
        }
        if !self.endings.is_held() {
            events.extend(self.report.take().map(Event::Usage));
        }
        Ok(())
    }

    /// The answer with this number, begun if it is new.
    fn choice_at(choices: &mut Vec<Choice>, index: u32) -> Result<&mut Choice, Failure> {
        let known = choices.iter().position(|choice| choice.index == index);
        let at = known.unwrap_or(choices.len());
        if known.is_none() {
            if choices.len() as u64 >= CHOICES_MAX {
                return Err(Failure::unavailable("The provider sent too many answers"));
            }
            choices.push(Choice {
                index,
                calls: Calls::default(),
                pieces: Pieces::default(),
            });
        }
        choices
            .get_mut(at)
            .ok_or_else(|| Failure::server("a choice that was just pushed is gone"))
    }

    /// Reads one item of `choices`.
    fn choice(
        &mut self,
        item: &Value,
        position: u32,
        events: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let index = index_of(item).unwrap_or(position);
        let choice = Self::choice_at(&mut self.choices, index)?;
        let before = events.len();
        choice.delta(item, self.id.as_deref(), events)?;
        let said = events.get(before..).unwrap_or_default();
        let content = said.iter().any(Event::is_content);
        let word = item.get("finish_reason").and_then(Value::as_str);
        let reason = finish::read(word).map(|reason| {
            let native = text_of(item, "native_finish_reason").or(word);
            let reason = finish::with_calls(reason, choice.calls.any());
            (reason, native.map(str::to_owned))
        });
        let told = self.endings.chunk(index, content, reason);
        if told.is_err() {
            events.truncate(before);
        }
        if let Some((reason, native)) = told? {
            choice.tell_silent_calls(reason, events);
            events.push(Event::Finish {
                choice: index,
                reason,
                native,
            });
        }
        Ok(())
    }
}

/// The usage in a chunk: beside the choices, inside one (Moonshot;
/// earendil-works/pi#2017, March 2026), or in Groq's own member `x_groq`.
fn report_in<'v>(chunk: &'v Value, choices: Option<&'v Vec<Value>>) -> Option<&'v Value> {
    let beside = chunk.get("usage").filter(|usage| usage.is_object());
    let inside = || choices?.iter().find_map(|choice| choice.get("usage"));
    let groq = || chunk.get("x_groq")?.get("usage");
    beside
        .or_else(inside)
        .or_else(groq)
        .filter(|usage| usage.is_object())
}

impl Choice {
    /// Tells the arguments of calls that have none.
    fn tell_silent_calls(&self, reason: Finish, events: &mut Vec<Event>) {
        let silent = self.calls.silent(reason);
        events.extend(silent.map(|place| Event::ToolArguments {
            choice: self.index,
            index: u32::try_from(place).unwrap_or(u32::MAX),
            fragment: NO_ARGUMENTS.to_owned(),
        }));
    }

    /// Reads what an item adds to its answer.
    fn delta(
        &mut self,
        item: &Value,
        stream: Option<&str>,
        events: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let empty = Value::Null;
        // Some vendors send the last bit as a `message`.
        let delta = item
            .get("delta")
            .filter(|delta| delta.is_object())
            .or_else(|| item.get("message"))
            .unwrap_or(&empty);
        self.thoughts(delta, events);
        let logprobs = item.get("logprobs").filter(|value| !value.is_null());
        self.content(
            delta.get("content").or_else(|| item.get("text")),
            logprobs,
            events,
        );
        if let Some(text) = text_of(delta, "refusal") {
            self.said(
                Event::Refusal {
                    choice: self.index,
                    text: text.to_owned(),
                },
                events,
            );
        }
        for part in images(delta) {
            if let Part::Image { media, .. } = part {
                self.said(
                    Event::Image {
                        choice: self.index,
                        media,
                    },
                    events,
                );
            }
        }
        let calls = delta.get("tool_calls").and_then(Value::as_array);
        for call in calls.into_iter().flatten() {
            self.pieces.interrupted = true;
            self.calls.bit(call, self.index, stream, events)?;
        }
        // The form before `tool_calls`: there is only ever one.
        if let Some(function) = delta.get("function_call").filter(|call| call.is_object()) {
            self.pieces.interrupted = true;
            let call = json!({"index": 0, "function": function});
            self.calls.bit(&call, self.index, stream, events)?;
        }
        for name in ["audio", "annotations"] {
            let value = delta.get(name).filter(|value| !value.is_null());
            if let Some(value) =
                value.filter(|value| value.as_array().is_none_or(|a| !a.is_empty()))
            {
                self.said(
                    Event::Other {
                        choice: self.index,
                        name,
                        value: value.clone(),
                    },
                    events,
                );
            }
        }
        Ok(())
    }

    fn said(&mut self, event: Event, events: &mut Vec<Event>) {
        self.pieces.interrupted = true;
        events.push(event);
    }

    fn content(
        &mut self,
        content: Option<&Value>,
        logprobs: Option<&Value>,
        events: &mut Vec<Event>,
    ) {
        let mut logprobs = logprobs.cloned();
        if let Some(Value::String(text)) = content {
            // The end of an answer may bring the last log probabilities.
            if !text.is_empty() || logprobs.is_some() {
                let text = text.clone();
                let choice = self.index;
                self.said(
                    Event::Text {
                        choice,
                        text,
                        logprobs,
                    },
                    events,
                );
            }
            return;
        }
        let mut parts = Vec::new();
        spoken(content, &mut parts);
        for part in parts {
            match part {
                Part::Text { text, .. } => {
                    let (choice, logprobs) = (self.index, logprobs.take());
                    self.said(
                        Event::Text {
                            choice,
                            text,
                            logprobs,
                        },
                        events,
                    );
                }
                Part::Reasoning(piece) => self.thought(piece.kind, None, None, None, events),
                Part::Refusal(text) => {
                    let choice = self.index;
                    self.said(Event::Refusal { choice, text }, events);
                }
                Part::Image { media, .. } => {
                    let choice = self.index;
                    self.said(Event::Image { choice, media }, events);
                }
                _ => {}
            }
        }
    }

    fn thoughts(&mut self, delta: &Value, events: &mut Vec<Event>) {
        let details = delta.get("reasoning_details").and_then(Value::as_array);
        let mut told = false;
        for item in details.into_iter().flatten() {
            let Some(piece) = reasoning::read_known(item) else {
                continue;
            };
            told |= reasoning::readable(&piece.kind).is_some();
            let given = item.get("index").and_then(Value::as_u64);
            self.thought(piece.kind, given, piece.id, piece.scheme, events);
        }
        // OpenRouter and its like say the same in both ways.
        if let Some(text) = plain_reasoning(delta).filter(|_| !told) {
            let kind = ReasoningKind::Text {
                text: text.to_owned(),
                signature: None,
            };
            self.thought(kind, None, None, None, events);
        }
    }

    fn thought(
        &mut self,
        kind: ReasoningKind,
        given: Option<u64>,
        id: Option<String>,
        scheme: Option<String>,
        events: &mut Vec<Event>,
    ) {
        let name = match kind {
            ReasoningKind::Text { .. } => "text",
            ReasoningKind::Summary(_) => "summary",
            ReasoningKind::Encrypted(_) => "encrypted",
        };
        let index = self.pieces.index(given, name);
        events.push(Event::Reasoning {
            choice: self.index,
            delta: ReasoningDelta {
                index,
                kind,
                id,
                scheme,
            },
        });
    }
}
