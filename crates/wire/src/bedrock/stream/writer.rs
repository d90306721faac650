//! Writes a client's stream.

use std::collections::BTreeMap;

use bourse_vocab::chat::{Event, ReasoningDelta, ReasoningKind};
use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{Failure, Usage};

use super::super::{blob, failure, reply, usage};
use crate::codec::StreamWriter;
use crate::framing::{MessageKind, encode};

/// Writes events as messages.
#[derive(Debug, Default)]
pub struct Writer {
    started: bool,
    next: u64,
    /// The open block of text or of a thought.
    open: Option<(Sort, u64)>,
    /// Open blocks of calls, by the number of the call: their arguments may
    /// come in turns.
    calls: BTreeMap<u32, u64>,
    tier: Option<String>,
}

/// What an open block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Text,
    Thought(u32),
}

impl StreamWriter for Writer {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { .. } => self.start(out),
            Event::Tier(tier) => self.tier = Some(tier.clone()),
            Event::Text { text, .. } | Event::Refusal { text, .. } => {
                let block = self.block(Sort::Text, out);
                delta(block, &json!({"text": text}), out);
            }
            Event::Reasoning { delta, .. } => self.thought(delta, out),
            Event::ToolStart {
                index, id, name, ..
            } => {
                self.close(out);
                let block = self.next_block(out);
                self.calls.insert(*index, block);
                let start = json!({"toolUse": {"toolUseId": id, "name": name}});
                let start = json!({"contentBlockIndex": block, "start": start});
                send("contentBlockStart", &start, out);
            }
            Event::ToolArguments {
                index, fragment, ..
            } => {
                if let Some(block) = self.calls.get(index) {
                    delta(*block, &json!({"toolUse": {"input": fragment}}), out);
                }
            }
            Event::Image { media, .. } => self.picture(media, out),
            // No delta of Converse has a place for them.
            Event::Other { .. } | Event::Usage(_) | Event::Done => {}
            Event::Finish { reason, native, .. } => {
                self.close(out);
                for block in std::mem::take(&mut self.calls).into_values() {
                    stop(block, out);
                }
                self.start(out);
                let reason = reply::stop_reason(*reason, native.as_deref());
                send("messageStop", &json!({"stopReason": reason}), out);
            }
            Event::Settled(usage, _) => self.metadata(usage, out),
            Event::Error(error) => fail(error, out),
        }
    }
}

impl Writer {
    fn start(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.started, true) {
            send("messageStart", &json!({"role": "assistant"}), out);
        }
    }

    fn next_block(&mut self, out: &mut Vec<u8>) -> u64 {
        self.start(out);
        let block = self.next;
        self.next = self.next.saturating_add(1);
        block
    }

    /// The block for text or a thought: the open one if it is of the sort.
    fn block(&mut self, sort: Sort, out: &mut Vec<u8>) -> u64 {
        if let Some((open, block)) = self.open
            && open == sort
        {
            return block;
        }
        self.close(out);
        let block = self.next_block(out);
        self.open = Some((sort, block));
        block
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if let Some((_, block)) = self.open.take() {
            stop(block, out);
        }
    }

    fn thought(&mut self, bit: &ReasoningDelta, out: &mut Vec<u8>) {
        let block = self.block(Sort::Thought(bit.index), out);
        let mut think = |content: Value| delta(block, &json!({"reasoningContent": content}), out);
        match &bit.kind {
            ReasoningKind::Text { text, signature } => {
                if !text.is_empty() {
                    think(json!({"text": text}));
                }
                if let Some(signature) = signature {
                    think(json!({"signature": signature}));
                }
            }
            ReasoningKind::Summary(text) => think(json!({"text": text})),
            ReasoningKind::Encrypted(data) => think(json!({"redactedContent": data})),
        }
    }

    fn picture(&mut self, media: &bourse_vocab::chat::Media, out: &mut Vec<u8>) {
        let blob::Source::Bytes(mime, data) = blob::source(media) else {
            return;
        };
        let Some(word) = blob::word(blob::IMAGES, mime) else {
            return;
        };
        self.close(out);
        let block = self.next_block(out);
        let start = json!({"contentBlockIndex": block, "start": {"image": {"format": word}}});
        send("contentBlockStart", &start, out);
        delta(block, &json!({"image": {"source": blob::bytes(data)}}), out);
        stop(block, out);
    }

    fn metadata(&self, used: &Usage, out: &mut Vec<u8>) {
        let mut metadata = json!({"usage": usage::write(used)});
        if let (Some(tier), Value::Object(members)) = (&self.tier, &mut metadata) {
            members.insert("serviceTier".to_owned(), json!({"type": tier}));
        }
        send("metadata", &metadata, out);
    }
}

fn delta(block: u64, delta: &Value, out: &mut Vec<u8>) {
    let event = json!({"contentBlockIndex": block, "delta": delta});
    send("contentBlockDelta", &event, out);
}

fn stop(block: u64, out: &mut Vec<u8>) {
    send(
        "contentBlockStop",
        &json!({"contentBlockIndex": block}),
        out,
    );
}

fn send(event: &str, payload: &Value, out: &mut Vec<u8>) {
    encode(
        (MessageKind::Event, event),
        payload.to_string().as_bytes(),
        out,
    );
}

/// The exceptions of a stream are named as those of a reply, with a small
/// letter; those that no stream has are an inner error.
fn fail(error: &Failure, out: &mut Vec<u8>) {
    let name = match failure::exception(error.kind) {
        "ThrottlingException" => "throttlingException",
        "ServiceUnavailableException" => "serviceUnavailableException",
        "ValidationException" => "validationException",
        "ModelTimeoutException" => "modelStreamErrorException",
        _ => "internalServerException",
    };
    let payload = json!({"message": error.message});
    encode(
        (MessageKind::Exception, name),
        payload.to_string().as_bytes(),
        out,
    );
}
