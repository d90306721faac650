//! The text of a configuration, and which variables were laid over it: where
//! a value comes from.

use std::fmt;
use std::ops::Range;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::problem::{Finding, Place, Point, Problem};
use super::schema::{followed, member, schema, ways};
use super::shape::{first_step, index_of};
use super::snippet::{Snippet, looks_secret};

/// Characters of a model's name that are shown, and of what a variable holds.
const SHOWN_CHARS_MAX: usize = 60;
/// A value that a variable set.
#[derive(Debug, Clone)]
pub(super) struct Laid {
    /// The key.
    pub(super) path: String,
    /// The variable.
    pub(super) variable: String,
    /// What it holds, unless that is secret.
    pub(super) holds: Option<String>,
}

/// The text, and what was laid over it.
#[derive(Clone, Default)]
pub struct Source {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) laid: Vec<Laid>,
    /// It is no TOML, so nobody knows where its secrets are.
    pub(super) is_broken: bool,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).finish()
    }
}

impl Source {
    /// Says of each finding where it is. The text is parsed again for it: only
    /// what is wrong pays.
    pub(super) fn located(&self, findings: Vec<Finding>) -> Vec<Problem> {
        if findings.is_empty() {
            return Vec::new();
        }
        let (table, _) = parsed(&self.text);
        let table = table.get_ref();
        let secrets = secrets(table);
        let place = |finding: &Finding| {
            self.variable(&finding.path).unwrap_or_else(|| {
                let span = found(table, &self.text, &finding.path, finding.point);
                span.map_or(Place::Nowhere, |span| self.place(span, &secrets))
            })
        };
        let problem = |finding: Finding| {
            let place = place(&finding);
            let help = match (&place, &finding.explains) {
                (Place::Variable { .. }, Some(path)) => {
                    Some(format!("did you mean {}?", variable(path)))
                }
                _ => finding.help,
            };
            Problem {
                level: finding.level,
                key: named(table, &finding.path),
                sentence: finding.sentence,
                help,
                place,
            }
        };
        findings.into_iter().map(problem).collect()
    }

    /// The place of a mistake in the text itself.
    pub(super) fn place(&self, span: Range<usize>, secrets: &[Range<usize>]) -> Place {
        let start = span.start.min(self.text.len());
        let before = self.text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let column = before.get(line_start..).unwrap_or_default().chars().count();
        Place::File {
            file: self.name.clone(),
            line: memchr::memchr_iter(b'\n', before.as_bytes())
                .count()
                .saturating_add(1),
            column: column.saturating_add(1),
            snippet: Snippet::of(&self.text, line_start, span, secrets, self.is_broken),
        }
    }

