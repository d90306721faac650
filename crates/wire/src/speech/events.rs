//! Speech as events: `speech.audio.delta` with a piece of the sound in base64,
//! and `speech.audio.done` with what was used
//! (platform.openai.com/docs/api-reference, audio, November 2026).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bourse_vocab::json::{Value, parse};
use bourse_vocab::{Bill, Failure, Usage, UsageReport};

use crate::object::object;
use crate::sse::{Frame, write_data, write_frame};

const DELTA: &str = "speech.audio.delta";
const DONE: &str = "speech.audio.done";

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// So many bytes of sound.
    Sound(usize),
    /// That was all.
    Done,
    /// Nothing that anybody would notice.
    Nothing,
}

/// Reads the events of a sound, and tells it as the client wants it.
#[derive(Debug)]
pub struct Events {
    /// Whether the client wants events; the sound itself otherwise.
    passes: bool,
    /// What the provider counted.
    pub usage: UsageReport,
    is_done: bool,
}

impl Events {
    /// At the beginning of a sound that is told as events, or as itself.
    #[must_use]
    pub fn new(passes: bool) -> Self {
        Self {
            passes,
            usage: UsageReport::default(),
            is_done: false,
        }
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// It is no event, or it is an error.
    pub fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<Told, Failure> {
        if self.is_done || frame.data == b"[DONE]" {
            return Ok(Told::Nothing);
        }
        let event = parse(frame.data)
            .map_err(|error| broken("an event is no JSON").inside(error.to_string()))?;
        if event.get("error").is_some_and(|error| !error.is_null()) {
            return Err(broken("the provider reported an error"));
        }
        match event.get("type").and_then(Value::as_str) {
            Some(DELTA) => {
                let sound = event.get("audio").and_then(Value::as_str);
                let sound = sound.and_then(|sound| STANDARD.decode(sound).ok());
                let sound = sound.ok_or_else(|| broken("a piece of it is not base64"))?;
                if self.passes {
                    write_frame(frame, out);
                } else {
                    out.extend_from_slice(&sound);
                }
                Ok(match sound.len() {
                    0 => Told::Nothing,
                    bytes => Told::Sound(bytes),
                })
            }
            Some(DONE) => {
                self.usage = event.get("usage").map(usage).unwrap_or_default();
                self.is_done = true;
                Ok(Told::Done)
            }
            Some("error") => Err(broken("the provider reported an error")),
            _ => {
                if self.passes {
                    write_frame(frame, out);
                }
                Ok(Told::Nothing)
            }
        }
    }

    /// Writes the last event, with what was used and what that costs.
    pub fn finish(&self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        if !self.passes {
            return;
        }
        let mut text = Vec::new();
        object(&mut text, |event| {
            event.put("type", DONE).nested("usage", |out| {
                object(out, |told| {
                    told.put("input_tokens", &usage.prompt)
                        .put("output_tokens", &usage.completion)
                        .put("total_tokens", &usage.total())
                        .nested("cost", |out| {
                            out.extend_from_slice(bill.total.decimal().as_bytes());
                        });
                });
            });
        });
        write_data(&text, out);
    }
}

/// All that comes out is sound.
fn usage(value: &Value) -> UsageReport {
    let mut report = UsageReport::default();
    let input = value.get("input_tokens").and_then(|v| report.count(v));
    let output = value.get("output_tokens").and_then(|v| report.count(v));
    report.prompt = input;
    report.completion = output;
    report.completion_audio = output;
    report
}

fn broken(why: &str) -> Failure {
    Failure::unavailable(format!("The provider's sound cannot be used: {why}"))
}
