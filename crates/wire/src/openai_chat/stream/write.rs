//! Writing a client's stream.

use bourse_vocab::chat::{Event, Finish, ReasoningDelta};
use bourse_vocab::json::Value;
use bourse_vocab::{Bill, Failure, Usage};

use super::super::{DONE, failure, reasoning, reply, usage};
use crate::codec::{Stamp, StreamWriter};
use crate::object::{self, Object, object};

/// How one bit of an answer looks in `choices`: what chat completions and
/// the older text completions do differently.
pub trait Bits: Send {
    /// The `object` of a chunk.
    const KIND: &'static str;

    /// Whether the characters of an answer are counted.
    const COUNTS_TEXT: bool = false;

    /// Writes the members of a choice that carry `event`, between `index`
    /// and `finish_reason`. `so_far` is what was written of the answer.
    /// Returns whether there was anything to write; if not, what was
    /// written is taken back.
    fn write(&self, choice: &mut Object<'_>, event: &Event, so_far: SoFar) -> bool;

    /// Writes the members of a choice that carry nothing but its end.
    fn write_empty(&self, choice: &mut Object<'_>, first: bool);
}

/// What was written of an answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct SoFar {
    /// Nothing.
    pub is_first: bool,
    /// Characters of text, if they are counted.
    pub characters: usize,
}

/// Writes a stream of chunks.
///
/// Nothing is written before the first bit of content, so that a failure
/// until then can still be an HTTP error.
#[derive(Debug)]
pub struct ChunkWriter<B> {
    bits: B,
    /// The beginning of every chunk, up to and including `provider`.
    head: Vec<u8>,
    /// `openrouter_metadata`, until the last chunk.
    metadata: Option<Box<str>>,
    /// Answers that have begun, and how many characters they have.
    begun: Vec<(u32, usize)>,
}

impl<B: Bits> ChunkWriter<B> {
    /// Begins a stream.
    pub fn new(bits: B, stamp: &Stamp<'_>) -> Self {
        let mut head = b"data: ".to_vec();
        reply::head(&mut Object::open(&mut head), B::KIND, stamp);
        Self {
            bits,
            head,
            metadata: stamp.metadata.map(Into::into),
            begun: Vec::new(),
        }
    }

    /// Writes one chunk whose members after the head are written by `fill`.
    fn chunk(&self, out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
        out.extend_from_slice(&self.head);
        let mut chunk = Object::resume(out);
        fill(&mut chunk);
        chunk.close();
        out.extend_from_slice(b"\n\n");
    }

    /// Writes a bit of an answer.
    fn bit(&mut self, choice: u32, event: &Event, out: &mut Vec<u8>) {
        let before = out.len();
        let known = self.begun.iter().find(|(begun, _)| *begun == choice);
        let so_far = SoFar {
            is_first: known.is_none(),
            characters: known.map_or(0, |(_, characters)| *characters),
        };
        let mut written = false;
        self.chunk(out, |chunk| {
            chunk.nested("choices", |out| {
                object::array(out, [choice], |out, index| {
                    object(out, |choice| {
                        choice.put("index", &index);
                        written = self.bits.write(choice, event, so_far);
                        ending(choice, None, None);
                        if !matches!(
                            event,
                            Event::Text {
                                logprobs: Some(_),
                                ..
                            }
                        ) {
                            choice.put("logprobs", &Value::Null);
                        }
                    });
                });
            });
        });
        if !written {
            out.truncate(before);
        } else {
            self.count(choice, event);
        }
    }

    /// Notes that a bit of an answer was written.
    fn count(&mut self, choice: u32, event: &Event) {
        let at = self.begun.iter().position(|(begun, _)| *begun == choice);
        let at = at.unwrap_or_else(|| {
            self.begun.push((choice, 0));
            self.begun.len() - 1
        });
        if B::COUNTS_TEXT
            && let Event::Text { text, .. } = event
            && let Some((_, characters)) = self.begun.get_mut(at)
        {
            *characters = characters.saturating_add(text.chars().count());
        }
    }

    fn finish(&mut self, choice: u32, reason: Finish, native: Option<&str>, out: &mut Vec<u8>) {
        let first = self.begun.iter().all(|(begun, _)| *begun != choice);
        self.chunk(out, |chunk| {
            chunk.nested("choices", |out| {
                object::array(out, [choice], |out, index| {
                    object(out, |choice| {
                        choice.put("index", &index);
                        self.bits.write_empty(choice, first);
                        ending(choice, Some(reason), native);
                        choice.put("logprobs", &Value::Null);
                    });
                });
            });
        });
        if first {
            self.begun.push((choice, 0));
        }
    }

    /// The one chunk with the final usage: no choices, and whatever else
    /// belongs on the last chunk.
    fn settled(&mut self, count: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        let metadata = self.metadata.take();
        self.chunk(out, |chunk| {
            chunk.raw("choices", "[]");
            chunk.nested("usage", |out| usage::write_usage(count, bill, out));
            if let Some(metadata) = metadata {
                chunk.raw("openrouter_metadata", &metadata);
            }
        });
    }

