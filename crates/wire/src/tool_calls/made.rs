//! The calls of one answer, as they come.

use std::borrow::Cow;

use bourse_vocab::chat::{Event, Part, Reply};

use crate::json::text;

/// The most bytes of arguments that are kept of one answer, as they are
/// written in JSON: a file of a thousand lines. Longer ones are not judged.
const ARGUMENTS_BYTES_MAX: usize = 64 << 10;
/// The most calls of one answer that are judged: parallel calls come by the
/// dozen.
const CALLS_MAX: usize = 128;
/// The longest name that is kept; vendors allow 64 letters, or 128.
const NAME_BYTES_MAX: usize = 512;

/// The calls of one answer, as far as they are kept to be judged. Nothing is
/// allocated before the first.
#[derive(Debug, Clone, Default)]
pub struct Made {
    calls: Vec<Begun>,
    /// How many bytes of arguments are kept.
    bytes: usize,
    /// Calls of which nothing is kept.
    left_out: u32,
}

#[derive(Debug, Clone)]
struct Begun {
    choice: u32,
    place: u32,
    name: String,
    /// The arguments as a JSON string: its quote, and what is inside. Bytes
    /// that pass are kept as they pass.
    written: Vec<u8>,
    /// They are all there.
    is_whole: bool,
}

/// One call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub name: &'a str,
    /// The inside of a JSON string with its quotes; `None` if it was too long.
    written: Option<&'a [u8]>,
}

// === impl Made ===

impl Made {
    /// Notes an event of a stream, if it is of a call.
    #[inline]
    pub fn note(&mut self, event: &Event) {
        match event {
            Event::ToolStart {
                choice,
                index,
                name,
                ..
            } => self.begin(*choice, *index, name),
            Event::ToolArguments {
                choice,
                index,
                fragment,
            } => self.go_on(*choice, *index, fragment),
            _ => {}
        }
    }

    /// The calls of a whole reply; `None` if there are none.
    #[must_use]
    pub fn of_reply(reply: &Reply) -> Option<Box<Self>> {
        let mut made = None::<Box<Self>>;
        for (choice, said) in (0..).zip(&reply.choices) {
            for (place, part) in (0..).zip(&said.parts) {
                let Part::ToolCall {
                    name, arguments, ..
                } = part
                else {
                    continue;
                };
                let made = made.get_or_insert_default();
                made.begin(choice, place, name);
                made.go_on(choice, place, arguments);
            }
        }
        made
    }

    /// A call begins: the one at a place of a choice.
    pub fn begin(&mut self, choice: u32, place: u32, name: &str) {
        if self.calls.len() >= CALLS_MAX || name.len() > NAME_BYTES_MAX {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        self.calls.push(Begun {
            choice,
            place,
            name: name.to_owned(),
            written: b"\"".to_vec(),
            is_whole: true,
        });
    }

    /// A piece of a call's arguments.
    pub fn go_on(&mut self, choice: u32, place: u32, piece: &str) {
        self.add(choice, place, piece.len(), |written| {
            // With its quotes, which no piece has.
            let at = written.len();
            text::write_string(piece, written);
            written.pop();
            if at < written.len() {
                written.remove(at);
            }
        });
    }

    /// The same, as it is written inside a JSON string.
    pub fn go_on_written(&mut self, choice: u32, place: u32, piece: &[u8]) {
        self.add(choice, place, piece.len(), |written| {
            written.extend_from_slice(piece);
        });
    }

    fn add(&mut self, choice: u32, place: u32, bytes: usize, add: impl FnOnce(&mut Vec<u8>)) {
        // The last that began is the one that goes on, all but always.
        let is_it = |call: &&mut Begun| call.choice == choice && call.place == place;
        let Some(call) = self.calls.iter_mut().rev().find(is_it) else {
            return;
        };
        if !call.is_whole {
            return;
        }
        let before = call.written.len();
        if self.bytes.saturating_add(bytes) > ARGUMENTS_BYTES_MAX {
            call.is_whole = false;
            call.written = Vec::new();
            self.bytes = self.bytes.saturating_sub(before);
            return;
        }
        add(&mut call.written);
        let added = call.written.len().saturating_sub(before);
        self.bytes = self.bytes.saturating_add(added);
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.left_out == 0
    }

    /// How many calls there are of which nothing is kept.
    pub(super) const fn left_out(&self) -> u32 {
        self.left_out
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = Call<'_>> {
        self.calls.iter().map(|call| Call {
            name: &call.name,
            written: call.is_whole.then_some(call.written.as_slice()),
        })
    }
}

// === impl Call ===

impl Call<'_> {
    /// The arguments; `None` if they were too long, or are no text.
    pub fn arguments(&self) -> Option<Vec<u8>> {
        let mut quoted = Vec::with_capacity(self.written?.len().saturating_add(1));
        quoted.extend_from_slice(self.written?);
        quoted.push(b'"');
        text::string(&quoted).map(|text| match text {
            Cow::Borrowed(text) => text.as_bytes().to_vec(),
            Cow::Owned(text) => text.into_bytes(),
        })
    }
}
