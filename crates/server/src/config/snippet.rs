//! A line of the file with a mark under what is wrong.

use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use crate::spelled::plain;

/// Bytes of a line that are shown before the mark, and behind its beginning.
const BEFORE_BYTES_MAX: usize = 60;
const BEHIND_BYTES_MAX: usize = 80;
/// What a tab is shown as.
const TAB: &str = "    ";
/// What a secret is shown as.
const HIDDEN: &str = "***";

/// What a key that holds a secret is called, in part.
const SECRET_WORDS: &[&str] = &[
    "key",
    "secret",
    "token",
    "passw",
    "pwd",
    "auth",
    "credential",
    "bearer",
    "cookie",
];

/// A line as a person may see it: without secrets, without what would steer a
/// terminal, and not longer than that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    pub(super) line: String,
    /// Columns before the mark, and under it.
    pub(super) before: usize,
    pub(super) under: usize,
}

impl Snippet {
    pub(super) fn of(
        text: &str,
        line_start: usize,
        mark: Range<usize>,
        secrets: &[Range<usize>],
        is_broken: bool,
    ) -> Self {
        let rest = text.get(line_start..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        let mut hidden: Vec<_> = secrets.to_vec();
        if is_broken && let Some(from) = doubtful(line) {
            hidden.push(line_start.saturating_add(from)..usize::MAX);
        }
        let shown_from = mark.start.saturating_sub(BEFORE_BYTES_MAX);
        let shown_to = mark.start.saturating_add(BEHIND_BYTES_MAX);
        let mut out = Self {
            line: String::new(),
            before: 0,
            under: 0,
        };
        let mut was_hidden = false;
        for (at, char) in line.char_indices() {
            let at = line_start.saturating_add(at);
            if at < shown_from || at > shown_to {
                if !out.line.ends_with('…') {
                    out.push("…", at < mark.start, false);
                }
                continue;
            }
            let is_hidden = hidden.iter().any(|secret| secret.contains(&at));
            let (before, under) = (at < mark.start, mark.contains(&at));
            match char {
                _ if is_hidden && was_hidden => {}
                _ if is_hidden => out.push(HIDDEN, before, under),
                '\t' => out.push(TAB, before, under),
                char => out.push(&plain(char.encode_utf8(&mut [0; 4])), before, under),
            }
            was_hidden = is_hidden;
        }
        out.under = out.under.max(1);
        out
    }

    fn push(&mut self, text: &str, is_before: bool, is_under: bool) {
        self.line.push_str(text);
        let width = text.width();
        if is_before {
            self.before = self.before.saturating_add(width);
        } else if is_under {
            self.under = self.under.saturating_add(width);
        }
    }
}

/// From where on a line of a broken file may hold a secret.
fn doubtful(line: &str) -> Option<usize> {
    if line.trim_start().starts_with(['[', '#']) && !line.contains('=') {
        return None;
    }
    match line.find('=') {
        Some(at) if looks_secret(line) => Some(at.saturating_add(1)),
        Some(_) => None,
        // Within a string or a list of several lines.
        None => Some(0),
    }
}

/// Whether what a key holds must not be shown.
pub(super) fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}
