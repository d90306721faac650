//! What the rules let pass: `xtask/check.toml`.
//!
//! An entry names what it is about and says why. One that is about nothing
//! any more is a problem, and where a rule counts, so is one that allows
//! more than there is: the file follows the code down and never up.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Problem;

/// The file.
pub const FILE: &str = "xtask/check.toml";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<usize>,
}

const HEADER: &str = "\
# What `cargo xtask check` lets pass, by rule and subject, each with its
# reason. This file follows the code and may only shrink: an entry that is
# about nothing any more fails the check, and so does an amount that is too
# high. `cargo xtask check --shrink` takes out and lowers what it can; it
# never adds.
";

/// Exceptions by rule and subject.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Allowed(BTreeMap<String, BTreeMap<String, Entry>>);

impl Allowed {
    /// Reads the file.
    ///
    /// # Errors
    /// It is not there, or is not what it must be.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{FILE}: {e}"))?;
        toml::from_str(&text).map_err(|e| format!("{FILE}: {e}"))
    }

    /// Takes away what is allowed, and adds entries that are out of date.
    pub fn apply(&self, found: Vec<Problem>) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (rule, entries) in &self.0 {
            for (subject, entry) in entries {
                problems.extend(entry.outdated(rule, subject, &found));
            }
        }
        problems.extend(found.into_iter().filter(|problem| !self.allows(problem)));
        problems
    }

    /// Takes out what is about nothing any more and lowers amounts to what
    /// there is.
    pub fn shrink(&mut self, found: &[Problem]) {
        for (rule, entries) in &mut self.0 {
            entries.retain(|subject, entry| match most(rule, subject, found) {
                None => false,
                Some(amount) => {
                    entry.amount = entry.amount.min(amount);
                    true
                }
            });
        }
        self.0.retain(|_, entries| !entries.is_empty());
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let mut text = HEADER.to_owned();
        for (rule, entries) in &self.0 {
            text.push_str(&format!("\n[{rule}]\n"));
            for (subject, entry) in entries {
                let entry = toml::Value::try_from(entry).map_err(|e| format!("{FILE}: {e}"))?;
                let subject = toml::Value::from(subject.as_str());
                text.push_str(&format!("{subject} = {entry}\n"));
            }
        }
        std::fs::write(path, text).map_err(|e| format!("{FILE}: {e}"))
    }

    fn allows(&self, problem: &Problem) -> bool {
        self.0
            .get(problem.rule)
            .and_then(|entries| entries.get(&problem.subject))
            .is_some_and(|entry| {
                problem
                    .amount
                    .is_none_or(|found| Some(found) <= entry.amount)
            })
    }
}

impl Entry {
    fn outdated(&self, rule: &str, subject: &str, found: &[Problem]) -> Option<Problem> {
        let said = |message: String| {
            Some(Problem::new(
                "allowed",
                format!("{rule} / {subject}"),
                message,
            ))
        };
        if self.why.trim().is_empty() {
            return said("the entry gives no reason".to_owned());
        }
        let Some(most) = most(rule, subject, found) else {
            return said("nothing is wrong there any more: take the entry out".to_owned());
        };
        match (most, self.amount) {
            (Some(found), Some(allowed)) if found < allowed => {
                said(format!("it is {found} now: lower the entry from {allowed}"))
            }
            _ => None,
        }
    }
}

/// The largest amount of what was found about a subject; nothing if nothing
/// was.
fn most(rule: &str, subject: &str, found: &[Problem]) -> Option<Option<usize>> {
    found
        .iter()
        .filter(|problem| problem.rule == rule && problem.subject == subject)
        .map(|problem| problem.amount)
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(text: &str) -> Allowed {
        toml::from_str(text).unwrap()
    }

    fn counted(subject: &str, amount: usize) -> Problem {
        Problem {
            amount: Some(amount),
            ..Problem::new("lengths", subject, "long")
        }
    }

    #[test]
    fn an_entry_lets_pass_what_it_names_and_nothing_else() {
        let allowed = allowed("[circles]\n\"a b\" = { why = \"because\" }\n");
        let found = ["a b", "a c"].map(|subject| Problem::new("circles", subject, "x"));
        let left = allowed.apply(found.to_vec());
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].subject, "a c");
        let other = Problem::new("arrows", "a b", "x");
        assert_eq!(allowed.apply(vec![found[0].clone(), other]).len(), 1);
    }

    #[test]
    fn an_entry_about_nothing_or_without_a_reason_is_a_problem() {
        let stale = allowed("[circles]\n\"a b\" = { why = \"because\" }\n");
        let left = stale.apply(Vec::new());
        assert!(left[0].message.contains("take the entry out"));
        let bare = allowed("[circles]\n\"a b\" = { why = \" \" }\n");
        let left = bare.apply(vec![Problem::new("circles", "a b", "x")]);
        assert!(left[0].message.contains("no reason"));
    }

    #[test]
    fn an_amount_may_fall_and_never_rise() {
        let allowed = allowed("[lengths]\n\"f\" = { why = \"a table\", amount = 80 }\n");
        assert!(allowed.apply(vec![counted("f", 80)]).is_empty());
        assert_eq!(allowed.apply(vec![counted("f", 81)])[0].message, "long");
        let left = allowed.apply(vec![counted("f", 79)]);
        assert!(left[0].message.contains("lower the entry from 80"));
    }

    #[test]
    fn shrinking_takes_out_and_lowers_and_what_is_left_reads_the_same() {
        let mut allowed = allowed(
            "[circles]\n\"a b\" = { why = \"gone\" }\n\
             [lengths]\n\"f\" = { why = \"a table\", amount = 80 }\n\"g\" = { why = \"x\", amount = 90 }\n",
        );
        let found = [counted("f", 75), counted("g", 95)];
        allowed.shrink(&found);
        let left = allowed.apply(found.to_vec());
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].subject, "g");
        let file = std::env::temp_dir().join(format!("allowed-{}.toml", std::process::id()));
        allowed.write(&file).unwrap();
        let again = Allowed::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(format!("{again:?}"), format!("{allowed:?}"));
        assert_eq!(again.0["lengths"]["f"].amount, Some(75));
        assert!(!again.0.contains_key("circles"));
    }
}
