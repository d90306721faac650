//! Putting the bits of streamed tool calls together.
//!
//! The format says that each bit names its call by `index`, and that the
//! first bit brings `id` and `name`. Vendors stray from every part of that:
//! no index, the same index for every call, the id in each bit or in none,
//! the name after the first arguments, all arguments in one object. What is
//! the same call is decided here, in one place.

use bourse_vocab::Failure;
use bourse_vocab::chat::Event;
use bourse_vocab::json::Value;

use super::super::reply::{arguments, text_of};

/// The most tool calls of one answer. Parallel calls come by the dozen; a
/// stream with more is broken, and each costs memory until it ends.
pub const CALLS_MAX: usize = 512;
/// The most bytes of arguments that are kept while a call has no name yet.
const UNNAMED_BYTES_MAX: usize = 1 << 20;

/// The tool calls of one answer so far.
#[derive(Debug, Default)]
pub struct Calls {
    list: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    /// The provider's number for it, if it counts.
    number: Option<u64>,
    /// The provider's name for it, if it gives one.
    id: Option<String>,
    /// Arguments that came before the name, until the name comes.
    unnamed: Option<String>,
}

impl Calls {
    /// Whether there are any.
    pub const fn any(&self) -> bool {
        !self.list.is_empty()
    }

    /// Reads one bit. `stream` names the stream, for calls without an id.
    pub fn bit(
        &mut self,
        item: &Value,
        choice: u32,
        stream: Option<&str>,
        events: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let empty = Value::Null;
        let function = item.get("function").unwrap_or(&empty);
        let number = item.get("index").and_then(Value::as_u64);
        let id = text_of(item, "id");
        let name = text_of(function, "name");
        let position = match self.find(number, id, name) {
            Some(position) => position,
            None if self.list.len() >= CALLS_MAX => {
                return Err(Failure::unavailable(
                    "The provider sent too many tool calls",
                ));
            }
            None => {
                self.list.push(Call {
                    number,
                    id: id.map(str::to_owned),
                    unnamed: Some(String::new()),
                });
                self.list.len() - 1
            }
        };
        let Some(call) = self.list.get_mut(position) else {
            return Ok(());
        };
        let index = u32::try_from(position).unwrap_or(u32::MAX);
        let mut fragment = arguments(function);
        if let Some(before) = &mut call.unnamed {
            if call.id.is_none() {
                call.id = id.map(str::to_owned);
            }
            before.push_str(&fragment);
            if before.len() > UNNAMED_BYTES_MAX {
                return Err(Failure::unavailable("The provider named no tool to call"));
            }
            let Some(name) = name else {
                return Ok(());
            };
            fragment = std::mem::take(before);
            call.unnamed = None;
            let id = call.id.clone().unwrap_or_else(|| made_up(stream, position));
            events.push(Event::ToolStart {
                choice,
                index,
                id,
                name: name.to_owned(),
            });
        }
        if !fragment.is_empty() {
            events.push(Event::ToolArguments {
                choice,
                index,
                fragment,
            });
        }
        Ok(())
    }

    /// The call that a bit belongs to, unless it begins a new one.
    fn find(&self, number: Option<u64>, id: Option<&str>, name: Option<&str>) -> Option<usize> {
        // Some servers give every call the number 0 and an id of its own: a
        // second name with a second id is a second call.
        let is_other = |call: &Call| {
            name.is_some() && id.is_some() && call.id.is_some() && call.id.as_deref() != id
        };
        if number.is_some() {
            let position = self.list.iter().rposition(|call| call.number == number);
            return position.filter(|position| !self.list.get(*position).is_some_and(is_other));
        }
        if id.is_some() {
            return self.list.iter().rposition(|call| call.id.as_deref() == id);
        }
        // Neither a number nor an id: a name begins a call, unless the last
        // one still waits for its name.
        let last = self.list.len().checked_sub(1)?;
        let waits = self.list.last().is_some_and(|call| call.unnamed.is_some());
        (name.is_none() || waits).then_some(last)
    }

    /// Whether some call never got a name.
    pub fn unnamed(&self) -> bool {
        self.list.iter().any(|call| call.unnamed.is_some())
    }
}

/// An id for a call that the provider did not name. Ids of different answers
/// must differ, or the next turn pairs results with the wrong calls.
fn made_up(stream: Option<&str>, position: usize) -> String {
    match stream {
        Some(stream) => format!("call_{stream}_{position}"),
        None => format!("call_{position}"),
    }
}
