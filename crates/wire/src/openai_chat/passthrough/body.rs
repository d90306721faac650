//! Rewriting the `delta` of a chunk or the `message` of a reply.

use bourse_vocab::Failure;
use bourse_vocab::chat::{Event, Part};
use bourse_vocab::json::{self, Value};

use super::chunk::{Form, Hole, Seen, is_filled, malformed};
use super::state::ChoiceState;
use crate::dialect::answer;
use crate::dialect::calls::{self, ids_of_whole};
use crate::json::walk::{self, Entry};
use crate::json::{Kind, text};
use crate::object::{self, Object};
use crate::openai_chat::{reasoning, reply};

/// Rewrites one `delta` or `message` in front of which `out` ends.
pub(super) struct Body<'a> {
    pub form: Form,
    pub hide_reasoning: bool,
    pub out: &'a mut Vec<u8>,
    pub seen: &'a mut Seen,
    /// What is known of the choice from earlier chunks.
    pub state: &'a mut ChoiceState,
    /// The provider's id for the answer, for calls without ids.
    pub answer: Option<&'a str>,
    pub first: bool,
    /// Bytes or pieces of content, shown or hidden, in this body.
    pub has_content: bool,
    /// Something other than a thought was said. It comes after the thoughts of
    /// the same body, in whatever order their members stand.
    pub speaks: bool,
}

