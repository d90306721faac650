//! Tool calls: which bits of a stream are one call, which ids calls have, and
//! how arguments that are no text become one.
//!
//! The format says that each bit names its call by `index`, and that the
//! first bit brings `id` and `name`. Vendors stray from every part of that:
//! no index, the same index for every call, the id in each bit or in none or
//! in two calls, the name after the first arguments, arguments as an object.
//! What is the same call, and what it is called, is decided here, for bytes
//! and for the vocabulary.

mod ids;

use std::collections::HashSet;

use bourse_vocab::Failure;
use bourse_vocab::chat::{Event, Finish};
use bourse_vocab::json;
use bourse_vocab::json::Value;

pub use ids::fit_ids;

use super::answer::text_of;
use super::finish;

/// The most tool calls of one answer. Parallel calls come by the dozen; a
/// stream with more is broken, and each costs memory until it ends.
pub const CALLS_MAX: usize = 512;
/// What a client is told of a call without arguments: an object without
/// members, as OpenAI's own models write it.
pub const NO_ARGUMENTS: &str = "{}";
/// The most bytes of arguments that are kept while a call has no name yet.
const UNNAMED_BYTES_MAX: usize = 1 << 20;

/// The tool calls of one answer so far.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    /// In the order in which the provider spoke of them first.
    list: Vec<Call>,
    /// How many the client was told of.
    begun: usize,
}

#[derive(Debug, Clone)]
struct Call {
    /// The provider's number for it, if it counts.
    number: Option<u64>,
    /// The provider's name for it, if it gives one.
    id: Option<String>,
    /// What the client knows it by, once it has begun.
    told: Option<Told>,
    /// Arguments that came before the name, until the name comes.
    unnamed: Option<String>,
    /// Whether the client was told some of its arguments.
    has_arguments: bool,
}

/// How a client knows a call.
#[derive(Debug, Clone)]
struct Told {
    id: String,
    /// Its number: how many had begun before it. Calls that never get a name
    /// leave no gap, which clients would fill with a call that is none.
    place: usize,
}

impl Calls {
    /// Whether there are any.
    #[must_use]
    pub const fn any(&self) -> bool {
        !self.list.is_empty()
    }

    /// Reads one bit, and returns the place of its call among those that have
    /// begun, unless it has not. `stream` names the stream, for calls without
    /// an id.
    ///
    /// # Errors
    /// There are too many calls, or too much of one without a name.
    pub fn bit(
        &mut self,
        item: &Value,
        choice: u32,
        stream: Option<&str>,
        events: &mut Vec<Event>,
    ) -> Result<Option<usize>, Failure> {
        let empty = Value::Null;
        let function = item.get("function").unwrap_or(&empty);
        let number = item.get("index").and_then(Value::as_u64);
        let id = text_of(item, "id");
        let name = text_of(function, "name");
        let mut fragment = arguments(function);
        let position = match self.find(number, id, name) {
            Some(position) => position,
            // What says nothing begins nothing.
            None if number.is_none() && id.or(name).is_none() && fragment.is_empty() => {
                return Ok(None);
            }
            None if self.list.len() >= CALLS_MAX => {
                return Err(Failure::unavailable(
                    "The provider sent too many tool calls",
                ));
            }
            None => {
                self.list.push(Call {
                    number,
                    id: id.map(str::to_owned),
                    told: None,
                    unnamed: Some(String::new()),
                    has_arguments: false,
                });
                self.list.len() - 1
            }
        };
        if let Some(call) = self.list.get_mut(position)
            && let Some(before) = &mut call.unnamed
        {
            if call.id.is_none() {
                call.id = id.map(str::to_owned);
            }
            before.push_str(&fragment);
            if before.len() > UNNAMED_BYTES_MAX {
                return Err(Failure::unavailable("The provider named no tool to call"));
            }
            let Some(name) = name else {
                return Ok(None);
            };
            fragment = std::mem::take(before);
            call.unnamed = None;
            self.begin(position, name, choice, stream, events);
        }
        let Some(call) = self.list.get_mut(position) else {
            return Ok(None);
        };
        let place = call.told.as_ref().map(|told| told.place);
        if let Some(place) = place
            && !fragment.is_empty()
        {
            call.has_arguments = true;
            events.push(Event::ToolArguments {
                choice,
                index: u32::try_from(place).unwrap_or(u32::MAX),
                fragment,
            });
        }
        Ok(place)
    }

