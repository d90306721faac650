//! `BOURSE_` variables over the file: `BOURSE_SERVER__LISTEN` is
//! `server.listen`. Two underscores separate, one is part of a name.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::near::nearest;
use super::problem::{Finding, Level};
use super::schema::{followed, member, names, schema};
use super::source::{Laid, is_secret, shortened, variable};
use super::{Environment, shape};

const PREFIX: &str = "BOURSE_";
/// Variables of the command line and of the build, which are no keys.
const OTHERS: &[&str] = &["BOURSE_CONFIG", "BOURSE_MANAGEMENT_KEY", "BOURSE_VERSION"];

/// Lays the variables over what the file says, and says which. A value is read
/// as TOML where it is TOML (`true`, `12`, `["a"]`), and as a string otherwise.
/// Variables without `__` (`BOURSE_CONFIG`, …) are not configuration keys. What
/// a variable says stands nowhere in the file: its place is one behind the end,
/// each variable's another.
pub(super) fn lay<'e>(
    table: &mut DeTable<'e>,
    text_bytes: usize,
    environment: &'e Environment,
    found: &mut Vec<Finding>,
) -> Vec<Laid> {
    let (variables, unreadable) = environment.beginning_with(PREFIX);
    let wrong = unreadable
        .iter()
        .map(|why| Finding::told(Level::Error, why));
    found.extend(wrong);
    let mut laid = Vec::new();
    for (name, value) in variables {
        let Some(path) = name.strip_prefix(PREFIX) else {
            continue;
        };
        if !path.contains("__") {
            found.extend(almost(name));
            continue;
        }
        let steps: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
        let at = text_bytes.saturating_add(1).saturating_add(laid.len());
        let value_there = Spanned::new(at..at, parse(value, || at..at));
        set(table, &steps, value_there);
        let path = steps.join(".");
        laid.push(Laid {
            holds: (!is_secret(&path)).then(|| shortened(value)),
            path,
            variable: name.to_owned(),
        });
    }
    laid
}

/// A variable that is no key, but nearly is one.
fn almost(name: &str) -> Option<Finding> {
    if OTHERS.contains(&name) {
        return None;
    }
    let keys: Vec<_> = names(schema())
        .flat_map(|section| {
            let of = member(schema(), section).map(followed);
            let keys: Vec<_> = of.into_iter().flat_map(names).collect();
            keys.into_iter()
                .map(move |key| variable(&shape::below(section, key)))
        })
        .collect();
    let flat: Vec<_> = keys.iter().map(|key| key.replace("__", "_")).collect();
    let near = nearest(name, flat.iter().map(String::as_str))?;
    let index = flat.iter().position(|key| key == near)?;
    let meant = keys.get(index)?;
    let sentence = format!(
        "the environment variable {name} is no key of the configuration and counts for nothing"
    );
    let help = format!("did you mean {meant}, with two underscores?");
    let finding = Finding::new(String::new(), sentence).helped(help);
    Some(Finding {
        level: Level::Warning,
        ..finding
    })
}

fn parse(value: &str, at: impl Fn() -> Range<usize> + Copy) -> DeValue<'_> {
    match DeValue::parse(value.trim()) {
        Ok(read) => moved(read.into_inner(), at),
        Err(_) => DeValue::String(value.into()),
    }
}

/// The same at another place.
fn moved<'v>(value: DeValue<'v>, at: impl Fn() -> Range<usize> + Copy) -> DeValue<'v> {
    let there = |value: Spanned<DeValue<'v>>| Spanned::new(at(), moved(value.into_inner(), at));
    match value {
        DeValue::Array(items) => DeValue::Array(items.into_iter().map(there).collect()),
        DeValue::Table(table) => DeValue::Table(
            table
                .into_iter()
                .map(|(key, value)| (Spanned::new(at(), key.into_inner()), there(value)))
                .collect(),
        ),
        other => other,
    }
}

fn set<'i>(table: &mut DeTable<'i>, path: &[String], value: Spanned<DeValue<'i>>) {
    let at = value.span();
    match path {
        [] => {}
        [last] => {
            table.remove(last.as_str());
            table.insert(Spanned::new(at, last.clone().into()), value);
        }
        [first, rest @ ..] => {
            if !table
                .get(first.as_str())
                .is_some_and(|inner| inner.get_ref().is_table())
            {
                let empty = Spanned::new(at.clone(), DeValue::Table(DeTable::new()));
                table.remove(first.as_str());
                table.insert(Spanned::new(at, first.clone().into()), empty);
            }
            let inner = table.get_mut(first.as_str()).map(Spanned::get_mut);
            if let Some(DeValue::Table(inner)) = inner {
                set(inner, rest, value);
            }
        }
    }
}
