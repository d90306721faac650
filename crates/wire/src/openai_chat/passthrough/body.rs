//! Rewriting the `delta` of a chunk or the `message` of a reply.

use bourse_vocab::Failure;
use bourse_vocab::chat::Part;

use super::faults::{broken, malformed, parse};
use super::form::Form;
use super::output::Output;
use super::seen::Seen;
use super::state::ChoiceState;
use crate::dialect::answer;
use crate::json::walk::{self, Entry};
use crate::json::{Kind, Reader, text};
use crate::object;
use crate::openai_chat::{reasoning, reply};
use crate::tool_calls::Made;

/// Members of one body that look for others through all that follows: thoughts,
/// which have three names, and content in parts. Some vendors repeat one; who
/// repeats them without end would keep us busy for the square of it.
const LOOKS_MAX: u32 = 16;

/// Rewrites one `delta` or `message` in front of which the output ends.
pub(super) struct Body<'b, 't> {
    pub form: Form,
    pub hide_reasoning: bool,
    pub output: &'b mut Output<'t>,
    pub seen: &'b mut Seen,
    /// What is known of the choice from earlier chunks.
    pub state: &'b mut ChoiceState,
    /// The tool calls of the answer, to be judged.
    pub made: &'b mut Option<Box<Made>>,
    /// The number of the choice.
    pub index: u32,
    /// The provider's id for the answer, for calls without ids.
    pub answer: Option<&'b str>,
    /// The text of its choice, from the brace on.
    pub choice: &'b [u8],
    /// The text from its brace on.
    pub ahead: &'b [u8],
    /// How many members were met that look for others.
    pub looks: u32,
    pub first: bool,
    /// Bytes or pieces of content, shown or hidden, in this body.
    pub has_content: bool,
    /// Something other than a thought was said. It comes after the thoughts of
    /// the same body, in whatever order their members stand.
    pub speaks: bool,
}

/// A member of a body, and where its name is.
pub(super) struct Found<'a> {
    pub entry: Entry<'a>,
    pub name_at: usize,
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

impl Body<'_, '_> {
    /// Writes everything, braces included; the reader stands at the first.
    pub fn write(&mut self, reader: &mut Reader<'_>) -> Result<(), Failure> {
        self.output.keep_byte(reader.offset());
        reader.enter_object().map_err(broken)?;
        let (mut has_role, mut has_content) = (false, false);
        while let Some(name) = reader.next_member().map_err(broken)? {
            let name_at = reader.name_offset();
            let entry = reader.entry(name).map_err(broken)?;
            let found = &Found { entry, name_at };
            match name {
                b"role" if found.entry.kind == Kind::String && is_filled(&found.entry) => {
                    has_role = true;
                    self.copy(found);
                }
                b"role" => {}
                b"content" => {
                    has_content = true;
                    self.look()?;
                    self.content(found)?;
                }
                b"refusal" => {
                    self.said(is_filled(&found.entry));
                    self.text(found);
                }
                b"tool_calls" => self.tool_calls(found)?,
                b"function_call" | b"audio" | b"images" => {
                    self.said(is_filled(&found.entry));
                    self.copy_content(found);
                }
                b"reasoning_content" | b"reasoning" | b"reasoning_details" => {
                    self.look()?;
                    self.thought(found);
                }
                _ => self.copy(found),
            }
        }
        if !(has_role && has_content) {
            self.fill(has_role, has_content);
        }
        self.output.keep_byte(reader.offset() - 1);
        self.state.pieces.interrupted |= self.speaks;
        self.seen.speaks |= self.speaks;
        Ok(())
    }

    /// Writes the body of a choice that has something else in its place.
    pub fn write_empty(&mut self) {
        self.output.write(b"{");
        self.fill(false, false);
        self.output.write(b"}");
    }

    /// Writes what every message has.
    fn fill(&mut self, has_role: bool, has_content: bool) {
        if self.form == Form::Chunk {
            return;
        }
        if !has_role {
            self.member(b"role");
            self.output.write(b"\"assistant\"");
        }
        if !has_content {
            self.member(b"content");
            self.output.write(b"null");
        }
    }

    /// Something other than a thought was said, or only its member is there.
    pub fn said(&mut self, filled: bool) {
        self.seen.shows_content |= filled;
        self.has_content |= filled;
        self.speaks |= filled;
    }

    /// Notes a member that looks for others.
    fn look(&mut self) -> Result<(), Failure> {
        self.looks += 1;
        if self.looks > LOOKS_MAX {
            return Err(malformed("the same is told too many times"));
        }
        Ok(())
    }

    /// Whether another member of this name is there.
    fn has(&self, name: &[u8]) -> bool {
        walk::members(self.ahead).any(|other| other.name == name)
    }

    /// Whether another member of this name is there and says something.
    fn has_filled(&self, name: &[u8]) -> bool {
        walk::members(self.ahead).any(|other| other.name == name && is_filled(&other))
    }

    /// Copies a member whose text is content.
    fn text(&mut self, found: &Found<'_>) {
        if found.entry.kind == Kind::String {
            self.copy(found);
            self.hole(&found.entry, true);
        } else {
            self.copy_content(found);
        }
    }

    /// Copies a member that is content as a whole.
    fn copy_content(&mut self, found: &Found<'_>) {
        if is_filled(&found.entry) {
            self.seen.other_content += found.entry.value.len();
        }
        self.copy(found);
    }

