//! How long the answers of a model usually are.
//!
//! Whoever sets no limit can be answered with all that a model may say, and
//! most answers are a hundredth of it. Where the money for all of it is not
//! there, what such answers took before says how much is asked for. Answers
//! differ by what is asked: streamed or not, in plain text or as a call of a
//! tool, with how much thinking. Each sort is counted by itself; until there
//! are enough of one, all that think as much count, and before that a guess.
//!
//! Only lengths are kept, of all callers together, and only in memory.

use std::sync::OnceLock;

use bourse_vocab::chat::Effort;

use crate::quantiles::Quantiles;

/// What an answer is in, as far as its length depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// Prose.
    #[default]
    Text,
    /// JSON, by a schema or not.
    Structured,
    /// Tools are offered: turns of an agent.
    Tools,
    /// Pictures or sound.
    Media,
}

/// How much a model thinks before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Thought {
    /// Not at all.
    #[default]
    None,
    /// A little.
    Little,
    /// As much as it does unasked.
    Usual,
    /// A lot.
    Much,
}

impl Thought {
    /// What an effort comes to; `None` is a model that thinks unasked.
    #[must_use]
    pub const fn of(effort: Option<Effort>) -> Self {
        match effort {
            Some(Effort::None) => Self::None,
            Some(Effort::Minimal | Effort::Low) => Self::Little,
            None | Some(Effort::Medium) => Self::Usual,
            Some(Effort::High | Effort::Xhigh | Effort::Max) => Self::Much,
        }
    }
}

/// A sort of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sort {
    /// Whether it is streamed.
    pub streamed: bool,
    /// What it is in.
    pub form: Form,
    /// How much is thought.
    pub thought: Thought,
}

const FORMS: usize = 4;
const THOUGHTS: usize = 4;
/// One for each sort, and one for each amount of thinking.
const CELLS: usize = 2 * FORMS * THOUGHTS + THOUGHTS;

impl Sort {
    const fn cell(self) -> usize {
        ((self.streamed as usize) * FORMS + self.form as usize) * THOUGHTS + self.thought as usize
    }

    const fn wider_cell(self) -> usize {
        2 * FORMS * THOUGHTS + self.thought as usize
    }

    /// What is guessed before anything is known: ordinary answers have some
    /// hundred tokens and are seldom longer than a page, and a picture is 1,300
    /// to 5,000 (ai.google.dev, image generation, 2026). Thoughts are spread
    /// wider than answers: unasked, most questions are thought about as long as
    /// they are answered, or not at all, and some for many times that.
    const fn guess(self) -> Need {
        let answer = match self.form {
            Form::Text | Form::Structured | Form::Tools => 1_024,
            Form::Media => 8_192,
        };
        let (most, nearly_all) = match self.thought {
            Thought::None => (0, 0),
            Thought::Little => (256, 2_048),
            Thought::Usual => (512, 4_096),
            Thought::Much => (8_192, 16_384),
        };
        Need {
            most: answer / 2 + most,
            nearly_all: answer + nearly_all,
        }
    }
}

/// Tokens that answers of a sort take, thoughts included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Three of four take no more.
    pub most: u64,
    /// Ninety-nine of a hundred take no more.
    pub nearly_all: u64,
}

/// What is added to what was seen, as a divisor: the next answer may be a
/// little longer than any before it.
const MARGIN_DIVISOR: u64 = 4;

/// What the answers of one model took, by sort.
#[derive(Debug)]
pub struct Lengths {
    /// Made when first needed: most models are never called.
    cells: [OnceLock<Box<Quantiles>>; CELLS],
}

impl Default for Lengths {
    fn default() -> Self {
        Self {
            cells: std::array::from_fn(|_| OnceLock::new()),
        }
    }
}

impl Lengths {
    /// Notes how many tokens one answer took. An answer that our own limit
    /// cut short would have taken more: it counts as twice as long.
    pub fn learn(&self, sort: Sort, tokens: u64, is_cut: bool) {
        let tokens = tokens.saturating_mul(if is_cut { 2 } else { 1 });
        for cell in [sort.cell(), sort.wider_cell()] {
            if let Some(cell) = self.cells.get(cell) {
                cell.get_or_init(Box::default).add(tokens);
            }
        }
    }

    /// What answers of a sort take.
    #[must_use]
    pub fn need(&self, sort: Sort) -> Need {
        [sort.cell(), sort.wider_cell()]
            .into_iter()
            .filter_map(|cell| self.cells.get(cell)?.get())
            .find_map(|counted| need(counted))
            .unwrap_or(sort.guess())
    }
}

/// What nearly all and most answers take, by what was counted.
fn need(counted: &Quantiles) -> Option<Need> {
    let with_margin = |tokens: u64| tokens + tokens / MARGIN_DIVISOR;
    Some(Need {
        most: with_margin(counted.at(75)?),
        nearly_all: with_margin(counted.at(99)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantiles::{ENOUGH, WINDOW};

    const PLAIN: Sort = Sort {
        streamed: false,
        form: Form::Text,
        thought: Thought::None,
    };

    #[test]
    fn a_sort_is_guessed_until_enough_answers_were_seen() {
        let lengths = Lengths::default();
        let guessed = lengths.need(PLAIN);
        for _ in 1..ENOUGH {
            lengths.learn(PLAIN, 100, false);
            assert_eq!(lengths.need(PLAIN), guessed);
        }
        lengths.learn(PLAIN, 100, false);
        let known = lengths.need(PLAIN);
        assert!((100..=140).contains(&known.nearly_all), "{known:?}");
        assert_eq!(known.most, known.nearly_all);
    }

    #[test]
    fn a_sort_that_was_never_seen_takes_what_others_that_think_as_much_take() {
        let lengths = Lengths::default();
        for _ in 0..ENOUGH {
            lengths.learn(PLAIN, 3_000, false);
        }
        let tools = Sort {
            form: Form::Tools,
            ..PLAIN
        };
        assert_eq!(lengths.need(tools), lengths.need(PLAIN));
        let thinking = Sort {
            thought: Thought::Much,
            ..PLAIN
        };
        assert_eq!(lengths.need(thinking), thinking.guess());
    }

    #[test]
    fn one_long_answer_of_fifty_is_provided_for() {
        let lengths = Lengths::default();
        for n in 0..1_000 {
            lengths.learn(PLAIN, if n % 50 == 0 { 9_000 } else { 200 }, false);
        }
        let need = lengths.need(PLAIN);
        assert!(need.nearly_all >= 9_000, "{need:?}");
        assert!(need.most < 300, "{need:?}");
    }

    #[test]
    fn limits_that_cut_answers_short_grow() {
        let lengths = Lengths::default();
        let mut limit = lengths.need(PLAIN).nearly_all;
        // Every answer wants 50,000 tokens and gets what there is.
        let mut rounds = 0;
        while limit < 50_000 {
            for _ in 0..ENOUGH {
                lengths.learn(PLAIN, limit, true);
            }
            limit = lengths.need(PLAIN).nearly_all;
            rounds += 1;
            assert!(rounds < 10, "{limit}");
        }
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let lengths = Lengths::default();
        for _ in 0..WINDOW {
            lengths.learn(PLAIN, 10_000, false);
        }
        for _ in 0..8 * WINDOW {
            lengths.learn(PLAIN, 100, false);
        }
        assert!(lengths.need(PLAIN).nearly_all < 200);
    }
}
