//! Luck that repeats: everything a run draws follows from its seed.

use std::ops::Range;

/// Pieces of one input at most. Whoever looks for the end of a head looks at
/// all of it with each piece: more are no other test, only a slower one.
const PIECES_MAX: usize = 4_096;

/// Draws numbers (SplitMix64: any seed will do, and the period is no concern
/// at the few thousand draws of one execution).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The draws of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `end`; 0 if there is none.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.number() % end).unwrap_or(0)
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }

    /// A stretch of something that is so long; it may be empty.
    pub fn range(&mut self, length: usize) -> Range<usize> {
        let (one, other) = (self.below(length + 1), self.below(length + 1));
        one.min(other)..one.max(other)
    }

    /// Bytes in pieces, cut at random: sometimes in two, sometimes in crumbs.
    pub fn pieces<'a>(&mut self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let most = match self.below(4) {
            0 => 1,
            1 => 4,
            2 => 64,
            _ => bytes.len().max(1),
        };
        let least = bytes.len() / PIECES_MAX + 1;
        let mut pieces = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, after) = rest
                .split_at_checked(self.below(most) + least)
                .unwrap_or((rest, &[]));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_whole_however_they_are_cut() {
        let mut chance = Chance::new(7);
        let bytes: Vec<u8> = (0..=255).collect();
        for _ in 0..200 {
            assert_eq!(chance.pieces(&bytes).concat(), bytes);
        }
        assert!(chance.pieces(&[]).is_empty());
    }

    #[test]
    fn a_seed_draws_the_same_again() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            (chance.number(), chance.range(9), chance.below(0))
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }
}
