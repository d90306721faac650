//! How many bytes of text a model's tokens are.
//!
//! Four, more or less: less in code and in most languages, more in plain
//! English. What was counted by the provider says what it is for the texts
//! that a model gets and gives of late.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Thousandths of bytes.
const UNIT: u64 = 1_000;
/// Fewer tokens say too little: templates are part of the count.
const TOKENS_MIN: u64 = 64;
/// What the tokens of a text are in all: some languages and digits have two
/// bytes, plain words in the largest vocabularies seven. Beyond it a count is
/// of something else, or somebody wants it to be.
const BYTES_MIN: u64 = 2 * UNIT;
const BYTES_MAX: u64 = 8 * UNIT;
/// How much the last text counts, as a divisor.
const WEIGHT: u64 = 16;

/// Bytes of a token, of late. Zero until anything was seen.
#[derive(Debug, Default)]
pub struct Density(AtomicU64);

impl Density {
    /// Notes that so many bytes were so many tokens.
    pub fn learn(&self, bytes: u64, tokens: u64) {
        let Some(now) = bytes.saturating_mul(UNIT).checked_div(tokens) else {
            return;
        };
        if tokens < TOKENS_MIN || !(BYTES_MIN..=BYTES_MAX).contains(&now) {
            return;
        }
        let before = self.0.load(Relaxed);
        let mixed = if before == 0 {
            now
        } else {
            before.saturating_mul(WEIGHT - 1).saturating_add(now) / WEIGHT
        };
        // Two at once count as one.
        self.0.store(mixed, Relaxed);
    }

    /// How many tokens a text is, if anything is known.
    #[must_use]
    pub fn tokens(&self, bytes: u64) -> Option<u64> {
        let density = self.0.load(Relaxed);
        (density > 0).then(|| bytes.saturating_mul(UNIT).div_ceil(density))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_density_follows_the_texts_of_late_and_no_nonsense() {
        let density = Density::default();
        assert_eq!(density.tokens(4_000), None);
        density.learn(100, 10);
        density.learn(801_000, 100_000);
        density.learn(199_000, 100_000);
        density.learn(100, 0);
        assert_eq!(density.tokens(4_000), None);
        density.learn(5_000, 1_000);
        assert_eq!(density.tokens(4_000), Some(800));
        for _ in 0..200 {
            density.learn(3_000, 1_000);
        }
        let tokens = density.tokens(3_000).unwrap();
        assert!((990..=1_000).contains(&tokens), "{tokens}");
    }
}