    /// The chunk that ends a stream which failed (openrouter.ai/docs,
    /// streaming, October 2026): HTTP said 200 long ago.
    fn error(&self, failure: &Failure, out: &mut Vec<u8>) {
        self.chunk(out, |chunk| {
            chunk.nested("error", |out| {
                object(out, |error| failure::write_late(error, failure));
            });
            chunk.nested("choices", |out| {
                object::array(out, [0_u32], |out, index| {
                    object(out, |choice| {
                        choice.put("index", &index);
                        self.bits.write_empty(choice, false);
                        ending(choice, Some(Finish::Error), None);
                        choice.put("logprobs", &Value::Null);
                    });
                });
            });
        });
        // Many clients wait for it, whatever came before.
        out.extend_from_slice(DONE);
    }

    fn done(&mut self, out: &mut Vec<u8>) {
        if let Some(metadata) = self.metadata.take() {
            self.chunk(out, |chunk| {
                chunk
                    .raw("choices", "[]")
                    .raw("openrouter_metadata", &metadata);
            });
        }
        out.extend_from_slice(DONE);
    }
}

/// Why a choice ended. Both members are there on every chunk, as `null`
/// until the last: the strict SDKs insist.
fn ending(choice: &mut Object<'_>, reason: Option<Finish>, native: Option<&str>) {
    choice
        .put("finish_reason", &reason.map(Finish::name))
        .put("native_finish_reason", &native);
}

impl<B: Bits> StreamWriter for ChunkWriter<B> {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            // Nothing to tell yet; and the caller sees the final usage only.
            Event::Start { .. } | Event::Usage(_) => {}
            Event::Tier(name) => {
                Object::resume(&mut self.head).put("service_tier", name);
            }
            Event::Text { choice, .. }
            | Event::Refusal { choice, .. }
            | Event::Reasoning { choice, .. }
            | Event::ToolStart { choice, .. }
            | Event::ToolArguments { choice, .. }
            | Event::Image { choice, .. }
            | Event::Other { choice, .. } => self.bit(*choice, event, out),
            Event::Finish {
                choice,
                reason,
                native,
            } => self.finish(*choice, *reason, native.as_deref(), out),
            Event::Settled(usage, bill) => self.settled(usage, bill, out),
            Event::Error(failure) => self.error(failure, out),
            Event::Done => self.done(out),
        }
    }

    fn restamp(&mut self, stamp: &Stamp<'_>) {
        self.metadata = stamp.metadata.map(Into::into);
    }
}

/// Bits of chat completions: `delta` objects.
#[derive(Debug)]
pub struct ChatBits;

impl Bits for ChatBits {
    const KIND: &'static str = "chat.completion.chunk";

    fn write(&self, choice: &mut Object<'_>, event: &Event, so_far: SoFar) -> bool {
        let mut written = true;
        choice.nested("delta", |out| {
            object(out, |delta| {
                if so_far.is_first {
                    delta.put("role", "assistant");
                    // Clients join `content` from the first chunk on.
                    if !matches!(event, Event::Text { .. }) {
                        delta.put("content", "");
                    }
                }
                written = write_delta(delta, event);
            });
        });
        if let Event::Text {
            logprobs: Some(logprobs),
            ..
        } = event
        {
            choice.put("logprobs", logprobs);
        }
        written
    }

    fn write_empty(&self, choice: &mut Object<'_>, first: bool) {
        choice.nested("delta", |out| {
            object(out, |delta| {
                if first {
                    delta.put("role", "assistant");
                }
                delta.put("content", "");
            });
        });
    }
}

fn write_delta(delta: &mut Object<'_>, event: &Event) -> bool {
    match event {
        Event::Text { text, .. } => {
            delta.put("content", text);
        }
        Event::Refusal { text, .. } => {
            delta.put("refusal", text);
        }
        Event::Reasoning { delta: bit, .. } => write_reasoning(delta, bit),
        Event::ToolStart {
            index, id, name, ..
        } => {
            write_call(delta, *index, |call| {
                call.put("id", id)
                    .put("type", "function")
                    .nested("function", |out| {
                        object(out, |function| {
                            function.put("name", name).put("arguments", "");
                        });
                    });
            });
        }
        Event::ToolArguments {
            index, fragment, ..
        } => {
            write_call(delta, *index, |call| {
                call.nested("function", |out| {
                    object(out, |function| {
                        function.put("arguments", fragment);
                    });
                });
            });
        }
        Event::Image { media, .. } => {
            let mut written = false;
            let mut image = Vec::new();
            if reply::write_image(&mut image, media, 0) {
                written = true;
                delta.nested("images", |out| {
                    out.push(b'[');
                    out.append(&mut image);
                    out.push(b']');
                });
            }
            return written;
        }
        Event::Other { name, value, .. } => {
            delta.put(name, value);
        }
        _ => return false,
    }
    true
}

fn write_call(delta: &mut Object<'_>, index: u32, fill: impl FnOnce(&mut Object<'_>)) {
    delta.nested("tool_calls", |out| {
        out.push(b'[');
        object(out, |call| {
            call.put("index", &index);
            fill(call);
        });
        out.push(b']');
    });
}

fn write_reasoning(delta: &mut Object<'_>, bit: &ReasoningDelta) {
    if let Some(text) = reasoning::readable(&bit.kind) {
        delta.put("reasoning", text);
    }
    delta.nested("reasoning_details", |out| {
        out.push(b'[');
        reasoning::write(
            out,
            &bit.kind,
            bit.id.as_deref(),
            bit.scheme.as_deref(),
            bit.index.into(),
        );
        out.push(b']');
    });
}
