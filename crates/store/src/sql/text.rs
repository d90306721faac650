//! Statements: constants that every backend understands.
//!
//! A statement is written once, with [`texts!`], and stays within what
//! SQLite and PostgreSQL (and what speaks its language) have in common; a
//! test reads all of them and refuses the rest, see `sql/portable.rs`.

use std::sync::OnceLock;

/// Declares statements as constants and, for tests, lists them.
macro_rules! texts {
    ($($(#[$about:meta])* $visibility:vis $name:ident = $text:expr;)+) => {
        $($(#[$about])* $visibility const $name: &str = $text;)+
        /// All of the above.
        #[cfg(test)]
        pub(in crate::sql) const TEXTS: &[(&str, &str)] = &[$((stringify!($name), $name)),+];
    };
}
pub(crate) use texts;

/// How many rows one statement takes: few different sizes, so that the
/// statements are few and stay prepared.
const SIZES: [usize; 3] = [64, 8, 1];

/// A statement that takes a list: `VALUES ($1, $2), ($3, $4)` or
/// `IN ($1, $2)`.
#[derive(Debug)]
pub(crate) struct Many {
    /// What stands before the list.
    pub head: &'static str,
    /// Values of one element.
    pub width: usize,
    /// What stands after it.
    pub tail: &'static str,
    /// Whether an element is a row in parentheses.
    pub rows: bool,
    /// The texts for [`SIZES`], made when first needed.
    texts: OnceLock<[String; SIZES.len()]>,
}

impl Many {
    /// `head VALUES rows tail`.
    pub(crate) const fn rows(head: &'static str, width: usize, tail: &'static str) -> Self {
        Self {
            head,
            width,
            tail,
            rows: true,
            texts: OnceLock::new(),
        }
    }

    /// `head (list) tail`.
    pub(crate) const fn list(head: &'static str, tail: &'static str) -> Self {
        Self {
            head,
            width: 1,
            tail,
            rows: false,
            texts: OnceLock::new(),
        }
    }

    /// Cuts `rows` into pieces, each with its text.
    pub(crate) fn pieces<'r, T>(
        &'static self,
        mut rows: &'r [T],
    ) -> impl Iterator<Item = (&'static str, &'r [T])> + use<'r, T> {
        let texts = self.texts.get_or_init(|| SIZES.map(|size| self.text(size)));
        std::iter::from_fn(move || {
            let (size, text) = SIZES
                .iter()
                .zip(texts)
                .find(|(size, _)| rows.len() >= **size)?;
            let (piece, rest) = rows.split_at_checked(*size)?;
            rows = rest;
            Some((text.as_str(), piece))
        })
    }

    /// The text for `size` elements.
    pub(crate) fn text(&self, size: usize) -> String {
        let mut text = String::with_capacity(self.head.len() + self.tail.len() + size * 8);
        text.push_str(self.head);
        text.push_str(if self.rows { " VALUES " } else { " (" });
        let mut number = 0_usize;
        for element in 0..size {
            if element > 0 {
                text.push_str(", ");
            }
            if self.rows {
                text.push('(');
            }
            for value in 0..self.width {
                number = number.saturating_add(1);
                if value > 0 {
                    text.push_str(", ");
                }
                text.push('$');
                text.push_str(&number.to_string());
            }
            if self.rows {
                text.push(')');
            }
        }
        if !self.rows {
            text.push(')');
        }
        if !self.tail.is_empty() {
            text.push(' ');
            text.push_str(self.tail);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_into_few_different_statements() {
        static HOLDS: Many = Many::list("DELETE FROM holds WHERE id IN", "");
        let rows: Vec<usize> = (0..64 + 8 + 8 + 1).collect();
        let sizes: Vec<_> = HOLDS.pieces(&rows).map(|(_, piece)| piece.len()).collect();
        assert_eq!(sizes, [64, 8, 8, 1]);
        let back: Vec<_> = HOLDS.pieces(&rows).flat_map(|(_, piece)| piece).collect();
        assert!(back.into_iter().eq(&rows));
        assert!(HOLDS.pieces(&rows[..0]).next().is_none());
    }

    #[test]
    fn parameters_are_numbered_through_all_rows() {
        static ROWS: Many = Many::rows("INSERT INTO t (a, b)", 2, "RETURNING a");
        assert_eq!(
            ROWS.text(2),
            "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4) RETURNING a"
        );
        assert_eq!(
            Many::list("SELECT a FROM t WHERE a IN", "").text(2),
            "SELECT a FROM t WHERE a IN ($1, $2)"
        );
    }
}
