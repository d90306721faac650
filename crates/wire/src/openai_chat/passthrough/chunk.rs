//! Rewriting one chunk of a stream, or one whole reply: a new head, the
//! vendor's members behind it, each choice put into OpenRouter's shape.
//!
//! What is written depends only on the text around the *holes*, the
//! strings that carry content: [`super::template`] builds on that.

use std::borrow::Cow;
use std::ops::Range;

use bourse_vocab::chat::Finish;
use bourse_vocab::{Failure, UsageReport};

use super::body::Body;
use super::state::State;
use crate::codec::Stamp;
use crate::dialect::finish;
use crate::dialect::parameters::CHOICES_MAX;
use crate::failure_text;
use crate::json::walk::{self, Entry};
use crate::json::{Kind, Reader, ScanError, text};
use crate::openai_chat::reply;
use crate::openai_chat::usage::read_usage_text;

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
    /// The reason to stop and the vendor's own word for it, as the client was
    /// told with this chunk.
    pub finish: Option<(Finish, Option<String>)>,
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
    pub hid_reasoning: bool,
    /// A thought was dressed as a piece of reasoning with a number.
    pub thinks: bool,
    /// Something other than a thought was said.
    pub speaks: bool,
    /// A tool call began.
    pub begins_call: bool,
    /// The choice that is being read has content, shown or hidden.
    pub content: bool,
    /// A tool call went on.
    pub continues_call: bool,
    pub upstream_id: Option<String>,
    pub upstream_model: Option<String>,
    pub service_tier: Option<String>,
    has_fingerprint: bool,
    has_choices: bool,
}

