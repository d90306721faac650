//! `log.level`: how much is said, and by whom.
//!
//! What cannot be understood is refused: a filter that does not know a word
//! takes it for the name of somebody who says nothing, and the log would be
//! silent for good, errors included.

use tracing_subscriber::EnvFilter;

use super::near::nearest;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
/// What is said if nothing is said about it.
const USUAL: &str = "info";

/// Reads `log.level`. Empty is as good as absent.
pub(super) fn resolve(given: Option<&str>, problems: &mut Vec<String>) -> String {
    let text = given.map(str::trim).filter(|text| !text.is_empty());
    let text = text.unwrap_or(USUAL);
    for piece in text.split(',').map(str::trim) {
        if is_understood(piece) {
            continue;
        }
        let level = piece.rsplit_once('=').map_or(piece, |(_, level)| level);
        let near = nearest(level, LEVELS.into_iter());
        let near = near.map(|near| format!("; did you mean \"{near}\"?"));
        problems.push(format!(
            "log.level: `{piece}` is neither a level ({}) nor part=level, such as \"bourse=debug\"{}",
            LEVELS.join(", "),
            near.unwrap_or_default()
        ));
    }
    text.to_owned()
}

fn is_level(text: &str) -> bool {
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(text))
}

fn is_understood(piece: &str) -> bool {
    let level = match piece.rsplit_once('=') {
        Some((part, level)) if !part.trim().is_empty() => level,
        Some(_) => return false,
        None => piece,
    };
    is_level(level) && EnvFilter::try_new(piece).is_ok()
}

/// The filter of a level. Statements of the database are many, and of use to
/// nobody who did not ask for them by name (`sqlx=debug`).
pub(crate) fn filter(level: &str) -> String {
    let is_quiet = |piece: &str| {
        let quiet = ["off", "error"];
        quiet.iter().any(|level| level.eq_ignore_ascii_case(piece))
    };
    match level.split(',').map(str::trim).any(is_quiet) {
        true => level.to_owned(),
        false => format!("sqlx=warn,{level}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        resolve(Some(text), &mut problems);
        problems
    }

    #[test]
    fn levels_of_all_and_of_parts_are_taken() {
        for text in [
            "info",
            "WARN",
            "off",
            "bourse=debug",
            "warn, bourse::calls=trace",
        ] {
            assert_eq!(check(text), [""; 0], "{text}");
        }
        for empty in [None, Some(""), Some("  ")] {
            let mut problems = Vec::new();
            assert_eq!(resolve(empty, &mut problems), "info");
            assert!(problems.is_empty());
        }
    }

    #[test]
    fn a_word_that_would_silence_the_log_is_refused_with_those_that_there_are() {
        for text in [
            "inof",
            "bourse",
            "bourse=inof",
            "=debug",
            "info,,warn",
            "5",
            "a[b",
        ] {
            let problems = check(text);
            assert_eq!(problems.len(), 1, "{text}: {problems:?}");
            let all = "(off, error, warn, info, debug, trace)";
            assert!(problems[0].contains(all), "{problems:?}");
        }
    }

    #[test]
    fn statements_are_quiet_unless_they_are_asked_for() {
        assert_eq!(filter("debug"), "sqlx=warn,debug");
        assert_eq!(filter("warn,sqlx=debug"), "sqlx=warn,warn,sqlx=debug");
        assert_eq!(filter("error"), "error");
        assert_eq!(filter("OFF,bourse=info"), "OFF,bourse=info");
    }
}
