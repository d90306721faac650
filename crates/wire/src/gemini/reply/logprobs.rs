//! `logprobsResult` and OpenAI's `logprobs`, which say the same.

use bourse_vocab::json;
use bourse_vocab::json::Value;

/// Google's result in OpenAI's shape.
pub fn read(result: &Value) -> Option<Value> {
    let chosen = result.get("chosenCandidates")?.as_array()?;
    let tops = result.get("topCandidates").and_then(Value::as_array);
    let content: Vec<Value> = chosen
        .iter()
        .enumerate()
        .map(|(position, candidate)| {
            let mut token = read_token(candidate);
            let top: Vec<Value> = tops
                .and_then(|tops| tops.get(position)?.get("candidates")?.as_array())
                .into_iter()
                .flatten()
                .map(read_token)
                .collect();
            if let Value::Object(members) = &mut token {
                members.insert("top_logprobs".to_owned(), Value::Array(top));
            }
            token
        })
        .collect();
    Some(json!({"content": content, "refusal": null}))
}

fn read_token(candidate: &Value) -> Value {
    let token = super::text(candidate, "token").unwrap_or_default();
    // A logarithm of one is zero, which Google leaves out.
    let logprob = candidate.get("logProbability").and_then(Value::as_f64);
    json!({"token": token, "logprob": logprob.unwrap_or(0.0), "bytes": token.as_bytes()})
}

/// OpenAI's shape as Google's result.
pub fn write(logprobs: &Value) -> Option<Value> {
    let content = logprobs.get("content")?.as_array()?;
    let chosen: Vec<Value> = content.iter().map(write_token).collect();
    let top: Vec<Value> = content
        .iter()
        .map(|token| {
            let top = token.get("top_logprobs").and_then(Value::as_array);
            let top: Vec<Value> = top.into_iter().flatten().map(write_token).collect();
            json!({ "candidates": top })
        })
        .collect();
    Some(json!({"chosenCandidates": chosen, "topCandidates": top}))
}

fn write_token(token: &Value) -> Value {
    json!({
        "token": super::text(token, "token").unwrap_or_default(),
        "logProbability": token.get("logprob"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_probabilities_read_back_as_they_were_written() {
        let result = json!({
            "chosenCandidates": [{"token": "Hi", "logProbability": -0.5}],
            "topCandidates": [{"candidates": [
                {"token": "Hi", "logProbability": -0.5},
                {"token": "Ho", "logProbability": -1.5}]}],
        });
        let openai = read(&result).unwrap();
        assert_eq!(
            openai,
            json!({"content": [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105],
                "top_logprobs": [
                    {"token": "Hi", "logprob": -0.5, "bytes": [72, 105]},
                    {"token": "Ho", "logprob": -1.5, "bytes": [72, 111]}]}],
                "refusal": null})
        );
        assert_eq!(write(&openai).unwrap(), result);
    }
}
