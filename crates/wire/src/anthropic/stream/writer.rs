//! Writes a client's stream.
//!
//! Anthropic's blocks follow each other: one is open at a time, and none is
//! opened twice. Other vendors interleave their parallel tool calls, so a
//! call that starts while another is unfinished waits for it. Whether a call
//! is finished shows in its arguments, which are one JSON value.

use std::collections::VecDeque;
use std::fmt::Write as _;

use bourse_vocab::chat::{Event, Finish, ReasoningDelta, ReasoningKind};
use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{Bill, Failure, FailureKind, Usage, UsageReport};

use super::super::{failure, reply, seal, usage};
use crate::codec::{Stamp, StreamWriter};

/// Writes events as server-sent events, `event:` lines included: Anthropic's
/// SDKs drop events without one. There is no `[DONE]`.
#[derive(Debug)]
pub struct Writer {
    id: String,
    model: String,
    provider: String,
    metadata: Option<String>,
    started: bool,
    /// Index of the next block.
    next: u32,
    open: Open,
    /// Calls that wait for the open one. What they hold is bounded by what
    /// the driver lets one answer hold.
    waiting: VecDeque<Call>,
    report: UsageReport,
    /// The tier of service that answers.
    tier: Option<String>,
    finish: Option<(Finish, Option<String>)>,
    /// The `message_delta` is out.
    concluded: bool,
    /// Nothing may follow.
    over: bool,
}

/// The open block.
#[derive(Debug)]
enum Open {
    None,
    Text,
    Thought {
        /// Of the piece.
        index: u32,
        /// Its signature was told.
        is_signed: bool,
    },
    /// Sealed reasoning, held back because its block has no deltas.
    Sealed {
        index: u32,
        data: String,
        scheme: Option<String>,
        id: Option<String>,
    },
    Call {
        index: u32,
        progress: Progress,
    },
}

#[derive(Debug)]
struct Call {
    index: u32,
    id: String,
    name: String,
    arguments: String,
}

impl StreamWriter for Writer {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            // What the provider calls itself and its answer is not shown.
            Event::Start { .. } => {}
            Event::Tier(name) => self.tier = Some(name.clone()),
            Event::Usage(report) => self.report.merge(report),
            Event::Text {
                choice: 0, text, ..
            }
            | Event::Refusal { choice: 0, text } => {
                self.text(text, out);
            }
            Event::Reasoning { choice: 0, delta } => self.reasoning(delta, out),
            Event::ToolStart {
                choice: 0,
                index,
                id,
                name,
            } => self.tool_start(*index, id, name, out),
            Event::ToolArguments {
                choice: 0,
                index,
                fragment,
            } => self.tool_arguments(*index, fragment, out),
            Event::Image { choice: 0, media } => {
                self.close(out);
                self.block_start(&reply::image(media), out);
                self.block_stop(out);
            }
            Event::Other {
                choice: 0,
                name: "annotations",
                value,
            } => self.annotations(value, out),
            Event::Finish {
                choice: 0,
                reason,
                native,
            } => {
                self.close(out);
                self.finish = Some((*reason, native.clone()));
            }
            Event::Settled(usage, bill) => self.conclude(usage, Some(bill), out),
            Event::Error(failure) => self.error(failure, out),
            Event::Done => self.done(out),
            // Anthropic gives one answer, without sound.
            Event::Text { .. }
            | Event::Refusal { .. }
            | Event::Reasoning { .. }
            | Event::ToolStart { .. }
            | Event::ToolArguments { .. }
            | Event::Image { .. }
            | Event::Other { .. }
            | Event::Finish { .. } => {}
        }
    }
}

