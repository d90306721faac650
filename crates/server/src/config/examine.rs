//! From text and variables to a configuration, with everything that is wrong
//! found in one go: what is no TOML, what has another shape, what makes no
//! sense. What a mistake explains is not told as another.

use std::sync::Arc;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Finding, Level, PROBLEMS_MAX, Place, Problem};
use super::source::Source;
use super::written::Writer;
use super::{Config, ConfigErrors, Environment, RawConfig, env, resolve, shape, source, syntax};

/// Values that are taken out because only reading them showed that they are
/// wrong; each costs another reading of the whole.
const REREADS_MAX: usize = 64;

/// What came of it. A configuration is there unless the text is no TOML; it is
/// none to be used if there are errors.
pub struct Examined {
    /// What it means, as far as that is known.
    pub config: Option<Config>,
    /// What is wrong with it.
    pub errors: Vec<Problem>,
}

impl Examined {
    /// The configuration, if nothing is wrong with it.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn good(self) -> Result<Config, ConfigErrors> {
        match self.config {
            Some(config) if self.errors.is_empty() => Ok(config),
            _ => Err(ConfigErrors(self.errors)),
        }
    }
}

pub(super) fn examine(name: &str, text: &str, environment: &Environment) -> Examined {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (table, broken) = source::parsed(text);
    let mut source = Source {
        name: name.to_owned(),
        text: text.to_owned(),
        laid: Vec::new(),
        is_broken: broken.iter().any(|error| !syntax::is_duplicate(error)),
    };
    let mut errors = syntax::problems(&source, &broken, table.get_ref());
    let (span, mut table) = (table.span(), table.into_inner());
    let mut found = Vec::new();
    source.laid = env::lay(&mut table, text.len(), environment, &mut found);
    found.extend(shape::check(&mut table));
    if found.len() > PROBLEMS_MAX {
        // Nothing of it was cut out, and nothing more is looked for.
        found.truncate(PROBLEMS_MAX.saturating_add(1));
        errors.extend(source.located(found));
        return Examined {
            config: None,
            errors: sorted(errors),
        };
    }
    if source.is_broken {
        // What follows from a mistake of the language is no other mistake.
        if broken.iter().any(|error| syntax::is_in_header(text, error)) {
            found.clear();
        }
        let shape = source.located(found);
        let is_new = |problem: &Problem| {
            let next = |at: usize| is_at(&errors, at) || is_at(&errors, at.saturating_add(1));
            line(problem).is_some_and(|at| !next(at))
        };
        let shape: Vec<_> = shape.into_iter().filter(is_new).collect();
        errors.extend(shape);
        return Examined {
            config: None,
            errors: sorted(errors),
        };
    }
    let written = Writer::new(&source, &table).all(&table);
    let raw = read(&Spanned::new(span, table), &source, &mut found);
    let (mut config, meant) = resolve::resolve(&raw, environment);
    let is_caused = |finding: &Finding| found.iter().any(|cause| cause.is_cause_of(&finding.path));
    let meant: Vec<_> = meant.into_iter().filter(|one| !is_caused(one)).collect();
    found.extend(meant);
    let (wrong, odd): (Vec<_>, Vec<_>) = source
        .located(found)
        .into_iter()
        .partition(|problem| problem.level == Level::Error);
    errors.extend(wrong);
    config.warnings = sorted(odd);
    config.written = written;
    config.write_down_keys();
    config.source = Arc::new(source);
    Examined {
        config: Some(config),
        errors: sorted(errors),
    }
}

fn line(problem: &Problem) -> Option<usize> {
    match problem.place {
        Place::File { line, .. } => Some(line),
        _ => None,
    }
}

fn is_at(problems: &[Problem], at: usize) -> bool {
    problems.iter().any(|problem| line(problem) == Some(at))
}

/// In the order of the file, and not without end.
pub(super) fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| match &problem.place {
        Place::File { line, column, .. } => (0, *line, *column),
        Place::Variable { .. } => (1, 0, 0),
        Place::Nowhere => (2, 0, 0),
    });
    problems.dedup();
    let others = problems.len().saturating_sub(PROBLEMS_MAX);
    if others > 0 {
        let level = problems.first().map_or(Level::Error, |first| first.level);
        problems.truncate(PROBLEMS_MAX);
        problems.push(Problem {
            level,
            key: String::new(),
            sentence: "and more".to_owned(),
            help: None,
            place: Place::Nowhere,
        });
    }
    problems
}

/// Reads what has the right shape. What is refused all the same is taken out,
/// until the rest is understood.
fn read(table: &Spanned<DeTable<'_>>, source: &Source, found: &mut Vec<Finding>) -> RawConfig {
    let (span, mut table) = (table.span(), table.get_ref().clone());
    for _ in 0..REREADS_MAX {
        let whole = Spanned::new(span.clone(), table.clone());
        let error = match RawConfig::deserialize(toml::de::Deserializer::from(whole)) {
            Ok(raw) => return raw,
            Err(error) => error,
        };
        let at = error.span().map_or(0, |span| span.start);
        let behind = at.checked_sub(source.text.len().saturating_add(1));
        let laid = behind.and_then(|index| source.laid.get(index));
        let path = match laid {
            Some(laid) => laid.path.clone(),
            None => path_at(&table, at).unwrap_or_default(),
        };
        let sentence = error.message().lines().next().unwrap_or_default();
        // Said by those who know the key alone.
        let begins = format!("{}: ", path.rsplit('.').next().unwrap_or_default());
        let sentence = sentence.strip_prefix(&begins).unwrap_or(sentence);
        // What is wrong inside explains that the whole is not understood.
        let is_inside =
            |inner: &Finding| inner.level == Level::Error && inner.path.starts_with(&path);
        if !found.iter().any(is_inside) {
            found.push(Finding::new(path.clone(), sentence.to_owned()));
        }
        if path.is_empty() {
            break;
        }
        shape::cut(&mut table, &path);
    }
    RawConfig::default()
}

/// The path of the innermost value that is written at a place.
fn path_at(table: &DeTable<'_>, at: usize) -> Option<String> {
    let mut best: Option<(usize, String)> = None;
    for (key, value) in table {
        let name = key.get_ref();
        let inner = inside(value, at).map(|(width, rest)| (width, format!("{name}{rest}")));
        let own = key.span().contains(&at).then(|| (0, name.to_string()));
        for found in own.into_iter().chain(inner) {
            if best.as_ref().is_none_or(|(width, _)| found.0 < *width) {
                best = Some(found);
            }
        }
    }
    best.map(|(_, path)| path)
}

/// How wide the innermost value is, and its path below this one.
fn inside(value: &Spanned<DeValue<'_>>, at: usize) -> Option<(usize, String)> {
    let span = value.span();
    let own = span.contains(&at).then(|| (span.len(), String::new()));
    let below: Option<(usize, String)> = match value.get_ref() {
        DeValue::Table(table) => table
            .iter()
            .filter_map(|(key, value)| {
                let name = key.get_ref();
                let own = key.span().contains(&at).then(|| (0, String::new()));
                let (width, rest) = own.or_else(|| inside(value, at))?;
                Some((width, format!(".{name}{rest}")))
            })
            .min_by_key(|(width, _)| *width),
        DeValue::Array(items) => items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| {
                let (width, rest) = inside(item, at)?;
                Some((width, format!("[{index}]{rest}")))
            })
            .min_by_key(|(width, _)| *width),
        _ => None,
    };
    // Sections may be anywhere in the file, and not within their parents.
    below.or(own)
}

#[cfg(test)]
mod tests;
