//! Reading a vendor's verdicts (openai-python 2, `moderation.py`; mistralai,
//! `moderationobject.py`; November 2026).

use bourse_vocab::json::{Value, parse};
use bourse_vocab::moderations::{Reply, Verdict};
use bourse_vocab::{Failure, UsageReport};
use bytes::Bytes;

/// Reads a reply that has to have so many verdicts.
pub(super) fn reply(body: &Bytes, verdicts: usize) -> Result<Reply, Failure> {
    let whole = parse(body).map_err(|error| {
        broken("they are no JSON").inside(format!("a reply of verdicts: {error}"))
    })?;
    let Some(Value::Array(results)) = whole.get("results") else {
        return Err(broken("there are none"));
    };
    // One that is missing would pass for harmless, and with one too many
    // nobody knows which is whose.
    if results.len() != verdicts {
        return Err(broken("there is not one for each input"));
    }
    let id = whole.get("id").and_then(Value::as_str);
    Ok(Reply {
        verdicts: results.iter().map(verdict).collect::<Result<_, _>>()?,
        usage: whole.get("usage").map(usage).unwrap_or_default(),
        upstream_id: id.map(str::to_owned),
    })
}

fn verdict(item: &Value) -> Result<Verdict, Failure> {
    let map = |name: &str| item.get(name).and_then(Value::as_object);
    let categories = map("categories").filter(|all| !all.is_empty());
    let categories = categories.ok_or_else(|| broken("one of them judges nothing"))?;
    let is_told = |value: &Value| matches!(value, Value::Null | Value::Bool(_));
    if !categories.values().all(is_told) {
        return Err(broken("one of them is neither true nor false"));
    }
    let scores = map("category_scores").cloned().unwrap_or_default();
    if !scores.values().all(is_score) {
        return Err(broken("a score is no number"));
    }
    let is_found = |value: &Value| matches!(value, Value::Bool(true));
    let told = match item.get("flagged") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(flagged)) => *flagged,
        Some(_) => return Err(broken("one of them is neither true nor false")),
    };
    Ok(Verdict {
        // "Whether any of the below categories are flagged": who does not say
        // so, and who contradicts itself, has said it of a kind.
        flagged: told || categories.values().any(is_found),
        categories: categories.clone(),
        scores,
        applied: map("category_applied_input_types").cloned(),
    })
}

fn is_score(value: &Value) -> bool {
    match value {
        Value::Null => true,
        value => value.as_f64().is_some_and(f64::is_finite),
    }
}

/// What was counted: tokens of the input, where any are. No output is.
fn usage(value: &Value) -> UsageReport {
    let mut report = UsageReport::default();
    let names = ["prompt_tokens", "input_tokens", "total_tokens"];
    if let Some(count) = names.iter().find_map(|name| value.get(name)) {
        report.prompt = report.count(count);
    }
    if report.prompt.is_some() {
        report.completion = Some(0);
    }
    report
}

/// Verdicts that are none, for a reason.
fn broken(why: &str) -> Failure {
    Failure::unavailable(format!("The provider's verdicts cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_that_is_none_is_no_verdict() {
        let value = |text: &str| parse(text.as_bytes()).unwrap();
        assert!(
            verdict(&value(r#"{"categories":{"a":true}}"#))
                .unwrap()
                .flagged
        );
        assert!(
            !verdict(&value(r#"{"categories":{"a":null}}"#))
                .unwrap()
                .flagged
        );
        for text in [
            "7",
            r#"{"categories":{}}"#,
            r#"{"categories":[]}"#,
            r#"{"categories":{"a":"no"}}"#,
            r#"{"categories":{"a":false},"flagged":"no"}"#,
            r#"{"categories":{"a":false},"category_scores":{"a":"high"}}"#,
        ] {
            assert!(verdict(&value(text)).is_err(), "{text}");
        }
    }
}