impl Body<'_> {
    /// Writes everything, braces included.
    pub fn write(&mut self, body: &Entry<'_>) -> Result<(), Failure> {
        self.out.push(b'{');
        let (mut has_role, mut has_content) = (false, false);
        for entry in walk::members(body.value) {
            let at = body.at.start.saturating_add(entry.at.start);
            match entry.name {
                b"reasoning_content" | b"reasoning" | b"reasoning_details" => {
                    self.thought(body, &entry, at);
                }
                b"content" => {
                    has_content = true;
                    self.content(body, &entry, at)?;
                }
                b"refusal" => {
                    self.said(is_filled(&entry));
                    self.text(&entry, at);
                }
                b"tool_calls" => self.tool_calls(&entry, at)?,
                b"function_call" | b"audio" | b"images" => {
                    self.said(is_filled(&entry));
                    self.copy_content(&entry);
                }
                b"role" if entry.kind == Kind::String && is_filled(&entry) => {
                    has_role = true;
                    self.copy(&entry);
                }
                b"role" => {}
                _ => self.copy(&entry),
            }
        }
        if self.form == Form::Reply {
            if !has_role {
                self.member(b"role");
                self.out.extend_from_slice(b"\"assistant\"");
            }
            if !has_content {
                self.member(b"content");
                self.out.extend_from_slice(b"null");
            }
        }
        self.out.push(b'}');
        self.state.pieces.interrupted |= self.speaks;
        self.seen.speaks |= self.speaks;
        Ok(())
    }

    /// Something other than a thought was said, or only its member is there.
    fn said(&mut self, filled: bool) {
        self.seen.shows_content |= filled;
        self.has_content |= filled;
        self.speaks |= filled;
    }

    /// Copies a member whose text is content.
    fn text(&mut self, entry: &Entry<'_>, at: usize) {
        if entry.kind == Kind::String {
            self.member(entry.name);
            self.string_with_hole(at, entry.value, true);
        } else {
            self.copy_content(entry);
        }
    }

    /// Copies a member that is content as a whole.
    fn copy_content(&mut self, entry: &Entry<'_>) {
        if is_filled(entry) {
            self.seen.other_content += entry.value.len();
        }
        self.copy(entry);
    }

    /// Writes what a member of one of the three names for thoughts says, once.
    fn thought(&mut self, body: &Entry<'_>, entry: &Entry<'_>, at: usize) {
        let filled = is_filled(entry);
        let has = |name: &[u8]| {
            walk::members(body.value).any(|other| other.name == name && is_filled(&other))
        };
        self.has_content |= filled;
        if self.hide_reasoning {
            if entry.kind == Kind::String {
                self.hidden_hole(at, entry.value, true);
            }
            self.seen.hid_reasoning |= filled;
            return;
        }
        self.seen.shows_content |= filled;
        if entry.name == b"reasoning_details" {
            if !has(b"reasoning") && !has(b"reasoning_content") {
                self.seen.other_content += entry.value.len();
            }
            self.copy(entry);
        } else if entry.kind != Kind::String {
            if entry.name == b"reasoning" {
                self.copy(entry);
            }
        } else if entry.name == b"reasoning_content" && has(b"reasoning") {
            self.hidden_hole(at, entry.value, false);
        } else if entry.name == b"reasoning" && !filled && has(b"reasoning_content") {
            // The other name says it.
        } else {
            self.member(b"reasoning");
            self.string_with_hole(at, entry.value, true);
            if filled && !has(b"reasoning_details") {
                self.details_of(entry.value);
            }
        }
    }

    /// Writes the text that was written just now as a piece of reasoning.
    fn details_of(&mut self, value: &[u8]) {
        self.seen.thinks = true;
        let index = self.state.pieces.index(None, "text");
        self.out
            .extend_from_slice(b",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":");
        let copy = self.out.len().saturating_add(1);
        self.out.extend_from_slice(value);
        if let Some(hole) = self.seen.holes.last_mut() {
            hole.to.push(copy);
        }
        self.out
            .extend_from_slice(b",\"format\":\"unknown\",\"index\":");
        self.out
            .extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
        self.out.extend_from_slice(b"}]");
    }

    /// Writes `content`: a text as it is, parts as what they say.
    fn content(&mut self, body: &Entry<'_>, entry: &Entry<'_>, at: usize) -> Result<(), Failure> {
        if matches!(entry.kind, Kind::String | Kind::Null) {
            self.said(is_filled(entry));
            self.text(entry, at);
            return Ok(());
        }
        let content = parse(entry.value)?;
        let mut parts = Vec::new();
        answer::spoken(Some(&content), &mut parts);
        self.seen.other_content += entry.value.len();
        let has = |name: &[u8]| walk::members(body.value).any(|other| other.name == name);
        let said = reply::said(&parts);
        self.said(said.is_some());
        self.member(b"content");
        match (&said, self.form) {
            (None, Form::Reply) => self.out.extend_from_slice(b"null"),
            (said, _) => text::write_string(said.as_deref().unwrap_or_default(), self.out),
        }
        let thoughts = reasoning::joined(&parts);
        if let Some(thoughts) =
            thoughts.filter(|_| !has(b"reasoning") && !has(b"reasoning_content"))
        {
            self.thoughts_among_parts(&thoughts);
        }
        if let Some(refusal) = reply::refused(&parts).filter(|_| !has(b"refusal")) {
            self.said(true);
            self.member(b"refusal");
            text::write_string(&refusal, self.out);
        }
        if !has(b"images") {
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
        text::write_string(thoughts, self.out);
        self.member(b"reasoning_details");
        self.out.push(b'[');
        let kind = bourse_vocab::chat::ReasoningKind::Text {
            text: thoughts.to_owned(),
            signature: None,
        };
        reasoning::write(self.out, &kind, None, None, index.into());
        self.out.push(b']');
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
            self.out,
            images.into_iter().zip(0..),
            |out, (media, index)| {
                reply::write_image(out, media, index);
            },
        );
    }

    /// Counts what the model wrote of its calls.
    fn count_calls(&mut self, value: &[u8]) {
        for call in walk::elements(value) {
            let function = walk::members(call.value).find(|e| e.name == b"function");
            for part in function.iter().flat_map(|f| walk::members(f.value)) {
                if matches!(part.name, b"arguments" | b"name") {
                    self.seen.other_content += part.value.len().saturating_sub(2);
                }
            }
        }
    }

    fn tool_calls(&mut self, entry: &Entry<'_>, at: usize) -> Result<(), Failure> {
        if entry.kind != Kind::Array || !is_filled(entry) {
            self.copy(entry);
            return Ok(());
        }
        match self.form {
            Form::Reply => self.whole_calls(entry),
            Form::Chunk => self.bits_of_calls(entry, at),
        }
    }

    /// Calls of a whole reply: copied if they are as the format has them.
    fn whole_calls(&mut self, entry: &Entry<'_>) -> Result<(), Failure> {
        self.said(true);
        self.count_calls(entry.value);
        let Value::Array(items) = parse(entry.value)? else {
            return Ok(());
        };
        let ids = ids_of_whole(&items, self.answer);
        self.state.calls_in_reply = true;
        if items
            .iter()
            .zip(&ids)
            .all(|(item, id)| is_regular(item, id))
        {
            self.copy(entry);
            return Ok(());
        }
        self.member(b"tool_calls");
        object::array(self.out, items.iter().zip(&ids), |out, (item, id)| {
            write_whole_call(out, item, id);
        });
        Ok(())
    }

    /// Bits of calls: copied if they say what the client is to be told,
    /// written anew if not, and kept back while a call has no name.
    fn bits_of_calls(&mut self, entry: &Entry<'_>, at: usize) -> Result<(), Failure> {
        self.count_calls(entry.value);
        let is_single = walk::elements(entry.value).nth(1).is_none();
        let mut begun = false;
        for element in walk::elements(entry.value) {
            let item = parse(element.value)?;
            let mut events = Vec::new();
            let position = self.state.calls.bit(&item, 0, self.answer, &mut events)?;
            self.said(!events.is_empty());
            let starts = events.iter().any(|e| matches!(e, Event::ToolStart { .. }));
            self.seen.begins_call |= starts;
            let as_is = is_told_as_is(&item, position, &events);
            if events.is_empty() && !as_is {
                continue;
            }
            if begun {
                self.out.push(b',');
            } else {
                self.member(b"tool_calls");
                self.out.push(b'[');
                begun = true;
            }
            let begin = at.saturating_add(element.at.start);
            if as_is {
                let start = self.out.len();
                self.out.extend_from_slice(element.value);
                if is_single && let Some(inside) = arguments_in(element.value) {
                    self.arguments_hole(begin, start, &inside);
                }
            } else {
                write_bit(self.out, &item, position, &events);
            }
        }
        if begun {
            self.out.push(b']');
        }
        Ok(())
    }

    /// The text of arguments that lie at `inside` of a call which began at
    /// `from` and was copied to `to`.
    fn arguments_hole(&mut self, from: usize, to: usize, inside: &std::ops::Range<usize>) {
        self.seen.other_content = self.seen.other_content.saturating_sub(inside.len());
        self.seen.holes.push(Hole {
            from: from.saturating_add(inside.start)..from.saturating_add(inside.end),
            to: vec![to.saturating_add(inside.start)],
            is_content: true,
        });
        self.seen.continues_call = true;
    }

    /// Copies a string value whose content begins behind `at`.
    fn string_with_hole(&mut self, at: usize, value: &[u8], is_content: bool) {
        let to = vec![self.out.len().saturating_add(1)];
        self.seen.hole(at, value, to, is_content);
        self.out.extend_from_slice(value);
    }

    /// Notes a string that is not shown.
    fn hidden_hole(&mut self, at: usize, value: &[u8], is_content: bool) {
        self.seen.hole(at, value, Vec::new(), is_content);
    }

    fn member(&mut self, name: &[u8]) {
        let comma: &[u8] = if std::mem::take(&mut self.first) {
            b"\""
        } else {
            b",\""
        };
        self.out.extend_from_slice(comma);
        self.out.extend_from_slice(name);
        self.out.extend_from_slice(b"\":");
    }

    fn copy(&mut self, entry: &Entry<'_>) {
        self.member(entry.name);
        self.out.extend_from_slice(entry.value);
    }
}

