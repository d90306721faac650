//! Reading a provider's stream.

use bourse_vocab::chat::{Event, Media, ReasoningDelta, ReasoningKind};
use bourse_vocab::json::Value;
use bourse_vocab::{Failure, UsageReport};

use super::super::part::{self, Said};
use super::super::{SCHEME, failure, reply, text, usage};
use crate::codec::StreamReader;
use crate::sse::Frame;

/// Reads a stream of responses.
///
/// There is no marker at the end: a stream is whole if each of its answers
/// has a reason for its end when the provider closes it. Reasons are held
/// until then, because some models give one with every frame and because a
/// call may come in the frame before the reason that it changes.
#[derive(Debug, Default)]
pub struct Reader {
    started: bool,
    /// Failed or done: nothing more is read.
    over: bool,
    response: Option<String>,
    choices: Vec<Choice>,
    searches: u64,
    /// The tier of service that was told last.
    tier: Option<String>,
}

/// One answer of the stream.
#[derive(Debug)]
struct Choice {
    index: u32,
    calls: usize,
    /// The next free number for a piece of reasoning.
    pieces: u32,
    /// The piece that a thought goes on, if one is open.
    open: Option<u32>,
    native: Option<String>,
}

impl Choice {
    fn next_piece(&mut self) -> u32 {
        let piece = self.pieces;
        self.pieces = piece.saturating_add(1);
        piece
    }

    fn reason(&mut self, kind: ReasoningKind, id: Option<String>, piece: u32) -> Event {
        Event::Reasoning {
            choice: self.index,
            delta: ReasoningDelta {
                index: piece,
                kind,
                id,
                scheme: Some(SCHEME.to_owned()),
            },
        }
    }

    fn part(&mut self, part: &Value, response: Option<&str>, events: &mut Vec<Event>) {
        let (signature, said) = part::read(part);
        let id = match &said {
            Said::Call { id, name, .. } => {
                let id = id.clone();
                Some(id.unwrap_or_else(|| part::call_id(response, self.calls, name)))
            }
            _ => None,
        };
        if let Said::Thought(more) = said {
            let open = self.open;
            let piece = open.unwrap_or_else(|| self.next_piece());
            self.open = Some(piece);
            events.push(self.reason(part::thought(more), None, piece));
            self.signature(signature, None, events);
            return;
        }
        if said != Said::Nothing {
            self.open = None;
        }
        self.signature(signature, id.clone(), events);
        match said {
            Said::Nothing | Said::Thought(_) => {}
            Said::Text(text) => events.push(Event::Text {
                choice: self.index,
                text,
                logprobs: None,
            }),
            Said::Call {
                name, arguments, ..
            } => self.call(id.unwrap_or_default(), name, arguments, events),
            Said::Media { mime, data } => self.media(mime, data, events),
            // Events have no room for what only Gemini understands (code that
            // its own tool ran); clients of other formats could not read it.
            Said::Other => {}
        }
    }

    fn signature(
        &mut self,
        signature: Option<String>,
        id: Option<String>,
        events: &mut Vec<Event>,
    ) {
        if let Some(signature) = signature {
            self.open = None;
            let piece = self.next_piece();
            events.push(self.reason(ReasoningKind::Encrypted(signature), id, piece));
        }
    }

    /// Calls come whole.
    fn call(&mut self, id: String, name: String, arguments: String, events: &mut Vec<Event>) {
        let index = u32::try_from(self.calls).unwrap_or(u32::MAX);
        self.calls += 1;
        events.push(Event::ToolStart {
            choice: self.index,
            index,
            id,
            name,
        });
        events.push(Event::ToolArguments {
            choice: self.index,
            index,
            fragment: arguments,
        });
    }

    fn media(&self, mime: String, data: String, events: &mut Vec<Event>) {
        if mime.starts_with("image/") {
            events.push(Event::Image {
                choice: self.index,
                media: Media::Base64 { mime, data },
            });
        } else if mime.starts_with("audio/") {
            events.push(self.other("audio", reply::audio(&mime, &data)));
        }
    }

    const fn other(&self, name: &'static str, value: Value) -> Event {
        Event::Other {
            choice: self.index,
            name,
            value,
        }
    }
}

