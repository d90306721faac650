//! Passing a stream on.

use std::borrow::Cow;

use bourse_vocab::chat::Finish;
use bourse_vocab::{Bill, Failure, Usage, UsageReport};

use super::choice::write_ending;
use super::chunk::rewrite;
use super::faults::{by_provider, reported};
use super::form::Form;
use super::seen::Seen;
use super::state::State;
use super::template::{Applied, Template};
use crate::codec::Stamp;
use crate::dialect::calls::NO_ARGUMENTS;
use crate::json::text;
use crate::lossy;
use crate::object::object;
use crate::openai_chat::DONE;
use crate::openai_chat::failure::write_late;
use crate::openai_chat::usage::write_usage;
use crate::sse::{Decoder, Frame, write_data};
use crate::tool_calls::Made;

/// Length of one event. Pictures come whole, as base64 of a few megabytes.
const EVENT_BYTES_MAX: usize = 16 << 20;
/// Room for the head of a chunk, which is seldom longer.
const HEAD_BYTES: usize = 256;
/// Sorts of chunks kept in mind: content, reasoning, arguments, and one
/// that is on its way out.
const TEMPLATES_MAX: usize = 4;

/// A choice that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishSeen {
    /// Which choice.
    pub choice: u32,
    /// Why.
    pub reason: Finish,
    /// The provider's own word.
    pub native: String,
}

/// Passes a provider's stream on to a client of the same format, and
/// watches it go by.
///
/// Every chunk leaves with the gateway's id, model, provider and time, and
/// with `finish_reason`, if only as `null`. Usage is kept back: the
/// gateway reports it once, priced, with [`Self::settle`]. Comments are
/// kept back and counted. Nothing is written after the provider's
/// `[DONE]` until `settle`.
#[derive(Debug)]
pub struct StreamRelay {
    decoder: Decoder,
    core: Core,
}

#[derive(Debug)]
struct Core {
    head: Vec<u8>,
    provider: String,
    metadata: Option<String>,
    hide_reasoning: bool,
    /// Most recently used first.
    templates: Vec<Template>,
    is_done: bool,
    content_seen: bool,
    has_answered: bool,
    content_events: u64,
    content_bytes: u64,
    usage: Option<UsageReport>,
    state: State,
    /// An end was told or is held, so that chunks must be looked at.
    near_end: bool,
    finishes: Vec<FinishSeen>,
    /// Ends that the stream was closed before telling.
    unsent: Vec<FinishSeen>,
    upstream_id: Option<String>,
    upstream_model: Option<String>,
    service_tier: Option<String>,
}

impl StreamRelay {
    /// Begins to pass a stream on. With `hide_reasoning` the client is not
    /// shown what the model thought (`reasoning.exclude`).
    #[must_use]
    pub fn new(stamp: &Stamp<'_>, hide_reasoning: bool) -> Self {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        Form::Chunk.head(stamp, &mut head);
        Self {
            decoder: Decoder::with_limit(EVENT_BYTES_MAX),
            core: Core {
                head,
                provider: stamp.provider.to_owned(),
                metadata: stamp.metadata.map(str::to_owned),
                hide_reasoning,
                templates: Vec::with_capacity(TEMPLATES_MAX),
                is_done: false,
                content_seen: false,
                has_answered: false,
                content_events: 0,
                content_bytes: 0,
                usage: None,
                state: State::default(),
                near_end: false,
                finishes: Vec::new(),
                unsent: Vec::new(),
                upstream_id: None,
                upstream_model: None,
                service_tier: None,
            },
        }
    }

