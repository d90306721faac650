//! A line of the file with a mark under what is wrong.

use std::fmt::Write as _;
use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use super::problem::{Place, Problem};
use super::source::looks_secret;
use crate::cli::plain;

/// Bytes of a line that are shown before the mark, and behind its beginning.
const BEFORE_BYTES_MAX: usize = 60;
const BEHIND_BYTES_MAX: usize = 80;
/// What a tab is shown as.
const TAB: &str = "    ";
/// What a secret is shown as.
const HIDDEN: &str = "***";

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const BLUE: &str = "\x1b[1;34m";
const CYAN: &str = "\x1b[1;36m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// A line as a person may see it: without secrets, without what would steer a
/// terminal, and not longer than that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    line: String,
    /// Columns before the mark, and under it.
    before: usize,
    under: usize,
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

/// A problem over several lines, for a person.
#[must_use]
pub fn told(problem: &Problem, in_colour: bool) -> String {
    let paint = |colour: &'static str| if in_colour { colour } else { "" };
    let (end, blue) = (paint(PLAIN), paint(BLUE));
    let colour = paint(match problem.level {
        super::Level::Error => RED,
        super::Level::Warning => YELLOW,
    });
    let word = problem.level.word();
    let key = match problem.key.is_empty() {
        true => String::new(),
        false => format!("{}: ", plain(&problem.key)),
    };
    let sentence = plain(&problem.sentence);
    let mut out = format!("{colour}{word}{end}{}: {key}{sentence}{end}\n", paint(BOLD));
    // Writing to a string does not fail.
    let mut gutter = 1;
    match &problem.place {
        Place::Nowhere => {}
        Place::Variable { name, holds } => {
            let holds = holds.as_ref().map(|holds| format!("={}", plain(holds)));
            let holds = holds.unwrap_or_default();
            let _ = writeln!(out, " {blue}-->{end} variable {}{holds}", plain(name));
        }
        Place::File {
            file,
            line,
            column,
            snippet,
        } => {
            let number = line.to_string();
            gutter = number.len();
            let space = " ".repeat(gutter);
            let (before, under) = (" ".repeat(snippet.before), "^".repeat(snippet.under));
            let file = plain(file);
            let _ = write!(
                out,
                "{space}{blue}-->{end} {file}:{line}:{column}\n\
                 {space} {blue}|{end}\n\
                 {blue}{number} |{end} {}\n\
                 {space} {blue}|{end} {before}{colour}{under}{end}\n",
                snippet.line,
            );
        }
    }
    if let Some(help) = &problem.help {
        let (space, cyan) = (" ".repeat(gutter), paint(CYAN));
        let help = plain(help);
        let _ = writeln!(out, "{space} {blue}={end} {cyan}help{end}: {help}");
    }
    out
}
