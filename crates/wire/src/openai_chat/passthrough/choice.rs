//! Rewriting one choice of a chunk or a reply.

use bourse_vocab::Failure;
use bourse_vocab::chat::Finish;

use super::body::Body;
use super::faults::{broken, malformed};
use super::form::Form;
use super::output::Output;
use super::seen::{ChoiceSeen, Seen};
use super::state::State;
use crate::dialect::finish;
use crate::dialect::parameters::CHOICES_MAX;
use crate::json::{Kind, Reader, text, walk};
use crate::openai_chat::usage::read_next_usage;

/// A choice that is being rewritten.
pub(super) struct Choice<'c, 't> {
    pub form: Form,
    pub hide_reasoning: bool,
    pub state: &'c mut State,
    pub output: &'c mut Output<'t>,
    pub seen: &'c mut Seen,
    /// How many were there before it.
    pub position: u64,
    /// The text from its brace on.
    pub ahead: &'c [u8],
    /// What its `index` says; `None` while that has not been met.
    pub given: Option<Option<u64>>,
    /// Its `finish_reason`.
    pub word: Option<String>,
    /// Its `native_finish_reason`.
    pub native: Option<String>,
    /// Nothing of it has been written.
    pub first: bool,
    /// Its `delta` or `message` has been written.
    pub has_body: bool,
}

impl Choice<'_, '_> {
    /// Writes it; the reader stands at its brace.
    pub fn write(mut self, reader: &mut Reader<'_>) -> Result<(), Failure> {
        let content_before = std::mem::take(&mut self.seen.content);
        self.output.keep_byte(reader.offset());
        reader.enter_object().map_err(broken)?;
        while let Some(name) = reader.next_member().map_err(broken)? {
            self.member(name, reader)?;
        }
        let index = self.index()?;
        self.fill(index)?;
        let finish = self.finish(index)?;
        self.ending(finish.as_ref());
        self.output.write(b"}");
        self.seen.content |= content_before;
        self.seen.choices.push(ChoiceSeen {
            index: u32::try_from(index).unwrap_or(0),
            finish,
        });
        Ok(())
    }

    fn member<'t>(&mut self, name: &'t [u8], reader: &mut Reader<'t>) -> Result<(), Failure> {
        let name_at = reader.name_offset();
        match name {
            b"finish_reason" => {
                self.word = reader.read_string().map_err(broken)?;
                return Ok(());
            }
            b"native_finish_reason" => {
                let word = reader.read_string().map_err(broken)?;
                self.native = word.filter(|word| !word.is_empty());
                return Ok(());
            }
            // Moonshot reports usage inside the last choice
            // (platform.moonshot.ai, chat API, August 2026).
            b"usage" => {
                if let Some(report) = read_next_usage(reader).map_err(broken)? {
                    self.seen.count(report);
                }
                return Ok(());
            }
            b"message" | b"delta" if !self.has_body => {
                let kind = reader.kind().map_err(broken)?;
                // Some vendors send the last bit as a `message`.
                if name == self.form.body() || (name == b"message" && kind == Kind::Object) {
                    return self.body(name, name_at, kind, reader);
                }
            }
            _ => {}
        }
        let entry = reader.entry(name).map_err(broken)?;
        if name == b"index" && self.given.is_none() {
            self.given = Some(text::u64(entry.value));
        }
        self.output.member(&entry, name_at, self.first);
        self.first = false;
        Ok(())
    }

    /// Its number: what it says, or else its place. It may be said behind the
    /// content that it is needed for.
    fn index(&mut self) -> Result<u64, Failure> {
        let given = *self.given.get_or_insert_with(|| {
            let index = walk::members(self.ahead).find(|entry| entry.name == b"index");
            index.and_then(|entry| text::u64(entry.value))
        });
        let index = given.unwrap_or(self.position);
        if index >= CHOICES_MAX {
            return Err(malformed("a choice has an impossible index"));
        }
        Ok(index)
    }

    /// Writes a `delta` or `message`.
    fn body(
        &mut self,
        name: &[u8],
        name_at: usize,
        kind: Kind,
        reader: &mut Reader<'_>,
    ) -> Result<(), Failure> {
        let index = self.index()?;
        self.has_body = true;
        let first = std::mem::take(&mut self.first);
        if name == self.form.body() {
            self.output.keep_name(name, name_at, reader.offset(), first);
        } else {
            self.output.name(self.form.body(), first);
        }
        let mut state = self.state.take(index);
        let answer = self.seen.upstream_id.take();
        let mut body = Body {
            form: self.form,
            hide_reasoning: self.hide_reasoning,
            output: self.output,
            seen: self.seen,
            state: &mut state,
            made: &mut self.state.made,
            index: u32::try_from(index).unwrap_or(0),
            answer: self.state.answer.as_deref().or(answer.as_deref()),
            choice: self.ahead,
            ahead: reader.ahead(),
            looks: 0,
            first: true,
            has_content: false,
            speaks: false,
        };
        if kind == Kind::Object {
            body.write(reader)?;
        } else {
            reader.pass().map_err(broken)?;
            body.write_empty();
        }
        let has_content = body.has_content;
        self.seen.content |= has_content;
        self.seen.upstream_id = answer;
        self.state.put(index, state);
        Ok(())
    }

    /// Writes what the vendor left out.
    fn fill(&mut self, index: u64) -> Result<(), Failure> {
        if self.given == Some(None) {
            self.output.name(b"index", self.first);
            self.output.number(index);
            self.first = false;
        }
        if self.has_body {
            return Ok(());
        }
        if self.form == Form::Reply {
            return Err(malformed("a choice has no message"));
        }
        self.output.name(b"delta", self.first);
        self.output.write(b"{}");
        Ok(())
    }

    /// The end of a choice, if the client is to be told of it now.
    fn finish(&mut self, index: u64) -> Result<Option<(Finish, Option<String>)>, Failure> {
        let word = self.word.take();
        let reason = finish::read(word.as_deref()).map(|reason| {
            let reason = finish::with_calls(reason, self.state.calls_tools(index));
            (reason, self.native.take().or(word))
        });
        if self.form == Form::Reply {
            return Ok(reason);
        }
        let number = u32::try_from(index).unwrap_or(0);
        let ending = &mut self.state.endings;
        let told = ending.chunk(number, self.seen.content, reason)?;
        if let Some((reason, _)) = &told {
            let silent = self.state.silent_calls(number, *reason);
            self.seen.silent_calls.extend(silent);
        }
        Ok(told)
    }

    /// Writes why a choice ended, or that it did not.
    fn ending(&mut self, finish: Option<&(Finish, Option<String>)>) {
        let out = self.output.open();
        match finish {
            Some((reason, native)) => write_ending(out, *reason, native.as_deref()),
            None if self.form == Form::Reply => {
                out.extend_from_slice(b",\"finish_reason\":null,\"native_finish_reason\":null");
            }
            None => out.extend_from_slice(b",\"finish_reason\":null"),
        }
    }
}

/// Writes the last members of a choice that ended.
pub(super) fn write_ending(out: &mut Vec<u8>, reason: Finish, native: Option<&str>) {
    // The names of reasons need no escapes.
    out.extend_from_slice(b",\"finish_reason\":\"");
    out.extend_from_slice(reason.name().as_bytes());
    out.extend_from_slice(b"\",\"native_finish_reason\":");
    match native {
        Some(native) => text::write_string(native, out),
        None => out.extend_from_slice(b"null"),
    }
}
