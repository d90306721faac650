//! What JSON must hold to show that something arrived: a reading of the
//! vendors' shapes that shares no line with the codecs.
//!
//! A pattern is JSON too. Members of an object must be there and hold what
//! they must; members beyond them do not matter. Elements of an array must be
//! there in this order, with any others between. A text may have `*` for any
//! letters. Beside that there are the words of [`SPECIAL`].

use serde_json::Value;

/// Members of a pattern that mean something else than a member:
/// `$any` (one of these patterns), `$says` (a text somewhere inside has this in
/// it), `$json` (a text of JSON that holds this), `$absent` (it is not there),
/// `$number` and `$text` (any number, any text that is not empty).
const SPECIAL: [&str; 6] = ["$any", "$says", "$json", "$absent", "$number", "$text"];

/// Whether a value, if there is one, holds what the pattern says.
pub fn holds(pattern: &Value, value: Option<&Value>) -> bool {
    match pattern {
        Value::Object(members) => members.iter().all(|(name, inner)| {
            if SPECIAL.contains(&name.as_str()) {
                special(name, inner, value)
            } else {
                let found = value.and_then(|value| value.get(name));
                let is_special_absence = inner.get("$absent").is_some();
                (found.is_some() || is_special_absence) && holds(inner, found)
            }
        }),
        Value::Array(wanted) => {
            let mut rest = value.and_then(Value::as_array).into_iter().flatten();
            wanted
                .iter()
                .all(|one| rest.any(|element| holds(one, Some(element))))
        }
        Value::String(text) => value
            .and_then(Value::as_str)
            .is_some_and(|value| is_like(text, value)),
        Value::Number(number) => value.and_then(Value::as_f64) == number.as_f64(),
        Value::Bool(_) | Value::Null => value == Some(pattern),
    }
}

fn special(name: &str, inner: &Value, value: Option<&Value>) -> bool {
    match name {
        "$any" => {
            let any = inner.as_array().into_iter().flatten();
            any.into_iter().any(|one| holds(one, value))
        }
        "$says" => value.is_some_and(|value| says(value, inner.as_str().unwrap_or_default())),
        "$json" => {
            let text = value.and_then(Value::as_str).unwrap_or_default();
            serde_json::from_str::<Value>(text).is_ok_and(|value| holds(inner, Some(&value)))
        }
        "$absent" => value.is_none_or(Value::is_null),
        "$number" => value.is_some_and(Value::is_number),
        "$text" => value
            .and_then(Value::as_str)
            .is_some_and(|text| !text.is_empty()),
        _ => false,
    }
}

fn says(value: &Value, text: &str) -> bool {
    match value {
        Value::String(said) => said.contains(text),
        Value::Array(items) => items.iter().any(|item| says(item, text)),
        Value::Object(members) => members.values().any(|member| says(member, text)),
        _ => false,
    }
}

/// Whether a text is as `wanted` says, in which `*` stands for any letters.
fn is_like(wanted: &str, text: &str) -> bool {
    let Some((start, rest)) = wanted.split_once('*') else {
        return wanted == text;
    };
    let Some(mut left) = text.strip_prefix(start) else {
        return false;
    };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let end = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match left.split_once(piece) {
            Some((_, after)) => left = after,
            None => return false,
        }
    }
    left.ends_with(end)
}

#[test]
fn a_pattern_holds_where_it_should_and_nowhere_else() {
    let value = serde_json::json!({"a": [1, {"b": "xyz", "c": "{\"d\":[2]}"}, 3], "e": null});
    for (pattern, expected) in [
        (r#"{"a":[1,3]}"#, true),
        (r#"{"a":[3,1]}"#, false),
        (r#"{"a":[{"b":"x*z"}]}"#, true),
        (r#"{"a":[{"b":"x*y"}]}"#, false),
        (r#"{"a":[{"c":{"$json":{"d":[2]}}}]}"#, true),
        (r#"{"a":[{"c":{"$json":{"d":[3]}}}]}"#, false),
        (r#"{"a":{"$says":"yz"}}"#, true),
        (r#"{"a":{"$says":"zy"}}"#, false),
        (r#"{"f":{"$absent":true}}"#, true),
        (r#"{"a":{"$absent":true}}"#, false),
        (r#"{"$any":[{"f":1},{"a":[1]}]}"#, true),
        (r#"{"f":{}}"#, false),
        (r#"{"a":[{"b":{"$text":true}}]}"#, true),
        (r#"{"a":[{"b":{"$number":true}}]}"#, false),
    ] {
        let pattern: Value = serde_json::from_str(pattern).unwrap();
        assert_eq!(holds(&pattern, Some(&value)), expected, "{pattern}");
    }
}