    fn variable(&self, path: &str) -> Option<Place> {
        let within = |laid: &&Laid| {
            let rest = path.strip_prefix(laid.path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let laid = self.laid.iter().rev().find(within)?;
        Some(Place::Variable {
            name: laid.variable.clone(),
            holds: laid.holds.clone(),
        })
    }
}

/// The longest text of which every mistake of the language is looked for. Noise
/// has one at each character, and each is kept.
const RECOVERED_BYTES_MAX: usize = 1 << 20;

/// The text as a table, as far as that is understood, and what is no TOML in it.
pub(super) fn parsed(text: &str) -> (Spanned<DeTable<'_>>, Vec<Error>) {
    if text.len() <= RECOVERED_BYTES_MAX {
        return DeTable::parse_recoverable(text);
    }
    match DeTable::parse(text) {
        Ok(table) => (table, Vec::new()),
        Err(first) => (Spanned::new(0..0, DeTable::new()), vec![first]),
    }
}

/// How the variable is called that is laid over a key.
pub(super) fn variable(path: &str) -> String {
    format!("BOURSE_{}", path.replace('.', "__").to_ascii_uppercase())
}

/// A text of others, as long as it may be.
pub(super) fn shortened(text: &str) -> String {
    let mut out: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        out.push('…');
    }
    out
}

/// The path as a person reads it: which model is the third?
fn named(table: &DeTable<'_>, path: &str) -> String {
    let Some((name, rest)) = first_step(table, path) else {
        return path.to_owned();
    };
    let Some((index, behind)) = index_of(&rest) else {
        return path.to_owned();
    };
    let item = table
        .get(name.as_str())
        .and_then(|value| value.get_ref().get(index));
    let slug = item
        .and_then(|item| item.get_ref().get("slug"))
        .and_then(|slug| slug.get_ref().as_str());
    match slug {
        Some(slug) => format!("{name}[{index}] ({}){behind}", shortened(slug)),
        None => path.to_owned(),
    }
}

/// The bytes in which a value is written, or else its key, or else what is
/// around it: something may be wrong because it is not there.
fn found(table: &DeTable<'_>, text: &str, path: &str, point: Point) -> Option<Range<usize>> {
    let (name, mut rest) = first_step(table, path)?;
    let (key, mut value) = table.get_key_value(name.as_str())?;
    let mut at = key.span();
    while let Some((index, behind)) = index_of(&rest) {
        let Some(item) = value.get_ref().get(index) else {
            return Some(at);
        };
        (at, value, rest) = (first_line(text, item.span()), item, behind.to_owned());
    }
    if let Some(rest) = rest.strip_prefix('.')
        && let DeValue::Table(inner) = value.get_ref()
    {
        return found(inner, text, rest, point).or(Some(at));
    }
    let written = text.get(value.span()).unwrap_or_default();
    let is_section = value.get_ref().is_table() && !written.starts_with('{');
    let is_one_value = !is_section && !is_list_of_sections(text, value.get_ref());
    if point == Point::Value && is_one_value && rest.is_empty() {
        at = first_line(text, value.span());
    }
    Some(at)
}

/// Whether a list is written as `[[name]]` sections, and so in no one place.
fn is_list_of_sections(text: &str, value: &DeValue<'_>) -> bool {
    let first = value.as_array().and_then(|items| items.first());
    first.is_some_and(|item| {
        let written = text.get(item.span()).unwrap_or_default();
        item.get_ref().is_table() && !written.starts_with('{')
    })
}

fn first_line(text: &str, span: Range<usize>) -> Range<usize> {
    let written = text.get(span.clone()).unwrap_or_default();
    let length = written.find('\n').unwrap_or(written.len());
    span.start..span.start.saturating_add(length)
}

/// Where strings are that must not be shown.
fn secrets_of(of: &Value, table: &DeTable<'_>, spans: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        let known = member(of, key.get_ref()).map(followed);
        let is_odd = known.is_none() && looks_secret(key.get_ref());
        secrets_in(known, value, is_odd, spans);
    }
}

fn secrets_in(
    of: Option<&Value>,
    value: &Spanned<DeValue<'_>>,
    is_odd: bool,
    spans: &mut Vec<Range<usize>>,
) {
    let ways = of.map(ways).unwrap_or_default();
    match value.get_ref() {
        DeValue::String(_) if is_odd || ways.iter().any(|way| is_hidden(way)) => {
            spans.push(value.span());
        }
        DeValue::Array(items) => {
            let of = ways.iter().find_map(|way| way.get("items")).map(followed);
            for item in items {
                secrets_in(of.or(of_any(&ways)), item, is_odd, spans);
            }
        }
        DeValue::Table(inner) => match ways.iter().find(|way| way["type"] == "object") {
            Some(_) if ways.len() > 1 => {
                for (key, value) in inner {
                    let known = ways.iter().find_map(|way| member(way, key.get_ref()));
                    // Not a known form of a secret: then it may be one itself.
                    secrets_in(known.map(followed), value, known.is_none(), spans);
                }
            }
            Some(way) => secrets_of(way, inner, spans),
            None => {
                for (key, value) in inner {
                    secrets_in(None, value, is_odd || looks_secret(key.get_ref()), spans);
                }
            }
        },
        // A key without quotes may look like a number or a date.
        _ if is_odd || ways.iter().any(|way| is_hidden(way)) => spans.push(value.span()),
        _ => {}
    }
}

/// A list where a single secret is wanted is a list of secrets.
fn of_any<'s>(ways: &[&'s Value]) -> Option<&'s Value> {
    ways.iter().find(|way| is_hidden(way)).copied()
}

fn is_hidden(way: &Value) -> bool {
    way.get("writeOnly").is_some()
}

/// Whether what a path leads to must not be shown.
pub(super) fn is_secret(path: &str) -> bool {
    let mut of = Some(schema());
    for name in path.split('.') {
        let name = name.split('[').next().unwrap_or(name);
        let here = of.map(ways).unwrap_or_default();
        of = here.iter().find_map(|way| member(way, name)).map(followed);
        if of.is_none() {
            return looks_secret(path);
        }
    }
    let list = of.and_then(|of| of.get("items")).map(followed);
    [of, list]
        .into_iter()
        .flatten()
        .flat_map(ways)
        .any(is_hidden)
}

/// Where secrets are in a whole file.
pub(super) fn secrets(table: &DeTable<'_>) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    secrets_of(schema(), table, &mut spans);
    spans
}
