//! What was probably meant.

use strsim::damerau_levenshtein;

/// Longest word that is compared: the comparison takes the product of lengths.
const BYTES_MAX: usize = 64;

/// The known name that is nearest, if one is near: a third of its letters may
/// be wrong. Dashes and capitals cost nothing.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.is_empty() || name.len() > BYTES_MAX {
        return None;
    }
    let plain = |word: &str| word.to_lowercase().replace('-', "_");
    let wanted = plain(name);
    let far = |word: &str| damerau_levenshtein(&wanted, &plain(word));
    known
        .map(|word| (far(word), word))
        .filter(|(far, word)| *far <= (word.len().min(name.len()) / 3).max(1))
        .filter(|(far, word)| *far < word.len().min(name.len()))
        .min_by_key(|(far, _)| *far)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_is_near_and_another_word_is_not() {
        let known = || ["listen", "hosts", "data_dir", "base_url"].into_iter();
        for (written, meant) in [
            ("lisen", Some("listen")),
            ("Listen", Some("listen")),
            ("data-dir", Some("data_dir")),
            ("base_ulr", Some("base_url")),
            ("port", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known()), meant, "{written}");
        }
        assert_eq!(nearest(&"listen".repeat(50), known()), None);
    }
}
