//! Sorts of calls, as far as the time to their first content depends on it.
//!
//! A long prompt takes longer to read, a model that thinks says nothing
//! while it does, and a whole answer comes when all of it is there. What was
//! measured of one sort says little of another.

use crate::lengths::Thought;

/// Sizes of prompts, by the first number of tokens that is too many for each.
const SIZES: [u64; 3] = [2_000, 16_000, 128_000];
/// How many sorts there are: streamed or not, thinking or not, and the sizes.
pub const BUCKETS: usize = 2 * 2 * (SIZES.len() + 1);

/// A sort of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket(u8);

impl Bucket {
    /// The sort of a call with so many tokens of prompt, roughly.
    #[must_use]
    pub fn of(prompt_tokens: u64, thought: Thought, streamed: bool) -> Self {
        let mut size = 0;
        for limit in SIZES {
            size += u8::from(prompt_tokens >= limit);
        }
        let thinks = matches!(thought, Thought::Usual | Thought::Much);
        Self(size * 4 + u8::from(thinks) * 2 + u8::from(streamed))
    }

    /// Its place among [`BUCKETS`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_differ_by_size_thought_and_streaming() {
        let mut seen = std::collections::BTreeSet::new();
        for tokens in [0, 2_000, 16_000, u64::MAX] {
            for thought in [Thought::None, Thought::Much] {
                for streamed in [false, true] {
                    seen.insert(Bucket::of(tokens, thought, streamed).index());
                }
            }
        }
        assert_eq!(seen, (0..BUCKETS).collect());
        let short = |tokens| Bucket::of(tokens, Thought::Little, true);
        assert_eq!(short(0), short(1_999));
        assert_ne!(short(1_999), short(2_000));
    }
}