impl StreamReader for Reader {
    fn frame(&mut self, frame: &Frame<'_>, events: &mut Vec<Event>) -> Result<(), Failure> {
        let data = frame.data.trim_ascii();
        if self.over || data.is_empty() {
            return Ok(());
        }
        let value = bourse_vocab::json::parse(data).map_err(|error| {
            Failure::unavailable("The provider sent a frame that is not JSON")
                .inside(error.to_string())
        })?;
        if let Some(error) = failure::error_of(&value) {
            self.fail(failure::read_late(error), events);
            return Ok(());
        }
        if !value.is_object() {
            return Err(Failure::unavailable(
                "The provider sent a frame that is not an object",
            ));
        }
        self.response(&value, events)
    }

    fn end(&mut self, events: &mut Vec<Event>) -> Result<(), Failure> {
        if self.over {
            return Ok(());
        }
        self.over = true;
        let whole = self.choices.iter().all(|choice| choice.native.is_some());
        if self.choices.is_empty() || !whole {
            return Err(Failure::unavailable(
                "The provider's stream ended before the answer was complete",
            ));
        }
        for choice in &mut self.choices {
            let native = choice.native.take();
            events.push(Event::Finish {
                choice: choice.index,
                reason: reply::finish(native.as_deref().unwrap_or_default(), choice.calls > 0),
                native,
            });
        }
        events.push(Event::Done);
        Ok(())
    }
}

impl Reader {
    fn fail(&mut self, failure: Failure, events: &mut Vec<Event>) {
        self.over = true;
        events.push(Event::Error(Box::new(failure)));
    }

    fn start(&mut self, value: &Value, events: &mut Vec<Event>) {
        if self.started {
            return;
        }
        self.started = true;
        self.response = text(value, "responseId").map(str::to_owned);
        events.push(Event::Start {
            upstream_id: self.response.clone(),
            upstream_model: text(value, "modelVersion").map(str::to_owned),
        });
    }

    fn response(&mut self, value: &Value, events: &mut Vec<Event>) -> Result<(), Failure> {
        let candidates = value.get("candidates").and_then(Value::as_array);
        let candidates = candidates.map(Vec::as_slice).unwrap_or_default();
        if candidates.is_empty()
            && let Some(refusal) = reply::blocked(value)
        {
            self.fail(refusal, events);
            return Ok(());
        }
        self.start(value, events);
        if let Some(tier) = value.get("usageMetadata").and_then(usage::tier)
            && self.tier.as_ref() != Some(&tier)
        {
            events.push(Event::Tier(tier.clone()));
            self.tier = Some(tier);
        }
        for (position, candidate) in candidates.iter().enumerate() {
            self.candidate(candidate, position, events)?;
        }
        if let Some(metadata) = value.get("usageMetadata") {
            events.push(Event::Usage(self.usage(metadata)));
        }
        Ok(())
    }

    fn usage(&self, metadata: &Value) -> UsageReport {
        let mut report = usage::read(metadata);
        if self.searches > 0 {
            report.web_searches = Some(self.searches);
        }
        report
    }

    fn candidate(
        &mut self,
        candidate: &Value,
        position: usize,
        events: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let index = reply::index_of(candidate, position)?;
        let response = self.response.clone();
        let choice = self.choice(index);
        let before = events.len();
        for part in reply::parts_of(candidate) {
            choice.part(part, response.as_deref(), events);
        }
        let scores = candidate
            .get("logprobsResult")
            .and_then(reply::read_logprobs);
        if let Some(scores) = scores {
            attach(scores, index, before, events);
        }
        if let Some(native) = text(candidate, "finishReason") {
            choice.native = Some(native.to_owned());
        }
        // Sources come whole, with the last frame as a rule.
        if let Some(annotations) = reply::annotations(candidate) {
            events.push(choice.other("annotations", annotations));
        }
        self.searches = self.searches.max(reply::searches(candidate));
        Ok(())
    }

    fn choice(&mut self, index: u32) -> &mut Choice {
        let known = self
            .choices
            .iter()
            .position(|choice| choice.index == index)
            .unwrap_or(self.choices.len());
        if known == self.choices.len() {
            self.choices.push(Choice {
                index,
                calls: 0,
                pieces: 0,
                open: None,
                native: None,
            });
        }
        // The position was found or has just been made.
        #[allow(clippy::indexing_slicing)]
        &mut self.choices[known]
    }
}

/// Puts log probabilities on the first text of their frame; a frame without
/// text has none to speak of.
fn attach(scores: Value, index: u32, before: usize, events: &mut [Event]) {
    let text = events
        .iter_mut()
        .skip(before)
        .find_map(|event| match event {
            Event::Text {
                choice, logprobs, ..
            } if *choice == index => Some(logprobs),
            _ => None,
        });
    if let Some(logprobs) = text {
        *logprobs = Some(scores);
    }
}
