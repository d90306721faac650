//! Comparing secrets without telling where they differ.

use std::hint::black_box;

use subtle::ConstantTimeEq;

/// Bytes that are compared at a time.
const WORD: usize = 8;

/// Whether two texts are equal. How long that takes depends on their lengths
/// only, of which nobody makes a secret.
///
/// The comparison of byte strings in `subtle` takes some ten instructions a
/// byte; this one takes words, and has `subtle` judge their sum.
pub(super) fn are_equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut difference = 0;
    let pairs = a.as_chunks::<WORD>().0.iter().zip(b.as_chunks::<WORD>().0);
    for (a, b) in pairs {
        let differs = u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b);
        // Out of the optimizer's sight, or it might stop at the first.
        difference = black_box(difference | differs);
    }
    let (a, b) = (a.as_chunks::<WORD>().1, b.as_chunks::<WORD>().1);
    for (a, b) in a.iter().zip(b) {
        difference = black_box(difference | u64::from(a ^ b));
    }
    difference.ct_eq(&0).into()
}

#[cfg(test)]
mod tests {
    use super::are_equal;

    #[test]
    fn any_differing_bit_is_noticed_wherever_it_is() {
        for length in 0..90 {
            let text: Vec<u8> = (0..length).collect();
            assert!(are_equal(&text, &text.clone()));
            for at in 0..text.len() {
                for bit in 0..8 {
                    let mut other = text.clone();
                    other[at] ^= 1 << bit;
                    assert!(!are_equal(&text, &other), "{length} {at} {bit}");
                }
            }
        }
    }

    #[test]
    fn a_beginning_is_not_the_whole() {
        assert!(!are_equal(b"", b"\0"));
        assert!(!are_equal(b"12345678", b"123456789"));
        assert!(!are_equal(b"12345678\0", b"12345678"));
    }
}
