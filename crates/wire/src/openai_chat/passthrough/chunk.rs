//! Rewriting one chunk of a stream, or one whole reply: a new head, the
//! vendor's members behind it, each choice put into OpenRouter's shape.
//!
//! The text is read once, and checked while it is written. What is written
//! depends only on the text around the *holes*, the strings that carry
//! content: [`super::template`] builds on that.

use std::borrow::Cow;

use bourse_vocab::Failure;
use bourse_vocab::service::public_name;

use super::choice::Choice;
use super::faults::{broken, malformed, parse, reported};
use super::form::Form;
use super::output::Output;
use super::seen::Seen;
use super::state::State;
use crate::failure_text;
use crate::json::text::write_string;
use crate::json::walk::Entry;
use crate::json::{Kind, Reader, text, walk};
use crate::openai_chat::reply;
use crate::openai_chat::usage::{read_next_usage, read_usage_text};

/// Checks and rewrites one text. Everything but the
/// closing brace is appended to `out`, which ends with the head, so that the
/// caller may add members. On failure what was appended is of no use.
pub(super) fn rewrite(
    data: &str,
    form: Form,
    hide_reasoning: bool,
    state: &mut State,
    seen: &mut Seen,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let mut writer = Writer {
        form,
        hide_reasoning,
        state,
        output: Output::new(data.as_bytes(), out),
        seen,
    };
    let mut reader = Reader::new(data);
    reader.enter_object().map_err(broken)?;
    while let Some(name) = reader.next_member().map_err(broken)? {
        writer.member(name, &mut reader)?;
    }
    reader.finish().map_err(broken)?;
    writer.end(data);
    Ok(())
}

struct Writer<'a> {
    form: Form,
    hide_reasoning: bool,
    state: &'a mut State,
    output: Output<'a>,
    seen: &'a mut Seen,
}

impl Writer<'_> {
    /// Rewrites one member of the outermost object.
    fn member<'t>(&mut self, name: &'t [u8], reader: &mut Reader<'t>) -> Result<(), Failure> {
        match name {
            b"choices" => return self.choices(reader),
            b"id" => {
                let id = reader.read_string().map_err(broken)?;
                // Calls without ids are named after the answer's first.
                let before = std::mem::replace(&mut self.seen.upstream_id, id);
                if self.state.answer.is_none() {
                    self.state.answer = before;
                }
            }
            b"model" => {
                self.seen.upstream_model = reader.read_string().map_err(broken)?;
            }
            b"object" | b"created" | b"provider" => reader.pass().map_err(broken)?,
            b"usage" => {
                if let Some(report) = read_next_usage(reader).map_err(broken)? {
                    self.seen.count(report);
                }
            }
            name => return self.other(name, reader),
        }
        Ok(())
    }

    /// Rewrites a member that few answers have.
    fn other<'t>(&mut self, name: &'t [u8], reader: &mut Reader<'t>) -> Result<(), Failure> {
        // A `usage` that we do not recognise would be an answer for nothing.
        if memchr::memchr(b'\\', name).is_some() {
            return Err(malformed("a member's name is written with escapes"));
        }
        let name_at = reader.name_offset();
        let entry = reader.entry(name).map_err(broken)?;
        match name {
            // Groq reports usage here while it streams
            // (console.groq.com/docs, API reference, August 2026).
            b"x_groq" => {
                let usages = walk::members(entry.value).filter(|inner| inner.name == b"usage");
                for usage in usages.filter(|usage| usage.kind != Kind::Null) {
                    let text = std::str::from_utf8(usage.value).unwrap_or_default();
                    self.seen.count(read_usage_text(text));
                }
                return Ok(());
            }
            b"error" => {
                let says_nothing =
                    || parse(entry.value).is_ok_and(|error| !failure_text::says_something(&error));
                if entry.kind != Kind::Null && !says_nothing() {
                    self.seen.error = Some(Box::new(reported(entry.value)));
                }
                return Ok(());
            }
            b"service_tier" => {
                self.tier(&entry, name_at);
                return Ok(());
            }
            b"system_fingerprint" => self.seen.has_fingerprint = true,
            _ => {}
        }
        self.output.member(&entry, name_at, false);
        // Padding that hides how long the content is.
        if name == b"obfuscation" && entry.kind == Kind::String && self.form == Form::Chunk {
            self.seen.hole(&entry, self.output.len(), false);
        }
        Ok(())
    }

    /// Rewrites the tier of service, in the public API's words.
    fn tier(&mut self, entry: &Entry<'_>, name_at: usize) {
        let word = text::string(entry.value).filter(|word| !word.is_empty());
        let public = word.as_deref().map(public_name);
        match &public {
            Some(public) if word.as_ref() != Some(public) => {
                let mut value = Vec::with_capacity(public.len().saturating_add(2));
                write_string(public, &mut value);
                self.output.write(b",\"service_tier\":");
                self.output.write(&value);
            }
            _ => self.output.member(entry, name_at, false),
        }
        self.seen.service_tier = public.map(Cow::into_owned);
    }

    fn choices(&mut self, reader: &mut Reader<'_>) -> Result<(), Failure> {
        // Which of two a client reads is its own affair: we would bill one and
        // it would show the other.
        if std::mem::replace(&mut self.seen.has_choices, true) {
            return Err(malformed("the answer has `choices` twice"));
        }
        let name_at = reader.name_offset();
        if reader.kind().map_err(broken)? != Kind::Array {
            self.output.write(b",\"choices\":[]");
            return reader.pass().map_err(broken);
        }
        let bracket = reader.offset();
        self.output.keep_name(b"choices", name_at, bracket, false);
        self.output.keep_byte(bracket);
        reader.enter_array().map_err(broken)?;
        let mut position = 0;
        while reader.next_element().map_err(broken)? {
            if reader.kind().map_err(broken)? != Kind::Object {
                return Err(malformed("a choice is not an object"));
            }
            if position > 0 {
                self.output.comma(reader.offset());
            }
            let choice = Choice {
                form: self.form,
                hide_reasoning: self.hide_reasoning,
                state: self.state,
                output: &mut self.output,
                seen: self.seen,
                position,
                ahead: reader.ahead(),
                given: None,
                word: None,
                native: None,
                first: true,
                has_body: false,
            };
            choice.write(reader)?;
            position += 1;
        }
        self.output.keep_byte(reader.offset() - 1);
        Ok(())
    }

    /// Writes what is missing.
    fn end(mut self, data: &str) {
        if !self.seen.has_choices {
            // Without choices a bare `message` or `detail` is an error too.
            if self.seen.error.is_none() {
                let value = bourse_vocab::json::parse(data.as_bytes()).ok();
                let error = value.as_ref().and_then(reply::error_in);
                self.seen.error = error.map(Box::new);
            }
            self.output.write(b",\"choices\":[]");
        }
        if self.form == Form::Reply && !self.seen.has_fingerprint {
            self.output.write(b",\"system_fingerprint\":null");
        }
        // What is kept is written now.
        self.output.open();
        if self.form == Form::Chunk && self.state.answer.is_none() {
            self.state.answer.clone_from(&self.seen.upstream_id);
        }
    }
}