    /// Tells the client of a call, by the next free number.
    fn begin(
        &mut self,
        position: usize,
        name: &str,
        choice: u32,
        stream: Option<&str>,
        events: &mut Vec<Event>,
    ) {
        let own = self.list.get(position).and_then(|call| call.id.as_deref());
        let is_told = |id: &str| {
            let mut told = self.list.iter().filter_map(|call| call.told.as_ref());
            told.any(|told| told.id == id)
        };
        let id = distinct(own, is_told, stream, position);
        let place = self.begun;
        self.begun += 1;
        events.push(Event::ToolStart {
            choice,
            index: u32::try_from(place).unwrap_or(u32::MAX),
            id: id.clone(),
            name: name.to_owned(),
        });
        if let Some(call) = self.list.get_mut(position) {
            call.told = Some(Told { id, place });
        }
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

    /// The places of calls that end without arguments: for a tool without
    /// parameters some servers say nothing, or `""`, and clients that parse
    /// what they were told fail or drop the call (vercel/ai issue 6687,
    /// QwenLM/qwen-code issue 6249, 2026). They are told [`NO_ARGUMENTS`].
    ///
    /// None of them where the answer did not end with its calls: what was cut
    /// off is not to look whole.
    pub fn silent(&self, reason: Finish) -> impl Iterator<Item = usize> {
        let calls = (reason == Finish::ToolCalls).then_some(&self.list);
        let silent = calls
            .into_iter()
            .flatten()
            .filter(|call| !call.has_arguments);
        silent.filter_map(|call| call.told.as_ref().map(|told| told.place))
    }

    /// Whether some call never got a name.
    #[must_use]
    pub fn unnamed(&self) -> bool {
        self.list.iter().any(|call| call.unnamed.is_some())
    }
}

/// The ids of the calls of a whole answer, in order: the provider's where it
/// gave one that no call before has.
#[must_use]
pub fn ids_of_whole(items: &[Value], answer: Option<&str>) -> Vec<String> {
    let mut told = HashSet::with_capacity(items.len());
    let ids = items.iter().enumerate().map(|(position, item)| {
        let id = distinct(
            text_of(item, "id"),
            |id| told.contains(id),
            answer,
            position,
        );
        told.insert(id.clone());
        id
    });
    ids.collect()
}

/// The provider's id for a call if it is one of its own, or one made up. A
/// result answers one call, so two calls must not share an id; and ids of
/// different answers must differ, or the next turn pairs results with the
/// wrong calls.
fn distinct(
    id: Option<&str>,
    is_told: impl Fn(&str) -> bool,
    answer: Option<&str>,
    position: usize,
) -> String {
    match (id, answer) {
        (Some(id), _) if !is_told(id) => id.to_owned(),
        (Some(id), _) => format!("{id}_{position}"),
        (None, Some(answer)) => format!("call_{answer}_{position}"),
        (None, None) => format!("call_{position}"),
    }
}

/// A call's arguments in a whole answer that ended for `reason`, as JSON text.
#[must_use]
pub fn arguments_of_whole(function: &Value, reason: Option<Finish>) -> String {
    let given = arguments(function);
    let ended = reason.map(|reason| finish::with_calls(reason, true));
    if given.is_empty() && ended == Some(Finish::ToolCalls) {
        NO_ARGUMENTS.to_owned()
    } else {
        given
    }
}

/// A call's arguments as the object that some formats have them as, and whether
/// they were one. Models do write broken JSON: the call must stay, for its result
/// refers to it, and what was said is kept where the model can still read it.
#[must_use]
pub fn as_object(said: &str) -> (Value, bool) {
    if said.trim().is_empty() {
        return (json!({}), true);
    }
    match bourse_vocab::json::parse(said.as_bytes()) {
        Ok(Value::Object(input)) => (Value::Object(input), true),
        _ => (json!({"raw_arguments": said}), false),
    }
}

/// A call's arguments as JSON text; some vendors forget to print them.
#[must_use]
pub fn arguments(function: &Value) -> String {
    match function.get("arguments") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
