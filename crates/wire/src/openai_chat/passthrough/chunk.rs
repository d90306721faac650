//! Rewriting one chunk of a stream, or one whole reply: a new head, the
//! vendor's members behind it, each choice put into OpenRouter's shape.
//!
//! What is written depends only on the text around the *holes*, the
//! strings that carry content: [`super::template`] builds on that.

use std::borrow::Cow;
use std::ops::Range;

use bourse_vocab::chat::Finish;
use bourse_vocab::{Failure, UsageReport};

use crate::codec::Stamp;
use crate::failure_text;
use crate::json::walk::{self, Entry};
use crate::json::{Kind, Reader, ScanError, text};
use crate::openai_chat::usage::read_usage_text;
use crate::openai_chat::{finish, reply};

/// Answers in one reply: one bit each. OpenAI allows 128.
const CHOICES_MAX: u64 = 128;

/// Whether a chunk or a whole reply is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Chunk,
    Reply,
}

impl Form {
    /// What `object` says.
    const fn object(self) -> &'static str {
        match self {
            Self::Chunk => "chat.completion.chunk",
            Self::Reply => "chat.completion",
        }
    }

    /// The member of a choice that holds the content.
    const fn body(self) -> &'static [u8] {
        match self {
            Self::Chunk => b"delta",
            Self::Reply => b"message",
        }
    }
}

/// Writes the members that the gateway owns, up to and without a comma.
pub(super) fn head(stamp: &Stamp<'_>, form: Form) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(b"{\"id\":");
    text::write_string(stamp.id, &mut out);
    out.extend_from_slice(b",\"object\":\"");
    out.extend_from_slice(form.object().as_bytes());
    out.extend_from_slice(b"\",\"created\":");
    out.extend_from_slice(itoa::Buffer::new().format(stamp.created).as_bytes());
    out.extend_from_slice(b",\"model\":");
    text::write_string(stamp.model, &mut out);
    out.extend_from_slice(b",\"provider\":");
    text::write_string(stamp.provider, &mut out);
    out
}

/// A string that carries content: copied as it is, however it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hole {
    /// Where its content is in the vendor's text.
    pub from: Range<usize>,
    /// Where copies of it begin in the output.
    pub to: Vec<usize>,
    /// Whether it is part of the answer (and not padding).
    pub is_content: bool,
}

/// One choice, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChoiceSeen {
    pub index: u32,
    /// The reason to stop and the vendor's own word for it.
    pub finish: Option<(Finish, String)>,
}

/// What was seen while rewriting.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub usage: Option<UsageReport>,
    /// What the vendor reports instead of an answer.
    pub error: Option<Box<Failure>>,
    pub choices: Vec<ChoiceSeen>,
    pub holes: Vec<Hole>,
    /// Bytes of content outside of holes.
    pub other_content: usize,
    /// Whether the client sees any of it.
    pub shows_content: bool,
    /// Reasoning was there and is not shown.
    hid_reasoning: bool,
    pub upstream_id: Option<String>,
    pub upstream_model: Option<String>,
    pub service_tier: Option<String>,
    has_fingerprint: bool,
    has_choices: bool,
}

impl Seen {
    /// Bytes of content, those in holes included.
    pub fn content_bytes(&self) -> usize {
        let holes = self.holes.iter().filter(|hole| hole.is_content);
        let holes: usize = holes.map(|hole| hole.from.len()).sum();
        self.other_content.saturating_add(holes)
    }

    /// Whether there is nothing in it for the client.
    pub fn is_silent(&self) -> bool {
        let hidden = self.hid_reasoning
            && !self.shows_content
            && self.choices.iter().all(|choice| choice.finish.is_none());
        (self.choices.is_empty() && self.usage.is_some()) || hidden
    }
}

