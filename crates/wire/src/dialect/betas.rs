//! Features in beta that a vendor is asked for by a header.
//!
//! A caller names some in `x-anthropic-beta`, separated by commas
//! (openrouter.ai/docs, provider selection, October 2026). What a name does,
//! and costs, is known of few: longer contexts and tools that the vendor runs
//! have prices of their own. So those on a list are handed on, and the others
//! are left out and reported.

use bourse_vocab::chat::Loss;

/// The header in which callers name them.
pub const ASKED_IN: &str = "x-anthropic-beta";
/// Names of one call that are looked at; the vendor has a few dozen.
const NAMES_MAX: usize = 16;
/// Characters of a name that are repeated in a report.
const NAME_CHARS_MAX: usize = 64;

/// Which features a vendor may be asked for, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Betas {
    /// The header that it reads.
    pub header: &'static str,
    /// The features, as they are named there.
    pub names: &'static [&'static str],
}

impl Betas {
    /// What the vendor is asked for, of what a caller asks for; empty if that
    /// is nothing.
    #[must_use]
    pub fn told(&self, asked: &str) -> String {
        let known = self
            .names
            .iter()
            .filter(|name| asks(asked).any(|one| one == **name));
        let known: Vec<&str> = known.copied().collect();
        known.join(",")
    }

    /// What it is not asked for.
    pub fn lost<'a>(&'a self, asked: &'a str) -> impl Iterator<Item = Loss> + 'a {
        let unknown = asks(asked).filter(|name| !self.names.contains(name));
        unknown.map(|name| {
            let name: String = name.chars().take(NAME_CHARS_MAX).collect();
            Loss::new(
                format!("{ASKED_IN}: {}", name.escape_debug()),
                "is on no list of what may be asked for",
            )
        })
    }
}

fn asks(asked: &str) -> impl Iterator<Item = &str> {
    let names = asked.split(',').map(str::trim);
    names.filter(|name| !name.is_empty()).take(NAMES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: Betas = Betas {
        header: "anthropic-beta",
        names: &["a-2025", "b-2025"],
    };

    #[test]
    fn what_is_on_the_list_is_asked_for_once_and_the_rest_is_reported() {
        for (asked, told, lost) in [
            ("", "", &[][..]),
            ("a-2025", "a-2025", &[]),
            (" b-2025 ,, a-2025,b-2025", "a-2025,b-2025", &[]),
            ("c-2025, a-2025", "a-2025", &["x-anthropic-beta: c-2025"]),
            ("A-2025", "", &["x-anthropic-beta: A-2025"]),
            ("a-2025x", "", &["x-anthropic-beta: a-2025x"]),
        ] {
            assert_eq!(SOME.told(asked), told, "{asked}");
            let fields: Vec<_> = SOME.lost(asked).map(|loss| loss.field).collect();
            assert_eq!(fields, lost, "{asked}");
        }
        let many = "x,".repeat(1_000);
        assert_eq!(SOME.lost(&many).count(), NAMES_MAX);
        let long = "y".repeat(1_000);
        assert!(SOME.lost(&long).all(|loss| loss.field.len() < 100));
    }
}
