//! `[admission]`: which calls may begin.

use std::collections::HashSet;
use std::time::Duration;

use bourse_dataplane::admission::bounds::Limits;
use bourse_policy::KeyHash;

use super::raw::RawAdmission;

/// Most calls that a bound may allow: more than a machine has descriptors.
const CALLS_MAX: u32 = 1_000_000;
/// Longest that may count as in time: a minute late is refusing nobody.
const LATE_MS_MAX: u64 = 60_000;
/// Longest queue: each place is a connection.
const QUEUE_MAX: usize = 65_536;
/// The same of one key.
const QUEUE_OF_KEY_MAX: u32 = 65_536;
/// Longest wait: proxies on the way have given up by then.
const WAIT_MS_MAX: u64 = 600_000;
/// Most keys that may be named; each is looked for with every call.
const KEYS_MAX: usize = 4_096;

/// Makes sense of the section.
pub(super) fn resolve(raw: &RawAdmission, problems: &mut Vec<String>) -> Limits {
    let usual = Limits::default();
    let mut calls = |key: &str, given: Option<u32>| {
        given.inspect(|most| {
            if !(1..=CALLS_MAX).contains(most) {
                problems.push(format!(
                    "admission.{key}: {most} is not between 1 and {CALLS_MAX}"
                ));
            }
        })
    };
    let key_calls_max = calls("key_calls_max", raw.key_calls_max);
    let account_calls_max = calls("account_calls_max", raw.account_calls_max);
    let batch_queue_max = raw.batch_queue_max.unwrap_or(usual.batch_queue_max);
    if batch_queue_max > QUEUE_MAX {
        problems.push(format!(
            "admission.batch_queue_max: {batch_queue_max} is not between 0 and {QUEUE_MAX}"
        ));
    }
    let of_key = raw.batch_queue_of_key_max;
    let batch_queue_of_key_max = of_key.unwrap_or(usual.batch_queue_of_key_max);
    if !(1..=QUEUE_OF_KEY_MAX).contains(&batch_queue_of_key_max) {
        problems.push(format!(
            "admission.batch_queue_of_key_max: {batch_queue_of_key_max} is not between 1 and {QUEUE_OF_KEY_MAX}"
        ));
    }
    if let Some(ms) = raw.late_ms.filter(|ms| *ms > LATE_MS_MAX) {
        problems.push(format!(
            "admission.late_ms: {ms} is not between 0 and {LATE_MS_MAX} ms"
        ));
    }
    let wait_ms = raw.batch_wait_ms;
    if let Some(ms) = wait_ms.filter(|ms| !(1..=WAIT_MS_MAX).contains(ms)) {
        problems.push(format!(
            "admission.batch_wait_ms: {ms} is not between 1 and {WAIT_MS_MAX} ms"
        ));
    }
    Limits {
        late: raw.late_ms.map_or(usual.late, Duration::from_millis),
        key_calls_max,
        account_calls_max,
        batch_queue_max,
        batch_queue_of_key_max,
        batch_wait: wait_ms.map_or(usual.batch_wait, Duration::from_millis),
        batch_keys: batch_keys(&raw.batch_keys, problems),
    }
}

/// Keys by their hashes. An unknown one may be a key that is deleted, or not
/// made yet.
fn batch_keys(written: &[String], problems: &mut Vec<String>) -> HashSet<KeyHash> {
    if written.len() > KEYS_MAX {
        problems.push(format!("admission.batch_keys: at most {KEYS_MAX} keys"));
    }
    let mut keys = HashSet::new();
    for (place, text) in written.iter().enumerate() {
        // Not repeated: it may be a key by mistake.
        let problem = match text.parse::<KeyHash>() {
            Ok(hash) if keys.insert(hash) => continue,
            Ok(_) => "is there twice",
            Err(_) => "is not a key's hash, which has 64 hexadecimal digits",
        };
        problems.push(format!("admission.batch_keys[{place}]: {problem}"));
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Environment};

    fn problems(section: &str) -> String {
        let text = format!("[server]\n[admission]\n{section}\n");
        let parsed = Config::parse("bourse.toml", &text, &Environment::default());
        parsed.unwrap_err().to_string()
    }

    #[test]
    fn bounds_are_off_unless_they_are_written() {
        let config = Config::parse("bourse.toml", "", &Environment::default()).unwrap();
        assert_eq!(config.admission.key_calls_max, None);
        assert_eq!(config.admission.account_calls_max, None);

        let hash = "ab".repeat(32);
        let text = format!(
            "[admission]\nlate_ms = 40\nkey_calls_max = 8\naccount_calls_max = 100\nbatch_queue_max = 0\n\
             batch_queue_of_key_max = 1\nbatch_wait_ms = 1500\nbatch_keys = [\"{hash}\"]\n"
        );
        let config = Config::parse("bourse.toml", &text, &Environment::default()).unwrap();
        let given = config.admission;
        assert_eq!(
            (given.key_calls_max, given.account_calls_max),
            (Some(8), Some(100))
        );
        assert_eq!(
            (given.batch_queue_max, given.batch_queue_of_key_max),
            (0, 1)
        );
        assert_eq!(given.batch_wait.as_millis(), 1_500);
        assert_eq!(given.late.as_millis(), 40);
        assert!(given.batch_keys.contains(&hash.parse().unwrap()));
    }

    #[test]
    fn nonsense_is_refused_with_its_line_or_its_name() {
        for (line, told) in [
            (
                "key_calls_max = -1",
                "bourse.toml:3:17: admission.key_calls_max: -1 is negative",
            ),
            (
                "batch_wait_ms = \"soon\"",
                "bourse.toml:3:17: admission.batch_wait_ms: expected a whole number, found a string",
            ),
            (
                "calls_max = 1",
                "bourse.toml:3:1: admission.calls_max: unknown key",
            ),
            (
                "key_calls_max = 0",
                "admission.key_calls_max: 0 is not between",
            ),
            (
                "account_calls_max = 4000000000",
                "admission.account_calls_max: 4000000000",
            ),
            (
                "batch_queue_max = 70000",
                "admission.batch_queue_max: 70000",
            ),
            (
                "batch_queue_of_key_max = 0",
                "admission.batch_queue_of_key_max: 0",
            ),
            ("late_ms = 60001", "admission.late_ms: 60001 is not between"),
            (
                "batch_wait_ms = 0",
                "admission.batch_wait_ms: 0 is not between",
            ),
        ] {
            let problem = problems(line);
            assert!(
                problem.starts_with("bourse.toml:3:") && problem.contains(told),
                "{problem}"
            );
        }
        let hash = "ab".repeat(32);
        let line = format!("batch_keys = [\"{hash}\", \"sk-bourse-v1-secret\", \"{hash}\"]");
        assert_eq!(
            problems(&line),
            "bourse.toml:3:83: admission.batch_keys[1]: is not a key's hash, which has 64 hexadecimal digits\n\
             bourse.toml:3:106: admission.batch_keys[2]: is there twice"
        );
    }
}
