//! `[log]`: which calls have a line of their own.

use super::checked::Which;
use super::raw::RawLog;

/// Lines of calls in a second, at most: some 40 KB, which every terminal and
/// collector takes.
const LINES_PER_S: u32 = 100;
/// Lines of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLines {
    /// Of which.
    pub which: Which,
    /// How many in a second, at most.
    pub per_s_max: u32,
}

pub(super) fn resolve(raw: &RawLog) -> CallLines {
    CallLines {
        which: raw.calls.unwrap_or_default(),
        per_s_max: raw.calls_per_s_max.unwrap_or(LINES_PER_S),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Environment};
    use super::*;

    fn parse(lines: &str) -> Result<CallLines, String> {
        let text = format!("[log]\n{lines}\n");
        Config::parse("bourse.toml", &text, &Environment::default())
            .map(|config| config.call_lines)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn failed_calls_have_lines_unless_it_is_said_otherwise() {
        let lines = parse("").unwrap();
        assert_eq!((lines.which, lines.per_s_max), (Which::Failed, 100));
        let lines = parse("calls = \"all\"\ncalls_per_s_max = 5000").unwrap();
        assert_eq!((lines.which, lines.per_s_max), (Which::All, 5_000));
        assert_eq!(parse("calls = \"none\"").unwrap().which, Which::None);
    }

    #[test]
    fn nonsense_is_refused_with_its_line() {
        for (lines, said) in [
            (
                "calls = \"some\"",
                "bourse.toml:2:9: log.calls: `some` is not one of",
            ),
            ("calls = true", "bourse.toml:2:9: "),
            (
                "calls_per_s_max = 0",
                "log.calls_per_s_max: 0 is not between",
            ),
            ("calls_per_s_max = -1", "log.calls_per_s_max: -1 is not"),
            (
                "calls_per_s_max = 100001",
                "log.calls_per_s_max: 100001 is not",
            ),
        ] {
            let refused = parse(lines).unwrap_err();
            assert!(refused.contains(said), "{lines}: {refused}");
        }
    }
}
