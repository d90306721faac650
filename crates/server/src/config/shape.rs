//! Whether everything that is written has the shape that it must have: known
//! keys, right kinds of values. All mistakes are found, not only the first, and
//! each with its path; what is wrong is taken out, so that the rest can still be
//! understood.

use std::collections::HashSet;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::near::nearest;
use super::problem::{Finding, PROBLEMS_MAX, Point};
use super::schema::{followed, member, names, schema, ways};

/// Names that are listed where none is near.
const NAMES_SHOWN_MAX: usize = 16;

/// Everything about the shape that is wrong. What is wrong is cut out of the
/// table, unless that is more than anybody is told.
pub(super) fn check(table: &mut DeTable<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    table_of(schema(), table, "", &mut found);
    // A key that is misspelled is not missing as well.
    let explained: HashSet<_> = found
        .iter()
        .filter_map(|one: &Finding| one.explains.clone())
        .collect();
    found.retain(|one| !explained.contains(&one.path));
    if found.len() <= PROBLEMS_MAX {
        for finding in &found {
            cut(table, &finding.cut);
        }
    }
    found
}

/// A path with one more name.
pub(super) fn below(path: &str, name: &str) -> String {
    match path.is_empty() {
        true => name.to_owned(),
        false => format!("{path}.{name}"),
    }
}

fn table_of(schema: &Value, table: &DeTable<'_>, path: &str, found: &mut Vec<Finding>) {
    for (key, value) in table {
        if found.len() > PROBLEMS_MAX {
            return;
        }
        let name: &str = key.get_ref();
        let path = below(path, name);
        match member(schema, name) {
            Some(known) => value_of(followed(known), value.get_ref(), &path, found),
            None => found.push(unknown(schema, name, &path)),
        }
    }
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if !table.keys().any(|key| key.get_ref() == name) {
            let sentence = "missing: this table must have it".to_owned();
            found.push(Finding::new(below(path, name), sentence).cutting(path));
        }
    }
}

fn unknown(schema: &Value, name: &str, path: &str) -> Finding {
    let known: Vec<_> = names(schema).collect();
    let what = match path.contains('.') {
        true => "unknown key",
        false => "unknown section or key",
    };
    let finding = Finding::new(path.to_owned(), what.to_owned()).at(Point::Key);
    if let Some(near) = nearest(name, known.iter().copied()) {
        let parent = path.strip_suffix(name).unwrap_or_default();
        return finding
            .also(format!("{parent}{near}"))
            .helped(format!("did you mean `{near}`?"));
    }
    if let Some(section) = section_with(name).filter(|_| !path.contains('[')) {
        return finding.helped(format!("`{name}` belongs into [{section}]"));
    }
    let shown = known.get(..NAMES_SHOWN_MAX.min(known.len()));
    let mut shown = shown.unwrap_or_default().join(", ");
    if known.len() > NAMES_SHOWN_MAX {
        shown.push_str(", …");
    }
    finding.helped(format!("known here: {shown}"))
}

/// The only section that has a key of this name.
fn section_with(name: &str) -> Option<&'static str> {
    let mut with = names(schema()).filter(|section| {
        let section = member(schema(), section).map(followed);
        section.is_some_and(|section| names(section).any(|key| key == name))
    });
    let only = with.next()?;
    with.next().is_none().then_some(only)
}

fn value_of(schema: &Value, value: &DeValue<'_>, path: &str, found: &mut Vec<Finding>) {
    let ways = ways(schema);
    let fit: Vec<_> = ways
        .iter()
        .filter(|way| is_kind(way, value))
        .copied()
        .collect();
    let [first, others @ ..] = fit.as_slice() else {
        found.push(wrong_kind(schema, value, path));
        return;
    };
    let mut best = Vec::new();
    inside(first, value, path, &mut best);
    for way in others {
        let mut other = Vec::new();
        inside(way, value, path, &mut other);
        if other.is_empty() {
            return;
        }
    }
    // Which of several tables was meant is not for us to say; and a word that
    // none of them is may belong elsewhere.
    let is_open = !others.is_empty() || (value.is_str() && ways.len() > 1);
    if !best.is_empty() && is_open {
        let expected = format!("expected {}", words(schema));
        best = vec![Finding::new(path.to_owned(), expected)];
    }
    found.extend(best);
}

fn inside(schema: &Value, value: &DeValue<'_>, path: &str, found: &mut Vec<Finding>) {
    match value {
        DeValue::Table(table) => table_of(schema, table, path, found),
        DeValue::Array(items) => {
            let Some(of) = schema.get("items").map(followed) else {
                return;
            };
            for (index, item) in items.iter().enumerate() {
                value_of(of, item.get_ref(), &format!("{path}[{index}]"), found);
            }
        }
        DeValue::Integer(_) => found.extend(out_of_range(schema, value, path)),
        DeValue::String(text) => found.extend(no_such_word(schema, text, path)),
        _ => {}
    }
}

