//! What an execution looked like, as a number.
//!
//! There is no instrumentation to say which branches an input took (see
//! decision 26), so a target tells what came of it: kinds of events, words of
//! a refusal, members that were lost. An input with a new sign is kept and
//! changed further.

use bourse_vocab::Failure;

/// Collects what came of an input.
#[derive(Debug, Clone, Copy)]
pub struct Sign(u64);

impl Default for Sign {
    fn default() -> Self {
        // FNV-1a's offset and prime: short texts, no adversary.
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Sign {
    /// Notes a text as it is.
    pub fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.byte(byte));
        self.byte(0xff);
    }

    /// Notes a sentence without its numbers and without what it quotes, which
    /// would make every input a new one.
    pub fn sentence(&mut self, sentence: &str) {
        let mut is_quoted = false;
        for byte in sentence.bytes() {
            match byte {
                b'`' | b'"' => is_quoted = !is_quoted,
                b'0'..=b'9' => {}
                _ if is_quoted => {}
                byte => self.byte(byte),
            }
        }
        self.byte(0xff);
    }

    /// Notes a failure.
    pub fn failure(&mut self, failure: &Failure) {
        self.count(usize::from(failure.kind.status()));
        self.sentence(&failure.message);
    }

    /// Notes about how many there are of something: 0, 1, 2, 3–4, 5–8, …
    pub fn count(&mut self, number: usize) {
        let size = usize::BITS - number.leading_zeros();
        self.byte(u8::try_from(size).unwrap_or(u8::MAX));
    }

    /// The sign.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
}

/// The sign of bytes: what is drawn for an input follows from them, so that
/// an input repeats what it did.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> u64 {
    let mut sign = Sign::default();
    bytes.iter().for_each(|byte| sign.byte(*byte));
    sign.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_that_differ_in_a_name_or_a_number_are_one_sign() {
        let of = |sentence: &str| {
            let mut sign = Sign::default();
            sign.sentence(sentence);
            sign.get()
        };
        assert_eq!(of("`a` is too long by 7"), of("`bc` is too long by 19"));
        assert_ne!(of("`a` is too long"), of("`a` is too short"));
    }
}
