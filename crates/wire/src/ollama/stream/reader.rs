//! Reads a provider's stream: lines of `ChatResponse`.

use bourse_vocab::Failure;
use bourse_vocab::chat::{Event, ReasoningDelta, ReasoningKind};
use bourse_vocab::json::Value;

use super::super::{logprobs, reply, request, text, usage};
use crate::codec::StreamReader;
use crate::dialect::calls::CALLS_MAX;
use crate::failure_text;
use crate::sse::Frame;

/// Reads lines into events.
#[derive(Debug, Default)]
pub struct Reader {
    /// What names the calls of this answer that have no id.
    answer: Option<String>,
    started: bool,
    calls: u32,
    /// Ids of the calls: two must not share one.
    ids: Vec<String>,
    /// The thought that is going on, or comes next.
    thought: u32,
    is_thinking: bool,
    over: bool,
}

impl StreamReader for Reader {
    fn frame(&mut self, frame: &Frame<'_>, events: &mut Vec<Event>) -> Result<(), Failure> {
        if self.over {
            return Ok(());
        }
        let line: Value = bourse_vocab::json::parse(frame.data)
            .map_err(|error| broken(&format!("not JSON: {error}")))?;
        if line.get("error").is_some_and(failure_text::says_something) {
            self.over = true;
            return Err(failure_text::read_late(&line));
        }
        self.start(&line, events);
        if let Some(message) = line.get("message") {
            self.message(message, &line, events)?;
        }
        if line.get("done").and_then(Value::as_bool) == Some(true) {
            self.done(&line, events);
        }
        Ok(())
    }

    fn end(&mut self, _events: &mut Vec<Event>) -> Result<(), Failure> {
        if std::mem::replace(&mut self.over, true) {
            return Ok(());
        }
        Err(broken("closed before a line that is done"))
    }
}

fn broken(inside: &str) -> Failure {
    Failure::unavailable("The provider's stream broke off or could not be read").inside(inside)
}

impl Reader {
    fn start(&mut self, line: &Value, events: &mut Vec<Event>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        self.answer = reply::answer_name(line);
        events.push(Event::Start {
            upstream_id: None,
            upstream_model: text(line, "model").map(str::to_owned),
        });
    }

    fn message(
        &mut self,
        message: &Value,
        line: &Value,
        events: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        if let Some(thought) = text(message, "thinking").filter(|text| !text.is_empty()) {
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
        let said = text(message, "content").unwrap_or_default();
        let logprobs = logprobs::read(line);
        if !said.is_empty() || logprobs.is_some() {
            self.stop_thinking();
            events.push(Event::Text {
                choice: 0,
                text: said.to_owned(),
                logprobs,
            });
        }
        let images = message.get("images").and_then(Value::as_array);
        for image in images.into_iter().flatten().filter_map(Value::as_str) {
            self.stop_thinking();
            let media = request::picture(image.to_owned());
            events.push(Event::Image { choice: 0, media });
        }
        let calls = message.get("tool_calls").and_then(Value::as_array);
        for call in calls.into_iter().flatten() {
            self.stop_thinking();
            self.call(call, events)?;
        }
        Ok(())
    }

    /// What is thought after something else is another piece.
    fn stop_thinking(&mut self) {
        if std::mem::take(&mut self.is_thinking) {
            self.thought = self.thought.saturating_add(1);
        }
    }

    /// A call comes whole.
    fn call(&mut self, call: &Value, events: &mut Vec<Event>) -> Result<(), Failure> {
        let Some((name, arguments)) = reply::called(call) else {
            return Err(broken("a tool call without a name"));
        };
        if self.ids.len() >= CALLS_MAX {
            return Err(broken("too many tool calls"));
        }
        let index = self.calls;
        self.calls = index.saturating_add(1);
        let given = text(call, "id").filter(|id| !id.is_empty());
        let id = match (given, &self.answer) {
            (Some(id), _) if !self.ids.iter().any(|told| told == id) => id.to_owned(),
            (Some(id), _) => format!("{id}_{index}"),
            (None, Some(answer)) => format!("call_{answer}_{index}"),
            (None, None) => format!("call_{index}"),
        };
        self.ids.push(id.clone());
        events.push(Event::ToolStart {
            choice: 0,
            index,
            id,
            name: name.to_owned(),
        });
        events.push(Event::ToolArguments {
            choice: 0,
            index,
            fragment: arguments,
        });
        Ok(())
    }

    fn done(&mut self, line: &Value, events: &mut Vec<Event>) {
        self.over = true;
        let native = text(line, "done_reason");
        events.push(Event::Finish {
            choice: 0,
            reason: reply::finish(native, self.calls > 0),
            native: native.map(str::to_owned),
        });
        events.extend(usage::read(line).map(Event::Usage));
        events.push(Event::Done);
    }
}
