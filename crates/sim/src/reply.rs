//! What every format needs to write an answer down.

use std::sync::Arc;

use serde_json::Value;

use crate::ask::Request;
use crate::script::Script;
use crate::truth::{Choice, Completion, Reported};
use crate::words::{Pieces, mix};

/// When simulated models say they answered. Fixed, so that the same
/// request gives the same bytes.
pub const CREATED: u64 = 1_790_000_000;

/// Stands for half a surrogate pair until the text is JSON: no Rust
/// string can hold the half itself.
const HALF_SURROGATE_MARK: &str = "\u{e000}";

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// SSE event name, where the format has them.
    pub name: Option<&'static str>,
    /// The data line.
    pub data: String,
    /// Tokens it carries; pacing and token-counted faults go by this.
    pub tokens: u64,
    /// Whether it ends a complete stream; `no_done` drops it.
    pub closes: bool,
}

/// A stream's events, made as they are wanted.
pub type Events = Box<dyn Iterator<Item = Event> + Send>;

/// An answer with everything a format needs to write it.
#[derive(Debug)]
pub struct Reply {
    /// The request.
    pub ask: Request,
    /// The answer.
    pub answer: Completion,
    /// Usage as told, if told.
    pub reported: Option<Reported>,
    /// The script in force.
    pub script: Arc<Script>,
    /// Identifies this reply: the answer's key mixed with the request's ordinal.
    pub id: u64,
}

impl Event {
    /// An event without a name.
    #[must_use]
    pub fn data(value: &Value, tokens: u64) -> Self {
        Self {
            name: None,
            data: json_text(value),
            tokens,
            closes: false,
        }
    }

    /// An event with a name.
    #[must_use]
    pub fn named(name: &'static str, value: &Value, tokens: u64) -> Self {
        Self {
            name: Some(name),
            ..Self::data(value, tokens)
        }
    }

    /// The same event as the end of its stream.
    #[must_use]
    pub fn closing(self) -> Self {
        Self {
            closes: true,
            ..self
        }
    }
}

impl Reply {
    /// Prepares an answer for writing.
    #[must_use]
    pub fn new(ask: Request, answer: Completion, script: Arc<Script>, ordinal: u64) -> Self {
        let reported = Reported::of(&answer.truth, &script);
        let id = mix(answer.key, ordinal);
        Self {
            ask,
            answer,
            reported,
            script,
            id,
        }
    }

    /// A choice.
    #[must_use]
    pub fn choice(&self, at: usize) -> Option<&Choice> {
        self.answer.choices.get(at)
    }

    /// One content token of a choice as it goes on the wire.
    #[must_use]
    pub fn content_piece(&self, choice: usize, at: u64) -> String {
        let piece = self
            .choice(choice)
            .map(|choice| choice.content.piece(at))
            .unwrap_or_default();
        if at == 0 && self.script.half_surrogate {
            format!("{HALF_SURROGATE_MARK}{piece}")
        } else {
            piece
        }
    }

    /// All content of a choice as it goes on the wire.
    #[must_use]
    pub fn content_text(&self, choice: usize) -> String {
        let len = self.choice(choice).map_or(0, |choice| choice.content.len());
        (0..len).map(|at| self.content_piece(choice, at)).collect()
    }
}

/// Serialises a value, with the surrogate mark turned into its escape.
#[must_use]
pub fn json_text(value: &Value) -> String {
    let text = value.to_string();
    if text.contains(HALF_SURROGATE_MARK) {
        text.replace(HALF_SURROGATE_MARK, "\\ud83e")
    } else {
        text
    }
}

/// Makes one event per token, lazily.
pub fn per_token<F>(len: u64, make: F) -> Events
where
    F: Fn(u64) -> Event + Send + 'static,
{
    Box::new((0..len).map(make))
}

/// How many pieces a text has, as a position bound for `per_token`.
#[must_use]
pub fn len_of(pieces: Option<&Pieces>) -> u64 {
    pieces.map_or(0, Pieces::len)
}
