//! What must be remembered of an answer between its chunks.

use bourse_vocab::chat::Finish;

use crate::dialect::answer::Pieces;
use crate::dialect::calls::Calls;
use crate::dialect::finish::Endings;
use crate::tool_calls::Made;

/// What is known of an answer so far.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// Choices in the order in which they began. There are few.
    choices: Vec<(u64, ChoiceState)>,
    pub endings: Endings,
    /// The provider's id for the answer.
    pub answer: Option<String>,
    /// The tool calls of all choices, to be judged.
    pub made: Option<Box<Made>>,
}

/// What is known of one choice.
#[derive(Debug, Clone, Default)]
pub(super) struct ChoiceState {
    pub calls: Calls,
    pub pieces: Pieces,
    /// A whole reply has calls.
    pub calls_in_reply: bool,
}

impl ChoiceState {
    /// Whether the choice calls tools.
    pub const fn calls_tools(&self) -> bool {
        self.calls_in_reply || self.calls.any()
    }
}

impl ChoiceState {
    /// Whether nothing is known that would matter later: what was said so far
    /// only separates thoughts, and there were none.
    const fn is_blank(&self) -> bool {
        !self.calls_tools() && self.pieces.is_blank()
    }
}

impl State {
    /// Whether a choice calls tools.
    pub fn calls_tools(&self, choice: u64) -> bool {
        self.choices
            .iter()
            .any(|(index, state)| *index == choice && state.calls_tools())
    }

    /// The calls of a choice that ends for `reason` which have no arguments:
    /// the choice, and the place of the call.
    pub fn silent_calls(
        &self,
        choice: u32,
        reason: Finish,
    ) -> impl Iterator<Item = (u32, usize)> + use<'_> {
        let known = self
            .choices
            .iter()
            .find(|(index, _)| *index == u64::from(choice));
        let silent = known.map(|(_, state)| state.calls.silent(reason));
        silent
            .into_iter()
            .flatten()
            .map(move |place| (choice, place))
    }

    /// Takes out what is known of a choice, to be put back.
    pub fn take(&mut self, choice: u64) -> ChoiceState {
        let known = self.choices.iter_mut().find(|(index, _)| *index == choice);
        known.map_or_else(ChoiceState::default, |(_, state)| std::mem::take(state))
    }

    /// Puts back what is known of a choice.
    pub fn put(&mut self, choice: u64, state: ChoiceState) {
        match self.choices.iter_mut().find(|(index, _)| *index == choice) {
            Some((_, slot)) => *slot = state,
            None if state.is_blank() => {}
            None => self.choices.push((choice, state)),
        }
    }

    /// Notes that a choice said something that is no thought.
    pub fn interrupt(&mut self, choice: u64) {
        if let Some((_, state)) = self.choices.iter_mut().find(|(index, _)| *index == choice) {
            state.pieces.interrupted = true;
        }
    }

    /// Whether a call of some choice still waits for its name.
    pub fn waits_for_a_name(&self) -> bool {
        self.choices.iter().any(|(_, state)| state.calls.unnamed())
    }
}