fn out_of_range(schema: &Value, value: &DeValue<'_>, path: &str) -> Option<Finding> {
    let written = value.as_integer()?;
    let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
    let Ok(number) = i64::from_str_radix(written.as_str(), written.radix()) else {
        let sentence = format!("{written} is no whole number up to {}", i64::MAX);
        return Some(Finding::new(path.to_owned(), sentence));
    };
    let (least, most) = (bound("minimum"), bound("maximum"));
    let is_fine =
        least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most);
    if is_fine {
        return None;
    }
    let sentence = match (least, most) {
        (Some(0), _) if number < 0 => format!("{number} is negative"),
        (Some(least), Some(most)) if most != i64::from(u32::MAX) => {
            format!("{number} is not between {least} and {most}")
        }
        _ if least.is_some_and(|least| number < least) => format!("{number} is too small a number"),
        _ => format!("{number} is too large a number"),
    };
    Some(Finding::new(path.to_owned(), sentence))
}

fn no_such_word(schema: &Value, text: &str, path: &str) -> Option<Finding> {
    let words: Vec<_> = schema.get("enum")?.as_array()?.iter().collect();
    let words: Vec<_> = words.iter().filter_map(|word| word.as_str()).collect();
    if words.contains(&text) {
        return None;
    }
    let known: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    let is_secret = schema.get("writeOnly").is_some();
    let sentence = match is_secret {
        true => format!("is not one of {}", known.join(", ")),
        false => format!("`{text}` is not one of {}", known.join(", ")),
    };
    let finding = Finding::new(path.to_owned(), sentence);
    Some(match nearest(text, words.iter().copied()) {
        Some(near) => finding.helped(format!("did you mean \"{near}\"?")),
        None => finding,
    })
}

fn is_kind(schema: &Value, value: &DeValue<'_>) -> bool {
    let kind = schema.get("type").and_then(Value::as_str);
    match kind {
        Some("string") => value.is_str(),
        Some("integer") => value.is_integer(),
        Some("number") => value.is_integer() || value.is_float(),
        Some("boolean") => value.is_bool(),
        Some("array") => value.is_array(),
        Some("object") => value.is_table(),
        _ => true,
    }
}

fn wrong_kind(schema: &Value, value: &DeValue<'_>, path: &str) -> Finding {
    let sentence = format!("expected {}, found {}", words(schema), kind(value));
    let finding = Finding::new(path.to_owned(), sentence);
    let wants = |kind: &str| ways(schema).iter().any(|way| way["type"] == kind);
    let help = match value {
        DeValue::Table(_) if wants("array") => Some(format!(
            "write [[{path}]], in two brackets, for each of them"
        )),
        DeValue::String(text) if wants("integer") && text.parse::<i64>().is_ok() => {
            Some(format!("write it without quotes: {text}"))
        }
        DeValue::String(text) if wants("boolean") && matches!(&**text, "true" | "false") => {
            Some(format!("write it without quotes: {text}"))
        }
        DeValue::String(_) if wants("integer") && path.ends_with("_ms") => {
            Some("write a number of milliseconds: 1500 is a second and a half".to_owned())
        }
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) if wants("string") => {
            Some("write it in quotes".to_owned())
        }
        DeValue::String(_) if wants("array") => {
            Some("write it in brackets, also if it is only one".to_owned())
        }
        _ if wants("object") && !path.contains('[') => Some(format!(
            "write [{path}] on a line of its own, and its keys below it"
        )),
        _ => None,
    };
    match help {
        Some(help) => finding.helped(help),
        None => finding,
    }
}

/// What must be written, in plain words.
fn words(schema: &Value) -> String {
    if ways(schema).len() > 1
        && let Some(title) = schema.get("title").and_then(Value::as_str)
    {
        return title.to_owned();
    }
    let kind = schema.get("type").and_then(Value::as_str);
    match kind {
        Some("string") => "a string",
        Some("integer") => "a whole number",
        Some("number") => "a number",
        Some("boolean") => "true or false",
        Some("array") => "a list",
        _ => "a table",
    }
    .to_owned()
}

const fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Takes a value out: the named member that it is, or is in a list of. Lists
/// stay whole or go, so that places in them stay what they are.
pub(super) fn cut(table: &mut DeTable<'_>, path: &str) {
    let Some((name, rest)) = first_step(table, path) else {
        return;
    };
    let goes_on = !rest.is_empty() && rest.contains('.');
    if goes_on && let Some(value) = table.get_mut(name.as_str()) {
        let mut rest = rest.as_str();
        let mut value = value;
        while let Some((index, behind)) = index_of(rest) {
            let item = value.get_mut();
            let DeValue::Array(items) = item else { return };
            let Some(item) = items.get_mut(index) else {
                return;
            };
            (value, rest) = (item, behind);
        }
        if let Some(rest) = rest.strip_prefix('.')
            && let DeValue::Table(inner) = value.get_mut()
        {
            cut(inner, rest);
        }
        return;
    }
    table.remove(name.as_str());
}

/// The member that a path begins with: the longest, because a name may have a
/// dot in it.
pub(super) fn first_step(table: &DeTable<'_>, path: &str) -> Option<(String, String)> {
    let names = table.keys().map(|key: &Spanned<_>| &**key.get_ref());
    let begun = names.filter_map(|name: &str| {
        let rest = path.strip_prefix(name)?;
        let ends = rest.is_empty() || rest.starts_with(['.', '[']);
        ends.then(|| (name.to_owned(), rest.to_owned()))
    });
    begun.max_by_key(|(name, _)| name.len())
}

/// `[3]` and what is behind it.
pub(super) fn index_of(rest: &str) -> Option<(usize, &str)> {
    let (index, behind) = rest.strip_prefix('[')?.split_once(']')?;
    Some((index.parse().ok()?, behind))
}
