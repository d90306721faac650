//! A transcript that is streamed: OpenAI's events, of which the last has the
//! text and the usage (`transcript.text.delta`, `.segment` and `.done`; API
//! reference, audio, November 2026).

use bourse_vocab::json::{Map, Value, parse};
use bourse_vocab::{Bill, Failure, Usage, UsageReport};

use super::read::{broken, usage};
use super::reply::put_usage;
use crate::object::{object, write};
use crate::sse::{Frame, write_data, write_frame};

const DONE: &str = "transcript.text.done";

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// So many bytes of what was said.
    Text(usize),
    /// That was all.
    Done,
    /// Nothing that anybody would notice.
    Nothing,
}

/// Reads the events of a transcript and passes them on, but for the last.
#[derive(Debug, Default)]
pub struct Stream {
    /// What the provider counted.
    pub usage: UsageReport,
    done: Option<Map>,
}

impl Stream {
    /// Reads a frame. Events are passed on as they came, those of a name that
    /// is not known too; the last waits for its price.
    ///
    /// # Errors
    /// It is no event, or it is an error.
    pub fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<Told, Failure> {
        if self.done.is_some() || frame.data == b"[DONE]" {
            return Ok(Told::Nothing);
        }
        let value = parse(frame.data)
            .map_err(|error| broken("an event is no JSON").inside(error.to_string()))?;
        let Value::Object(mut event) = value else {
            return Err(broken("an event is no object"));
        };
        if event.get("error").is_some_and(|error| !error.is_null()) {
            return Err(broken("the provider reported an error"));
        }
        let kind = event.get("type").and_then(Value::as_str).unwrap_or("");
        match kind {
            DONE => {
                if let Some(told) = event.remove("usage") {
                    self.usage = usage(&told);
                }
                self.done = Some(event);
                Ok(Told::Done)
            }
            "error" => Err(broken("the provider reported an error")),
            _ => {
                let text = event.get("delta").or_else(|| event.get("text"));
                let bytes = text.and_then(Value::as_str).map_or(0, str::len);
                write_frame(frame, out);
                Ok(match bytes {
                    0 => Told::Nothing,
                    bytes => Told::Text(bytes),
                })
            }
        }
    }

    /// Writes the last event, with what was used and what that costs.
    pub fn finish(&mut self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        let Some(event) = self.done.take() else {
            return;
        };
        let mut text = Vec::new();
        object(&mut text, |told| {
            for (name, value) in &event {
                told.nested(name, |out| write(out, value));
            }
            put_usage(told, usage, bill);
        });
        write_data(&text, out);
    }
}