    /// Reads what the provider sent, in whatever pieces, and appends what
    /// the client gets to `out`. On failure (the provider reported an
    /// error, or sent nonsense) everything appended before still counts;
    /// the relay is then good for [`Self::fail`] and its meters only.
    pub fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        let core = &mut self.core;
        self.decoder.feed(piece, |frame| core.frame(&frame, out))
    }

    /// The provider closed the stream. Reads a last event that was left
    /// without its end. Fails if the stream was cut short: neither
    /// `[DONE]` nor a reason to stop for every choice that began.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let core = &mut self.core;
        self.decoder.end(|frame| core.frame(&frame, out))?;
        if core.is_done {
            return Ok(());
        }
        core.unsent = core.close()?;
        Ok(())
    }

    /// Whether nothing more is needed for a whole answer.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.core.is_done || self.core.state.endings.is_complete()
    }

    /// Forgets the sorts of chunks that it knows.
    #[cfg(test)]
    pub(super) fn forget(&mut self) {
        self.core.templates.clear();
    }

    /// Whether the provider said `[DONE]`.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.core.is_done
    }

    /// Whether something that a client would notice has been written:
    /// text, a thought, a tool call, a refusal, sound or a picture.
    #[must_use]
    pub const fn content_seen(&self) -> bool {
        self.core.content_seen
    }

    /// Whether anything but thoughts was said, shown or hidden.
    #[must_use]
    pub const fn has_answered(&self) -> bool {
        self.core.has_answered
    }

    /// Chunks with content so far, shown or hidden.
    #[must_use]
    pub const fn content_events(&self) -> u64 {
        self.core.content_events
    }

    /// Bytes of content so far, shown or hidden, as written in JSON: no
    /// fewer than tokens.
    #[must_use]
    pub const fn content_bytes(&self) -> u64 {
        self.core.content_bytes
    }

    /// Comment lines so far: signs of life without content.
    #[must_use]
    pub const fn comments(&self) -> u64 {
        self.decoder.comments()
    }

    /// What the provider says it counted, so far.
    #[must_use]
    pub const fn usage(&self) -> Option<&UsageReport> {
        self.core.usage.as_ref()
    }

    /// The tool calls, to be judged; once.
    pub const fn take_calls(&mut self) -> Option<Box<Made>> {
        self.core.state.made.take()
    }

    /// The choices that ended.
    #[must_use]
    pub fn finishes(&self) -> &[FinishSeen] {
        &self.core.finishes
    }

    /// The provider's id for the answer.
    #[must_use]
    pub fn upstream_id(&self) -> Option<&str> {
        self.core.upstream_id.as_deref()
    }

    /// The model as the provider names it.
    #[must_use]
    pub fn upstream_model(&self) -> Option<&str> {
        self.core.upstream_model.as_deref()
    }

    /// The tier that served, where the provider says so.
    #[must_use]
    pub fn service_tier(&self) -> Option<&str> {
        self.core.service_tier.as_deref()
    }

    /// Ends a whole stream: usage with its price, metadata, `[DONE]`.
    pub fn settle(&self, usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
        for finish in &self.core.unsent {
            self.core.write_finish(finish, out);
        }
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.core.head);
        out.extend_from_slice(b",\"choices\":[],\"usage\":");
        write_usage(usage, bill, out);
        if let Some(metadata) = &self.core.metadata {
            out.extend_from_slice(b",\"openrouter_metadata\":");
            out.extend_from_slice(metadata.as_bytes());
        }
        out.extend_from_slice(b"}\n\n");
        out.extend_from_slice(DONE);
    }

    /// Ends a broken stream: one chunk that says what went wrong
    /// (openrouter.ai/docs, errors, August 2026), and `[DONE]`, which many
    /// clients wait for whatever came before it.
    pub fn fail(&self, failure: &Failure, out: &mut Vec<u8>) {
        let mut data = self.core.head.clone();
        data.extend_from_slice(b",\"error\":");
        object(&mut data, |error| write_late(error, failure));
        data.extend_from_slice(
            b",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\
              \"finish_reason\":\"error\",\"native_finish_reason\":null}]}",
        );
        write_data(&data, out);
        out.extend_from_slice(DONE);
    }
}

impl Core {
    fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<(), Failure> {
        if self.is_done {
            return Ok(());
        }
        if self.near_end {
            return self.look(frame, out);
        }
        for (at, template) in self.templates.iter().enumerate() {
            if let Some(applied) = template.apply(frame.data, out, &mut self.state.made) {
                self.count(applied.content_bytes, applied.shows_content);
                // Only after another sort of chunk is there something to do.
                if at > 0 {
                    self.turn_to(at, applied);
                }
                return Ok(());
            }
        }
        self.look(frame, out)
    }

    /// Another sort of chunk came than the last time: it goes to the front.
    #[cold]
    fn turn_to(&mut self, at: usize, applied: Applied) {
        if let Some(used) = self.templates.get_mut(..=at) {
            used.rotate_right(1);
        }
        if applied.speaks {
            self.state.interrupt(applied.choice);
            self.templates.retain(|template| !template.thinks());
        }
    }

    /// Nothing more follows: the ends that are still to be told, unless the
    /// answer was cut short.
    fn close(&mut self) -> Result<Vec<FinishSeen>, Failure> {
        let held = self.state.endings.close().into_iter();
        let held: Vec<_> = held
            .map(|(choice, reason, native)| FinishSeen {
                choice,
                reason,
                native: native.unwrap_or_default(),
            })
            .collect();
        self.finishes.extend(held.iter().cloned());
        let named = !self.state.waits_for_a_name();
        if named && self.state.endings.is_complete() {
            return Ok(held);
        }
        Err(
            Failure::unavailable("The provider's stream ended before the answer was complete.")
                .inside("a choice without finish_reason, or a call without a name"),
        )
    }