fn parse(value: &[u8]) -> Result<Value, Failure> {
    json::parse(value).map_err(|error| malformed(&error.to_string()))
}

/// Where the arguments of a call are in its text, if they are a text.
fn arguments_in(call: &[u8]) -> Option<std::ops::Range<usize>> {
    let function = walk::members(call).find(|entry| entry.name == b"function")?;
    let part = walk::members(function.value).find(|entry| entry.name == b"arguments")?;
    let start = function
        .at
        .start
        .checked_add(part.at.start)?
        .checked_add(1)?;
    let end = start.checked_add(part.value.len().checked_sub(2)?)?;
    (part.kind == Kind::String).then_some(start..end)
}

/// Whether a call of a whole reply has all that clients insist on.
fn is_regular(item: &Value, id: &str) -> bool {
    let Some(function) = item.get("function") else {
        // OpenAI's custom tools and their like are copied.
        return true;
    };
    let is_text = |name: &str| function.get(name).is_some_and(Value::is_string);
    item.get("id").is_some_and(|own| *own == *id)
        && item.get("type").is_some_and(|kind| *kind == "function")
        && is_text("name")
        && is_text("arguments")
}

fn write_whole_call(out: &mut Vec<u8>, item: &Value, id: &str) {
    let Some(function) = item.get("function") else {
        return object::write(out, item);
    };
    object::object(out, |call| {
        call.put("id", id).put("type", "function");
        call.nested("function", |out| {
            object::object(out, |inner| {
                let name = answer::text_of(function, "name").unwrap_or_default();
                inner
                    .put("name", name)
                    .put("arguments", &calls::arguments(function));
                copy_others(inner, function, &["name", "arguments"]);
            });
        });
        copy_others(call, item, &["id", "type", "function"]);
    });
}

