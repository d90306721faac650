//! Parameters without names.
//!
//! To SQLite `$1` is a name. Its driver asks for the name of every parameter
//! that it binds, and SQLite goes through all names to find one: for the
//! 1,280 values of a long list that took four fifths of all that SQLite did.
//! A `?` has no name and goes by its place, which is the same wherever the
//! numbers count up from 1. So such statements are run with `?`, and only
//! here: what is shared with other databases says `$1`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Statements as they are run, by where they stand in the program.
/// Statements are constants, so these are as few.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<HashMap<(usize, usize), Arc<str>>>);

impl Places {
    /// `text` with `?` for its parameters, if that means the same.
    pub(super) fn text(&self, text: &'static str) -> Arc<str> {
        let place = (text.as_ptr().addr(), text.len());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.entry(place);
        Arc::clone(
            known.or_insert_with(|| by_place(text).unwrap_or_else(|| text.to_owned()).into()),
        )
    }
}

/// `text` with `?` for `$1`, `$2` and so on; nothing if they stand in another
/// order.
fn by_place(text: &str) -> Option<String> {
    let mut pieces = text.split('$');
    let mut spelled = String::with_capacity(text.len());
    spelled.push_str(pieces.next()?);
    for (number, piece) in (1_usize..).zip(pieces) {
        let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit());
        let (digits, _) = piece.split_at_checked(piece.len().checked_sub(rest.len())?)?;
        if digits.parse() != Ok(number) {
            return None;
        }
        spelled.push('?');
        spelled.push_str(rest);
    }
    Some(spelled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_count_up_are_places_and_others_stay_numbers() {
        let places = Places::default();
        for (text, spelled) in [
            ("SELECT 1", "SELECT 1"),
            (
                "UPDATE t SET a = $1 WHERE b = $2",
                "UPDATE t SET a = ? WHERE b = ?",
            ),
            (
                "INSERT INTO t VALUES ($1, $2), ($3, $4)",
                "INSERT INTO t VALUES (?, ?), (?, ?)",
            ),
            // Used twice, not from 1 on, the other way round.
            (
                "SELECT a FROM t WHERE $1 IS NULL OR b = $1",
                "SELECT a FROM t WHERE $1 IS NULL OR b = $1",
            ),
            ("SELECT $2", "SELECT $2"),
            ("SELECT $2, $1", "SELECT $2, $1"),
        ] {
            assert_eq!(&*places.text(text), spelled);
            assert!(Arc::ptr_eq(&places.text(text), &places.text(text)));
        }
        let twelve: String = (1..=12).map(|n| format!("${n},")).collect();
        assert_eq!(by_place(&twelve), Some("?,".repeat(12)));
    }
}
