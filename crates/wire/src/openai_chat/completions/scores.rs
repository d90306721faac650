//! Log probabilities in the older shape: four lists, one item for each token
//! (OpenAI's reference of text completions, `logprobs`).

use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};

/// The scores of a chat answer as those of a text that begins `offset`
/// characters into the whole. What is not in the newer shape is `null`.
pub fn of_text(logprobs: Option<&Value>, offset: usize) -> Value {
    let content = logprobs.and_then(|scores| scores.get("content")?.as_array());
    let Some(content) = content else {
        return Value::Null;
    };
    let mut at = offset;
    let (mut tokens, mut scores, mut best, mut offsets) = (vec![], vec![], vec![], vec![]);
    for item in content {
        let token = item
            .get("token")
            .and_then(Value::as_str)
            .unwrap_or_default();
        tokens.push(json!(token));
        scores.push(json!(item.get("logprob")));
        best.push(alternatives(item));
        offsets.push(json!(at));
        at = at.saturating_add(token.chars().count());
    }
    json!({
        "tokens": tokens,
        "token_logprobs": scores,
        "top_logprobs": best,
        "text_offset": offsets,
    })
}

/// The likeliest tokens, by their text.
fn alternatives(item: &Value) -> Value {
    let Some(list) = item.get("top_logprobs").and_then(Value::as_array) else {
        return Value::Null;
    };
    let pairs = list.iter().filter_map(|other| {
        let token = other.get("token")?.as_str()?;
        Some((token.to_owned(), other.get("logprob")?.clone()))
    });
    Value::Object(pairs.collect::<Map>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_has_its_score_its_rivals_and_its_place() {
        let chat = json!({"content": [
            {"token": "Zü", "logprob": -0.50, "bytes": [1], "top_logprobs": [
                {"token": "Zü", "logprob": -0.5}, {"token": "A", "logprob": -1}]},
            {"token": "rich", "logprob": -0.1},
        ], "refusal": null});
        assert_eq!(
            of_text(Some(&chat), 3).to_string(),
            r#"{"tokens":["Zü","rich"],"token_logprobs":[-0.5,-0.1],"top_logprobs":[{"Zü":-0.5,"A":-1},null],"text_offset":[3,5]}"#
        );
        assert_eq!(of_text(None, 0), Value::Null);
        assert_eq!(of_text(Some(&json!({"content": null})), 0), Value::Null);
    }
}
