//! How long a provider asks to be left alone, where it says so in the body of
//! an error and not in its head.
//!
//! - Google's `RetryInfo`, in `details`, which its servers of OpenAI's format
//!   send as well ("Troubleshooting guide", ai.google.dev, October 2026);
//! - members named `retry_after`, as OpenRouter has one in `availability` and
//!   many servers one beside the message;
//! - the sentence itself: "Please try again in 6.78s", "in 1m0.36s" (OpenAI and
//!   Groq; TheR1D/shell_gpt issue 653, OpenHands/OpenHands pull request 4167),
//!   "Please retry after 26 seconds" (Azure), "Please retry in 32.4s" (Google).
//!
//! A head says it better, so it goes first. What is longer than a day is no
//! rest but a quota, and not believed.

use std::time::Duration;

use bourse_vocab::json::{Map, Value};

/// The longest rest that is believed: a quota that is used up names days, and
/// nobody waits for those.
const REST_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// What the sentences have in common.
const BEFORE: [&str; 4] = [
    "try again in ",
    "retry in ",
    "retry after ",
    "try again after ",
];
/// Units, and how many seconds they are.
const UNITS: [(&[&str], f64); 5] = [
    (&["ms", "millisecond", "milliseconds"], 0.001),
    (&["s", "sec", "secs", "second", "seconds"], 1.0),
    (&["m", "min", "mins", "minute", "minutes"], 60.0),
    (&["h", "hr", "hour", "hours"], 3_600.0),
    (&["d", "day", "days"], 86_400.0),
];

/// The rest that the members of an object tell.
pub fn by_members(members: &Map) -> Option<Duration> {
    let details = members.get("details").and_then(Value::as_array);
    let mut delays = details.into_iter().flatten();
    delays
        .find_map(|detail| delay(detail.get("retryDelay")?))
        .or_else(|| number(members.get("retry_after_ms")?, 0.001))
        .or_else(|| {
            let mut names = ["retry_after", "retry_after_seconds", "retryAfter"].into_iter();
            names.find_map(|name| number(members.get(name)?, 1.0))
        })
}

/// `google.rpc.RetryInfo.retryDelay`: seconds with a fraction and an `s`.
fn delay(value: &Value) -> Option<Duration> {
    believed(value.as_str()?.strip_suffix('s')?.parse().ok()?)
}

/// A number of units of so many seconds, or its text.
fn number(value: &Value, unit: f64) -> Option<Duration> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok()?,
        value => value.as_f64()?,
    };
    believed(number * unit)
}

fn believed(seconds: f64) -> Option<Duration> {
    let rest = Duration::try_from_secs_f64(seconds).ok()?;
    (rest <= REST_MAX).then_some(rest)
}

/// The rest that a sentence, in small letters, names.
pub fn by_sentence(message: &str) -> Option<Duration> {
    BEFORE.iter().find_map(|phrase| {
        let (_, after) = message.split_once(phrase)?;
        duration(after)
    })
}

/// A duration in parts at the beginning of a text: `6m0s`, `2.5 seconds`.
fn duration(mut text: &str) -> Option<Duration> {
    let mut sum = None;
    loop {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, rest) = text.split_at(digits.unwrap_or(text.len()));
        let Ok(number) = number.parse::<f64>() else {
            return sum;
        };
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic());
        let (word, rest) = rest.split_at(letters.unwrap_or(rest.len()));
        let (_, unit) = UNITS.iter().find(|(words, _)| words.contains(&word))?;
        let part = believed(number * unit)?;
        sum = Some(sum.unwrap_or(Duration::ZERO).saturating_add(part));
        text = rest.strip_prefix(' ').unwrap_or(rest);
    }
}

#[cfg(test)]
mod tests {
    use bourse_vocab::json;

    use super::*;

    fn ms(rest: Option<Duration>) -> Option<u128> {
        rest.map(|rest| rest.as_millis())
    }

    #[test]
    fn a_sentence_names_a_rest_in_every_vendors_words() {
        for (sentence, expected) in [
            (
                "rate limit reached. please try again in 2.5s. visit x",
                Some(2_500),
            ),
            ("please try again in 6.780999999s. visit", Some(6_780)),
            (
                "please try again in 1m0.36s. need more tokens?",
                Some(60_360),
            ),
            ("please try again in 9m38.016s", Some(578_016)),
            ("please try again in 20ms.", Some(20)),
            ("please retry after 26 seconds.", Some(26_000)),
            ("try again in 1 minute 5 seconds", Some(65_000)),
            ("please retry in 32.4s.", Some(32_400)),
            ("try again in 2h", Some(7_200_000)),
            ("try again in 3 days", None),
            ("try again in 5", None),
            ("try again in 5 servers", None),
            ("try again in a moment", None),
            ("try again in 1..2s", None),
            ("try again in -5s", None),
            ("try again in 99999999999999999999s", None),
            ("try again later", None),
            ("", None),
        ] {
            assert_eq!(ms(by_sentence(sentence)), expected, "{sentence}");
        }
    }

    #[test]
    fn members_name_a_rest_and_nonsense_is_none() {
        for (members, expected) in [
            (json!({"retry_after": 7}), Some(7_000)),
            (json!({"retry_after": "1.5"}), Some(1_500)),
            (json!({"retry_after_ms": 250, "retry_after": 9}), Some(250)),
            (
                json!({"details": [{"@type": "x"}, {"retryDelay": "12.5s"}]}),
                Some(12_500),
            ),
            (json!({"retry_after": -1}), None),
            (json!({"retry_after": 1e300}), None),
            (json!({"retry_after": 86_401}), None),
            (json!({"retry_after": {}}), None),
        ] {
            let Value::Object(members) = members else {
                panic!("no members");
            };
            assert_eq!(ms(by_members(&members)), expected, "{members:?}");
        }
        for nonsense in ["-1s", "1e99s", "NaNs", "s", "12", "999999s"] {
            assert_eq!(delay(&nonsense.into()), None, "{nonsense}");
        }
    }
}
