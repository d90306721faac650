//! `logprobs` (`Logprob` of api/types.go, August 2026), which are OpenAI's
//! without a wrapper and without what is empty.

use bourse_vocab::json;
use bourse_vocab::json::Value;

/// Ollama's list in OpenAI's shape.
pub fn read(reply: &Value) -> Option<Value> {
    let tokens = reply.get("logprobs")?.as_array()?;
    if tokens.is_empty() {
        return None;
    }
    let content: Vec<Value> = tokens.iter().map(whole).collect();
    Some(json!({"content": content, "refusal": null}))
}

fn whole(token: &Value) -> Value {
    let top = token.get("top_logprobs").and_then(Value::as_array);
    let top: Vec<Value> = top.into_iter().flatten().map(one).collect();
    let mut whole = one(token);
    if let Value::Object(members) = &mut whole {
        members.insert("top_logprobs".to_owned(), Value::Array(top));
    }
    whole
}

fn one(token: &Value) -> Value {
    json!({
        "token": token.get("token"),
        "logprob": token.get("logprob"),
        "bytes": token.get("bytes"),
    })
}

/// OpenAI's shape as Ollama's list.
pub fn write(logprobs: &Value) -> Option<Value> {
    let content = logprobs.get("content")?.as_array()?;
    Some(Value::Array(content.clone()))
}
