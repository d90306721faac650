//! Speech as events: `speech.audio.delta` with a piece of the sound in base64,
//! and `speech.audio.done` with what was used
//! (platform.openai.com/docs/api-reference, audio, November 2026). Mistral's are
//! named so too, with other members; Google's are its chunks of content. Clients
//! are told OpenAI's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bourse_vocab::json::{Value, parse};
use bourse_vocab::speech::SoundFormat;
use bourse_vocab::{Bill, Failure, Usage, UsageReport};

use super::asked::Asked;
use crate::gemini;
use crate::object::object;
use crate::sse::{Frame, write_data, write_frame};

const DELTA: &str = "speech.audio.delta";
const DONE: &str = "speech.audio.done";

/// Whose events they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// OpenAI's.
    OpenAi,
    /// Mistral's (mistralai 3.7, `speechstreamaudiodelta.py`, November 2026).
    Mistral,
    /// Google's (ai.google.dev/api/generate-content, 2026): samples without a
    /// head, and a last chunk that says why it ended.
    Gemini,
}

/// The head of a WAV of Google's samples, of which nobody knows yet how many
/// there will be: 24,000 a second, 16 bits each, one channel. Players read such
/// a one to its end.
const WAV_HEAD: &[u8; 44] = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0\xc0\x5d\0\0\x80\xbb\0\0\x02\0\x10\0data\xff\xff\xff\xff";

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// So many bytes of sound.
    Sound(usize),
    /// So many bytes of sound, and that was all.
    Last(usize),
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
    source: Source,
    /// Written before the first samples.
    head: &'static [u8],
    /// What the provider counted.
    pub usage: UsageReport,
    is_done: bool,
}

impl Events {
    /// At the beginning of a sound that is told as events, or as itself.
    #[must_use]
    pub fn new(source: Source, asked: &Asked) -> Self {
        let needs_head = source == Source::Gemini && asked.format == SoundFormat::Wav;
        Self {
            passes: asked.wants_events,
            source,
            head: if needs_head { WAV_HEAD } else { b"" },
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
        if self.source == Source::Gemini {
            return self.chunk(&event, out);
        }
        match event.get("type").and_then(Value::as_str) {
            Some(DELTA) => {
                let member = match self.source {
                    Source::Mistral => "audio_data",
                    Source::OpenAi | Source::Gemini => "audio",
                };
                let sound = event.get(member).and_then(Value::as_str);
                let sound = sound.ok_or_else(|| broken("a piece of it is not base64"))?;
                let passes = self.passes && self.source == Source::OpenAi;
                let told = self.sound(sound, !passes, out)?;
                if passes {
                    write_frame(frame, out);
                }
                Ok(told)
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

    /// Tells a piece of the sound, which is in base64.
    fn sound(&mut self, digits: &str, is_told: bool, out: &mut Vec<u8>) -> Result<Told, Failure> {
        let sound = STANDARD
            .decode(digits)
            .map_err(|_| broken("a piece of it is not base64"))?;
        if sound.is_empty() {
            return Ok(Told::Nothing);
        }
        let bytes = sound.len();
        let head = std::mem::take(&mut self.head);
        if is_told && self.passes {
            let whole = [head, &sound].concat();
            let mut text = Vec::new();
            object(&mut text, |event| {
                event
                    .put("type", DELTA)
                    .put("audio", &STANDARD.encode(whole));
            });
            write_data(&text, out);
        } else if is_told {
            out.extend_from_slice(head);
            out.extend_from_slice(&sound);
        }
        Ok(Told::Sound(bytes))
    }

    /// Reads one of Google's chunks: samples, and why it ended.
    fn chunk(&mut self, chunk: &Value, out: &mut Vec<u8>) -> Result<Told, Failure> {
        if let Some(told) = chunk.get("usageMetadata") {
            let mut usage = gemini::usage::read(told);
            usage.completion_audio = usage.completion;
            self.usage = usage;
        }
        let mut told = Told::Nothing;
        let candidate = chunk.pointer("/candidates/0");
        let parts = candidate.and_then(|all| all.pointer("/content/parts"));
        if let Some(Value::Array(parts)) = parts {
            for part in parts {
                let data = part.pointer("/inlineData/data").and_then(Value::as_str);
                if let Some(Told::Sound(more)) =
                    data.map(|data| self.sound(data, true, out)).transpose()?
                {
                    told = match told {
                        Told::Sound(bytes) => Told::Sound(bytes.saturating_add(more)),
                        _ => Told::Sound(more),
                    };
                }
            }
        }
        let reason = candidate.and_then(|all| all.get("finishReason")?.as_str());
        match reason {
            None | Some("FINISH_REASON_UNSPECIFIED") => Ok(told),
            Some("STOP") => {
                self.is_done = true;
                Ok(match told {
                    Told::Sound(bytes) => Told::Last(bytes),
                    _ => Told::Done,
                })
            }
            // A sound that was cut off looks like a whole one.
            Some(_) => Err(broken("the model did not read to the end")),
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
    // Mistral's names are those of chat.
    let mut count = |names: [&str; 2]| {
        let told = names.iter().find_map(|name| value.get(name));
        told.and_then(|told| report.count(told))
    };
    let input = count(["input_tokens", "prompt_tokens"]);
    let output = count(["output_tokens", "completion_tokens"]);
    report.prompt = input;
    report.completion = output;
    report.completion_audio = output;
    report
}

fn broken(why: &str) -> Failure {
    Failure::unavailable(format!("The provider's sound cannot be used: {why}"))
}
