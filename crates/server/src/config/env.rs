//! `BOURSE_` variables over the file: `BOURSE_SERVER__LISTEN` is
//! `server.listen`. Two underscores separate, one is part of a name.

use toml::{Table, Value};

use super::{ConfigErrors, Environment, RawConfig};

const PREFIX: &str = "BOURSE_";

/// Lays the variables over what the file says. A value is read as TOML
/// where it is TOML (`true`, `12`, `["a"]`), and as a string otherwise.
/// Variables without `__` (`BOURSE_CONFIG`, …) are not configuration keys.
///
/// # Errors
/// A variable that names no key, or whose value does not fit it.
pub fn overlay(
    name: &str,
    text: &str,
    raw: RawConfig,
    environment: &Environment,
) -> Result<RawConfig, ConfigErrors> {
    let (variables, problems) = environment.beginning_with(PREFIX);
    if !problems.is_empty() {
        return Err(ConfigErrors(problems));
    }
    let keys: Vec<_> = variables
        .into_iter()
        .filter_map(|(variable, value)| {
            let path = variable.strip_prefix(PREFIX)?;
            path.contains("__").then_some((variable, path, value))
        })
        .collect();
    if keys.is_empty() {
        return Ok(raw);
    }
    let mut problems = Vec::new();
    let mut table: Table = text
        .parse()
        .map_err(|error| ConfigErrors(vec![format!("{name}: {error}")]))?;
    for (variable, path, value) in keys {
        let path: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
        set(&mut table, &path, parse(value));
        // Each variable is tried by itself, so that a mistake names it.
        if let Err(error) = table.clone().try_into::<RawConfig>() {
            problems.push(format!("{variable}: {}", error.message()));
        }
    }
    if !problems.is_empty() {
        return Err(ConfigErrors(problems));
    }
    table
        .try_into()
        .map_err(|error| ConfigErrors(vec![format!("{name}: {error}")]))
}

fn parse(value: &str) -> Value {
    format!("v = {value}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("v"))
        .unwrap_or_else(|| Value::String(value.to_owned()))
}

fn set(table: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [last] => {
            table.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let inner = table
                .entry(first.clone())
                .or_insert_with(|| Value::Table(Table::new()));
            if !inner.is_table() {
                *inner = Value::Table(Table::new());
            }
            if let Some(inner) = inner.as_table_mut() {
                set(inner, rest, value);
            }
        }
    }
}
