//! What is wrong where the text is no TOML, in words for those who do not know
//! the language by heart.

use std::ops::Range;

use toml::de::{DeTable, Error};

use super::problem::{Level, PROBLEMS_MAX, Problem};
use super::source::{Source, secrets};

const DUPLICATE: &str = "duplicate key";

/// Whether something is only there twice. The rest can be understood then.
pub(super) fn is_duplicate(error: &Error) -> bool {
    error.message().starts_with(DUPLICATE)
}

/// The mistakes of the language, the first of each line: what follows on it is
/// hardly another.
pub(super) fn problems(source: &Source, broken: &[Error], table: &DeTable<'_>) -> Vec<Problem> {
    let secrets = if broken.is_empty() {
        Vec::new()
    } else {
        secrets(table)
    };
    let mut problems: Vec<Problem> = Vec::new();
    let mut last_line: Option<Range<usize>> = None;
    for error in broken {
        if problems.len() > PROBLEMS_MAX {
            break;
        }
        let span = error.span().unwrap_or(0..0);
        // Before anything is looked for in it: a line of noise may be long, and
        // wrong at every byte.
        let is_on = |line: &Range<usize>| (line.start..=line.end).contains(&span.start);
        if last_line.as_ref().is_some_and(is_on) {
            continue;
        }
        last_line = Some(line_around(&source.text, span.start));
        let span = unquoted(&source.text, span.start).unwrap_or(span);
        let place = source.place(span.clone(), &secrets);
        let line = whole_line(&source.text, span.start);
        let (sentence, help) = said(error, line, source.text.get(span));
        problems.push(Problem {
            level: Level::Error,
            key: String::new(),
            sentence,
            help,
            place,
        });
    }
    problems
}

/// Where the line is in which something stands, without its end.
fn line_around(text: &str, at: usize) -> Range<usize> {
    let at = at.min(text.len());
    let (before, behind) = text.split_at_checked(at).unwrap_or((text, ""));
    let from = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let to = behind
        .find('\n')
        .map_or(text.len(), |end| at.saturating_add(end));
    from..to
}

fn whole_line(text: &str, at: usize) -> &str {
    text.get(line_around(text, at)).unwrap_or_default().trim()
}

/// Whether a section's name is what is broken: then nobody knows in which
/// section the lines below it are.
pub(super) fn is_in_header(text: &str, error: &Error) -> bool {
    let at = error.span().map_or(0, |span| span.start);
    whole_line(text, at).starts_with('[')
}

/// All of a value that should have been in quotes: the language only complains
/// of where it stops to be a number.
fn unquoted(text: &str, at: usize) -> Option<Range<usize>> {
    let line_start = text
        .get(..at)?
        .rfind('\n')
        .map_or(0, |at| at.saturating_add(1));
    let line = text.get(line_start..)?.split(['\n', '#']).next()?;
    let (key, value) = line.split_once('=')?;
    let indent = value.len().saturating_sub(value.trim_start().len());
    let start = line_start
        .saturating_add(key.len())
        .saturating_add(1)
        .saturating_add(indent);
    let value = value.trim();
    let is_bare = value.starts_with(bare) && at >= start;
    is_bare.then(|| start..start.saturating_add(value.len()))
}

fn bare(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '/'
}

fn said(error: &Error, line: &str, marked: Option<&str>) -> (String, Option<String>) {
    let message = error.message().lines().next().unwrap_or("not TOML");
    if is_duplicate(error) {
        let name = marked.unwrap_or_default();
        let sentence = format!("`{name}` is there twice");
        let help = "keep one of the two; a section is written once, with all of its keys";
        return (sentence, Some(help.to_owned()));
    }
    let value = line.split_once('=').map(|(_, value)| value.trim());
    let help = match value {
        _ if line.chars().any(|char| char.is_control() && char != '\t') => {
            Some("there is a control character on this line: take it out")
        }
        _ if line.contains(['“', '”', '‘', '’']) => Some("write plain quotes: \""),
        _ if line.starts_with('{') => {
            Some("this is TOML, not JSON: write [section], and name = value on lines below it")
        }
        None if line.starts_with('[') => {
            Some("a section is written [name], a list of them [[name]]")
        }
        None if line.contains(": ") || line.ends_with(':') => {
            Some("write = between a key and its value: this is TOML, not YAML")
        }
        None => Some("a line is a section, [name], or a key and its value: name = value"),
        Some("") => Some("write a value behind =, or take the line out"),
        Some(value) if value.starts_with(bare) => {
            Some("write text in quotes; numbers, true and false without")
        }
        Some(value)
            if value.starts_with(['"', '\'']) && value.matches(['"', '\'']).count() == 1 =>
        {
            Some("close the quotes on the same line")
        }
        Some(_) => None,
    };
    (format!("not TOML: {message}"), help.map(str::to_owned))
}
