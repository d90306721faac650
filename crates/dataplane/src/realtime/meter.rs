//! How much the next answer of a session can take, from what passed.
//!
//! Pure: events go in, and what must be set aside comes out. The count only
//! grows: what a caller deletes or what the provider forgets is not taken off
//! again, and the model's context window is above all of it, because nothing
//! beyond that is read.

use bourse_wire::realtime::{Asked, Most, Told};

/// Characters of base64 in a token of sound that goes in, at least: a token is
/// 100 ms (platform.openai.com/docs, guides/realtime-costs, 2026), of which
/// telephones send 800 bytes in 1,067 characters and all others more.
const SOUND_CHARS: u64 = 1_000;
/// Tokens of what the provider puts before a conversation by itself, beside the
/// instructions that it shows.
const TEMPLATE: u64 = 256;

/// What the next answer can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Input tokens, at most.
    pub input: u64,
    /// Output tokens, at most.
    pub output: u64,
}

/// Counts what a conversation can come to.
#[derive(Debug, Clone)]
pub struct Meter {
    /// The most that the model says in one answer.
    whole: u64,
    /// The model's context window.
    window: u64,
    /// Tokens in the conversation, at most.
    input: u64,
    /// Characters of sound in it.
    sound: u64,
    /// The most tokens of an answer, by the session.
    most: Most,
    /// The same by the answer that was asked for last.
    asked: Option<Most>,
    /// The session has said what it begins with.
    is_told: bool,
}

impl Meter {
    /// Of a session that begins, with a model that says so much at once and
    /// reads so much.
    #[must_use]
    pub const fn new(whole: u64, window: u64) -> Self {
        Self {
            whole,
            window,
            input: TEMPLATE,
            sound: 0,
            most: Most::All,
            asked: None,
            is_told: false,
        }
    }

    /// What the next answer can take.
    #[must_use]
    pub fn demand(&self) -> Demand {
        let sound = self.sound.div_ceil(SOUND_CHARS);
        let asked = self.asked.map_or(0, |asked| self.tokens(asked));
        Demand {
            input: self.input.saturating_add(sound).min(self.window),
            output: self.tokens(self.most).max(asked),
        }
    }

    fn tokens(&self, most: Most) -> u64 {
        match most {
            Most::Tokens(tokens) => tokens.min(self.whole),
            Most::All => self.whole,
        }
    }

    /// Takes in what a client asks, before it is passed on.
    pub fn asked(&mut self, asked: &Asked) {
        match asked {
            Asked::Session { most, bytes } => {
                self.most = most.unwrap_or(self.most);
                self.grows(*bytes);
            }
            Asked::Sound(characters) => self.sound = self.sound.saturating_add(*characters),
            Asked::Item(bytes) => self.grows(*bytes),
            Asked::Answer { most, bytes } => {
                self.asked = *most;
                self.grows(*bytes);
            }
            Asked::Other => {}
        }
    }

    /// Takes in what a provider tells.
    pub fn told(&mut self, told: &Told) {
        match told {
            // What follows repeats what the client said.
            Told::Session(bytes) if !self.is_told => {
                self.is_told = true;
                self.grows(*bytes);
            }
            Told::Began(_) => self.asked = None,
            Told::Ended(end) => {
                self.grows(end.usage.completion.unwrap_or(self.whole));
            }
            Told::Session(_) | Told::More { .. } | Told::Error | Told::Other => {}
        }
    }

    const fn grows(&mut self, tokens: u64) {
        self.input = self.input.saturating_add(tokens);
    }
}

#[cfg(test)]
mod tests {
    use bourse_wire::realtime::read_told;

    use super::*;

    fn demand(input: u64, output: u64) -> Demand {
        Demand { input, output }
    }

    #[test]
    fn the_next_answer_reads_all_that_was_said_and_says_what_it_may() {
        let mut meter = Meter::new(4_096, 32_000);
        assert_eq!(meter.demand(), demand(TEMPLATE, 4_096));
        meter.asked(&Asked::Session {
            most: Some(Most::Tokens(100)),
            bytes: 1_000,
        });
        assert_eq!(meter.demand(), demand(TEMPLATE + 1_000, 100));
        // A second of a telephone: ten tokens and a little.
        meter.asked(&Asked::Sound(10_667));
        assert_eq!(meter.demand(), demand(TEMPLATE + 1_011, 100));
        meter.asked(&Asked::Answer {
            most: Some(Most::All),
            bytes: 10,
        });
        assert_eq!(meter.demand(), demand(TEMPLATE + 1_021, 4_096));
        // That was for the one that begins.
        meter.told(&Told::Began("r".to_owned()));
        assert_eq!(meter.demand().output, 100);
        let done = r#"{"type":"response.done","response":{"id":"r","usage":{"input_tokens":9,"output_tokens":50}}}"#;
        meter.told(&read_told(done));
        assert_eq!(meter.demand(), demand(TEMPLATE + 1_071, 100));
    }

    #[test]
    fn an_end_without_a_count_is_as_long_as_it_may_be_and_nothing_is_beyond_the_window() {
        let mut meter = Meter::new(4_096, 5_000);
        meter.told(&Told::Session(200));
        meter.told(&Told::Session(200));
        assert_eq!(meter.demand().input, TEMPLATE + 200);
        meter.told(&read_told(r#"{"type":"response.done","response":{}}"#));
        assert_eq!(meter.demand().input, TEMPLATE + 200 + 4_096);
        meter.asked(&Asked::Item(u64::MAX));
        assert_eq!(meter.demand(), demand(5_000, 4_096));
    }
}