impl Seen {
    /// Notes a string whose content begins behind `at` in the vendor's text.
    pub fn hole(&mut self, at: usize, value: &[u8], to: Vec<usize>, is_content: bool) {
        let from = at.saturating_add(1);
        self.holes.push(Hole {
            from: from..from.saturating_add(value.len().saturating_sub(2)),
            to,
            is_content,
        });
    }

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
    state: &mut State,
    out: &mut Vec<u8>,
) -> Result<Seen, Failure> {
    let mut writer = Writer {
        form,
        hide_reasoning,
        state,
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
    state: &'a mut State,
    out: &'a mut Vec<u8>,
    seen: Seen,
}

fn owned(value: &[u8]) -> Option<String> {
    text::string(value).map(Cow::into_owned)
}

/// Whether a value says anything: not `null`, `""`, `[]` or `{}`.
pub(super) fn is_filled(entry: &Entry<'_>) -> bool {
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
            b"id" => {
                self.seen.upstream_id = owned(entry.value);
                if self.state.answer.is_none() {
                    self.state.answer.clone_from(&self.seen.upstream_id);
                }
            }
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
            let mut position = 0;
            while reader.next_element().map_err(broken)? {
                if position > 0 {
                    self.out.push(b',');
                }
                self.choice(reader, position)?;
                position += 1;
            }
        } else {
            reader.entry(b"choices").map_err(broken)?;
        }
        self.out.push(b']');
        Ok(())
    }

    /// Writes one choice, the number `position` of those that are there.
    fn choice(&mut self, reader: &mut Reader<'_>, position: u64) -> Result<(), Failure> {
        if reader.kind().map_err(broken)? != Kind::Object {
            return Err(malformed("a choice is not an object"));
        }
        let given = index_ahead(reader).map_err(broken)?;
        let index = given.unwrap_or(position);
        if index >= CHOICES_MAX {
            return Err(malformed("a choice has an impossible index"));
        }
        let content_before = self.seen.content;
        self.seen.content = false;
        reader.enter_object().map_err(broken)?;
        self.out.push(b'{');
        let mut first = true;
        let mut has_body = false;
        let mut word: Option<String> = None;
        let mut native: Option<String> = None;
        while let Some(name) = reader.next_member().map_err(broken)? {
            let entry = reader.entry(name).map_err(broken)?;
            match name {
                b"finish_reason" => {
                    word = owned(entry.value);
                    continue;
                }
                b"native_finish_reason" => {
                    native = owned(entry.value).filter(|word| !word.is_empty());
                    continue;
                }
                // Moonshot reports usage inside the last choice
                // (platform.moonshot.ai, chat API, August 2026).
                b"usage" => {
                    self.usage(&entry);
                    continue;
                }
                // Some vendors send the last bit as a `message`.
                b"message" if entry.kind == Kind::Object && !has_body => {
                    has_body = true;
                    self.body(index, &entry, first)?;
                    first = false;
                    continue;
                }
                name if name == self.form.body() && !has_body => {
                    has_body = true;
                    self.body(index, &entry, first)?;
                    first = false;
                    continue;
                }
                _ => {}
            }
            self.copy(&entry, first);
            first = false;
        }
        if given.is_none() {
            self.comma_and_name(b"index", first);
            self.out
                .extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
            first = false;
        }
        if !has_body {
            if self.form == Form::Reply {
                return Err(malformed("a choice has no message"));
            }
            self.comma_and_name(b"delta", first);
            self.out.extend_from_slice(b"{}");
        }
        let finish = self.finish(index, word, native)?;
        self.ending(finish.as_ref());
        self.out.push(b'}');
        self.seen.content |= content_before;
        self.seen.choices.push(ChoiceSeen {
            index: u32::try_from(index).unwrap_or(0),
            finish,
        });
        Ok(())
    }

    /// Writes a `delta` or `message`.
    fn body(&mut self, index: u64, entry: &Entry<'_>, first: bool) -> Result<(), Failure> {
        self.comma_and_name(self.form.body(), first);
        let mut choice = self.state.take(index);
        let mut body = Body {
            form: self.form,
            hide_reasoning: self.hide_reasoning,
            out: self.out,
            seen: &mut self.seen,
            state: &mut choice,
            answer: self.state.answer.as_deref(),
            first: true,
            has_content: false,
            speaks: false,
        };
        body.write(entry)?;
        self.seen.content |= body.has_content;
        self.state.put(index, choice);
        Ok(())
    }

    /// The end of a choice, if the client is to be told of it now.
    fn finish(
        &mut self,
        index: u64,
        word: Option<String>,
        native: Option<String>,
    ) -> Result<Option<(Finish, Option<String>)>, Failure> {
        let choice = self.state.take(index);
        let calls = choice.calls_tools();
        self.state.put(index, choice);
        let reason = finish::read(word.as_deref())
            .map(|reason| (finish::with_calls(reason, calls), native.or(word)));
        if self.form == Form::Reply {
            return Ok(reason);
        }
        let index = u32::try_from(index).unwrap_or(0);
        self.state.endings.chunk(index, self.seen.content, reason)
    }

    /// Writes why a choice ended, or that it did not.
    fn ending(&mut self, finish: Option<&(Finish, Option<String>)>) {
        match finish {
            Some((reason, native)) => write_ending(self.out, *reason, native.as_deref()),
            None if self.form == Form::Reply => {
                self.out
                    .extend_from_slice(b",\"finish_reason\":null,\"native_finish_reason\":null");
            }
            None => self.out.extend_from_slice(b",\"finish_reason\":null"),
        }
    }

    /// Copies a string value whose content begins behind `at`.
    fn string_with_hole(&mut self, at: usize, value: &[u8], is_content: bool) {
        let to = vec![self.out.len().saturating_add(1)];
        self.seen.hole(at, value, to, is_content);
        self.out.extend_from_slice(value);
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

/// Writes the last members of a choice that ended.
pub(super) fn write_ending(out: &mut Vec<u8>, reason: Finish, native: Option<&str>) {
    out.extend_from_slice(b",\"finish_reason\":");
    text::write_string(reason.name(), out);
    out.extend_from_slice(b",\"native_finish_reason\":");
    match native {
        Some(native) => text::write_string(native, out),
        None => out.extend_from_slice(b"null"),
    }
}

/// The `index` of the choice that comes next, wherever in it that stands.
fn index_ahead(reader: &Reader<'_>) -> Result<Option<u64>, ScanError> {
    let mut ahead = reader.clone();
    ahead.enter_object()?;
    while let Some(name) = ahead.next_member()? {
        let entry = ahead.entry(name)?;
        if name == b"index" {
            return Ok(text::u64(entry.value));
        }
    }
    Ok(None)
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