    /// Writes what a member of one of the three names for thoughts says, once.
    fn thought(&mut self, found: &Found<'_>) {
        let entry = &found.entry;
        let filled = is_filled(entry);
        self.has_content |= filled;
        if self.hide_reasoning {
            if entry.kind == Kind::String {
                self.hidden_hole(entry, true);
            }
            self.seen.hid_reasoning |= filled;
            return;
        }
        self.seen.shows_content |= filled;
        if entry.name == b"reasoning_details" {
            if !self.has_filled(b"reasoning") && !self.has_filled(b"reasoning_content") {
                self.seen.other_content += entry.value.len();
            }
            self.copy(found);
        } else if entry.kind != Kind::String {
            // A text under the other name is told under this one.
            let is_told =
                |other: Entry<'_>| other.name == b"reasoning_content" && other.kind == Kind::String;
            if entry.name == b"reasoning" && !walk::members(self.ahead).any(is_told) {
                self.copy(found);
            }
        } else if entry.name == b"reasoning_content" && self.has_filled(b"reasoning") {
            self.hidden_hole(entry, false);
        } else if entry.name == b"reasoning" && !filled && self.has_filled(b"reasoning_content") {
            // The other name says it.
        } else {
            self.member(b"reasoning");
            self.output.keep(entry.at.clone());
            self.hole(entry, true);
            if filled && !self.has_filled(b"reasoning_details") {
                self.details_of(entry);
            }
        }
    }

    /// Writes the text that was written just now as a piece of reasoning.
    fn details_of(&mut self, entry: &Entry<'_>) {
        self.seen.thinks = true;
        let index = self.state.pieces.index(None, "text");
        self.output
            .write(b",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":");
        self.output.keep(entry.at.clone());
        let copy = self.output.len() + 1 - entry.value.len();
        if let Some(hole) = self.seen.holes.last_mut() {
            hole.to.push(copy);
        }
        self.output.write(b",\"format\":\"unknown\",\"index\":");
        self.output.number(index.into());
        self.output.write(b"}]");
    }

    /// Writes `content`: a text as it is, parts as what they say.
    fn content(&mut self, found: &Found<'_>) -> Result<(), Failure> {
        let entry = &found.entry;
        if matches!(entry.kind, Kind::String | Kind::Null) {
            self.said(is_filled(entry));
            self.text(found);
            return Ok(());
        }
        let content = parse(entry.value)?;
        let mut parts = Vec::new();
        answer::spoken(Some(&content), &mut parts);
        self.seen.other_content += entry.value.len();
        let said = reply::said(&parts);
        self.said(said.is_some());
        self.member(b"content");
        match (&said, self.form) {
            (None, Form::Reply) => self.output.write(b"null"),
            (said, _) => {
                text::write_string(said.as_deref().unwrap_or_default(), self.output.open());
            }
        }
        let thoughts = reasoning::joined(&parts);
        if let Some(thoughts) =
            thoughts.filter(|_| !self.has(b"reasoning") && !self.has(b"reasoning_content"))
        {
            self.thoughts_among_parts(&thoughts);
        }
        if let Some(refusal) = reply::refused(&parts).filter(|_| !self.has(b"refusal")) {
            self.said(true);
            self.member(b"refusal");
            text::write_string(&refusal, self.output.open());
        }
        if !self.has(b"images") {
            self.images_among_parts(&parts);
        }
        Ok(())
    }

    fn thoughts_among_parts(&mut self, thoughts: &str) {
        self.has_content = true;
        if self.hide_reasoning {
            self.seen.hid_reasoning = true;
            return;
        }
        self.seen.shows_content = true;
        let index = self.state.pieces.index(None, "text");
        self.member(b"reasoning");
        text::write_string(thoughts, self.output.open());
        self.member(b"reasoning_details");
        self.output.write(b"[");
        let kind = bourse_vocab::chat::ReasoningKind::Text {
            text: thoughts.to_owned(),
            signature: None,
        };
        reasoning::write(self.output.open(), &kind, None, None, index.into());
        self.output.write(b"]");
    }

    fn images_among_parts(&mut self, parts: &[Part]) {
        let images: Vec<_> = parts
            .iter()
            .filter_map(|part| match part {
                Part::Image { media, .. } => Some(media),
                _ => None,
            })
            .collect();
        if images.is_empty() {
            return;
        }
        self.said(true);
        self.member(b"images");
        object::array(
            self.output.open(),
            images.into_iter().zip(0..),
            |out, (media, index)| {
                reply::write_image(out, media, index);
            },
        );
    }

    /// Notes a string of content that was copied just now.
    fn hole(&mut self, entry: &Entry<'_>, is_content: bool) {
        match self.form {
            Form::Chunk => self.seen.hole(entry, self.output.len(), is_content),
            // Nothing will be like it, so its length is all that counts.
            Form::Reply => self.hidden_hole(entry, is_content),
        }
    }

    /// Notes a string that is not shown.
    fn hidden_hole(&mut self, entry: &Entry<'_>, is_content: bool) {
        match self.form {
            Form::Chunk => self.seen.hidden_hole(entry, is_content),
            Form::Reply if is_content => {
                self.seen.other_content += entry.value.len().saturating_sub(2);
            }
            Form::Reply => {}
        }
    }

    /// Writes a name.
    pub fn member(&mut self, name: &[u8]) {
        self.output.name(name, std::mem::take(&mut self.first));
    }

    /// Keeps a member as it is.
    pub fn copy(&mut self, found: &Found<'_>) {
        let first = std::mem::take(&mut self.first);
        self.output.member(&found.entry, found.name_at, first);
    }
}