/// Checks and rewrites one text, which must be UTF-8. Everything but the
/// closing brace is appended to `out`, so that the caller may add members.
/// On failure what was appended is of no use.
pub(super) fn rewrite(
    data: &[u8],
    head: &[u8],
    form: Form,
    hide_reasoning: bool,
    out: &mut Vec<u8>,
) -> Result<Seen, Failure> {
    let mut writer = Writer {
        form,
        hide_reasoning,
        out,
        seen: Seen::default(),
    };
    writer.out.extend_from_slice(head);
    let mut reader = Reader::new(data);
    reader.enter_object().map_err(broken)?;
    while let Some(name) = reader.next_member().map_err(broken)? {
        writer.top(name, &mut reader)?;
    }
    reader.finish().map_err(broken)?;
    if !writer.seen.has_choices {
        // Without choices a bare `message` or `detail` is an error too.
        if writer.seen.error.is_none() {
            let value = bourse_vocab::json::parse(data).ok();
            let error = value.as_ref().and_then(reply::error_in);
            writer.seen.error = error.map(Box::new);
        }
        writer.out.extend_from_slice(b",\"choices\":[]");
    }
    if form == Form::Reply && !writer.seen.has_fingerprint {
        writer
            .out
            .extend_from_slice(b",\"system_fingerprint\":null");
    }
    Ok(writer.seen)
}

struct Writer<'a> {
    form: Form,
    hide_reasoning: bool,
    out: &'a mut Vec<u8>,
    seen: Seen,
}

fn owned(value: &[u8]) -> Option<String> {
    text::string(value).map(Cow::into_owned)
}

/// Whether a value says anything: not `null`, `""`, `[]` or `{}`.
fn is_filled(entry: &Entry<'_>) -> bool {
    match entry.kind {
        Kind::Null => false,
        Kind::String => entry.value.len() > 2,
        Kind::Array => walk::elements(entry.value).next().is_some(),
        Kind::Object => walk::members(entry.value).next().is_some(),
        _ => true,
    }
}

