//! Rewriting the tool calls of a `delta` or a `message`.

use bourse_vocab::Failure;
use bourse_vocab::chat::{Event, Finish};
use bourse_vocab::json::Value;

use super::body::{Body, Found, is_filled};
use super::faults::parse;
use super::form::Form;
use super::seen::Hole;
use crate::dialect::calls::{self, ids_of_whole};
use crate::dialect::{answer, finish};
use crate::json::walk::{self, Entry};
use crate::json::{Kind, text};
use crate::object::{self, Object};

impl Body<'_, '_> {
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

    pub fn tool_calls(&mut self, found: &Found<'_>) -> Result<(), Failure> {
        if found.entry.kind != Kind::Array || !is_filled(&found.entry) {
            self.copy(found);
            return Ok(());
        }
        match self.form {
            Form::Reply => self.whole_calls(found),
            Form::Chunk => self.bits_of_calls(&found.entry),
        }
    }

    /// Calls of a whole reply: copied if they are as the format has them.
    fn whole_calls(&mut self, found: &Found<'_>) -> Result<(), Failure> {
        let entry = &found.entry;
        self.said(true);
        self.count_calls(entry.value);
        let Value::Array(items) = parse(entry.value)? else {
            return Ok(());
        };
        let ids = ids_of_whole(&items, self.answer);
        self.state.calls_in_reply = true;
        self.keep_whole(&items);
        if items
            .iter()
            .zip(&ids)
            .all(|(item, id)| is_regular(item, id))
        {
            self.copy(found);
            return Ok(());
        }
        let reason = self.reason_to_stop();
        self.member(b"tool_calls");
        object::array(
            self.output.open(),
            items.iter().zip(&ids),
            |out, (item, id)| {
                write_whole_call(out, item, id, reason);
            },
        );
        Ok(())
    }

    /// Keeps the calls of a whole reply, to be judged.
    fn keep_whole(&mut self, items: &[Value]) {
        let made = self.made.get_or_insert_default();
        for (place, item) in (0..).zip(items) {
            // A custom tool takes any text.
            let (called, input) = match (item.get("function"), item.get("custom")) {
                (Some(function), _) => (function, calls::arguments(function)),
                (None, Some(custom)) => (custom, String::new()),
                (None, None) => continue,
            };
            let name = answer::text_of(called, "name").unwrap_or_default();
            made.begin(self.index, place, name);
            made.go_on(self.index, place, &input);
        }
    }

    /// Keeps what is told of calls, to be judged.
    fn keep(&mut self, events: &[Event]) {
        for event in events {
            self.made.get_or_insert_default().note(event);
        }
    }

    /// Why the choice of a whole reply ended, wherever that is said.
    fn reason_to_stop(&self) -> Option<Finish> {
        let said = walk::members(self.choice).find(|entry| entry.name == b"finish_reason")?;
        finish::read(text::string(said.value).as_deref())
    }

    /// Bits of calls: copied if they say what the client is to be told,
    /// written anew if not, and kept back while a call has no name.
    fn bits_of_calls(&mut self, entry: &Entry<'_>) -> Result<(), Failure> {
        self.count_calls(entry.value);
        let is_single = walk::elements(entry.value).nth(1).is_none();
        let mut begun = false;
        for element in walk::elements(entry.value) {
            let item = parse(element.value)?;
            let mut events = Vec::new();
            let calls = &mut self.state.calls;
            let place = calls.bit(&item, self.index, self.answer, &mut events)?;
            let Some(place) = place else {
                continue;
            };
            self.keep(&events);
            self.said(!events.is_empty());
            let starts = events.iter().any(|e| matches!(e, Event::ToolStart { .. }));
            self.seen.begins_call |= starts;
            let as_is = is_told_as_is(&item, place, &events);
            if events.is_empty() && !as_is {
                continue;
            }
            if begun {
                self.output.write(b",");
            } else {
                self.member(b"tool_calls");
                self.output.write(b"[");
                begun = true;
            }
            if as_is {
                let begin = entry.at.start + element.at.start;
                let start = self.output.len();
                self.output.keep(begin..begin + element.value.len());
                if is_single && let Some(inside) = arguments_in(element.value) {
                    self.arguments_hole((begin, start), &inside, place);
                }
            } else {
                write_bit(self.output.open(), &item, place, &events);
            }
        }
        if begun {
            self.output.write(b"]");
        }
        Ok(())
    }

    /// The text of arguments that lie at `inside` of the call at `place`, which
    /// began at `from` and was copied to `to`.
    fn arguments_hole(
        &mut self,
        (from, to): (usize, usize),
        inside: &std::ops::Range<usize>,
        place: usize,
    ) {
        self.seen.other_content = self.seen.other_content.saturating_sub(inside.len());
        self.seen.holes.push(Hole {
            from: from.saturating_add(inside.start)..from.saturating_add(inside.end),
            to: vec![to.saturating_add(inside.start)],
            is_content: true,
            call: u32::try_from(place).ok(),
        });
        self.seen.continues_call = true;
    }
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
        && function
            .get("arguments")
            .is_some_and(|text| text.is_string() && *text != "")
}

fn write_whole_call(out: &mut Vec<u8>, item: &Value, id: &str, reason: Option<Finish>) {
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
                    .put("arguments", &calls::arguments_of_whole(function, reason));
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
fn is_told_as_is(item: &Value, place: usize, events: &[Event]) -> bool {
    let numbered = item.get("index").and_then(Value::as_u64) == u64::try_from(place).ok();
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
fn write_bit(out: &mut Vec<u8>, item: &Value, place: usize, events: &[Event]) {
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
        call.put("index", &place);
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
