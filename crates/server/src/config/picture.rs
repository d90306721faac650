//! A problem as a person sees it: the sentence, the line, a mark under what is
//! wrong, and what to do.

use std::fmt::Write as _;

use super::problem::{Level, Place, Problem};
use crate::spelled::plain;

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const BLUE: &str = "\x1b[1;34m";
const CYAN: &str = "\x1b[1;36m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// A problem over several lines, for a person.
#[must_use]
pub fn told(problem: &Problem, in_colour: bool) -> String {
    let paint = |colour: &'static str| if in_colour { colour } else { "" };
    let (end, blue) = (paint(PLAIN), paint(BLUE));
    let colour = paint(match problem.level {
        Level::Error => RED,
        Level::Warning => YELLOW,
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