    /// Tells the arguments of calls that have none in front of the chunk that
    /// ends them, which begins at `start`. That chunk is like no other, so no
    /// template is made of it.
    fn tell_silent_calls(&self, silent: &[(u32, usize)], start: usize, out: &mut Vec<u8>) {
        let ending = out.split_off(start);
        for call in silent {
            self.write_no_arguments(*call, out);
        }
        out.extend_from_slice(&ending);
    }

    /// Writes a chunk with the arguments of a call that has none.
    fn write_no_arguments(&self, (choice, place): (u32, usize), out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":[{\"index\":");
        out.extend_from_slice(itoa::Buffer::new().format(choice).as_bytes());
        out.extend_from_slice(b",\"delta\":{\"tool_calls\":[{\"index\":");
        out.extend_from_slice(itoa::Buffer::new().format(place).as_bytes());
        out.extend_from_slice(b",\"function\":{\"arguments\":");
        text::write_string(NO_ARGUMENTS, out);
        out.extend_from_slice(b"}}]},\"finish_reason\":null}]}\n\n");
    }

    /// Writes a chunk that only says that a choice ended.
    fn write_finish(&self, finish: &FinishSeen, out: &mut Vec<u8>) {
        for silent in self.state.silent_calls(finish.choice, finish.reason) {
            self.write_no_arguments(silent, out);
        }
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":[{\"index\":");
        out.extend_from_slice(itoa::Buffer::new().format(finish.choice).as_bytes());
        out.extend_from_slice(b",\"delta\":{}");
        write_ending(out, finish.reason, Some(&finish.native));
        out.extend_from_slice(b"}]}\n\n");
    }

    fn count(&mut self, bytes: usize, shows_content: bool) {
        self.content_seen |= shows_content;
        if bytes > 0 || shows_content {
            self.content_events = self.content_events.saturating_add(1);
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            self.content_bytes = self.content_bytes.saturating_add(bytes);
        }
    }

    /// Reads a chunk of a sort that was not seen before.
    fn look(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<(), Failure> {
        let mut data = Cow::Borrowed(frame.data.trim_ascii());
        if data.is_empty() {
            return Ok(());
        }
        if data.as_ref() == b"[DONE]" {
            for finish in self.close()? {
                self.write_finish(&finish, out);
            }
            self.is_done = true;
            return Ok(());
        }
        // Several `data:` lines: a line break can only be white space here,
        // and must not end up in the middle of ours.
        if memchr::memchr(b'\n', &data).is_some() {
            for byte in data.to_mut() {
                if *byte == b'\n' {
                    *byte = b' ';
                }
            }
        }
        let data = lossy::utf8(&data);
        if frame.event == "error" {
            return Err(by_provider(reported(data.as_bytes()), &self.provider));
        }
        let start = out.len();
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.head);
        let hide = self.hide_reasoning;
        let mut seen = Seen::default();
        let rewritten = rewrite(&data, Form::Chunk, hide, &mut self.state, &mut seen, out);
        if let Err(failure) = rewritten {
            out.truncate(start);
            return Err(failure);
        }
        if seen.is_silent() || seen.error.is_some() {
            out.truncate(start);
        } else {
            out.extend_from_slice(b"}\n\n");
        }
        if let Some(error) = seen.error {
            return Err(by_provider(*error, &self.provider));
        }
        if !seen.silent_calls.is_empty() {
            self.tell_silent_calls(&seen.silent_calls, start, out);
            self.note(seen);
            return Ok(());
        }
        if seen.begins_call {
            // What was learned of arguments was of the call before.
            self.templates.retain(|template| !template.continues_call());
        }
        if seen.speaks {
            self.templates.retain(|template| !template.thinks());
        }
        let written = out.get(start..).unwrap_or_default();
        if let Some(template) = Template::learn(data.as_bytes(), written, start, &seen) {
            self.templates.truncate(TEMPLATES_MAX.saturating_sub(1));
            self.templates.insert(0, template);
        } else if seen.thinks {
            // The sort at the front is not the latest: what it says now ends
            // the thought, and must be looked at.
            self.templates.retain(|template| !template.speaks());
        }
        self.note(seen);
        Ok(())
    }

    fn note(&mut self, seen: Seen) {
        self.count(seen.content_bytes(), seen.shows_content);
        // The first piece of a sort always comes by here.
        self.has_answered |= seen.speaks;
        if let Some(report) = &seen.usage {
            self.usage.get_or_insert_default().merge(report);
        }
        for choice in seen.choices {
            self.near_end |= self.state.endings.is_near(choice.index);
            if let Some((reason, native)) = choice.finish {
                self.finishes.push(FinishSeen {
                    choice: choice.index,
                    reason,
                    native: native.unwrap_or_default(),
                });
            }
        }
        self.upstream_id = self.upstream_id.take().or(seen.upstream_id);
        self.upstream_model = self.upstream_model.take().or(seen.upstream_model);
        self.service_tier = seen.service_tier.or(self.service_tier.take());
    }
}