/// Appends one server-sent event.
fn emit(name: &str, data: &str, out: &mut Vec<u8>) {
    for piece in ["event: ", name, "\ndata: ", data, "\n\n"] {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

impl Writer {
    /// A stream that nothing has been written to.
    pub fn new(stamp: &Stamp<'_>) -> Self {
        Self {
            id: stamp.id.to_owned(),
            model: stamp.model.to_owned(),
            provider: stamp.provider.to_owned(),
            metadata: stamp.metadata.map(str::to_owned),
            started: false,
            next: 0,
            open: Open::None,
            waiting: VecDeque::new(),
            report: UsageReport::default(),
            tier: None,
            finish: None,
            concluded: false,
            over: false,
        }
    }

    /// Opens the message, as late as possible so that the prompt's tokens
    /// may be known.
    fn start(&mut self, out: &mut Vec<u8>) {
        if self.started {
            return;
        }
        self.started = true;
        let usage = usage::write(&usage::known(&self.report), None, self.tier.as_deref());
        let data = format!(
            "{{\"type\":\"message_start\",\"message\":{{\"id\":{},\"type\":\"message\",\
             \"role\":\"assistant\",\"model\":{},\"content\":[],\"stop_reason\":null,\
             \"stop_sequence\":null,\"stop_details\":null,\"container\":null,\"usage\":{usage},\
             \"provider\":{}}}}}",
            quoted(&self.id),
            quoted(&self.model),
            quoted(&self.provider),
        );
        emit("message_start", &data, out);
    }

    fn block_start(&mut self, block: &Value, out: &mut Vec<u8>) {
        self.start(out);
        let data = format!(
            "{{\"type\":\"content_block_start\",\"index\":{},\"content_block\":{block}}}",
            self.next
        );
        emit("content_block_start", &data, out);
    }

    fn block_stop(&mut self, out: &mut Vec<u8>) {
        let data = format!(
            "{{\"type\":\"content_block_stop\",\"index\":{}}}",
            self.next
        );
        emit("content_block_stop", &data, out);
        self.next = self.next.saturating_add(1);
    }

    /// Appends to the open block. `member` holds `value`, which is JSON.
    fn delta(&self, kind: &str, member: &str, value: &str, out: &mut Vec<u8>) {
        let data = format!(
            "{{\"type\":\"content_block_delta\",\"index\":{},\
             \"delta\":{{\"type\":\"{kind}\",\"{member}\":{value}}}}}",
            self.next
        );
        emit("content_block_delta", &data, out);
    }

    /// Closes the open block, and writes out the calls that waited for it.
    fn close(&mut self, out: &mut Vec<u8>) {
        self.close_one(out);
        while let Some(call) = self.waiting.pop_front() {
            self.open_call(&call, out);
            self.close_one(out);
        }
    }

    fn close_one(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.open, Open::None) {
            Open::None => {}
            Open::Text | Open::Call { .. } => self.block_stop(out),
            Open::Thought { is_signed, .. } => {
                if !is_signed {
                    let signature = quoted(seal::UNSIGNED);
                    self.delta("signature_delta", "signature", &signature, out);
                }
                self.block_stop(out);
            }
            Open::Sealed {
                data, scheme, id, ..
            } => {
                let data = seal::close(scheme.as_deref(), id.as_deref(), &data);
                self.block_start(&json!({"type": "redacted_thinking", "data": data}), out);
                self.block_stop(out);
            }
        }
    }

    fn open_text(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Text) {
            self.close(out);
            self.block_start(&json!({"type": "text", "text": "", "citations": null}), out);
            self.open = Open::Text;
        }
    }

    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.open_text(out);
        self.delta("text_delta", "text", &quoted(text), out);
    }

    fn annotations(&mut self, annotations: &Value, out: &mut Vec<u8>) {
        for citation in reply::citations(annotations) {
            self.open_text(out);
            self.delta("citations_delta", "citation", &citation.to_string(), out);
        }
    }

    fn reasoning(&mut self, delta: &ReasoningDelta, out: &mut Vec<u8>) {
        match &delta.kind {
            ReasoningKind::Text { text, signature } => {
                self.thought(delta.index, text, out);
                if let Some(signature) = signature {
                    let scheme = delta.scheme.as_deref();
                    let signature = seal::close(scheme, delta.id.as_deref(), signature);
                    self.open_thought(delta.index, out);
                    self.delta("signature_delta", "signature", &quoted(&signature), out);
                    self.open = Open::Thought {
                        index: delta.index,
                        is_signed: true,
                    };
                }
            }
            ReasoningKind::Summary(text) => self.thought(delta.index, text, out),
            ReasoningKind::Encrypted(more) => self.sealed(delta, more, out),
        }
    }

    fn open_thought(&mut self, index: u32, out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Thought { index: open, .. } if open == index) {
            self.close(out);
            let block = json!({"type": "thinking", "thinking": "", "signature": ""});
            self.block_start(&block, out);
            self.open = Open::Thought {
                index,
                is_signed: false,
            };
        }
    }

    fn thought(&mut self, index: u32, text: &str, out: &mut Vec<u8>) {
        if !text.is_empty() {
            self.open_thought(index, out);
            self.delta("thinking_delta", "thinking", &quoted(text), out);
        }
    }

    fn sealed(&mut self, delta: &ReasoningDelta, more: &str, out: &mut Vec<u8>) {
        if let Open::Sealed { index, data, .. } = &mut self.open
            && *index == delta.index
        {
            data.push_str(more);
            return;
        }
        self.close(out);
        self.open = Open::Sealed {
            index: delta.index,
            data: more.to_owned(),
            scheme: delta.scheme.clone(),
            id: delta.id.clone(),
        };
    }

    fn tool_start(&mut self, index: u32, id: &str, name: &str, out: &mut Vec<u8>) {
        let call = Call {
            index,
            id: id.to_owned(),
            name: name.to_owned(),
            arguments: String::new(),
        };
        let busy = match &self.open {
            Open::Call { progress, .. } => !progress.is_complete(),
            _ => false,
        };
        if busy || !self.waiting.is_empty() {
            self.waiting.push_back(call);
            return;
        }
        self.close_one(out);
        self.open_call(&call, out);
    }

    fn open_call(&mut self, call: &Call, out: &mut Vec<u8>) {
        let block = json!({"type": "tool_use", "id": call.id, "name": call.name, "input": {}});
        self.block_start(&block, out);
        let mut progress = Progress::default();
        if !call.arguments.is_empty() {
            progress.read(&call.arguments);
            let fragment = quoted(&call.arguments);
            self.delta("input_json_delta", "partial_json", &fragment, out);
        }
        self.open = Open::Call {
            index: call.index,
            progress,
        };
    }

    fn tool_arguments(&mut self, index: u32, fragment: &str, out: &mut Vec<u8>) {
        if fragment.is_empty() {
            return;
        }
        let waiting = self.waiting.iter_mut().find(|call| call.index == index);
        if let Some(call) = waiting {
            call.arguments.push_str(fragment);
            return;
        }
        let Open::Call {
            index: open,
            progress,
        } = &mut self.open
        else {
            return;
        };
        // Nothing but white space can follow a finished call.
        if *open != index {
            return;
        }
        progress.read(fragment);
        let complete = progress.is_complete();
        self.delta("input_json_delta", "partial_json", &quoted(fragment), out);
        if complete {
            self.next_call(out);
        }
    }

    /// Lets waiting calls through until one is unfinished.
    fn next_call(&mut self, out: &mut Vec<u8>) {
        while let Some(call) = self.waiting.pop_front() {
            self.close_one(out);
            self.open_call(&call, out);
            if matches!(&self.open, Open::Call { progress, .. } if !progress.is_complete()) {
                return;
            }
        }
    }

    /// Writes why the answer ended and what it used. Everything, because
    /// clients read input tokens from here too.
    fn conclude(&mut self, usage: &Usage, bill: Option<&Bill>, out: &mut Vec<u8>) {
        if self.concluded {
            return;
        }
        let Some((finish, native)) = self.finish.take() else {
            return;
        };
        self.close(out);
        self.start(out);
        if finish == Finish::Error {
            let failure = Failure::new(
                FailureKind::Unavailable,
                "The provider failed before its answer was complete",
            );
            self.error(&failure, out);
            return;
        }
        self.concluded = true;
        let reason = reply::stop_reason(finish, native.as_deref());
        let mut data = format!(
            "{{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"{reason}\",\
             \"stop_sequence\":null,\"stop_details\":null,\"container\":null}},\"usage\":{}",
            usage::write(usage, bill, self.tier.as_deref()),
        );
        if let Some(metadata) = &self.metadata {
            // Writing to a `String` cannot fail.
            let _ = write!(data, ",\"openrouter_metadata\":{metadata}");
        }
        data.push('}');
        emit("message_delta", &data, out);
    }

    fn error(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.over = true;
        let body = failure::write_with_id(failure, Some(&self.id));
        emit("error", &String::from_utf8_lossy(&body), out);
    }

    fn done(&mut self, out: &mut Vec<u8>) {
        let usage = usage::known(&self.report);
        self.conclude(&usage, None, out);
        // Without a finish the stream was cut, and must not look whole.
        if self.concluded {
            emit("message_stop", "{\"type\":\"message_stop\"}", out);
        }
        self.over = true;
    }
}

/// Where a JSON object stands that arrives bit by bit.
#[derive(Debug, Default)]
struct Progress {
    depth: u32,
    begun: bool,
    in_string: bool,
    escaped: bool,
}

impl Progress {
    fn read(&mut self, fragment: &str) {
        for byte in fragment.bytes() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    self.begun = true;
                    self.depth = self.depth.saturating_add(1);
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// Whether the object has begun and ended.
    fn is_complete(&self) -> bool {
        self.begun && self.depth == 0 && !self.in_string
    }
}