impl Writer<'_> {
    fn top<'a>(&mut self, name: &'a [u8], reader: &mut Reader<'a>) -> Result<(), Failure> {
        if name == b"choices" {
            return self.choices(reader);
        }
        // A `usage` that we do not recognise would be an answer for nothing.
        if memchr::memchr(b'\\', name).is_some() {
            return Err(malformed("a member's name is written with escapes"));
        }
        let entry = &reader.entry(name).map_err(broken)?;
        match name {
            b"id" => self.seen.upstream_id = owned(entry.value),
            b"model" => self.seen.upstream_model = owned(entry.value),
            b"object" | b"created" | b"provider" => {}
            b"usage" => self.usage(entry),
            // Groq reports usage here while it streams
            // (console.groq.com/docs, API reference, August 2026).
            b"x_groq" => {
                for inner in walk::members(entry.value) {
                    if inner.name == b"usage" {
                        self.usage(&inner);
                    }
                }
            }
            b"error" if entry.kind != Kind::Null => {
                self.seen.error = Some(Box::new(reported(entry.value)));
            }
            b"error" => {}
            b"obfuscation" if entry.kind == Kind::String => {
                self.comma_and_name(entry.name, false);
                self.string_with_hole(entry.at.start, entry.value, false);
            }
            name => {
                self.seen.has_fingerprint |= name == b"system_fingerprint";
                if name == b"service_tier" {
                    self.seen.service_tier = owned(entry.value);
                }
                self.copy(entry, false);
            }
        }
        Ok(())
    }

    fn usage(&mut self, entry: &Entry<'_>) {
        if entry.kind != Kind::Null {
            let report = read_usage_text(entry.value);
            self.seen.usage.get_or_insert_default().merge(&report);
        }
    }

    fn choices(&mut self, reader: &mut Reader<'_>) -> Result<(), Failure> {
        self.seen.has_choices = true;
        self.out.extend_from_slice(b",\"choices\":[");
        if reader.kind().map_err(broken)? == Kind::Array {
            reader.enter_array().map_err(broken)?;
            let mut first = true;
            while reader.next_element().map_err(broken)? {
                if !std::mem::take(&mut first) {
                    self.out.push(b',');
                }
                self.choice(reader)?;
            }
        } else {
            reader.entry(b"choices").map_err(broken)?;
        }
        self.out.push(b']');
        Ok(())
    }

    /// Writes one choice.
    fn choice(&mut self, reader: &mut Reader<'_>) -> Result<(), Failure> {
        if reader.kind().map_err(broken)? != Kind::Object {
            return Err(malformed("a choice is not an object"));
        }
        reader.enter_object().map_err(broken)?;
        self.out.push(b'{');
        let mut first = true;
        let (mut index, mut has_body) = (None, false);
        let mut finish: Option<(Finish, String)> = None;
        let mut native: Option<&[u8]> = None;
        while let Some(name) = reader.next_member().map_err(broken)? {
            let entry = reader.entry(name).map_err(broken)?;
            match name {
                b"finish_reason" => {
                    let word = owned(entry.value);
                    finish = finish::read(word.as_deref()).zip(word);
                    continue;
                }
                b"native_finish_reason" => {
                    native = (entry.kind == Kind::String).then_some(entry.value);
                    continue;
                }
                // Moonshot reports usage inside the last choice
                // (platform.moonshot.ai, chat API, August 2026).
                b"usage" => {
                    self.usage(&entry);
                    continue;
                }
                b"index" => index = text::u64(entry.value),
                name if name == self.form.body() => {
                    has_body = true;
                    self.comma_and_name(name, first);
                    first = false;
                    self.body(&entry);
                    continue;
                }
                _ => {}
            }
            self.copy(&entry, first);
            first = false;
        }
        if index.is_none() {
            self.comma_and_name(b"index", first);
            self.out.push(b'0');
            first = false;
        }
        if !has_body {
            if self.form == Form::Reply {
                return Err(malformed("a choice has no message"));
            }
            self.comma_and_name(b"delta", first);
            self.out.extend_from_slice(b"{}");
        }
        self.out.extend_from_slice(b",\"finish_reason\":");
        match &finish {
            Some((reason, word)) => {
                text::write_string(reason.name(), self.out);
                self.out.extend_from_slice(b",\"native_finish_reason\":");
                match native {
                    Some(native) => self.out.extend_from_slice(native),
                    None => text::write_string(word, self.out),
                }
            }
            None if self.form == Form::Reply => {
                self.out
                    .extend_from_slice(b"null,\"native_finish_reason\":null");
            }
            None => self.out.extend_from_slice(b"null"),
        }
        self.out.push(b'}');
        let index = index.unwrap_or(0);
        if index >= CHOICES_MAX {
            return Err(malformed("a choice has an impossible index"));
        }
        self.seen.choices.push(ChoiceSeen {
            index: u32::try_from(index).unwrap_or(0),
            finish,
        });
        Ok(())
    }

    /// Writes a `delta` or `message`.
    fn body(&mut self, body: &Entry<'_>) {
        self.out.push(b'{');
        let has = |name: &[u8]| {
            walk::members(body.value).any(|entry| entry.name == name && is_filled(&entry))
        };
        let mut first = true;
        let (mut has_role, mut has_content) = (false, false);
        for entry in walk::members(body.value) {
            let at = body.at.start.saturating_add(entry.at.start);
            let filled = is_filled(&entry);
            match entry.name {
                b"reasoning_content" | b"reasoning" | b"reasoning_details" => {
                    if self.hide_reasoning {
                        if entry.kind == Kind::String {
                            self.hidden_hole(at, entry.value, true);
                        }
                        self.seen.hid_reasoning |= filled;
                        continue;
                    }
                    self.seen.shows_content |= filled;
                    if entry.name == b"reasoning_details" {
                        if !has(b"reasoning") && !has(b"reasoning_content") {
                            self.seen.other_content += entry.value.len();
                        }
                    } else if entry.kind != Kind::String {
                        if entry.name == b"reasoning_content" {
                            continue;
                        }
                    } else {
                        if entry.name == b"reasoning_content" && has(b"reasoning") {
                            self.hidden_hole(at, entry.value, false);
                            continue;
                        }
                        let details = filled && !has(b"reasoning_details");
                        self.reasoning(at, entry.value, details, first);
                        first = false;
                        continue;
                    }
                }
                b"content" | b"refusal" => {
                    has_content |= entry.name == b"content";
                    self.seen.shows_content |= filled;
                    if entry.kind == Kind::String {
                        self.comma_and_name(entry.name, first);
                        self.string_with_hole(at, entry.value, true);
                        first = false;
                        continue;
                    }
                    if filled {
                        self.seen.other_content += entry.value.len();
                    }
                }
                b"tool_calls" => {
                    self.seen.shows_content |= filled;
                    self.comma_and_name(entry.name, first);
                    self.tool_calls(at, entry.value);
                    first = false;
                    continue;
                }
                b"function_call" | b"audio" | b"images" => {
                    self.seen.shows_content |= filled;
                    if filled {
                        self.seen.other_content += entry.value.len();
                    }
                }
                b"role" => has_role = entry.kind == Kind::String,
                _ => {}
            }
            self.copy(&entry, first);
            first = false;
        }
        if self.form == Form::Reply {
            if !has_role {
                self.comma_and_name(b"role", first);
                self.out.extend_from_slice(b"\"assistant\"");
                first = false;
            }
            if !has_content {
                self.comma_and_name(b"content", first);
                self.out.extend_from_slice(b"null");
            }
        }
        self.out.push(b'}');
    }

    /// Writes a thought as `reasoning`, and as `reasoning_details` too
    /// unless the vendor does that itself.
    fn reasoning(&mut self, at: usize, value: &[u8], details: bool, first: bool) {
        self.comma_and_name(b"reasoning", first);
        self.string_with_hole(at, value, true);
        if !details {
            return;
        }
        self.out
            .extend_from_slice(b",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":");
        let copy = self.out.len().saturating_add(1);
        self.out.extend_from_slice(value);
        if let Some(hole) = self.seen.holes.last_mut() {
            hole.to.push(copy);
        }
        self.out
            .extend_from_slice(b",\"format\":\"unknown\",\"index\":0}]");
    }

    /// Copies tool calls; the arguments of a single one are a hole. Names
    /// and arguments are what the model wrote.
    fn tool_calls(&mut self, at: usize, value: &[u8]) {
        let start = self.out.len();
        self.out.extend_from_slice(value);
        let is_single = walk::elements(value).nth(1).is_none();
        for call in walk::elements(value) {
            let Some(function) = walk::members(call.value).find(|e| e.name == b"function") else {
                continue;
            };
            for part in walk::members(function.value) {
                let length = part.value.len().saturating_sub(2);
                match part.name {
                    b"arguments" if is_single && part.kind == Kind::String => {
                        let inside = call.at.start + function.at.start + part.at.start + 1;
                        let from = at.saturating_add(inside);
                        self.seen.holes.push(Hole {
                            from: from..from.saturating_add(length),
                            to: vec![start.saturating_add(inside)],
                            is_content: true,
                        });
                    }
                    b"arguments" | b"name" => self.seen.other_content += length,
                    _ => {}
                }
            }
        }
    }

    /// Copies a string value whose content begins behind `at`.
    fn string_with_hole(&mut self, at: usize, value: &[u8], is_content: bool) {
        let from = at.saturating_add(1);
        self.seen.holes.push(Hole {
            from: from..from.saturating_add(value.len().saturating_sub(2)),
            to: vec![self.out.len().saturating_add(1)],
            is_content,
        });
        self.out.extend_from_slice(value);
    }

    /// Notes a string that is not shown.
    fn hidden_hole(&mut self, at: usize, value: &[u8], is_content: bool) {
        let from = at.saturating_add(1);
        self.seen.holes.push(Hole {
            from: from..from.saturating_add(value.len().saturating_sub(2)),
            to: Vec::new(),
            is_content,
        });
    }

    fn comma_and_name(&mut self, name: &[u8], first: bool) {
        self.out
            .extend_from_slice(if first { b"\"" } else { b",\"" });
        self.out.extend_from_slice(name);
        self.out.extend_from_slice(b"\":");
    }

    fn copy(&mut self, entry: &Entry<'_>, first: bool) {
        self.comma_and_name(entry.name, first);
        self.out.extend_from_slice(entry.value);
    }
}

/// An answer that is not JSON.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn broken(error: ScanError) -> Failure {
    malformed(&error.to_string())
}

/// What an `error` says.
pub(super) fn reported(error: &[u8]) -> Failure {
    match bourse_vocab::json::parse(error) {
        Ok(value) => failure_text::read_late(&value),
        Err(error) => malformed(&error.to_string()),
    }
}

/// Notes whose error it was.
pub(super) fn by_provider(mut failure: Failure, provider: &str) -> Failure {
    let upstream = failure.upstream.get_or_insert_default();
    upstream
        .provider
        .get_or_insert_with(|| provider.to_owned().into());
    failure
}

/// A provider's answer that is not what it should be.
pub(super) fn malformed(story: &str) -> Failure {
    Failure::unavailable("The provider sent an answer that is not a chat completion.").inside(story)
}