/// Copies the members that are not listed: vendors keep signatures there.
fn copy_others(object: &mut Object<'_>, value: &Value, listed: &[&str]) {
    for (name, value) in value.as_object().into_iter().flatten() {
        if !listed.contains(&name.as_str()) {
            object.put(name, value);
        }
    }
}

/// Whether a bit of a call, as it came, tells the client what `events` do.
fn is_told_as_is(item: &Value, position: usize, events: &[Event]) -> bool {
    let numbered = item.get("index").and_then(Value::as_u64) == u64::try_from(position).ok();
    let function = item.get("function").unwrap_or(&Value::Null);
    let id = answer::text_of(item, "id");
    let name = answer::text_of(function, "name");
    let given = match function.get("arguments") {
        None | Some(Value::Null) => "",
        Some(Value::String(text)) => text,
        Some(_) => return false,
    };
    let told = |events: &[Event]| match events {
        [] => given.is_empty(),
        [Event::ToolArguments { fragment, .. }] => fragment == given,
        _ => false,
    };
    let starts = match events.split_first() {
        Some((
            Event::ToolStart {
                id: told_id,
                name: told_name,
                ..
            },
            rest,
        )) => {
            return numbered
                && id == Some(told_id.as_str())
                && name == Some(told_name.as_str())
                && told(rest);
        }
        _ => false,
    };
    !starts && numbered && id.is_none() && name.is_none() && told(events)
}

/// Writes what `events` say of one call as a bit of it.
fn write_bit(out: &mut Vec<u8>, item: &Value, position: usize, events: &[Event]) {
    let mut start = None;
    let mut arguments = String::new();
    for event in events {
        match event {
            Event::ToolStart { id, name, .. } => start = Some((id, name)),
            Event::ToolArguments { fragment, .. } => arguments.push_str(fragment),
            _ => {}
        }
    }
    object::object(out, |call| {
        call.put("index", &position);
        if let Some((id, _)) = start {
            call.put("id", id).put("type", "function");
        }
        call.nested("function", |out| {
            object::object(out, |inner| {
                if let Some((_, name)) = start {
                    inner.put("name", name);
                }
                inner.put("arguments", &arguments);
                if let Some(function) = item.get("function") {
                    copy_others(inner, function, &["name", "arguments"]);
                }
            });
        });
        copy_others(call, item, &["index", "id", "type", "function"]);
    });
}
