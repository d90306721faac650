//! Where in the file that is written which makes no sense.
//!
//! What a key means is looked at without the text, so a mistake is found by
//! its name. The line is looked up afterwards, for those who must mend it.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ConfigErrors, Environment};

/// How the variable is called that is laid over a key: see [`super::env`].
fn variable(key: &str) -> String {
    format!("BOURSE_{}", key.replace('.', "__").to_ascii_uppercase())
}

/// Adds the file and the line to each problem that begins with a key which is
/// written there. One that a variable was laid over is not.
pub(super) fn located(
    problems: ConfigErrors,
    (name, text): (&str, &str),
    environment: &Environment,
) -> ConfigErrors {
    let Ok(table) = DeTable::parse(text) else {
        return problems;
    };
    let line = |problem: &String| {
        let (key, _) = problem.split_once(": ")?;
        let is_laid_over = !matches!(environment.get(&variable(key)), Ok(None));
        if is_laid_over {
            return None;
        }
        let at = found(table.get_ref(), key)?;
        let before = text.get(..at)?;
        Some(before.matches('\n').count().saturating_add(1))
    };
    let located = problems.0.iter().map(|problem| match line(problem) {
        Some(line) => format!("{problem} ({name}:{line})"),
        None => problem.clone(),
    });
    ConfigErrors(located.collect())
}

/// The byte at which a key such as `admission.batch_keys[1]` is written, or
/// else what is around it: something may be wrong because it is not there.
fn found(table: &DeTable<'_>, key: &str) -> Option<usize> {
    let mut steps = key.split('.');
    let (mut at, mut value) = step(table, steps.next()?)?;
    for name in steps {
        let DeValue::Table(inner) = value else {
            break;
        };
        let Some((place, inside)) = step(inner, name) else {
            break;
        };
        (at, value) = (place, inside);
    }
    Some(at)
}

/// A member by its name, with a place if it is an array: `batch_keys[1]`.
fn step<'t, 'i>(table: &'t DeTable<'i>, name: &str) -> Option<(usize, &'t DeValue<'i>)> {
    let (name, place) = match name.split_once('[') {
        Some((name, place)) => (name, place.strip_suffix(']')?.parse::<usize>().ok()),
        None => (name, None),
    };
    let mut members = table.iter();
    let (key, value): (&Spanned<_>, _) = members.find(|(key, _)| key.get_ref() == name)?;
    if let (Some(place), DeValue::Array(items)) = (place, value.get_ref())
        && let Some(item) = items.get(place)
    {
        return Some((item.span().start, item.get_ref()));
    }
    Some((key.span().start, value.get_ref()))
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn told(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
        let environment = Environment::from_iter(variables.iter().copied());
        Config::parse("bourse.toml", text, &environment)
            .unwrap_err()
            .0
    }

    #[test]
    fn every_mistake_has_the_line_that_it_is_in() {
        let text = "# A comment.\n[deadlines]\nhead_ms = 0\nidle_ms = 3600001\n\n\
            [admission]\nlate_ms = 60001\nbatch_keys = [\n  \"abc\",\n]\n\
            [providers.acme]\nformat = \"openai-chat\"\n";
        let problems = told(text, &[]);
        for (key, line) in [
            ("deadlines.head_ms: 0 ", 3),
            ("deadlines.idle_ms: ", 4),
            ("admission.late_ms: ", 7),
            ("admission.batch_keys[0]: ", 9),
            // It is not there: what it is missing in is.
            ("providers.acme.base_url: ", 11),
        ] {
            let problem = problems.iter().find(|problem| problem.starts_with(key));
            let problem = problem.unwrap_or_else(|| panic!("{key}: {problems:?}"));
            let place = format!(" (bourse.toml:{line})");
            assert!(problem.ends_with(&place), "{problem}");
        }
    }

    #[test]
    fn what_a_variable_says_is_in_no_line() {
        let text = "[deadlines]\nhead_ms = 7\n";
        let problems = told(text, &[("BOURSE_DEADLINES__HEAD_MS", "0")]);
        let [problem] = problems.as_slice() else {
            panic!("{problems:?}");
        };
        assert!(problem.starts_with("deadlines.head_ms: 0 "), "{problem}");
        assert!(!problem.contains("bourse.toml"), "{problem}");
    }

    #[test]
    fn no_deadline_is_zero_negative_or_a_word() {
        for name in [
            "connect_ms",
            "head_ms",
            "first_sign_ms",
            "idle_ms",
            "whole_ms",
            "drain_ms",
        ] {
            for value in ["0", "-1", "\"1s\"", "1.5", "99999999999"] {
                let text = format!("[server]\n\n[deadlines]\n{name} = {value}\n");
                let problems = told(&text, &[]);
                let [problem] = problems.as_slice() else {
                    panic!("{name} = {value}: {problems:?}");
                };
                assert!(
                    problem.contains("bourse.toml:4"),
                    "{name} = {value}: {problem}"
                );
            }
        }
    }
}
