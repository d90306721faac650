//! Changing inputs: where they have JSON in them, by its structure; and any
//! bytes by bytes.

mod bytes;
mod json;
mod spans;

use crate::chance::Chance;

/// The longest input, in bytes: every bound of a parser that an input can
/// reach cheaply is below it, and the large ones have tests of their own.
pub const INPUT_BYTES_MAX: usize = 48 * 1024;
/// Changes of one input at most.
const CHANGES_MAX: usize = 5;

/// An input made out of `from`, with pieces of `other` in it now and then.
#[must_use]
pub fn mutate(from: &[u8], other: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut input = from.to_vec();
    for _ in 0..=chance.below(CHANGES_MAX) {
        let is_structural = !chance.one_in(4) && json::change(&mut input, other, chance);
        if !is_structural {
            bytes::change(&mut input, other, chance);
        }
        input.truncate(INPUT_BYTES_MAX);
    }
    input
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_text_is_often_json_still_and_often_not() {
        let from = br#"{"a":[1,2,{"b":"c","d":null}],"e":{"f":true},"g":"h"}"#;
        let mut chance = Chance::new(1);
        let mut good = 0;
        for _ in 0..1_000 {
            let input = mutate(from, br#"{"x":{"y":[0]}}"#, &mut chance);
            good += usize::from(bourse_vocab::json::parse(&input).is_ok());
        }
        assert!((200..900).contains(&good), "{good} of 1000");
    }

    #[test]
    fn nothing_and_a_byte_can_be_changed() {
        let mut chance = Chance::new(2);
        for from in [&b""[..], b"{", b"\xff", b"\"", b"[]"] {
            for _ in 0..200 {
                assert!(mutate(from, from, &mut chance).len() <= INPUT_BYTES_MAX);
            }
        }
    }
}
